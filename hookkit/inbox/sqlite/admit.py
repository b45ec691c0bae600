"""How an admission looks up and stores on SQLite, where nobody else writes meanwhile.

It speaks to the driver itself: SQLAlchemy takes longer over these statements than SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from hookkit.core.modes import Change, Mode, Owner
from hookkit.inbox.sql.admit import KNOWN_COLUMNS, Known
from hookkit.inbox.sql.owners import OwnerCandidate, fact_rows
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import deliveries, entries, facts, switches
from hookkit.inbox.sqlite.rows import insert, insert_into

# Nothing but names of columns.
_CHANGES = (
    f"SELECT version, vendor_type, mode FROM {switches.name}"  # noqa: S608
    " WHERE endpoint = ? ORDER BY number"
)

_KNOWN_NAMES = tuple(column.name for column in KNOWN_COLUMNS)
_known_values = itemgetter(*_KNOWN_NAMES)

_LAST_OF_SUBJECT = (
    f"SELECT {', '.join(_KNOWN_NAMES)} FROM {entries.name}"  # noqa: S608
    " WHERE endpoint = ? AND subject = ? ORDER BY id DESC LIMIT 1"
)


class SqliteStorage:
    """A ``Storage`` inside one write transaction; many rows are written by one statement."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.dbapi_connection
        self._last_ids: dict[Table, int] = {}
        self._unwritten: dict[Table, list[Values]] = {deliveries: [], entries: []}

    @property
    def newest_entry_id(self) -> int | None:
        """The highest id of an entry that was stored; None if none was."""
        return self._last_ids.get(entries)

    def changes(self, endpoint: str) -> Sequence[Change]:
        """Return what was switched at *endpoint*, oldest first."""
        rows = self._driver.execute(_CHANGES, (endpoint,))
        return [Change(version, vendor_type, Mode(mode)) for version, vendor_type, mode in rows]

    def look_up(self, endpoint: str, event_ids: Collection[str]) -> dict[str, Known]:
        """Return by event id the entries that are there."""
        rows = self._select(entries, _KNOWN_NAMES, endpoint, "event_id", event_ids)
        return {row[1]: Known(*row) for row in rows}

    def last_of(self, endpoint: str, subjects: Collection[str]) -> dict[str, Known]:
        """Return by subject the entry that was admitted last."""
        found = {}
        for subject in subjects:
            row = self._driver.execute(_LAST_OF_SUBJECT, (endpoint, subject)).fetchone()
            if row is not None:
                found[subject] = Known(*row)
        return found

    def store_delivery(self, row: Values) -> int:
        """Return the id of a delivery, which is written at once or by ``flush``."""
        return self._add(deliveries, row)

    def store_entries(self, _: str, rows: Sequence[Values]) -> dict[str, Known]:
        """Return by event id the entries that are new, written at once or by ``flush``."""
        stored = [row | {"id": self._add(entries, row)} for row in rows]
        return {row["event_id"]: Known(*_known_values(row)) for row in stored}

    def flush(self) -> None:
        """Write what is not written yet."""
        for table, rows in self._unwritten.items():
            insert(self._driver, table, rows)
            rows.clear()

    def take_facts(self, endpoint: str, wanted: Sequence[OwnerCandidate]) -> dict[str, Owner]:
        """Have each free fact owned by the first in *wanted*; return the owners by fact."""
        insert(self._driver, facts, fact_rows(endpoint, wanted), " ON CONFLICT DO NOTHING")
        columns = ("fact", "entry_id", "version")
        found = self._select(facts, columns, endpoint, "fact", {each.fact for each in wanted})
        return {fact: Owner(entry_id, version) for fact, entry_id, version in found}

    def _add(self, table: Table, row: Values) -> int:
        """Return the id of a new row.

        SQLite gives the first one its id, and the others count on from there: each id is
        higher than any before, and nobody else is given one meanwhile.
        """
        last_id = self._last_ids.get(table)
        if last_id is None:
            statement = insert_into(table, tuple(row), 1, "")
            row_id = int(self._driver.execute(statement, tuple(row.values())).lastrowid)
        else:
            row_id = last_id + 1
            self._unwritten[table].append(row | {"id": row_id})
        self._last_ids[table] = row_id
        return row_id

    def _select(
        self,
        table: Table,
        columns: tuple[str, ...],
        endpoint: str,
        column: str,
        wanted: Iterable[str],
    ) -> Iterator[Any]:
        """Yield the *columns* of the rows of *endpoint* whose *column* is *wanted*."""
        for chunk in chunks(wanted):
            # As many parameters as the next power of two: few statements, each prepared once.
            count = 1 << (len(chunk) - 1).bit_length()
            padding = chunk[-1:] * (count - len(chunk))
            statement = _select_from(table, columns, column, count)
            yield from self._driver.execute(statement, (endpoint, *chunk, *padding))


@cache
def _select_from(table: Table, columns: tuple[str, ...], column: str, count: int) -> str:
    marks = ", ".join("?" * count)
    names = ", ".join(columns)
    return f"SELECT {names} FROM {table.name} WHERE endpoint = ? AND {column} IN ({marks})"  # noqa: S608
