"""What coverage looks at: under it the code of hookkit takes several times as long."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverage import Coverage

TESTS = Path(__file__).parent

#: They lead through the same lines again and again, or look at other processes. A line that no
#: other test covers counts as not covered.
UNMEASURED = tuple(
    TESTS / name
    for name in (
        "acceptance",
        "cli/test_hostile_text.py",
        "console/test_browser.py",
        "console/test_hosts.py",
        "console/test_night.py",
        "console/test_personal_data.py",
        "console/test_strangers.py",
        "fuzz",
        "hostile",
        "inbox/test_flips.py",
        "inbox/test_model.py",
        "inbox/test_reading.py",
        "keys/test_key_flood.py",
        "providers/test_additive.py",
        "providers/test_compiled.py",
        "providers/test_completeness.py",
        "providers/test_livechat_completeness.py",
        "providers/test_mutations.py",
        "receiving/test_cost.py",
        "web/test_hostile_requests.py",
    )
)


def is_measured(path: Path) -> bool:
    """Tell whether coverage looks at the tests in the file at *path*."""
    return not any(path.is_relative_to(each) for each in UNMEASURED)


@contextmanager
def unmeasured() -> Iterator[None]:
    """Have coverage look away until the end of the block, where it looks at all."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
    coverage.stop()
    try:
        yield
    finally:
        coverage.start()
        measure_no_children()


def measure_no_children() -> None:
    """Have what a test starts run at its usual pace."""
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
