"""Small writes of several threads inside one commit of SQLite, which has one writer anyway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from hookkit.inbox.sql import transactions
from hookkit.inbox.sqlite.group_commit import GroupCommit

_Answer = TypeVar("_Answer")


class SharedCommit:
    """Commits together what the threads of this process write at once."""

    def __init__(self, on: transactions.SqliteTransactions) -> None:
        self._transactions = on
        self._group: GroupCommit[Callable[[Connection], Any], Any]
        self.after_fork()

    def write(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned once that is durable.

        Args:
            work: Called anew when a commit that it shared has failed.

        Raises:
            Unavailable: It is not durable, or its turn did not come in time.
        """
        answer: _Answer = self._group.submit(work)
        return answer

    def after_fork(self) -> None:
        """Forget the threads of the parent process."""
        self._group = GroupCommit(self._commit, timeout_s=lambda: transactions.BUSY_TIMEOUT_S)

    def _commit(
        self, take: Callable[[], Sequence[Callable[[Connection], Any]]], *, timeout_s: float
    ) -> list[Any]:
        with self._transactions.write(timeout_s) as connection:
            return [work(connection) for work in take()]
