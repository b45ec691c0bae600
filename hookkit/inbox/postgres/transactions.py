"""How a transaction is run on PostgreSQL; the rules are those of ``transactions``.

Rule 4: no server keeps a vendor waiting. A lock, a statement and a transaction have time-outs
        of their own; the last one holds for a server that does not answer at all.
Rule 5: no setting and no lock outlives a transaction: a pool between us and the server may
        give the next one another session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert

from hookkit.core.errors import Unavailable
from hookkit.inbox.postgres.watchdog import (
    Watchdog,
)
from hookkit.inbox.sql import (
    transactions,
)
from hookkit.inbox.sql.faults import (
    unavailable,
)

#: Seconds that one statement and a whole transaction may take while a vendor waits.
STATEMENT_TIMEOUT_S = 5.0
TRANSACTION_TIMEOUT_S = 8.0

#: The same for what people ask: it may look through a large table.
READ_TIMEOUT_S = 30.0

_SCHEMA_TIMEOUT_S = 30

# Arbitrary numbers, from here on, that no other program is likely to lock.
_FIRST_LOCK = 0x686F6F6B6B6974


class PostgresTransactions(transactions.Transactions):
    """Transactions on PostgreSQL.

    READ COMMITTED whatever the engine's default: a statement after a lost race must see what
    the winner committed, and an engine in AUTOCOMMIT would have no transactions.
    """

    def __init__(self, engine: Engine, *, is_own: bool) -> None:
        super().__init__(engine, is_own=is_own)
        self._watchdog = Watchdog()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        begin = f"SELECT set_config('statement_timeout', '{READ_TIMEOUT_S:g}s', true)"
        with unavailable(), self._transaction("REPEATABLE READ", begin, READ_TIMEOUT_S) as its:
            yield its

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction whose commit waits for the disk, and that does not take long."""
        begin = (
            "SELECT set_config('synchronous_commit', 'on', true),"
            f" set_config('lock_timeout', '{transactions.BUSY_TIMEOUT_S:g}s', true),"
            f" set_config('statement_timeout', '{STATEMENT_TIMEOUT_S:g}s', true)"
        )
        timeout_s = TRANSACTION_TIMEOUT_S
        with unavailable(), self._transaction("READ COMMITTED", begin, timeout_s) as its:
            yield its

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return postgresql.insert(table).on_conflict_do_nothing()

    def prepare(self) -> None:
        """Do nothing: the server is configured by its operator."""

    def take_turns(self, connection: Connection, turn: transactions.Turn) -> None:
        """Wait until nobody else is inside a transaction that takes the same *turn*."""
        if turn is not transactions.Turn.LANES:
            # No vendor waits for us then, and what there is to do may take its time.
            self._take_time(connection, "0")
        if turn is transactions.Turn.SCHEMA:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SCHEMA_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_FIRST_LOCK + turn.value})")

    def share_turn(self, connection: Connection, turn: transactions.Turn) -> None:
        """Wait until nobody takes *turn*, and keep it from being taken until the end."""
        number = _FIRST_LOCK + turn.value
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({number})")

    def wait_as_usual(self, connection: Connection) -> None:
        """Undo the time-outs, which are meant for hookkit's own statements."""
        self._take_time(connection, "DEFAULT")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")

    def after_fork(self) -> None:
        """Forget the connections of the parent process, and the thread that watches them."""
        self._watchdog = Watchdog()
        super().after_fork()

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


def _silence(timeout_s: float) -> Unavailable:
    return Unavailable(f"the inbox cannot be used: PostgreSQL gave no answer for {timeout_s:g} s")
