"""How an admission looks up and stores on PostgreSQL, beside others that store the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hookkit.core.modes import Change, Owner
from hookkit.inbox.sql.admit import KNOWN_COLUMNS, Known
from hookkit.inbox.sql.owners import OwnerCandidate, changes_at, take_facts
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import deliveries, entries, facts
from hookkit.inbox.sql.transactions import Exclusive, Transactions

# Built once: putting a statement together takes longer than a database does to run it.
_KNOWN = select(*KNOWN_COLUMNS).where(
    entries.c.endpoint == bindparam("of_endpoint"),
    entries.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
_INSERT_DELIVERY = deliveries.insert()


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
        known = {}
        for chunk in chunks(event_ids):
            values = {"of_endpoint": endpoint, "event_ids": chunk}
            for row in self._connection.execute(_KNOWN, values):
                known[row.event_id] = Known(*row)
        return known

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
