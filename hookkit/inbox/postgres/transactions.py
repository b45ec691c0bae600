"""Transactions and admission on PostgreSQL, and how a server that hangs is given up."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, RootTransaction, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.dml import Insert

from hookkit import crash_points
from hookkit.core.entry import Entry, Receipt, Settlement
from hookkit.core.errors import TookTooLong, Unavailable
from hookkit.inbox.postgres.admit import PostgresStorage, admit_together, is_plain
from hookkit.inbox.postgres.locks import lock_of
from hookkit.inbox.postgres.one_trip import is_possible
from hookkit.inbox.postgres.settle import settle
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.admit import admit
from hookkit.inbox.sql.group_commit import GroupCommit
from hookkit.inbox.sql.patience import look_limit_s
from hookkit.inbox.sql.rows import PreparedDelivery
from hookkit.inbox.sql.transactions import Exclusive, unavailable

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

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_QUERY_CANCELED = "57014"

_SCHEMA_TIMEOUT_S = 30

# The isolation level in which deliveries are stored together: each statement commits itself.
_TOGETHER = "AUTOCOMMIT"

# One statement is on its way to the disk while the next is made; a third would wait for Python.
_MAX_TOGETHER = 2

# So many deliveries have transactions of their own at once. More would not be faster, and the
# pool of connections serves whoever comes first to a free one, not whoever waits longest.
_MAX_ALONE = 4

_Answer = TypeVar("_Answer")


class PostgresTransactions(transactions.Transactions):
    """Transactions on PostgreSQL.

    READ COMMITTED whatever the engine's default: a statement after a lost race must see what
    the winner committed, and an engine in AUTOCOMMIT would have no transactions.

    Of our own engine, the connections that stored deliveries together are kept for the next ones:
    to check one out of the pool, set it up and give it back takes as long as to store. After any
    error, the next delivery checks out another.
    """

    def __init__(self, engine: Engine, *, is_own: bool, migrates: bool = True) -> None:
        super().__init__(engine, is_own=is_own, migrates=migrates)
        self._has_one_trip = is_possible(engine.dialect)
        self._forget_threads()

    def write_shared(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned, in a transaction of its own: the server shares commits."""
        with self.write() as connection:
            return work(connection)

    def admit(self, delivery: PreparedDelivery) -> Receipt:
        """Store what is new of *delivery*, by one statement with what other threads bring.

        What more than an event id decides about is stored in a transaction of its own.
        """
        self.prepare()
        if self._has_one_trip and is_plain(delivery):
            receipt = self._together.submit(delivery, len(delivery.envelope.body))
            if receipt is not None:
                return receipt
        return self._alone.submit(delivery)

    def settle(
        self, connection: Connection, finished: Sequence[tuple[Entry, Settlement]], now_ms: int
    ) -> set[int]:
        """Record attempts and next states; return the ids of those that were settled."""
        return settle(connection, finished, now_ms)

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return _insert_unless_there(table)

    def insert_or_add(self, column: Column[Any]) -> Insert:
        """Return an insert that adds to *column* of the rows that are there already."""
        statement = postgresql.insert(column.table)
        return statement.on_conflict_do_update(
            index_elements=column.table.primary_key,
            set_={column.name: column + statement.excluded[column.name]},
        )

    def take(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no other transaction has taken or shares *what*; hold it until the end."""
        if what is not Exclusive.LANES:
            # No vendor waits for us then, and what there is to do may take its time.
            self._take_time(connection, "0")
        if what is Exclusive.SCHEMA:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SCHEMA_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_of(what)})")

    def share(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no transaction has taken *what*; keep it from being taken until the end."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({lock_of(what)})")

    def handling(self, connection: Connection) -> AbstractContextManager[None]:
        """Undo the timeouts, which are for hookkit's own statements."""
        self._take_time(connection, "DEFAULT")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
        return nullcontext()

    def after_fork(self) -> None:
        """Forget the connections of the parent process, the queue, and the watching thread."""
        self._forget_threads()
        super().after_fork()

    def _forget_threads(self) -> None:
        self._watchdog = Watchdog()
        self._kept.clear()
        self._together: GroupCommit[PreparedDelivery, Receipt | None] = GroupCommit(
            self._admit_together,
            timeout_s=lambda: transactions.BUSY_TIMEOUT_S,
            max_leaders=_MAX_TOGETHER,
        )
        self._alone: GroupCommit[PreparedDelivery, Receipt] = GroupCommit(
            self._admit_alone,
            timeout_s=lambda: transactions.BUSY_TIMEOUT_S,
            max_leaders=_MAX_ALONE,
            max_count=1,
        )

    def _admit_alone(
        self, take: Callable[[], Sequence[PreparedDelivery]], *, timeout_s: float
    ) -> list[Receipt]:
        with self._writing() as connection:
            receipts = admit(connection, PostgresStorage(self, connection), take())
            crash_points.reach("admit_written")
            return receipts

    def _admit_together(
        self, take: Callable[[], Sequence[PreparedDelivery]], *, timeout_s: float
    ) -> list[Receipt | None]:
        """Store deliveries by one statement; None is what a transaction of its own must decide."""
        batch: list[PreparedDelivery] = []

        def store(connection: Connection) -> list[Receipt | None]:
            batch.extend(() if batch else take())
            return admit_together(connection, batch, _settings_of_writing())

        with unavailable():
            try:
                with self._checked_out(_TOGETHER, store, TRANSACTION_TIMEOUT_S) as (_, receipts):
                    crash_points.reach("admit_written")
                    return receipts
            except DBAPIError as error:
                if not batch or error.connection_invalidated:
                    raise
                # Of one of them, probably, which will hear it again.
                return [None] * len(batch)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        limit_s = look_limit_s() or READ_TIMEOUT_S
        begin = f"SELECT set_config('statement_timeout', '{limit_s:g}s', true)"
        with (
            unavailable(),
            self._transaction("REPEATABLE READ", begin, READ_TIMEOUT_S) as connection,
        ):
            try:
                yield connection
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) == _QUERY_CANCELED:
                    raise TookTooLong(f"it took longer than {limit_s:g} s") from error
                raise

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a transaction whose commit waits for the disk, and that does not take long."""
        timeout_s = TRANSACTION_TIMEOUT_S
        with (
            unavailable(),
            self._transaction("READ COMMITTED", _settings_of_writing(), timeout_s) as connection,
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

        def start(connection: Connection) -> RootTransaction:
            transaction = connection.begin()
            connection.exec_driver_sql(begin)
            return transaction

        with self._checked_out(isolation_level, start, timeout_s) as (connection, transaction):
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

    @contextmanager
    def _checked_out(
        self, isolation_level: str, first: Callable[[Connection], _Answer], timeout_s: float
    ) -> Iterator[tuple[Connection, _Answer]]:
        """Check a connection out for *timeout_s* seconds, and do on it what is to be done *first*.

        That is done twice if the server had closed the connection, which then costs nothing.
        """
        is_second = False
        while True:
            kept = self._take_kept() if isolation_level == _TOGETHER else None
            connection = kept or self.engine.connect()
            try:
                if kept is None:
                    connection.execution_options(isolation_level=isolation_level)
                self._watchdog.start(connection, timeout_s)
                answer = first(connection)
                break
            except BaseException as error:
                has_cut = self._watchdog.end(connection)
                connection.close()
                if has_cut:
                    raise _silence(timeout_s) from error
                # With the first of them SQLAlchemy drops all that are as old.
                self._release_kept()
                if is_second or not _is_lost(error):
                    raise
                is_second = True
        try:
            yield connection, answer
        except BaseException:
            self._watchdog.end(connection)
            connection.close()
            raise
        has_cut = self._watchdog.end(connection)
        if has_cut or isolation_level != _TOGETHER or not self.is_own:
            connection.close()
            return
        connection.rollback()  # for SQLAlchemy, which takes a look-up for a transaction
        self._keep(connection)


def _settings_of_writing() -> str:
    """Return what has a transaction wait for the disk, and not for long for anything else."""
    return (
        "SELECT set_config('synchronous_commit', 'on', true),"
        f" set_config('lock_timeout', '{transactions.BUSY_TIMEOUT_S:g}s', true),"
        f" set_config('statement_timeout', '{STATEMENT_TIMEOUT_S:g}s', true)"
    )


def _is_lost(error: BaseException) -> bool:
    """Tell whether *error* says that the connection is gone."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


@cache
def _insert_unless_there(table: Table) -> Insert:
    return postgresql.insert(table).on_conflict_do_nothing()


def _silence(timeout_s: float) -> Unavailable:
    return Unavailable(f"the inbox cannot be used: PostgreSQL gave no answer for {timeout_s:g} s")
