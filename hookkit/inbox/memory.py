"""An inbox in the memory of one process: for tests, and for trying things out.

Strategy: one lock around everything; ``memory_due.py`` keeps the order of what is due.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from threading import Lock

from hookkit.core.delivery import Envelope, Item
from hookkit.core.errors import ReplayRefused
from hookkit.core.outcome import FINISHED, Admitted, Entry, Receipt, Result, Settlement
from hookkit.core.states import REPLAYABLE, State
from hookkit.inbox.base import EntryRecord, from_ms, to_ms
from hookkit.inbox.memory_due import Due, DueHeaps
from hookkit.inbox.memory_entries import (
    StoredDelivery,
    StoredEntry,
    attempt_record,
    claimed_entry,
    entry_record,
    has_other_content,
    written,
)


class MemoryInbox:
    """An ``Inbox`` that is gone with its process, and safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._deliveries: list[StoredDelivery] = []
        self._conflicting_bodies: set[tuple[str, bytes]] = set()
        self._entries: list[StoredEntry] = []
        self._by_event_id: dict[tuple[str, str], StoredEntry] = {}
        self._due = DueHeaps(self._entries)

    def admit(self, envelope: Envelope) -> Receipt:
        """Store the delivery and one entry per item that is new."""
        received_ms = to_ms(envelope.received_at)
        delivery = StoredDelivery(envelope.body, envelope.headers)
        conflicting: dict[int, StoredEntry] = {}
        admitted: list[Admitted] = []
        with self._lock:
            has_new = False
            for position, item in enumerate(envelope.items):
                entry = self._same_event(envelope.endpoint, item, received_ms)
                is_new = entry is None
                if entry is None:
                    has_new = True
                    entry = self._add(envelope.endpoint, item, delivery, position, received_ms)
                is_conflict = not is_new and has_other_content(entry, item)
                if is_conflict:
                    conflicting[entry.id] = entry
                admitted.append(
                    Admitted(
                        entry_id=entry.id,
                        event_id=entry.event_id,
                        is_new=is_new,
                        is_conflict=is_conflict,
                        state=entry.state,
                    )
                )
            if has_new:
                self._deliveries.append(delivery)
            if conflicting:
                self._mark_conflicts(envelope, delivery, conflicting, is_kept=has_new)
        return Receipt(admitted=tuple(admitted))

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        only: Collection[int] | None = None,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count the attempt."""
        now_ms = to_ms(now)
        lease_until_ms = now_ms + round(lease_s * 1000)
        lease_token = secrets.token_hex(16)
        claimed: list[Entry] = []
        with self._lock:
            if only is None:
                due = self._due.in_order(now_ms, endpoints)
            else:
                due = iter(self._by_id(now_ms, endpoints, only))
            while len(claimed) < limit and (entry := next(due, None)) is not None:
                was_expired = entry.state is State.RUNNING
                if was_expired and claimed:
                    continue
                entry.lease_token = lease_token
                entry.attempt_count += 1
                self._move(entry, State.RUNNING, lease_until_ms)
                claimed.append(claimed_entry(entry, lease_token, is_takeover=was_expired))
                if was_expired:
                    break
        return claimed

    def renew(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Extend the lease of *entry*; False when it belongs to another claim by now."""
        with self._lock:
            stored = self._held(entry)
            if stored is None:
                return False
            self._move(stored, State.RUNNING, to_ms(now) + round(lease_s * 1000))
            return True

    def settle(self, entry: Entry, settlement: Settlement, *, now: datetime) -> bool:
        """Record the outcomes and the next state; False, and nothing recorded, when fenced."""
        with self._lock:
            stored = self._held(entry)
            if stored is None:
                return False
            stored.attempts += tuple(
                attempt_record(stored.attempt_count, outcome) for outcome in settlement.outcomes
            )
            for outcome in settlement.outcomes:
                if outcome.result in FINISHED:
                    stored.succeeded |= {outcome.handler}
                elif outcome.result is Result.GAVE_UP:
                    stored.gave_up |= {outcome.handler}
            due_ms = None
            if settlement.state is State.WAITING:
                due_ms = to_ms(now) + round((settlement.retry_after_s or 0) * 1000)
            stored.lease_token = None
            self._move(stored, settlement.state, due_ms)
            return True

    def replay(self, entry_id: int, *, now: datetime) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        Raises:
            ReplayRefused: No such entry, or it is PENDING or RUNNING.
        """
        with self._lock:
            entry = self._entry(entry_id)
            if entry is None:
                raise ReplayRefused(f"there is no entry {entry_id}")
            if entry.state not in REPLAYABLE:
                raise ReplayRefused(f"entry {entry_id} is {entry.state}")
            if entry.state is State.DONE:
                entry.succeeded = frozenset()
            entry.gave_up = frozenset()
            entry.attempt_count = 0
            entry.is_replay = True
            self._move(entry, State.PENDING, to_ms(now))

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim would find anything at *endpoints*, without a write."""
        now_ms = to_ms(now)
        with self._lock:
            return any(
                state is State.PENDING or head.due_ms <= now_ms
                for head, state in self._due.heads(endpoints)
            )

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits."""
        with self._lock:
            first = min((due for due, _ in self._due.heads(endpoints)), default=None)
        return None if first is None else from_ms(first.due_ms)

    def find(
        self, *, endpoint: str | None = None, state: State | None = None, limit: int = 100
    ) -> Sequence[EntryRecord]:
        """Return entries, newest first."""
        records: list[EntryRecord] = []
        with self._lock:
            for entry in reversed(self._entries):
                if len(records) >= limit:
                    break
                if endpoint in (None, entry.endpoint) and state in (None, entry.state):
                    records.append(entry_record(entry))
        return records

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there."""
        counts = dict.fromkeys(State, 0)
        with self._lock:
            for entry in self._entries:
                counts[entry.state] += 1
        return counts

    def after_fork(self) -> None:
        """Take a lock of its own: the parent's may have been held when it forked."""
        self._lock = Lock()

    def close(self) -> None:
        """Keep everything: the entries are what this inbox holds."""

    def _same_event(self, endpoint: str, item: Item, received_ms: int) -> StoredEntry | None:
        entry = self._by_event_id.get((endpoint, item.event_id))
        if entry is None and item.previous_event_id is not None and item.repeat_after_s:
            previous = self._by_event_id.get((endpoint, item.previous_event_id))
            if previous and received_ms - previous.received_ms < item.repeat_after_s * 1000:
                return previous
        return entry

    def _add(
        self, endpoint: str, item: Item, delivery: StoredDelivery, position: int, received_ms: int
    ) -> StoredEntry:
        entry_id = len(self._entries) + 1
        entry = StoredEntry(
            id=entry_id,
            endpoint=endpoint,
            event_id=item.event_id,
            vendor_type=item.vendor_type,
            version=item.payload.version,
            lane=item.lane,
            fact=item.fact,
            problem=item.problem,
            content=written(item),
            delivery=delivery,
            position=position,
            received_ms=received_ms,
            due_ms=received_ms,
        )
        self._entries.append(entry)
        self._by_event_id[endpoint, item.event_id] = entry
        self._due.push(entry, received_ms)
        return entry

    def _mark_conflicts(
        self,
        envelope: Envelope,
        delivery: StoredDelivery,
        conflicting: dict[int, StoredEntry],
        *,
        is_kept: bool,
    ) -> None:
        for entry in conflicting.values():
            entry.conflicts += 1
        delivery.is_conflict = True
        if not is_kept and (envelope.endpoint, envelope.body) not in self._conflicting_bodies:
            self._deliveries.append(delivery)
        self._conflicting_bodies.add((envelope.endpoint, envelope.body))

    def _move(self, entry: StoredEntry, state: State, due_ms: int | None) -> None:
        entry.state = state
        entry.due_ms = due_ms
        if due_ms is not None:
            self._due.push(entry, due_ms)

    def _by_id(
        self, now_ms: int, endpoints: Collection[str], only: Collection[int]
    ) -> list[StoredEntry]:
        entries = (self._entry(entry_id) for entry_id in set(only))
        due = [
            (Due(entry.due_ms, entry.id), entry)
            for entry in entries
            if entry is not None
            and entry.endpoint in endpoints
            and entry.due_ms is not None
            and (entry.state is not State.RUNNING or entry.due_ms <= now_ms)
        ]
        return [entry for _, entry in sorted(due)]

    def _entry(self, entry_id: int) -> StoredEntry | None:
        return self._entries[entry_id - 1] if 1 <= entry_id <= len(self._entries) else None

    def _held(self, entry: Entry) -> StoredEntry | None:
        stored = self._entry(entry.id)
        return stored if stored and stored.lease_token == entry.lease_token else None
