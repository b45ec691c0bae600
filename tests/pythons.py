"""Runs the suite on every Python that setup.cfg declares and this machine has: ``make pythons``.

Each has an environment of its own. A Python is looked for on PATH and among those of pyenv. It
says of each whether it passed, failed or was not found, and ends with 1 unless all passed.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IGNORED = ("tests/bench", "tests/package")


def main(options):
    results = {version: result_of(version, options) for version in declared()}
    for version, result in results.items():
        sys.stdout.write(f"Python {version}: {result}\n")
    return 0 if all(result == "passed" for result in results.values()) else 1


def declared():
    """Return the versions that setup.cfg declares, as ``3.11``."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return re.findall(r":: (3\.\d+)$", parser["metadata"]["classifiers"], flags=re.MULTILINE)


def result_of(version, options):
    found = find(version)
    if found is None:
        return "not found"
    python = environment(version, found)
    ignored = [f"--ignore={folder}" for folder in IGNORED]
    tested = subprocess.run([python, "-m", "pytest", *ignored, *options], check=False, cwd=ROOT)
    return "passed" if tested.returncode == 0 else "failed"


def find(version):
    """Return the path of a Python of *version* that starts; None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [
        shutil.which(f"python{version}"),
        *sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True),
    ]
    return next((path for path in candidates if path is not None and starts(path)), None)


def starts(path):
    # pyenv has a command for each version, which fails where that version is not chosen.
    return subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0


def environment(version, found):
    """Return the Python of the environment for *version*, made anew."""
    folder = ROOT / f".venv-{version}"
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt"]
    for command in (
        [found, "-m", "venv", "--clear", folder],
        [*install, "setuptools", "wheel"],
        [*install, "--no-build-isolation", "--editable", ".[test]"],
    ):
        subprocess.run(command, check=True, cwd=ROOT)
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
