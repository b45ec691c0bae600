"""Transactions on the inbox's database: durable, never half written, on tables that are ready.

Rule 1: a transaction that may write says so when it begins. SQLite fails a read transaction
        that turns to writing late at once, without waiting for its busy timeout.
Rule 2: an engine may be the user's own. Whatever is set on one of its connections is put back
        before the connection is given back, and no listener is hung on it. (Once a transactional
        handler has run on SQLite, ``sqlite.second_writer`` listens to all engines.)
Rule 3: what the database raises leaves as ``Unavailable``, and shows no parameter: those
        hold bodies.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import Enum
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, Table
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.sql.dml import Insert

from hookkit.core.entry import Entry, Receipt, Settlement
from hookkit.core.errors import StoreRefused, Unavailable
from hookkit.inbox.sql.rows import PreparedDelivery
from hookkit.inbox.sql.table_upgrade import are_current, check_tables, upgrade_one_step

#: Seconds that a transaction waits for another before its caller gets ``Unavailable``.
BUSY_TIMEOUT_S = 2.0

# Of what is to be written, and not of the database.
_REFUSALS = (DataError, IntegrityError, sqlite3.DataError, sqlite3.IntegrityError)

_Answer = TypeVar("_Answer")


class Exclusive(Enum):
    """What only one transaction may do at a time."""

    SCHEMA = 0
    LANES = 1
    UPKEEP = 2
    VERSIONS = 3
    APPLICATIONS = 4


class Transactions(ABC):
    """Runs transactions on one engine, and sees to the tables before the first.

    There is a class for each database; nothing else chooses by database.

    Args:
        engine: Where they run.
        is_own: Whether hookkit made the engine; False for the user's own.
        migrates: Whether tables are created and upgraded if need be; otherwise they are only
            checked.
    """

    def __init__(self, engine: Engine, *, is_own: bool, migrates: bool = True) -> None:
        self.engine = engine
        self.is_own = is_own
        self._migrates = migrates
        self._is_prepared = False
        self._preparing = Lock()
        # Connections that stay checked out for the next write; whoever takes one out has it.
        self._kept = deque[Connection]()

    def prepare(self) -> None:
        """See to the tables, once; every transaction does it if need be.

        Raises:
            ConfigurationError: The tables were made by a newer hookkit, or are not as they
                should be and may not be changed.
            Unavailable: The database cannot be used.
        """
        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                self._prepare_database()
                self._prepare_tables()
                self._is_prepared = True

    def read(self) -> AbstractContextManager[Connection]:
        """Return a transaction that only reads, and sees one state of the database."""
        self.prepare()
        return self._reading()

    def write(self) -> AbstractContextManager[Connection]:
        """Return a transaction that is durable once it is left without an error."""
        self.prepare()
        return self._writing()

    @abstractmethod
    def write_shared(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned once that is durable.

        Other threads may share the commit.

        Args:
            work: Writes little; it may be called a second time, after a rollback.
        """

    @abstractmethod
    def admit(self, delivery: PreparedDelivery) -> Receipt:
        """Store what is new of *delivery*; return what each item came to once it is durable."""

    @abstractmethod
    def settle(
        self, connection: Connection, finished: Sequence[tuple[Entry, Settlement]], now_ms: int
    ) -> set[int]:
        """Record attempts and next states; return the ids of those that were settled.

        Nothing is recorded of an entry that belongs to another claim by now.
        """

    @abstractmethod
    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""

    @abstractmethod
    def insert_or_add(self, column: Column[Any]) -> Insert:
        """Return an insert that adds to *column* of the rows that are there already."""

    @abstractmethod
    def take(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no other transaction has taken or shares *what*; hold it until the end."""

    @abstractmethod
    def share(self, connection: Connection, what: Exclusive) -> None:
        """Wait until no transaction has taken *what*; keep it from being taken until the end."""

    @abstractmethod
    def handling(self, connection: Connection) -> AbstractContextManager[None]:
        """Return a context in which a handler may use *connection*.

        Its statements wait for locks as long as the database's settings say.
        """

    def after_fork(self) -> None:
        """Forget the connections of the parent process without closing them for it."""
        self._preparing = Lock()
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close idle connections, unless the engine is the user's own; the next use opens anew."""
        self._is_prepared = False  # first: what is kept from now on, nobody would close
        self._release_kept()
        if self.is_own:
            self.engine.dispose()

    def _keep(self, connection: Connection) -> None:
        self._kept.append(connection)
        if not self._is_prepared:  # closed meanwhile, or not ready yet
            self._release_kept()

    def _take_kept(self) -> Connection | None:
        with suppress(IndexError):
            return self._kept.pop()
        return None

    def _release_kept(self) -> None:
        """Give the connections that are kept back to the pool."""
        while (connection := self._take_kept()) is not None:
            connection.close()

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Return what ``read`` returns, whatever the tables."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Connection]:
        """Return what ``write`` returns, whatever the tables."""

    @abstractmethod
    def _prepare_database(self) -> None:
        """Make the database itself ready, before its tables."""

    def _prepare_tables(self) -> None:
        # Reading first: a process that starts beside busy ones need not wait for them.
        with self._reading() as connection:
            if not self._migrates:
                check_tables(connection)
                return
            is_done = are_current(connection)
        while not is_done:
            with self._writing() as connection:
                self.take(connection, Exclusive.SCHEMA)
                is_done = upgrade_one_step(connection)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what a database raises into ``Unavailable``."""
    try:
        yield
    # SQLite's driver cannot decode what is said of a file whose schema was damaged.
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        if isinstance(error, StatementError):
            # The user's own engine need not hide them, and the cause is logged as well.
            error.hide_parameters = True
        kind = StoreRefused if isinstance(error, _REFUSALS) else Unavailable
        raise kind(f"the inbox cannot be used: {brief_reason(error)}") from error


def brief_reason(error: BaseException) -> str:
    """Return what *error* is, without the statement and its parameters."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        # PostgreSQL shows the values of a row on the lines that follow.
        lines = str(error.orig).splitlines() or [""]
        return f"{type(error.orig).__name__}: {lines[0]}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, sqlite3.Error):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
