"""What a person does to an inbox: replay entries, and read its statistics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hookkit.core.entry import REPLAYABLE, Filter, State
from hookkit.core.errors import ConfigurationError, not_known
from hookkit.core.handlers import HandlerRegistry
from hookkit.inbox.inbox import Inbox
from hookkit.operating.secret_use import SecretUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The statistics of an inbox.

    Attributes:
        entries: The number of entries in each state; every state is a key. The entries in
            ``DEAD`` are the dead letters.
        overdue_s: How long the first due entry has waited for a worker, in seconds. It grows
            when nothing is handled any more, whatever the reason.
        secrets: One for each secret that is one of several, in the order of the settings.
    """

    entries: Mapping[State, int]
    overdue_s: float
    secrets: Sequence[SecretUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What a person may do to the inbox of one application.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        registry: The handlers.
        endpoints: The names of the endpoints that the application serves.
        run_soon: Has entries run that became due, given their ids.
        secrets: Returns which secrets are in use; may raise ``Unavailable``.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    registry: HandlerRegistry
    endpoints: Collection[str]
    run_soon: Callable[[Sequence[int]], None]
    secrets: Callable[[], Sequence[SecretUse]]

    def stats(self) -> Stats:
        """Return the statistics; see ``HookKit.stats``."""
        inbox = self.inbox()
        due_at = inbox.next_due_at(self.endpoints)
        overdue_s = 0.0 if due_at is None else (self.clock() - due_at).total_seconds()
        return Stats(entries=inbox.counts(), overdue_s=max(0.0, overdue_s), secrets=self.secrets())

    def replay(self, entry_id: int, *, handlers: Collection[str] | None = None) -> None:
        """Run one entry again; see ``HookKit.replay``."""
        self._check_names(handlers)
        self.inbox().replay(entry_id, now=self.clock(), handlers=handlers)
        self.run_soon([entry_id])

    def replay_all(
        self,
        wanted: Filter,
        *,
        handlers: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Run every entry that *wanted* fits again; see ``HookKit.replay_all``."""
        self._check_names(handlers)
        if wanted.endpoint is not None and wanted.endpoint not in self.endpoints:
            raise ConfigurationError(
                f"endpoint {not_known(wanted.endpoint, sorted(self.endpoints))}"
            )
        inbox = self.inbox()
        # Entries that arrive from now on are left out, and no entry is replayed twice.
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

    def why_none(self, wanted: Filter, handlers: Collection[str] | None) -> str | None:
        """Return a sentence about why nothing that *wanted* fits could run again.

        None if nothing fits it for no reason but that there is nothing to do.
        """
        found = self.inbox().find(wanted, limit=1)
        if not found and wanted.entry_ids:
            return f"there is no entry {', '.join(map(str, wanted.entry_ids))} that fits"
        if not found:
            is_mistyped = wanted.type and not self.inbox().find(Filter(type=wanted.type), limit=1)
            return f"no entry has the type {wanted.type!r}" if is_mistyped else None
        entry_id, state = found[0].id, found[0].state
        if state is State.SHADOW:
            return (
                f"entry {entry_id} is in shadow, as is its payload version: `flask hookkit versions"
                " switch` runs what only that version has reported"
            )
        if state not in REPLAYABLE:
            return f"entry {entry_id} is {state.value}: only entries at rest run again"
        if handlers is not None and state is State.WAITING:
            return f"entry {entry_id} is waiting; its handlers cannot be chosen now"
        return f"the bytes of entry {entry_id} are gone, so that it cannot run again"

    def _check_names(self, handlers: Collection[str] | None) -> None:
        """Refuse names of handlers that are not registered: nothing would run, unnoticed."""
        if handlers is None:
            return
        unknown = sorted(set(handlers) - set(self.registry.names))
        if unknown or not handlers:
            named = ", ".join(map(repr, unknown)) or "(none is given)"
            raise ConfigurationError(
                f"no handler has the name {named}; known are {', '.join(self.registry.names)}"
            )
