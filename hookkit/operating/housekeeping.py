"""Housekeeping of an inbox: delete what is old, promote what a switch held back, and replay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hookkit.core.errors import Unavailable
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox

_logger = logging.getLogger("hookkit")

#: The pause between two steps of pruning, so that deliveries get their turn, in seconds.
PAUSE_S = 0.05

#: How long refused deliveries are kept, and how long counts.
KEEP_REFUSED = timedelta(days=7)
KEEP_COUNTS = timedelta(days=90)

#: How long it is kept who did what.
KEEP_AUDIT = timedelta(days=400)

#: How long a process is remembered that was not seen any more.
KEEP_WORKERS = timedelta(days=1)

#: How often replays are looked for that people have left to housekeeping, in seconds.
REPLAY_S = 2.0

#: How long it is kept what became of the entries of a replay.
KEEP_RESULTS = timedelta(days=30)

#: How often events that a switch of versions held back are looked for, in seconds.
PROMOTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Prunes an inbox.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        keep_bodies: How long the bodies of settled entries are kept.
        keep_ids: How long settled entries are kept.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    keep_bodies: timedelta
    keep_ids: timedelta

    def prune(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Delete everything that is old enough; return the number of bodies and of entries.

        Args:
            wait: Waits for the given number of seconds. It returns True to end the work early.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        now = self.clock()
        bodies = entries = 0
        after: tuple[int, int] | None = (0, 0)
        while after is not None:
            step = self.inbox().prune(
                bodies_before=now - self.keep_bodies, ids_before=now - self.keep_ids, after=after
            )
            bodies += step.bodies
            entries += step.ids
            after = step.last
            if after is not None and wait(PAUSE_S):
                return bodies, entries
        self.inbox().quarantine.prune(now - KEEP_REFUSED)
        self.inbox().minutes.prune(now - KEEP_COUNTS)
        self.inbox().audit.prune(now - KEEP_AUDIT)
        self.inbox().workers.prune(now - KEEP_WORKERS)
        while self.inbox().replays.prune(now - KEEP_RESULTS) and not wait(PAUSE_S):
            pass
        return bodies, entries


def replay(advance: Callable[[], float | None]) -> float:
    """Call *advance*, and log an error instead of raising it.

    Args:
        advance: As ``Replaying.advance``.

    Returns:
        In how many seconds to do it again.
    """
    try:
        pause_s = advance()
    except Unavailable:  # what runs handlers reports it
        return REPLAY_S
    except Exception:
        _logger.exception("cannot replay", extra={"action": "replay_failed"})
        return PROMOTE_S
    return REPLAY_S if pause_s is None else min(pause_s, REPLAY_S)


def promote(promote_held_back: Callable[[], int]) -> None:
    """Call *promote_held_back*, and log an error instead of raising it."""
    try:
        promote_held_back()
    except Unavailable as error:
        _logger.warning("cannot promote now: %s", error, extra={"action": "promote_failed"})
    except Exception:
        _logger.exception("cannot promote", extra={"action": "promote_failed"})


def prune(
    prune_all: Callable[[Callable[[float], bool]], tuple[int, int]],
    wait: Callable[[float], bool],
) -> None:
    """Call *prune_all* with *wait*; log the result, and an error instead of raising it.

    Args:
        prune_all: ``Upkeep.prune``, or a function that does more.
        wait: As ``Upkeep.prune`` takes it.
    """
    try:
        bodies, entries = prune_all(wait)
    except Unavailable as error:
        _logger.warning("cannot prune now: %s", error, extra={"action": "prune_failed"})
    except Exception:
        _logger.exception("cannot prune", extra={"action": "prune_failed"})
    else:
        if bodies or entries:
            _logger.info(
                "deleted the bodies of %s and %s",
                counted(bodies, "delivery", "deliveries"),
                counted(entries, "entry", "entries"),
                extra={"action": "pruned"},
            )
