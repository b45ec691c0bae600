"""What people do to an inbox: replay entries, and look at how it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hookkit.core.entry import Filter, State
from hookkit.core.errors import ConfigurationError
from hookkit.core.handlers import HandlerRegistry
from hookkit.inbox.base import Inbox
from hookkit.operating.secret_use import SecretUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How an inbox stands.

    Attributes:
        entries: How many are in each state; every state is there. Those of ``DEAD`` are the
            dead letters.
        overdue_s: For how long what is due first has been waiting for a worker, in seconds;
            this grows when nothing is handled any more, whatever the reason.
        secrets: Every secret that is one of several, in the order of the settings.
    """

    entries: Mapping[State, int]
    overdue_s: float
    secrets: Sequence[SecretUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What people may do to the inbox of one application.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        registry: The handlers.
        endpoints: The names of the endpoints that the application serves.
        run_soon: Sees to entries that became due.
        secrets: Returns how the secrets stand.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    registry: HandlerRegistry
    endpoints: Collection[str]
    run_soon: Callable[[Sequence[int]], None]
    secrets: Callable[[], Sequence[SecretUse]]

    def stats(self) -> Stats:
        """Return how the inbox stands; see ``HookKit.stats``."""
        inbox = self.inbox()
        due_at = inbox.next_due_at(self.endpoints)
        overdue_s = 0.0 if due_at is None else (self.clock() - due_at).total_seconds()
        return Stats(entries=inbox.counts(), overdue_s=max(0.0, overdue_s), secrets=self.secrets())

    def replay(self, entry_id: int, handlers: Collection[str] | None = None) -> None:
        """Run an entry again; see ``HookKit.replay``."""
        self._check_names(handlers)
        self.inbox().replay(entry_id, now=self.clock(), handlers=handlers)
        self.run_soon([entry_id])

    def replay_all(
        self,
        wanted: Filter,
        handlers: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Run many entries again; see ``HookKit.replay_all``."""
        self._check_names(handlers)
        inbox = self.inbox()
        # What arrives from now on is not meant, and what was replayed is not met again.
        newest = inbox.find(limit=1)
        newest_id = newest[0].id if newest else 0
        count = 0
        after_id: int | None = 0
        while after_id is not None and after_id < newest_id:
            batch = inbox.replay_all(
                wanted,
                now=self.clock(),
                handlers=handlers,
                after_id=after_id,
                up_to_id=newest_id,
            )
            self.run_soon(batch.entry_ids)
            count += len(batch.entry_ids)
            after_id = batch.last_id
            if progress is not None:
                progress(count)
        return count

    def _check_names(self, handlers: Collection[str] | None) -> None:
        """Refuse handlers that nobody has registered: nothing would run, unnoticed."""
        if handlers is None:
            return
        unknown = sorted(set(handlers) - set(self.registry.names))
        if unknown or not handlers:
            named = ", ".join(map(repr, unknown)) or "(none is given)"
            raise ConfigurationError(
                f"no handler has the name {named}; known are {', '.join(self.registry.names)}"
            )
