"""Crash points: places between two steps where a test kills the process, and nothing is lost.

``HOOKKIT_CRASH_AT=admit_written:3`` kills the process at its third visit of that place, as the
kernel does when memory runs out. Without the variable a visit costs one call of an empty
function. ``tests/acceptance/test_crash_points.py`` tries all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

#: The crash points, in the order of a delivery's life.
NAMES = (
    "received",
    "verified",
    "parsed",
    "admit_written",
    "admitted",
    "readmitted",
    "released",
    "claim_written",
    "claimed",
    "normalized",
    "effects_written",
    "success_written",
    "effects_committed",
    "attempted",
    "settle_written",
    "settled",
    "replay_written",
    "prune_written",
    "switch_written",
    "migration_written",
)

VARIABLE = "HOOKKIT_CRASH_AT"


def _never(_: str) -> None:
    """Go on."""


def _armed(wanted: str) -> None:
    """Arm one crash point: ``name``, or ``name:3`` for the third visit."""
    global reach  # noqa: PLW0603  # a crash point that is not armed costs nothing
    name, _, which = wanted.partition(":")
    passing = count(1)

    def die(reached: str) -> None:
        if reached == name and next(passing) == int(which or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    reach = die


reach: Callable[[str], None] = _never
if os.environ.get(VARIABLE):
    _armed(os.environ[VARIABLE])
