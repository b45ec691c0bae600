"""As much of Python's ``sqlite3`` as hookkit and SQLAlchemy use, on SQLite as apsw brings it.

Python's own module cannot be told to go through another VFS.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw


class Connection:
    """A connection that begins no transaction by itself: hookkit begins each that it needs.

    Args:
        vfs: The name of the VFS to go through.
        timeout_s: How long it waits for a lock.
    """

    def __init__(self, path: str, *, vfs: str, timeout_s: float) -> None:
        with _sqlite3_errors():
            self._apsw = apsw.Connection(path, vfs=vfs)
            self._apsw.set_busy_timeout(round(timeout_s * 1000))
        self.isolation_level: str | None = None

    @property
    def in_transaction(self) -> bool:
        return self._apsw.in_transaction

    def create_function(self, name: str, count: int, function: Any, **options: Any) -> None:
        self._apsw.create_scalar_function(name, function, count, **options)

    def cursor(self) -> Cursor:
        return Cursor(self._apsw)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self.cursor().execute(statement, parameters)

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        with _sqlite3_errors():
            self._apsw.close()


class Cursor:
    """A cursor that reads all rows at once."""

    arraysize = 1

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        # Afterwards it is too late to ask a statement without rows for its columns.
        self._cursor.exec_trace = self._describe
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self._run(lambda: self._cursor.execute(statement, tuple(parameters)))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> Cursor:
        return self._run(lambda: self._cursor.executemany(statement, map(tuple, rows)))

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int = arraysize) -> list[tuple[Any, ...]]:
        return [row for row, _ in zip(self._rows, range(size), strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self._cursor.close(True)  # noqa: FBT003  # apsw takes it by its place

    def _run(self, run: Callable[[], Any]) -> Cursor:
        before = self._connection.total_changes()
        with _sqlite3_errors():
            self._rows = iter(list(run()))
        self.rowcount = self._connection.total_changes() - before
        self.lastrowid = self._connection.last_insert_rowid()
        return self

    def _describe(self, cursor: apsw.Cursor, statement: str, parameters: Any) -> bool:
        columns = cursor.get_description()
        self.description = [(column[0], *[None] * 6) for column in columns] or None
        return True


@contextmanager
def _sqlite3_errors() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        is_broken = isinstance(error, apsw.ConstraintError)
        kind = sqlite3.IntegrityError if is_broken else sqlite3.OperationalError
        translated: Any = kind(str(error))
        translated.sqlite_errorcode = getattr(error, "extendedresult", None)
        raise translated from error
