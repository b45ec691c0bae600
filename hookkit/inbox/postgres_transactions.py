"""How a transaction is run on PostgreSQL; the rules are those of ``transactions``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import Insert

from hookkit.inbox import transactions
from hookkit.inbox.faults import unavailable

_SCHEMA_TIMEOUT_S = 30

# Arbitrary numbers, from here on, that no other program is likely to lock.
_FIRST_LOCK = 0x686F6F6B6B6974


class PostgresTransactions(transactions.Transactions):
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
                f" set_config('lock_timeout', '{transactions.BUSY_TIMEOUT_S:g}s', true)"
            )
            yield connection

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return postgresql.insert(table).on_conflict_do_nothing()

    def prepare(self) -> None:
        """Do nothing: the server is configured by its operator."""

    def take_turns(self, connection: Connection, turn: transactions.Turn) -> None:
        """Wait until nobody else is inside a transaction that takes the same *turn*."""
        if turn is transactions.Turn.SCHEMA:
            # No vendor waits for us then, and a large table takes its time.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SCHEMA_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_FIRST_LOCK + turn.value})")

    def share_turn(self, connection: Connection, turn: transactions.Turn) -> None:
        """Wait until nobody takes *turn*, and keep it from being taken until the end."""
        number = _FIRST_LOCK + turn.value
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({number})")

    def wait_as_usual(self, connection: Connection) -> None:
        """Undo the time-out for locks, which is meant for hookkit's own statements."""
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")

    @contextmanager
    def _connection(self, isolation_level: str) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level=isolation_level)
            driver: Any = connection.connection.dbapi_connection
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                # A handler that tried to end it has left SQLAlchemy in the belief that there
                # is nothing to roll back, and the connection could not be given back.
                with suppress(Exception):
                    driver.rollback()
                raise
