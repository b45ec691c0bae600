"""Admits deliveries on PostgreSQL, where several processes store at one moment.

Most deliveries bring one new event, and nothing else decides about it. Those that come at one
moment are stored by one statement, in a transaction that only consists of it: so the server gets
one message where a transaction for each delivery would take eight. Every other delivery is
admitted in a transaction of its own, and so is one about which that statement left a doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    ScalarSelect,
    Select,
    TableValuedAlias,
    bindparam,
    cast,
    collate,
    func,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql

from hookkit.core.entry import Receipt
from hookkit.core.modes import Change, Owner
from hookkit.inbox.postgres.json_rows import json_of, table_of_rows, types_of
from hookkit.inbox.postgres.locks import lock_of_subject
from hookkit.inbox.postgres.one_trip import run_in_one_trip
from hookkit.inbox.sql.admit import KNOWN_COLUMNS, Known, admitted_items
from hookkit.inbox.sql.owners import OwnerCandidate, changes_at, take_facts
from hookkit.inbox.sql.rows import PreparedDelivery, Values, chunks
from hookkit.inbox.sql.tables import deliveries, entries, facts
from hookkit.inbox.sql.transactions import Exclusive, Transactions

# Built once: putting a statement together takes longer than a database does to run it.
_KNOWN = select(*KNOWN_COLUMNS).where(
    entries.c.endpoint == bindparam("of_endpoint"),
    entries.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
_IS_OF_SUBJECT = (
    entries.c.endpoint == bindparam("of_endpoint"),
    entries.c.subject == bindparam("subject"),
)
# Only those of one delivery may have their ids in another order: see ``store_entries``.
_LAST_DELIVERY = select(entries.c.delivery_id).where(*_IS_OF_SUBJECT).order_by(entries.c.id.desc())
_LAST_OF_SUBJECT = (
    select(*KNOWN_COLUMNS)
    .where(*_IS_OF_SUBJECT, entries.c.delivery_id == _LAST_DELIVERY.limit(1).scalar_subquery())
    .order_by(entries.c.position.desc())
    .limit(1)
)
_INSERT_DELIVERY = deliveries.insert()


def look_up(connection: Connection, endpoint: str, event_ids: Collection[str]) -> dict[str, Known]:
    """Return by event id the entries that are there."""
    known = {}
    for chunk in chunks(event_ids):
        values = {"of_endpoint": endpoint, "event_ids": chunk}
        for row in connection.execute(_KNOWN, values):
            known[row.event_id] = Known(*row)
    return known


class PostgresStorage:
    """A ``Storage`` inside one of several transactions that may store the same events."""

    def __init__(self, transactions: Transactions, connection: Connection) -> None:
        self._transactions = transactions
        self._connection = connection

    def changes(self, endpoint: str) -> Sequence[Change]:
        """Return what was switched at *endpoint*, oldest first."""
        self._transactions.share(self._connection, Exclusive.VERSIONS)
        return changes_at(self._connection, endpoint)

    def look_up(self, endpoint: str, event_ids: Collection[str]) -> dict[str, Known]:
        """Return by event id the entries that are there."""
        return look_up(self._connection, endpoint, event_ids)

    def last_of(self, endpoint: str, subjects: Collection[str]) -> dict[str, Known]:
        """Return by subject the entry that was admitted last."""
        self._take_subjects(endpoint, subjects)
        found = {}
        for subject in subjects:
            values = {"of_endpoint": endpoint, "subject": subject}
            row = self._connection.execute(_LAST_OF_SUBJECT, values).first()
            if row is not None:
                found[subject] = Known(*row)
        return found

    def _take_subjects(self, endpoint: str, subjects: Collection[str]) -> None:
        """Wait until no other transaction admits one of *subjects*; hold them until the end."""
        numbers = {lock_of_subject(endpoint, subject) for subject in subjects}
        for number in sorted(numbers):  # so that two of us wait in one direction only
            self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")

    def store_delivery(self, row: Values) -> int:
        """Store a delivery; return its id."""
        key: Any = self._connection.execute(_INSERT_DELIVERY, row).inserted_primary_key
        return int(key.id)

    def store_entries(self, endpoint: str, rows: Sequence[Values]) -> dict[str, Known]:
        """Store the entries that are not there; return what is there then, ours or another's."""
        # In the order of their ids: two processes that insert the same ones then wait for
        # each other in one direction only.
        ordered = sorted(rows, key=itemgetter("event_id"))
        self._connection.execute(self._transactions.insert_unless_there(entries), ordered)
        return self.look_up(endpoint, [row["event_id"] for row in rows])

    def flush(self) -> None:
        """Do nothing: everything is written at once."""

    def take_facts(self, endpoint: str, wanted: Sequence[OwnerCandidate]) -> dict[str, Owner]:
        """Have each free fact owned by the first in *wanted*; return the owners by fact."""
        insert_fact = self._transactions.insert_unless_there(facts)
        return take_facts(self._connection, insert_fact, endpoint, wanted)


_DELIVERY = types_of(deliveries, without=["id", "body"])
_ENTRY = types_of(entries, without=["id", "delivery_id", "chosen_handlers", "event_type"])
# Where its bytes are in all that belong to the batch.
_SPAN = {"body_at": BigInteger, "body_bytes": BigInteger}


def _store() -> Select[Any]:
    """Return what stores deliveries of one event, if it is new, and returns the entries."""
    delivery, entry = (
        table_of_rows("delivery", {**_DELIVERY, **_SPAN}),
        table_of_rows("entry", _ENTRY),
    )
    bodies = bindparam("bodies", type_=LargeBinary)
    body = func.substr(
        bodies, cast(delivery.c.body_at, Integer), cast(delivery.c.body_bytes, Integer)
    )
    sequence = select(text(f"pg_get_serial_sequence('{deliveries.name}', 'id')::regclass"))
    given = (
        select(entry, func.nextval(sequence.scalar_subquery()).label("delivery_id"))
        # Each id that a sequence gives out has a price, and senders repeat themselves a lot.
        .where(_is_known(entry).is_not(true()))
        .cte("given")
    )
    # Whoever stores several events does it in this order: so two wait for each other in one
    # direction only. Python sorts texts as the collation "C" does.
    in_order = (collate(given.c.endpoint, "C"), collate(given.c.event_id, "C"), given.c.place)
    columns = [*_ENTRY, "delivery_id"]
    stored = (
        postgresql.insert(entries)
        .from_select(columns, select(*(given.c[each] for each in columns)).order_by(*in_order))
        .on_conflict_do_nothing()
        .returning(entries.c.endpoint, *KNOWN_COLUMNS)
        .cte("stored")
    )
    to_keep = (
        select(given.c.delivery_id, body, *(delivery.c[each] for each in _DELIVERY))
        .join(delivery, delivery.c.place == given.c.place)
        .join(stored, stored.c.delivery_id == given.c.delivery_id)
    )
    kept = deliveries.insert().from_select(["id", "body", *_DELIVERY], to_keep).cte("kept")
    return select(stored).add_cte(kept)


def _is_known(entry: TableValuedAlias) -> ScalarSelect[Any]:
    """Return whether an event is there: NULL or false if it is not.

    It is asked for the first one that is not before it, since PostgreSQL uses the index for this
    even while the table is small. Plans are kept: one that reads a small table from end to end
    would do the same with the large one that it becomes.
    """
    key = entries.c.endpoint, entries.c.event_id
    wanted = entry.c.endpoint, entry.c.event_id
    return (
        select(tuple_(*key) == tuple_(*wanted))
        .where(tuple_(*key) >= tuple_(*wanted))
        .order_by(*key)
        .limit(1)
        .correlate(entry)
        .scalar_subquery()
    )


# It has at most 4096 characters: psycopg would read a longer one anew each time.
_STORE = _store().compile(dialect=URL.create("postgresql+psycopg").get_dialect()())


def is_plain(delivery: PreparedDelivery) -> bool:
    """Tell whether nothing but its event id decides what *delivery* comes to."""
    if delivery.envelope.modes is not None or len(delivery.envelope.items) != 1:
        return False
    (item,) = delivery.envelope.items
    return item.subject is None and item.typed_event_id is None


def admit_together(
    connection: Connection, batch: Sequence[PreparedDelivery], settings: str
) -> list[Receipt | None]:
    """Return the receipts of plain deliveries, in their order, when all is durable.

    None is what one must be admitted for in a transaction of its own: it has other content than
    the event that is there. Nothing is stored of it.

    Args:
        connection: One that begins no transaction by itself.
        settings: A statement that sets what is in force for the transaction.
    """
    entry_rows = [each.entry_rows[0] for each in batch]
    values = _STORE.params | _rows_and_bodies(batch) | {"entry": json_of(entry_rows)}
    stored = run_in_one_trip(connection, settings, _STORE.string, values)
    known = {(endpoint, row[1]): Known(*row) for endpoint, *row in stored}
    unclaimed = {key: entry.delivery_id for key, entry in known.items()}
    _look_up_others(connection, entry_rows, known)
    receipts: list[Receipt | None] = []
    for delivery, row in zip(batch, entry_rows, strict=True):
        key = row["endpoint"], row["event_id"]
        entry = known.get(key)
        if entry is None:  # it was there a moment ago, and was pruned
            receipts.append(None)
            continue
        # Of two with one event id, the first is the one that was stored.
        delivery_id = unclaimed.pop(key, None)
        admitted = admitted_items(delivery, [key[1]], {key[1]: entry}, delivery_id)
        receipts.append(None if admitted[0].is_conflict else Receipt(admitted=admitted))
    return receipts


def _rows_and_bodies(batch: Sequence[PreparedDelivery]) -> Values:
    """Return the parameters that hold deliveries: their rows, and all their bytes in one."""
    rows, bodies, body_at = [], [], 1
    for delivery in batch:
        body = delivery.row["body"]
        row = delivery.row | {"body_at": body_at, "body_bytes": len(body)}
        del row["body"]
        rows.append(row)
        bodies.append(body)
        body_at += len(body)
    return {"delivery": json_of(rows), "bodies": b"".join(bodies)}


def _look_up_others(
    connection: Connection, rows: Sequence[Values], known: dict[tuple[str, str], Known]
) -> None:
    """Add to *known* the entries of *rows* that were there before."""
    others: dict[str, list[str]] = {}
    for row in rows:
        if (row["endpoint"], row["event_id"]) not in known:
            others.setdefault(row["endpoint"], []).append(row["event_id"])
    for endpoint, event_ids in others.items():
        found = look_up(connection, endpoint, event_ids)
        known |= {(endpoint, event_id): entry for event_id, entry in found.items()}
