"""Admits a delivery's items, inside the caller's transaction.

Strategy: look the event ids up, store what is not there, look again. The second look tells
an item of ours from one that another process stored in between: the unique constraint lets
one of them in, and the row that is there says whose delivery it points at.

``sqlite_admit`` does the same for several deliveries at once, where nobody comes in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.sql.dml import Insert

from hookkit.core.delivery import Item
from hookkit.core.entry import Admitted, Receipt, State
from hookkit.core.errors import Unavailable
from hookkit.core.facts import is_exact
from hookkit.inbox.sql.owners import Claim, Twins, part_twins
from hookkit.inbox.sql.rows import PreparedDelivery, Values, give_modes
from hookkit.inbox.sql.tables import deliveries, entries

#: SQLite before 3.32 takes 999 parameters in a statement.
CHUNK = 500

_T = TypeVar("_T")


class Known(NamedTuple):
    """What an admission has to know of an entry that is there."""

    id: int
    event_id: str
    delivery_id: int
    position: int
    content_hash: str
    received_at_ms: int
    state: str


# Built once: putting a statement together takes longer than SQLite does to run it.
KNOWN_COLUMNS = [
    entries.c.id,
    entries.c.event_id,
    entries.c.delivery_id,
    entries.c.position,
    entries.c.content_hash,
    entries.c.received_at_ms,
    entries.c.state,
]
_KNOWN = select(*KNOWN_COLUMNS).where(
    entries.c.endpoint == bindparam("of_endpoint"),
    entries.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
_INSERT_DELIVERY = deliveries.insert()


def admit(
    connection: Connection,
    insert_entry: Insert,
    delivery: PreparedDelivery,
    twins: Twins | None = None,
) -> Receipt:
    """Store what is new of *delivery*, and say to each item whether it was.

    Args:
        insert_entry: Inserts into ``entries`` and passes over event ids that are there.
        twins: What is known of the endpoint's versions; None where no modes are named.
    """
    endpoint = delivery.envelope.endpoint
    known = _look_up(connection, endpoint, wanted_ids(delivery))
    new = new_items(delivery, known)
    delivery_id = None
    if new:
        if twins is not None:
            give_modes(delivery, new.values(), twins.modes)
        delivery_id = _store_delivery(connection, delivery.row)
        rows = [
            delivery.entry_rows[position] | {"delivery_id": delivery_id}
            # In the order of their ids: two processes that insert the same ones then wait
            # for each other in one direction only.
            for _, position in sorted(new.items(), key=itemgetter(0))
        ]
        connection.execute(insert_entry, rows)
        known |= _look_up(connection, endpoint, new)
        if twins is not None and twins.modes.has_twins:
            _part_twins(connection, delivery, delivery_id, twins, known)
    admitted = admitted_items(delivery, known, delivery_id)
    keep_what_counts(connection, delivery, delivery_id, admitted)
    return Receipt(admitted=admitted)


def _part_twins(
    connection: Connection,
    delivery: PreparedDelivery,
    delivery_id: int,
    twins: Twins,
    known: dict[str, Known],
) -> None:
    """Take the facts of our live entries, and make twins of those that come too late."""
    claims = []
    for position, item in enumerate(delivery.envelope.items):
        entry = known.get(item.event_id)
        is_ours = entry and (entry.delivery_id, entry.position) == (delivery_id, position)
        if is_ours and entry and entry.state == State.PENDING.value and is_exact(item.fact):
            claims.append(Claim(item.fact, entry.id, delivery.entry_rows[position]["version"]))
    lost = part_twins(connection, twins, delivery.envelope.endpoint, claims)
    for event_id, entry in known.items():
        if entry.id in lost:
            known[event_id] = entry._replace(state=State.TWIN.value)


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield *values* in lists that fit into one statement."""
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def wanted_ids(delivery: PreparedDelivery) -> set[str]:
    """Return the event ids that decide what of *delivery* is new."""
    items = delivery.envelope.items
    wanted = {item.event_id for item in items}
    wanted.update(item.previous_event_id for item in items if item.previous_event_id)
    return wanted


def new_items(delivery: PreparedDelivery, known: Mapping[str, Known]) -> dict[str, int]:
    """Return the event ids that are not *known*, with the position that each comes first at."""
    new: dict[str, int] = {}
    for position, item in enumerate(delivery.envelope.items):
        if _same_event(known, item, delivery.received_at_ms) is None:
            new.setdefault(item.event_id, position)
    return new


def admitted_items(
    delivery: PreparedDelivery, known: Mapping[str, Known], delivery_id: int | None
) -> tuple[Admitted, ...]:
    """Return what each item came to, once all of them are *known*.

    An entry is an item's own when it is at the item's position in this delivery.
    """
    admitted = []
    for position, item in enumerate(delivery.envelope.items):
        entry = _same_event(known, item, delivery.received_at_ms) or known.get(item.event_id)
        if entry is None:
            # It was there when we came to store it, and was pruned before we looked again.
            raise Unavailable("an entry was deleted while its duplicate arrived")
        is_new = (entry.delivery_id, entry.position) == (delivery_id, position)
        content_hash = delivery.entry_rows[position]["content_hash"]
        admitted.append(
            Admitted(
                entry_id=entry.id,
                event_id=entry.event_id,
                is_new=is_new,
                is_conflict=not is_new and entry.content_hash != content_hash,
                state=State(entry.state),
            )
        )
    return tuple(admitted)


def keep_what_counts(
    connection: Connection,
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
    for chunk in chunks(conflicting):
        one_more = entries.update().where(entries.c.id.in_(chunk))
        connection.execute(one_more.values(conflict_count=entries.c.conflict_count + 1))
    if is_kept:
        mark = deliveries.update().where(deliveries.c.id == delivery_id)
        connection.execute(mark.values(is_conflict=True))
    else:
        _store_conflict(connection, delivery)


def _look_up(connection: Connection, endpoint: str, event_ids: Iterable[str]) -> dict[str, Known]:
    known = {}
    for chunk in chunks(event_ids):
        for row in connection.execute(_KNOWN, {"of_endpoint": endpoint, "event_ids": chunk}):
            known[row.event_id] = Known(*row)
    return known


def _same_event(known: Mapping[str, Known], item: Item, received_at_ms: int) -> Known | None:
    entry = known.get(item.event_id)
    if entry is None and item.previous_event_id is not None and item.repeat_after_s:
        previous = known.get(item.previous_event_id)
        if previous and received_at_ms - previous.received_at_ms < item.repeat_after_s * 1000:
            return previous
    return entry


def _store_delivery(connection: Connection, row: Values) -> int:
    key: Any = connection.execute(_INSERT_DELIVERY, row).inserted_primary_key
    return int(key.id)


def _store_conflict(connection: Connection, delivery: PreparedDelivery) -> None:
    """Keep the delivery of a conflict, once however often the vendor sends its bytes."""
    same_bytes = select(deliveries.c.id).where(
        deliveries.c.endpoint == delivery.envelope.endpoint,
        deliveries.c.body_sha256 == delivery.row["body_sha256"],
        deliveries.c.is_conflict,
    )
    if connection.execute(same_bytes.limit(1)).first() is None:
        _store_delivery(connection, delivery.row | {"is_conflict": True})
