"""Places between two steps where a process may be told to die, to prove that nothing is lost.

``HOOKKIT_CRASH_AT=admit_written:3`` kills the process, as the kernel does when memory runs out,
the third time that it gets to that place. Without the variable a place costs one call of an
empty function. ``tests/acceptance/test_crash_points.py`` goes through all of them.
"""

from __future__ import annotations

import os
import signal
from itertools import count

#: In the order of a delivery's life.
NAMES = (
    "received",
    "verified",
    "parsed",
    "admit_written",
    "admitted",
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
    """Arm one place: its name, and after a colon the how manieth time."""
    global reach  # noqa: PLW0603  # so that the places cost nothing where this is not asked for
    name, _, which = wanted.partition(":")
    passing = count(1)

    def die(reached: str) -> None:
        if reached == name and next(passing) == int(which or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    reach = die


reach = _never
if os.environ.get(VARIABLE):
    _armed(os.environ[VARIABLE])
