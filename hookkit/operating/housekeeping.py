"""Housekeeping of an inbox: delete what is old, promote what a switch of versions held back."""

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
                break
        return bodies, entries


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
