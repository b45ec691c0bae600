"""The transactions of an inbox, on tables that are there and as they should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection

from hookkit.inbox.sql.table_upgrade import check_tables, ensure_tables
from hookkit.inbox.sql.transactions import SqliteTransactions, Transactions
from hookkit.inbox.sqlite.shared_commit import SharedCommit

_Answer = TypeVar("_Answer")


class Store:
    """Runs transactions, and sees to the tables before the first.

    Args:
        migrates: Whether tables are created and changed where they are not as they should
            be; otherwise that is refused.
    """

    def __init__(self, transactions: Transactions, *, migrates: bool) -> None:
        self._transactions = transactions
        self._migrates = migrates
        self._is_prepared = False
        self._preparing = Lock()
        self._shared_commit: SharedCommit | None = None
        if isinstance(transactions, SqliteTransactions):
            self._shared_commit = SharedCommit(transactions)

    def prepare(self) -> None:
        """See to the tables, once.

        Raises:
            ConfigurationError: The tables were made by a newer hookkit, or are not as they
                should be and may not be changed.
            Unavailable: The database cannot be used.
        """
        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                self._transactions.prepare()
                (ensure_tables if self._migrates else check_tables)(self._transactions)
                self._is_prepared = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        self.prepare()
        with self._transactions.read() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that may write."""
        self.prepare()
        with self._transactions.write() as connection:
            yield connection

    def write(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned in a transaction that other threads may share.

        Args:
            work: Writes little; it may be called a second time, after a rollback.
        """
        if self._shared_commit is None:
            with self.writing() as connection:
                return work(connection)
        self.prepare()
        return self._shared_commit.write(work)

    def after_fork(self) -> None:
        """Forget connections that belong to the parent process."""
        self._preparing = Lock()
        self._transactions.after_fork()
        if self._shared_commit is not None:
            self._shared_commit.after_fork()

    def close(self) -> None:
        """Give back what is held; the next transaction opens it anew."""
        self._is_prepared = False
        self._transactions.close()
