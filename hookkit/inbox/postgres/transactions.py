"""Transactions and admission on PostgreSQL, and how a server that hangs is given up."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from operator import itemgetter
from threading import Event, Lock, Thread
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import Connection, Engine, RootTransaction, Table, bindparam, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert

from hookkit import crash_points
from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.core.modes import Change, Owner
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.admit import KNOWN_COLUMNS, Known, admit
from hookkit.inbox.sql.owners import OwnerCandidate, changes_at, take_facts
from hookkit.inbox.sql.rows import PreparedDelivery, Values, chunks
from hookkit.inbox.sql.tables import deliveries, entries, facts
from hookkit.inbox.sql.transactions import Exclusive, Transactions, unavailable

# Built once: putting a statement together takes longer than a database does to run it.
_KNOWN = select(*KNOWN_COLUMNS).where(
    entries.c.endpoint == bindparam("of_endpoint"),
    entries.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
_LAST_OF_SUBJECT = (
    select(*KNOWN_COLUMNS)
    .where(
        entries.c.endpoint == bindparam("of_endpoint"), entries.c.subject == bindparam("subject")
    )
    .order_by(entries.c.id.desc())
    .limit(1)
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
        numbers = {_FIRST_SUBJECT_LOCK + _lock_of(endpoint, subject) for subject in subjects}
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


#: How late a connection may be cut, in seconds.
_PERIOD_S = 0.25


class _Watch:
    """The socket of one connection, and until when it is left alone."""

    def __init__(self, file: int, until: float) -> None:
        # A copy: once the driver closes its own, another file may get the number.
        self.file = os.dup(file)
        self.until = until
        self.has_cut = False

    def cut(self) -> None:
        self.has_cut = True
        # The other end may have closed it already.
        with socket.socket(fileno=os.dup(self.file)) as its, suppress(OSError):
            its.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Closes connections of one process that take too long, in a thread of its own."""

    def __init__(self) -> None:
        self._watches: dict[Connection, _Watch] = {}
        self._lock = Lock()
        self._is_needed = Event()
        self._thread: Thread | None = None

    def start(self, connection: Connection, timeout_s: float) -> None:
        """Close *connection* after *timeout_s* seconds unless it ends before.

        Without effect where the driver does not show the connection's socket.
        """
        driver: Any = connection.connection.dbapi_connection
        try:
            watch = _Watch(driver.fileno(), time.monotonic() + timeout_s)
        except Exception:  # noqa: BLE001  # the driver's own, for one that is closed
            return
        with self._lock:
            self._watches[connection] = watch
            if self._thread is None:
                self._thread = Thread(target=self._look, name="hookkit-watchdog", daemon=True)
                self._thread.start()
            self._is_needed.set()

    def lift(self, connection: Connection) -> None:
        """Let *connection* take as long as it needs from now on."""
        with self._lock:
            if connection in self._watches:
                self._watches[connection].until = float("inf")

    def has_cut(self, connection: Connection) -> bool:
        """Tell whether *connection* was closed for taking too long."""
        with self._lock:
            return connection in self._watches and self._watches[connection].has_cut

    def end(self, connection: Connection) -> bool:
        """Stop watching *connection*; return whether it was closed for taking too long."""
        with self._lock:
            watch = self._watches.pop(connection, None)
            if watch is not None:
                os.close(watch.file)
        return watch is not None and watch.has_cut

    def _look(self) -> None:
        while self._is_needed.wait():
            time.sleep(_PERIOD_S)
            with self._lock:
                if not self._watches:
                    self._is_needed.clear()
                now = time.monotonic()
                for watch in self._watches.values():
                    if now >= watch.until and not watch.has_cut:
                        watch.cut()


#: Seconds that one statement and a whole transaction may take while a vendor waits.
STATEMENT_TIMEOUT_S = 5.0
TRANSACTION_TIMEOUT_S = 8.0

#: Seconds that a reading transaction may take: people ask for it, and tables may be large.
READ_TIMEOUT_S = 30.0

_SCHEMA_TIMEOUT_S = 30

# The first of our advisory locks; an arbitrary number, which no other program is likely to use.
_FIRST_LOCK = 0x686F6F6B6B6974

# Subjects share a few locks: a server has room for some thousands, and a body may have as many.
_FIRST_SUBJECT_LOCK = _FIRST_LOCK + 0x100
_SUBJECT_LOCKS = 64


def _lock_of(endpoint: str, subject: str) -> int:
    return crc32(f"{endpoint}\0{subject}".encode()) % _SUBJECT_LOCKS


_Answer = TypeVar("_Answer")


class PostgresTransactions(transactions.Transactions):
    """Transactions on PostgreSQL.

    READ COMMITTED whatever the engine's default: a statement after a lost race must see what
    the winner committed, and an engine in AUTOCOMMIT would have no transactions.
    """

    def __init__(self, engine: Engine, *, is_own: bool, migrates: bool = True) -> None:
        super().__init__(engine, is_own=is_own, migrates=migrates)
        self._watchdog = Watchdog()

    def write_shared(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned, in a transaction of its own: the server shares commits."""
        with self.write() as connection:
            return work(connection)

    def admit(self, delivery: PreparedDelivery) -> Receipt:
        """Store what is new of *delivery*, in a transaction of its own."""
        with self.write() as connection:
            (receipt,) = admit(connection, PostgresStorage(self, connection), [delivery])
            crash_points.reach("admit_written")
            return receipt

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return _insert_unless_there(table)

    def take(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no other transaction has taken or shares *what*; hold it until the end."""
        if what is not Exclusive.LANES:
            # No vendor waits for us then, and what there is to do may take its time.
            self._take_time(connection, "0")
        if what is Exclusive.SCHEMA:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SCHEMA_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_FIRST_LOCK + what.value})")

    def share(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no transaction has taken *what*; keep it from being taken until the end."""
        number = _FIRST_LOCK + what.value
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({number})")

    def handling(self, connection: Connection) -> AbstractContextManager[None]:
        """Undo the timeouts, which are for hookkit's own statements."""
        self._take_time(connection, "DEFAULT")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
        return nullcontext()

    def after_fork(self) -> None:
        """Forget the connections of the parent process, and the thread that watches them."""
        self._watchdog = Watchdog()
        super().after_fork()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        begin = f"SELECT set_config('statement_timeout', '{READ_TIMEOUT_S:g}s', true)"
        timeout_s = READ_TIMEOUT_S
        with (
            unavailable(),
            self._transaction("REPEATABLE READ", begin, timeout_s) as connection,
        ):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a transaction whose commit waits for the disk, and that does not take long."""
        begin = (
            "SELECT set_config('synchronous_commit', 'on', true),"
            f" set_config('lock_timeout', '{transactions.BUSY_TIMEOUT_S:g}s', true),"
            f" set_config('statement_timeout', '{STATEMENT_TIMEOUT_S:g}s', true)"
        )
        timeout_s = TRANSACTION_TIMEOUT_S
        with (
            unavailable(),
            self._transaction("READ COMMITTED", begin, timeout_s) as connection,
        ):
            yield connection

    def _prepare_database(self) -> None:
        """Do nothing: the server is configured by its operator."""

    def _take_time(self, connection: Connection, statement_timeout: str) -> None:
        self._watchdog.lift(connection)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout TO {statement_timeout}")

    @contextmanager
    def _transaction(
        self, isolation_level: str, begin: str, timeout_s: float
    ) -> Iterator[Connection]:
        """Run a transaction whose first statement is *begin*, within *timeout_s* seconds."""
        connection, transaction = self._begin(isolation_level, begin, timeout_s)
        driver: Any = connection.connection.dbapi_connection
        try:
            with transaction:
                yield connection
        except BaseException as error:
            # A handler that tried to end it has left SQLAlchemy in the belief that there is
            # nothing to roll back, and the connection could not be given back.
            with suppress(Exception):
                driver.rollback()
            if self._watchdog.has_cut(connection):
                raise _silence(timeout_s) from error
            raise
        finally:
            self._watchdog.end(connection)
            connection.close()

    def _begin(
        self, isolation_level: str, begin: str, timeout_s: float
    ) -> tuple[Connection, RootTransaction]:
        """Begin on a connection of the pool; one that the server has closed costs nothing."""
        is_first = True
        while True:
            connection = self.engine.connect()
            try:
                connection.execution_options(isolation_level=isolation_level)
                self._watchdog.start(connection, timeout_s)
                transaction = connection.begin()
                connection.exec_driver_sql(begin)
            except BaseException as error:
                has_cut = self._watchdog.end(connection)
                connection.close()
                if has_cut:
                    raise _silence(timeout_s) from error
                # With the first of them SQLAlchemy drops all that are as old.
                if is_first and isinstance(error, DBAPIError) and error.connection_invalidated:
                    is_first = False
                    continue
                raise
            return connection, transaction


@cache
def _insert_unless_there(table: Table) -> Insert:
    return postgresql.insert(table).on_conflict_do_nothing()


def _silence(timeout_s: float) -> Unavailable:
    return Unavailable(f"the inbox cannot be used: PostgreSQL gave no answer for {timeout_s:g} s")
