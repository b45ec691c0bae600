"""Writes the ``.expected.json`` beside every sample that has none.

``python -m tests.providers.write_expected`` writes the missing ones;
``python -m tests.providers.write_expected --all`` writes every one anew, for a change of the
model. What is written is what the code does now: read it against the sample before you
commit it, since the tests hold the code to it from then on.
"""

import json
import sys

from tests.providers.reading import SAMPLES, expected_path, promise, read_sample


def main(*, everything):
    """Return the paths that were written."""
    written = []
    for sample in SAMPLES:
        path = expected_path(sample)
        if path.exists() and not everything:
            continue
        text = json.dumps(promise(read_sample(sample)), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in main(everything="--all" in sys.argv[1:]):
        sys.stdout.write(f"{path}\n")
