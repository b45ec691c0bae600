"""Admits deliveries, inside the caller's transaction: the same way on every database.

Strategy: look the event ids up, store what is not there, and see what is there then. The
database's own class does the first and the second: one that has a single writer knows what
it has stored, another looks again, since the unique constraint may have let another process
in first. Facts come last: of several entries for one fact, the first one owns it.

An item that has neither an id nor a time is a duplicate of an equal one only if that is the last
that was said about its subject, and young enough. Otherwise it is a new event, with an id that
hangs on what was last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, select

from hookkit.core.delivery import Item
from hookkit.core.entry import Admitted, Receipt, State
from hookkit.core.errors import Unavailable
from hookkit.core.facts import is_exact
from hookkit.core.modes import Change, Modes, Owner, modes_after
from hookkit.inbox.records import seconds_to_ms
from hookkit.inbox.sql.damage import state_of
from hookkit.inbox.sql.owners import OwnerCandidate, mark_twins
from hookkit.inbox.sql.rows import PreparedDelivery, Values, chunks, with_first_states
from hookkit.inbox.sql.tables import deliveries, entries


class Known(NamedTuple):
    """What an admission has to know of an entry that is there."""

    id: int
    event_id: str
    delivery_id: int
    position: int
    vendor_type: str
    content_hash: str
    received_at_ms: int
    state: str


class Last(NamedTuple):
    """The event that was last admitted of a subject."""

    event_id: str
    received_at_ms: int


#: The columns of a ``Known``, in its order.
KNOWN_COLUMNS = [entries.c[name] for name in Known._fields]


class Storage(Protocol):
    """How a database looks up and stores what an admission is about."""

    def changes(self, endpoint: str) -> Sequence[Change]:
        """Return what was switched at *endpoint*; nothing is switched there until the end."""

    def look_up(self, endpoint: str, event_ids: Collection[str]) -> dict[str, Known]:
        """Return by event id the entries that are there."""

    def last_of(self, endpoint: str, subjects: Collection[str]) -> dict[str, Known]:
        """Return by subject the entry that was admitted last.

        Nobody else admits one of these subjects until the end.
        """

    def store_delivery(self, row: Values) -> int:
        """Store a delivery; return its id."""

    def store_entries(self, endpoint: str, rows: Sequence[Values]) -> dict[str, Known]:
        """Store the entries of *rows* that are not there; return by event id what is there then."""

    def flush(self) -> None:
        """Write what is not written yet."""

    def take_facts(self, endpoint: str, wanted: Sequence[OwnerCandidate]) -> dict[str, Owner]:
        """Have each free fact owned by the first in *wanted*; return the owners by fact."""


def admit(
    connection: Connection, storage: Storage, batch: Sequence[PreparedDelivery]
) -> list[Receipt]:
    """Store what is new of each delivery of *batch*; return their receipts in its order."""
    modes = _modes(storage, batch)
    last = _last_of_subjects(storage, batch)
    known = _look_up(storage, batch)
    admitted: list[tuple[Admitted, ...]] = []
    candidates: defaultdict[str, list[OwnerCandidate]] = defaultdict(list)
    for delivery in batch:
        endpoint = delivery.envelope.endpoint
        of_delivery = modes[endpoint] if delivery.envelope.modes is not None else None
        event_ids = _event_ids(storage, delivery, known[endpoint], last[endpoint])
        delivery_id = _store_new(storage, delivery, event_ids, known[endpoint], of_delivery)
        items = admitted_items(delivery, event_ids, known[endpoint], delivery_id)
        _keep_what_counts(connection, storage, delivery, delivery_id, items)
        if of_delivery is not None and of_delivery.has_twins:
            candidates[endpoint] += _owner_candidates(delivery, items)
        admitted.append(items)
    storage.flush()
    twins: set[int] = set()
    for endpoint, wanted in candidates.items():
        twins |= mark_twins(connection, storage.take_facts(endpoint, wanted), wanted)
    return [Receipt(admitted=_with_twins(items, twins)) for items in admitted]


def _last_of_subjects(
    storage: Storage, batch: Sequence[PreparedDelivery]
) -> defaultdict[str, dict[str, Last]]:
    """Return, by endpoint and subject, what was last said about what *batch* is about."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for delivery in batch:
        for item in delivery.envelope.items:
            if item.subject is not None and item.repeat_after_s is not None:
                wanted[delivery.envelope.endpoint].add(item.subject)
    found: defaultdict[str, dict[str, Last]] = defaultdict(dict)
    for endpoint, subjects in wanted.items():
        for subject, entry in storage.last_of(endpoint, subjects).items():
            found[endpoint][subject] = Last(entry.event_id, entry.received_at_ms)
    return found


def _look_up(storage: Storage, batch: Sequence[PreparedDelivery]) -> dict[str, dict[str, Known]]:
    """Return, by endpoint and event id, what is there of what decides on *batch*."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for delivery in batch:
        items = delivery.envelope.items
        other_ids = [(item.previous_event_id, item.typed_event_id) for item in items]
        wanted[delivery.envelope.endpoint] |= {item.event_id for item in items} | {
            event_id for event_ids in other_ids for event_id in event_ids if event_id
        }
    return {endpoint: storage.look_up(endpoint, ids) for endpoint, ids in wanted.items()}


def _modes(storage: Storage, batch: Sequence[PreparedDelivery]) -> dict[str, Modes]:
    """Return the modes of each endpoint whose settings name any, overridden by switches."""
    modes: dict[str, Modes] = {}
    for delivery in batch:
        endpoint, declared = delivery.envelope.endpoint, delivery.envelope.modes
        if declared is not None and endpoint not in modes:
            modes[endpoint] = modes_after(declared, storage.changes(endpoint))
    return modes


def _event_ids(
    storage: Storage,
    delivery: PreparedDelivery,
    known: dict[str, Known],
    last: dict[str, Last],
) -> list[str]:
    """Return the event id of each item's entry, which is there already or will be.

    Adds to *known* what is there under an id that nobody could have looked up before, and to
    *last* what this delivery says.
    """
    items, received_at_ms = delivery.envelope.items, delivery.received_at_ms
    if all(item.subject is None for item in items):
        return [item.event_id for item in items]
    taken = set(known)
    event_ids = []
    for item in items:
        event_id = item.event_id
        if item.subject is not None:
            event_id = _id_in_subject(item, received_at_ms, taken, known, last)
            if event_id not in taken:
                last[item.subject] = Last(event_id, received_at_ms)
        taken.add(event_id)
        event_ids.append(event_id)
    asked = {item.event_id for item in items}
    unasked = [each for each in event_ids if each not in known and each not in asked]
    if unasked:
        known |= storage.look_up(delivery.envelope.endpoint, unasked)
    return event_ids


def _id_in_subject(
    item: Item,
    received_at_ms: int,
    taken: Collection[str],
    known: Mapping[str, Known],
    last: Mapping[str, Last],
) -> str:
    """Return the event id of the entry of *item*, by what was said last about its subject."""
    if item.subject is None or item.repeat_after_s is None:
        return item.event_id
    before: Last | Known | None = last.get(item.subject)
    if before is None:
        # Entries that were admitted by an older hookkit have no subject.
        before = known.get(item.event_id) or known.get(item.previous_event_id or "")
    if before is None:
        return item.event_id
    age_ms = received_at_ms - before.received_at_ms
    if item.repeats(before.event_id) and age_ms < seconds_to_ms(item.repeat_after_s):
        return before.event_id
    return item.id_after(before.event_id) if item.event_id in taken else item.event_id


def _store_new(
    storage: Storage,
    delivery: PreparedDelivery,
    event_ids: Sequence[str],
    known: dict[str, Known],
    modes: Modes | None,
) -> int | None:
    """Store what is new of *delivery*, add it to *known*; return the delivery's id if any is."""
    delivery_id = None
    # Once more if another process has stored an event of another type under the id meanwhile.
    for _ in range(2):
        new: dict[str, int] = {}
        for position in range(len(event_ids)):
            entry, event_id = _same_event(delivery, event_ids, known, position)
            if entry is None:
                new.setdefault(event_id, position)
        if not new:
            break
        delivery_row, rows = with_first_states(delivery, new.values(), modes)
        if delivery_id is None:
            delivery_id = storage.store_delivery(delivery_row)
        stored = [
            row | {"delivery_id": delivery_id, "event_id": event_id}
            for event_id, row in zip(new, rows, strict=True)
        ]
        known |= storage.store_entries(delivery.envelope.endpoint, stored)
    return delivery_id


def _same_event(
    delivery: PreparedDelivery,
    event_ids: Sequence[str],
    known: Mapping[str, Known],
    position: int,
) -> tuple[Known | None, str]:
    """Return the entry that an item is a duplicate of, and the id to store it under otherwise."""
    item, entry = delivery.envelope.items[position], known.get(event_ids[position])
    vendor_type = delivery.entry_rows[position]["vendor_type"]
    if entry is None or item.typed_event_id is None or entry.vendor_type == vendor_type:
        return entry, event_ids[position]
    age_ms = delivery.received_at_ms - entry.received_at_ms
    is_late = age_ms >= seconds_to_ms(item.type_window_s or 0)
    typed = known.get(item.typed_event_id)
    return entry if typed is None and is_late else typed, item.typed_event_id


def admitted_items(
    delivery: PreparedDelivery,
    event_ids: Sequence[str],
    known: Mapping[str, Known],
    delivery_id: int | None,
) -> tuple[Admitted, ...]:
    """Return what each item came to, once all of them are *known*.

    An entry is an item's own when it is at the item's position in this delivery.
    """
    admitted = []
    rows = delivery.entry_rows
    for position, (item, row) in enumerate(zip(delivery.envelope.items, rows, strict=True)):
        entry, _ = _same_event(delivery, event_ids, known, position)
        if entry is None:
            # It was there when we came to store it, and was pruned before we looked again.
            raise Unavailable("an entry was deleted while its duplicate arrived")
        is_new = (entry.delivery_id, entry.position) == (delivery_id, position)
        admitted.append(
            Admitted(
                entry_id=entry.id,
                event_id=entry.event_id,
                is_new=is_new,
                is_conflict=not is_new and entry.content_hash != row["content_hash"],
                is_other_type=not is_new and entry.vendor_type != row["vendor_type"],
                state=state_of(entry.state),
                repeat_after_s=None if is_new else item.repeat_after_s,
            )
        )
    return tuple(admitted)


def _owner_candidates(
    delivery: PreparedDelivery, admitted: Iterable[Admitted]
) -> list[OwnerCandidate]:
    """Return the new entries of *delivery* that run unless another version's owns their fact."""
    return [
        OwnerCandidate(row["fact"], one.entry_id, row["version"])
        for row, one in zip(delivery.entry_rows, admitted, strict=True)
        if one.is_new and one.state is State.PENDING and is_exact(row["fact"])
    ]


def _with_twins(admitted: tuple[Admitted, ...], twins: set[int]) -> tuple[Admitted, ...]:
    if twins.isdisjoint(one.entry_id for one in admitted):
        return admitted
    return tuple(
        replace(one, state=State.TWIN) if one.entry_id in twins else one for one in admitted
    )


def _keep_what_counts(
    connection: Connection,
    storage: Storage,
    delivery: PreparedDelivery,
    delivery_id: int | None,
    admitted: Sequence[Admitted],
) -> None:
    """Drop a delivery that lost every race; keep one that conflicts, and count that."""
    is_kept = any(one.is_new for one in admitted)
    if delivery_id is not None and not is_kept:
        connection.execute(deliveries.delete().where(deliveries.c.id == delivery_id))
    conflicting = sorted({one.entry_id for one in admitted if one.is_conflict})
    if not conflicting:
        return
    # What is changed now may be among what is not written yet.
    storage.flush()
    for chunk in chunks(conflicting):
        one_more = entries.update().where(entries.c.id.in_(chunk))
        connection.execute(one_more.values(conflict_count=entries.c.conflict_count + 1))
    if is_kept:
        mark = deliveries.update().where(deliveries.c.id == delivery_id)
        connection.execute(mark.values(is_conflict=True))
    elif not _has_conflict(connection, delivery):
        storage.store_delivery(delivery.row | {"is_conflict": True})


def _has_conflict(connection: Connection, delivery: PreparedDelivery) -> bool:
    """Tell whether the bytes are kept already: a vendor may send a conflict many times."""
    same_bytes = select(deliveries.c.id).where(
        deliveries.c.endpoint == delivery.envelope.endpoint,
        deliveries.c.body_sha256 == delivery.row["body_sha256"],
        deliveries.c.is_conflict,
    )
    return connection.execute(same_bytes.limit(1)).first() is not None
