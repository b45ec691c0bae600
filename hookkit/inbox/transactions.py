"""How a transaction is run on each database: durable, and never half written.

Rule 1: a transaction that may write says so when it begins. SQLite fails a read transaction
        that turns to writing late at once, without waiting for its busy timeout.
Rule 2: an engine may be the user's own. Whatever is set on one of its connections is put back
        before the connection is given back, and no listener is hung on it.
Rule 3: what the database raises leaves as ``Unavailable``, and shows no parameter: those
        hold bodies.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.sql.dml import Insert

from hookkit.core.errors import Unavailable

#: Seconds that a transaction waits for another before its caller hears ``Unavailable``.
BUSY_TIMEOUT_S = 2.0

# Of ``PRAGMA synchronous``. With a write-ahead log FULL puts a commit on the disk; without
# one, only EXTRA also syncs the folder, or a power cut brings the old journal back.
# https://www.sqlite.org/pragma.html#pragma_synchronous
_FULL = 2
_EXTRA = 3

_SCHEMA_TIMEOUT_S = 30

# An arbitrary number that no other program is likely to lock.
_SCHEMA_LOCK = 0x686F6F6B6B6974


class Transactions(ABC):
    """Runs transactions on one engine.

    Attributes:
        engine: Where they run.
        is_own: Whether hookkit made the engine; False for the user's own.
    """

    def __init__(self, engine: Engine, *, is_own: bool) -> None:
        self.engine = engine
        self.is_own = is_own

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """Return a transaction that only reads, and sees one state of the database."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Connection]:
        """Return a transaction that is durable once it is left without an error."""

    @abstractmethod
    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the database itself ready, before the first transaction."""

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Wait until no other process is creating the tables."""

    def after_fork(self) -> None:
        """Forget the connections of the parent process without closing them for it."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close idle connections; those of the user's own engine are the user's to close."""
        if self.is_own:
            self.engine.dispose()


class SqliteTransactions(Transactions):
    """Transactions on a SQLite file.

    The threads of a process queue for a lock before they try SQLite's own, because its busy
    handler sleeps and polls. How long SQLite's lock is waited for on the user's own engine
    is that engine's ``timeout``, and the journal mode of its file stays as it is.
    """

    def __init__(self, engine: Engine, *, is_own: bool) -> None:
        super().__init__(engine, is_own=is_own)
        self._writer = Lock()
        self._synchronous = _EXTRA

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        with unavailable(), self._connection() as connection, _begun(connection, "BEGIN"):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin the one transaction that may write."""
        writer = self._writer
        if not writer.acquire(timeout=BUSY_TIMEOUT_S):
            raise Unavailable(f"the inbox was busy for {BUSY_TIMEOUT_S:g} s")
        try:
            with (
                unavailable(),
                self._connection() as connection,
                self._synced(connection),
                _begun(connection, "BEGIN IMMEDIATE"),
            ):
                yield connection
        finally:
            writer.release()

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return sqlite.insert(table).on_conflict_do_nothing()

    def prepare(self) -> None:
        """Switch a file of our own to a write-ahead log, so that readers never block."""
        with unavailable(), self._connection() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            if mode != "wal" and self.is_own:
                mode = _switch_to_wal(connection)
        self._synchronous = _FULL if mode == "wal" else _EXTRA

    def lock_schema(self, connection: Connection) -> None:
        """Do nothing: there is one writer anyway."""

    def after_fork(self) -> None:
        """Forget the connections, and the lock that the parent may have held."""
        self._writer = Lock()
        super().after_fork()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Check out a connection on which nobody but us begins and ends transactions.

        SQLAlchemy leaves BEGIN to the driver, which begins late and deferred, or to the
        user's listener for ``begin``: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
        Its isolation level AUTOCOMMIT would switch off the first and not the second, and
        give the connection back with the driver's default in place of the user's setting.
        """
        with self.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            isolation_level = driver.isolation_level
            # Python 3.12's other way to have the driver begin: it ignores isolation_level.
            begins_always = getattr(driver, "autocommit", None) is False
            if begins_always:
                driver.autocommit = True
            driver.isolation_level = None
            try:
                connection.begin()
                if driver.in_transaction:
                    connection.exec_driver_sql("ROLLBACK")
                yield connection
            finally:
                driver.isolation_level = isolation_level
                if begins_always:
                    driver.autocommit = False

    @contextmanager
    def _synced(self, connection: Connection) -> Iterator[None]:
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        if level >= self._synchronous:
            yield
            return
        connection.exec_driver_sql(f"PRAGMA synchronous = {self._synchronous}")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")


class PostgresTransactions(Transactions):
    """Transactions on PostgreSQL.

    READ COMMITTED whatever the engine's default: a statement after a lost race must see what
    the winner committed, and an engine in AUTOCOMMIT would have no transactions.
    """

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        with unavailable(), self._connection("REPEATABLE READ") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction whose commit waits for the disk, and whose locks time out."""
        with unavailable(), self._connection("READ COMMITTED") as connection:
            connection.exec_driver_sql(
                "SELECT set_config('synchronous_commit', 'on', true),"
                f" set_config('lock_timeout', '{BUSY_TIMEOUT_S:g}s', true)"
            )
            yield connection

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return postgresql.insert(table).on_conflict_do_nothing()

    def prepare(self) -> None:
        """Do nothing: the server is configured by its operator."""

    def lock_schema(self, connection: Connection) -> None:
        """Wait until no other process is creating the tables; nobody waits for us meanwhile."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SCHEMA_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")

    @contextmanager
    def _connection(self, isolation_level: str) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level=isolation_level)
            with connection.begin():
                yield connection


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what a database raises into ``Unavailable``."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        if isinstance(error, StatementError):
            # The user's own engine need not hide them, and the cause is logged as well.
            error.hide_parameters = True
        raise Unavailable(f"the inbox cannot be used: {brief_reason(error)}") from error


def brief_reason(error: BaseException) -> str:
    """Return what *error* is, without the statement and its parameters."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        # PostgreSQL tells the values of a row on the lines that follow.
        lines = str(error.orig).splitlines() or [""]
        return f"{type(error.orig).__name__}: {lines[0]}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


@contextmanager
def _begun(connection: Connection, begin: str) -> Iterator[None]:
    driver: Any = connection.connection.dbapi_connection
    connection.exec_driver_sql(begin)
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        # Some errors, such as a full disk, make SQLite roll back by itself.
        if driver.in_transaction:
            connection.exec_driver_sql("ROLLBACK")
        raise


def _switch_to_wal(connection: Connection) -> str:
    """Return the journal mode that is in force after asking for a write-ahead log.

    SQLite does not wait for its busy timeout here: when two processes open a new file at
    once, the later one is told at once that the database is locked.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return str(connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one())
        except DBAPIError as error:
            if "locked" not in str(error.orig) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
