"""Admits several deliveries inside one write transaction of SQLite."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from hookkit import crash_points
from hookkit.core.delivery import Envelope
from hookkit.core.entry import Receipt, State
from hookkit.core.facts import is_exact
from hookkit.core.modes import Change, Mode, Modes, modes_after, runs_beside
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.admit import (
    KNOWN_COLUMNS,
    Known,
    admitted_items,
    chunks,
    keep_what_counts,
    new_items,
    wanted_ids,
)
from hookkit.inbox.sql.rows import PreparedDelivery, Values, give_modes, prepared
from hookkit.inbox.sql.tables import deliveries, entries, facts, switches
from hookkit.inbox.sqlite.group_commit import GroupCommit

# Nothing but names of columns.
_CHANGES = (
    f"SELECT version, vendor_type, mode FROM {switches.name}"  # noqa: S608
    " WHERE endpoint = ? ORDER BY number"
)


class SqliteTwins:
    """The modes of a batch's endpoints, and who owns the facts that it reports.

    Where settings name no modes, this costs nothing but a look at each envelope.
    """

    def __init__(self, driver: Any, batch: Sequence[PreparedDelivery]) -> None:
        self._modes: dict[str, Modes] = {}
        self._owners: dict[tuple[str, str], str] = {}
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for delivery in batch:
            envelope = delivery.envelope
            if envelope.modes is None:
                continue
            modes = self._modes.get(envelope.endpoint)
            if modes is None:
                rows = driver.execute(_CHANGES, (envelope.endpoint,))
                changes = [Change(row[0], row[1], Mode(row[2])) for row in rows]
                modes = self._modes[envelope.endpoint] = modes_after(envelope.modes, changes)
            if modes.has_twins:
                exact = (item.fact for item in envelope.items if is_exact(item.fact))
                wanted[envelope.endpoint].update(exact)
        for endpoint, named in wanted.items():
            self._look_up(driver, endpoint, named)

    def rule(self, delivery: PreparedDelivery, positions: Collection[int]) -> None:
        """Write into the rows at *positions* what becomes of them."""
        endpoint = delivery.envelope.endpoint
        modes = None if delivery.envelope.modes is None else self._modes[endpoint]
        if modes is None:
            return
        give_modes(delivery, positions, modes)
        if not modes.has_twins:
            return
        for position in positions:
            row = delivery.entry_rows[position]
            if row["state"] != State.PENDING.value or not is_exact(row["fact"]):
                continue
            if not runs_beside(self._owners.get((endpoint, row["fact"])), row["version"]):
                row.update(state=State.TWIN.value, due_at_ms=None)

    def owned(self, row: Values) -> Values | None:
        """Return the row of the fact that an entry takes, None when it takes none."""
        modes = self._modes.get(row["endpoint"])
        if modes is None or not modes.has_twins:
            return None
        key = row["endpoint"], row["fact"]
        if row["state"] != State.PENDING.value or not is_exact(row["fact"]) or key in self._owners:
            return None
        self._owners[key] = row["version"]
        return {name: row[name] for name in ("endpoint", "fact", "version")} | {
            "entry_id": row["id"]
        }

    def _look_up(self, driver: Any, endpoint: str, wanted: set[str]) -> None:
        for chunk in chunks(wanted):
            # As many parameters as the next power of two: few statements, each prepared once.
            count = 1 << (len(chunk) - 1).bit_length()
            padding = chunk[-1:] * (count - len(chunk))
            for fact, version in driver.execute(
                _select_owners(count), (endpoint, *chunk, *padding)
            ):
                self._owners[endpoint, fact] = version


@cache
def _select_owners(count: int) -> str:
    marks = ", ".join("?" * count)
    # Nothing but names of columns and question marks.
    return f"SELECT fact, version FROM {facts.name} WHERE endpoint = ? AND fact IN ({marks})"  # noqa: S608


# SQLite before 3.32 takes 999 values, and 32 rows have about 700. Each statement lets other
# threads run: https://www.sqlite.org/limits.html#max_variable_number
_MOST_ROWS = 64 if sqlite3.sqlite_version_info >= (3, 32) else 32

_KNOWN_NAMES = [column.name for column in KNOWN_COLUMNS]
_known_values = itemgetter(*_KNOWN_NAMES)


class SqliteAdmission:
    """Admits what the threads of this process bring, several deliveries in one commit.

    Args:
        encrypted: Returns what is stored instead of a body; None stores it as it is.
    """

    def __init__(
        self,
        on: transactions.SqliteTransactions,
        encrypted: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._transactions = on
        self._encrypted = encrypted
        self._group: GroupCommit[Envelope, Receipt]
        self.after_fork()

    def admit(self, envelope: Envelope) -> Receipt:
        """Return what came of *envelope* once that is durable.

        Raises:
            Unavailable: It is not, or its turn did not come in time.
        """
        return self._group.submit(envelope, len(envelope.body))

    def after_fork(self) -> None:
        """Forget the threads of the parent process."""
        self._group = GroupCommit(self._commit, timeout_s=lambda: transactions.BUSY_TIMEOUT_S)

    def _commit(self, take: Callable[[], Sequence[Envelope]], *, timeout_s: float) -> list[Receipt]:
        with self._transactions.write(timeout_s) as connection:
            batch = [prepared(envelope, self._encrypted) for envelope in take()]
            receipts = admit_together(connection, batch)
            crash_points.reach("admit_written")
            return receipts


def admit_together(connection: Connection, batch: Sequence[PreparedDelivery]) -> list[Receipt]:
    """Store what is new of each delivery of *batch*; return their receipts in its order."""
    admission = _Admission(connection, batch)
    receipts = [admission.admit(delivery) for delivery in batch]
    admission.flush()
    return receipts


class _Admission:
    """What is known of entries, and what is still to be written, inside one transaction."""

    def __init__(self, connection: Connection, batch: Sequence[PreparedDelivery]) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        self._known = _look_up(self._driver, batch)
        self._twins = SqliteTwins(self._driver, batch)
        self._last_ids: dict[Table, int] = {}
        self._new_rows: dict[Table, list[Values]] = {deliveries: [], entries: [], facts: []}

    def admit(self, delivery: PreparedDelivery) -> Receipt:
        known = self._known[delivery.envelope.endpoint]
        new = new_items(delivery, known)
        delivery_id = None
        if new:
            self._twins.rule(delivery, new.values())
            delivery_id = self._add(deliveries, delivery.row)
        for event_id, position in new.items():
            row = delivery.entry_rows[position]
            row["delivery_id"] = delivery_id
            row["id"] = self._add(entries, row)
            known[event_id] = Known(*_known_values(row))
            if (fact := self._twins.owned(row)) is not None:
                self._new_rows[facts].append(fact)
        admitted = admitted_items(delivery, known, delivery_id)
        if any(one.is_conflict for one in admitted):
            # What is changed then may be among what is not written yet.
            self.flush()
            keep_what_counts(self._connection, delivery, delivery_id, admitted)
            # It may have stored a delivery, whose id is not to be given again.
            self._last_ids.clear()
        return Receipt(admitted=admitted)

    def flush(self) -> None:
        """Write what is not written yet."""
        for table, rows in self._new_rows.items():
            if rows:
                _insert(self._driver, table, rows)
                rows.clear()

    def _add(self, table: Table, values: Values) -> int:
        """Return the id of a new row, which is written at once or by ``flush``.

        SQLite gives the first one its id, and the others count on from there: each id is
        higher than any before, and nobody else is given one meanwhile.
        """
        last_id = self._last_ids.get(table)
        if last_id is None:
            statement = _insert_into(table, tuple(values), 1)
            row_id = int(self._driver.execute(statement, tuple(values.values())).lastrowid)
        else:
            row_id = values["id"] = last_id + 1
            self._new_rows[table].append(values)
        self._last_ids[table] = row_id
        return row_id


def _look_up(driver: Any, batch: Sequence[PreparedDelivery]) -> dict[str, dict[str, Known]]:
    """Return, by endpoint and event id, what is there of what *batch* asks for."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for delivery in batch:
        wanted[delivery.envelope.endpoint] |= wanted_ids(delivery)
    known: dict[str, dict[str, Known]] = {}
    for endpoint, event_ids in wanted.items():
        known[endpoint] = of_endpoint = {}
        for chunk in chunks(event_ids):
            # As many parameters as the next power of two: few statements, each prepared once.
            count = 1 << (len(chunk) - 1).bit_length()
            padding = chunk[-1:] * (count - len(chunk))
            for row in driver.execute(_select_known(count), (endpoint, *chunk, *padding)):
                of_endpoint[row[1]] = Known(*row)
    return known


def _insert(driver: Any, table: Table, rows: Sequence[Values]) -> None:
    """Insert *rows*, many by one statement.

    Not ``executemany``: Python's sqlite3 lets other threads run at each row, and the one
    that commits for all of them would wait for its turn as often.
    """
    names = tuple(rows[0])
    done = 0
    while done < len(rows):
        count = min(_MOST_ROWS, len(rows) - done)
        values = chain.from_iterable(row.values() for row in rows[done : done + count])
        driver.execute(_insert_into(table, names, count), tuple(values))
        done += count


@cache
def _select_known(count: int) -> str:
    columns = ", ".join(_KNOWN_NAMES)
    marks = ", ".join("?" * count)
    # Nothing but names of columns and question marks.
    return f"SELECT {columns} FROM {entries.name} WHERE endpoint = ? AND event_id IN ({marks})"  # noqa: S608


@cache
def _insert_into(table: Table, columns: tuple[str, ...], count: int) -> str:
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    rows = ", ".join([f"({marks})"] * count)
    # The same.
    return f"INSERT INTO {table.name} ({names}) VALUES {rows}"  # noqa: S608
