"""An inbox in the memory of one process: for tests, and for trying things out.

Strategy: one lock around everything; ``memory_due.py`` keeps the order of what is due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import count, islice
from threading import Lock
from typing import Any

from hookkit.core.attempts import Attempt
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import EVERYTHING, Admitted, Entry, Filter, Receipt, Settlement, State
from hookkit.core.errors import ConfigurationError, ReplayRefused
from hookkit.core.modes import Modes
from hookkit.inbox.base import from_ms, later, to_ms
from hookkit.inbox.memory_claim import begin, claim, settle
from hookkit.inbox.memory_due import Queue
from hookkit.inbox.memory_entries import (
    StoredDelivery,
    StoredEntry,
    entry_record,
    has_other_content,
    stored_delivery,
    stored_entry,
)
from hookkit.inbox.memory_keys import MemoryKeys
from hookkit.inbox.memory_upkeep import fits, proofs, prune, start_over, why_refused
from hookkit.inbox.memory_versions import MemoryVersions
from hookkit.inbox.records import STEP, Batch, EntryRecord, Proofs, Pruned


class MemoryInbox:
    """An ``Inbox`` that is gone with its process, and safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._delivery_ids = count(1)
        self._entry_ids = count(1)
        self._deliveries: dict[int, StoredDelivery] = {}
        self._entries: dict[int, StoredEntry] = {}
        self._by_event_id: dict[tuple[str, str], StoredEntry] = {}
        self._queue = Queue(self._entries)
        self._versions = MemoryVersions(lambda: self._lock, self._entries, self._queue)
        self._keys = MemoryKeys(lambda: self._lock)

    @property
    def versions(self) -> MemoryVersions:
        """What was switched between payload versions."""
        return self._versions

    @property
    def keys(self) -> MemoryKeys:
        """The vendors' public keys that have proved deliveries."""
        return self._keys

    def admit(self, envelope: Envelope) -> Receipt:
        """Store the delivery and one entry per item that is new."""
        received_ms = to_ms(envelope.received_at)
        delivery = stored_delivery(next(self._delivery_ids), envelope, received_ms)
        conflicting: dict[int, StoredEntry] = {}
        admitted: list[Admitted] = []
        with self._lock:
            modes = self._versions.modes_of(envelope)
            has_new = False
            for position, item in enumerate(envelope.items):
                entry = self._same_event(envelope.endpoint, item, received_ms)
                is_new = entry is None
                if entry is None:
                    has_new = True
                    entry = self._add(item, delivery, position, modes)
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
                self._deliveries[delivery.id] = delivery
                if all(one.state is State.IGNORED for one in admitted if one.is_new):
                    delivery.body = b""
            if conflicting:
                self._mark_conflicts(delivery, conflicting, is_kept=has_new)
        return Receipt(admitted=tuple(admitted))

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        ahead: int = 0,
        only: Collection[int] | None = None,
        in_lanes: bool = False,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count the attempt."""
        if limit < 1:
            return []
        now_ms = to_ms(now)
        if in_lanes:
            limit, ahead = 1, 0
        with self._lock:
            due = self._queue.claimable(now_ms, endpoints, only, in_lanes=in_lanes)
            return claim(self._queue, due, limit, ahead, later(now_ms, lease_s))

    def begin(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Lease *entry*, which was set aside, and count the attempt."""
        with self._lock:
            return begin(self._queue, self._held(entry), entry, later(to_ms(now), lease_s))

    def give_back(self, set_aside: Collection[Entry], *, now: datetime) -> None:
        """Have others claim at once what was set aside and not begun."""
        with self._lock:
            for stored in map(self._held, set_aside):
                if stored is not None and stored.state is State.WAITING:
                    stored.lease_token = None
                    self._queue.move(stored, State.WAITING, to_ms(now))

    def renew(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Extend the lease of *entry*; False when it belongs to another claim by now."""
        with self._lock:
            stored = self._held(entry)
            if stored is None:
                return False
            self._queue.move(stored, stored.state, later(to_ms(now), lease_s))
            return True

    def settle(
        self, entry: Entry, settlement: Settlement, *, now: datetime, in_lanes: bool = False
    ) -> bool:
        """Record the attempts and the next state; False, and nothing recorded, when fenced."""
        with self._lock:
            held = self._held(entry)
            return settle(self._queue, held, settlement, to_ms(now), in_lanes=in_lanes)

    def settle_and_begin(
        self,
        entry: Entry,
        settlement: Settlement,
        following: Entry,
        *,
        now: datetime,
        lease_s: float,
    ) -> tuple[bool, bool]:
        """Settle *entry* and begin *following*, which was set aside, at once."""
        now_ms = to_ms(now)
        with self._lock:
            settled = settle(self._queue, self._held(entry), settlement, now_ms)
            until_ms = later(now_ms, lease_s)
            return settled, begin(self._queue, self._held(following), following, until_ms)

    def transact(self, entry: Entry, work: Callable[[Any], Attempt]) -> Attempt | None:
        """Refuse: what *work* would write is not in this memory.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError("memory:// has no transactions for a handler to take part in")

    def replay(
        self, entry_id: int, *, now: datetime, handlers: Collection[str] | None = None
    ) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        Raises:
            ReplayRefused: There is nothing that could run again, or it is running.
        """
        if not self.replay_all(Filter(entry_ids=[entry_id]), now=now, handlers=handlers).entry_ids:
            raise ReplayRefused(why_refused(entry_id, self._entries.get(entry_id), handlers))

    def replay_all(
        self,
        wanted: Filter,
        *,
        now: datetime,
        handlers: Collection[str] | None = None,
        after_id: int = 0,
        up_to_id: int | None = None,
        limit: int = 100,
    ) -> Batch:
        """Replay entries, lowest id first, passing over those that ``replay`` would refuse."""
        replayed = []
        with self._lock:
            found = (
                one
                for one in self._entries.values()
                if one.id > after_id and (up_to_id is None or one.id <= up_to_id)
            )
            some = list(islice((one for one in found if fits(one, wanted)), limit))
            for entry in some:
                if why_refused(entry.id, entry, handlers) is None:
                    start_over(entry, handlers)
                    self._queue.move(entry, State.PENDING, to_ms(now))
                    self._queue.release(entry, to_ms(now))
                    replayed.append(entry.id)
        return Batch(replayed, some[-1].id if len(some) == limit else None)

    def prune(
        self,
        *,
        bodies_before: datetime,
        ids_before: datetime,
        after: tuple[int, int] = (0, 0),
        limit: int = 200,
    ) -> Pruned:
        """Delete what was received before a moment, all at once."""
        with self._lock:
            gone = prune(self._deliveries, self._entries, to_ms(bodies_before), to_ms(ids_before))
            self._versions.forget(gone.entries)
            for entry in gone.entries:
                del self._by_event_id[entry.endpoint, entry.event_id]
        return Pruned(gone.bodies, len(gone.entries), None)

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim would find anything at *endpoints*, without a write."""
        now_ms = to_ms(now)
        with self._lock:
            return any(
                state is State.PENDING or head.due_ms <= now_ms
                for head, state in self._queue.heads(endpoints)
            )

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits."""
        with self._lock:
            first = min((due for due, _ in self._queue.heads(endpoints)), default=None)
        return None if first is None else from_ms(first.due_ms)

    def find(self, wanted: Filter = EVERYTHING, *, limit: int = 100) -> Sequence[EntryRecord]:
        """Return entries, newest first."""
        with self._lock:
            newest = (one for one in reversed(self._entries.values()) if fits(one, wanted))
            return [entry_record(entry) for entry in islice(newest, limit)]

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there."""
        counts = dict.fromkeys(State, 0)
        with self._lock:
            for entry in self._entries.values():
                counts[entry.state] += 1
        return counts

    def proofs(self, after_id: int = 0, before_id: int | None = None, limit: int = STEP) -> Proofs:
        """Tell what proved the newest of the kept deliveries between two ids."""
        with self._lock:
            return proofs(self._deliveries, after_id, before_id, limit)

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
        self, item: Item, delivery: StoredDelivery, position: int, modes: Modes | None
    ) -> StoredEntry:
        entry = stored_entry(next(self._entry_ids), item, delivery, position)
        self._entries[entry.id] = entry
        self._by_event_id[entry.endpoint, item.event_id] = entry
        state = self._versions.first_state(entry, modes)
        self._queue.move(entry, state, entry.received_ms if state is State.PENDING else None)
        return entry

    def _mark_conflicts(
        self, delivery: StoredDelivery, conflicting: dict[int, StoredEntry], *, is_kept: bool
    ) -> None:
        for entry in conflicting.values():
            entry.conflicts += 1
        same_bytes = (
            one.is_conflict and (one.endpoint, one.body) == (delivery.endpoint, delivery.body)
            for one in self._deliveries.values()
        )
        if is_kept or not any(same_bytes):
            self._deliveries[delivery.id] = delivery
        delivery.is_conflict = True

    def _held(self, entry: Entry) -> StoredEntry | None:
        stored = self._entries.get(entry.id)
        return stored if stored and stored.lease_token == entry.lease_token else None
