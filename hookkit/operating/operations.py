"""The statistics of an inbox."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hookkit.core.entry import State, seconds_overdue
from hookkit.inbox.inbox import Inbox
from hookkit.operating.secret_use import SecretUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The statistics of an inbox.

    Attributes:
        entries: The number of entries in each state; every state is a key. 1001 stands for all
            that is above 1000. The entries in ``DEAD`` are the dead letters.
        overdue_s: How long the first due entry has waited for a worker, in seconds. It grows
            when nothing is handled any more, whatever the reason.
        secrets: One for each secret that is one of several, in the order of the settings.
    """

    entries: Mapping[State, int]
    overdue_s: float
    secrets: Sequence[SecretUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Reads the statistics of one application's inbox.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: The names of the endpoints that the application serves.
        secrets: Returns which secrets are in use; may raise ``Unavailable``.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    endpoints: Collection[str]
    secrets: Callable[[], Sequence[SecretUse]]

    def stats(self) -> Stats:
        """Return the statistics; see ``HookKit.stats``."""
        return self.standing()[0]

    def standing(self) -> tuple[Stats, datetime | None]:
        """Return the statistics, and when the next entry is due; a time in the past means now."""
        entries, due_at = self.inbox().standing(self.endpoints)
        overdue_s = seconds_overdue(due_at, self.clock())
        stats = Stats(entries=entries, overdue_s=overdue_s, secrets=self.secrets())
        return stats, due_at
