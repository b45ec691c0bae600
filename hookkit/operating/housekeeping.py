"""Deletes what has been kept long enough, a little at a time.

Two lifetimes: the bytes of settled entries go first; the ids, which stop duplicates, later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

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
