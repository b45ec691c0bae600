"""Delete what has been kept long enough, and promote what a switch of versions held back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hookkit.core.errors import Unavailable
from hookkit.inbox.base import Inbox

#: Between two steps, so that deliveries get their turn, in seconds.
PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Prunes an inbox.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        keep_bodies: How long the bytes of settled entries are kept.
        keep_ids: How long settled entries are.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    keep_bodies: timedelta
    keep_ids: timedelta

    def prune(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Delete all that is old enough; return how many bodies and ids that were.

        Args:
            wait: Waits for so many seconds; returns True when the work has to end early.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        now = self.clock()
        bodies = ids = 0
        after: tuple[int, int] | None = (0, 0)
        while after is not None:
            step = self.inbox().prune(
                bodies_before=now - self.keep_bodies, ids_before=now - self.keep_ids, after=after
            )
            bodies += step.bodies
            ids += step.ids
            after = step.last
            if after is not None and wait(PAUSE_S):
                break
        return bodies, ids


_logger = logging.getLogger("hookkit")

#: How often what was held back beside a switch of versions is looked for.
PROMOTE_S = 60.0


def promote(held_back: Callable[[], int]) -> None:
    """Make due what was *held_back* beside a switch of versions."""
    try:
        held_back()
    except Unavailable as error:
        _logger.warning("cannot sweep now: %s", error, extra={"action": "sweep_failed"})
    except Exception:
        _logger.exception("cannot sweep", extra={"action": "sweep_failed"})


def prune(
    old: Callable[[Callable[[float], bool]], tuple[int, int]], wait: Callable[[float], bool]
) -> None:
    """Delete what is *old* enough.

    Args:
        wait: Waits for so many seconds; returns True when the work has to end early.
    """
    try:
        bodies, ids = old(wait)
    except Unavailable as error:
        _logger.warning("cannot prune now: %s", error, extra={"action": "prune_failed"})
    except Exception:
        _logger.exception("cannot prune", extra={"action": "prune_failed"})
    else:
        if bodies or ids:
            _logger.info(
                "deleted the bodies of %d deliveries and %d entries",
                bodies,
                ids,
                extra={"action": "pruned"},
            )
