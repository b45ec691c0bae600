"""``memory://``: a SQLite file in a temporary folder, which no other program opens."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from weakref import finalize

from sqlalchemy import Engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata, schema
from hookkit.inbox.sqlite.file import IS_SUPPORTED
from hookkit.inbox.sqlite.transactions import SqliteTransactions

if IS_SUPPORTED:
    import fcntl

_PREFIX = "hookkit-memory-"

#: A file in the folder, locked as long as the process that made it lives, or a child of it.
_OWNER = "owner-lock"


class PrivateFolder:
    """A new temporary folder, for its owner alone.

    One that a killed process has left behind is removed by the next process that makes one.

    Attributes:
        path: Where it is.
    """

    def __init__(self) -> None:
        if IS_SUPPORTED:
            _remove_abandoned()
        self.path: Path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._maker = os.getpid()
        self._lock: int | None = None
        self.make()

    def make(self) -> None:
        """Make the folder again if it was removed."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        # A forked child has inherited the lock.
        if IS_SUPPORTED and self._lock is None and os.getpid() == self._maker:
            self._lock = _lock_new(self.path)

    def remove(self) -> None:
        """Remove it with all that it holds; a forked child leaves that to its parent."""
        if os.getpid() != self._maker:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_new(folder: Path) -> int:
    """Return the lock of *folder*, which is made again if it is taken for an abandoned one."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # removed just now
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_at(folder / _OWNER, lock):
            return lock
        os.close(lock)


@cache  # once in a process is enough
def _remove_abandoned() -> None:
    """Remove the folders of this user whose owner is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.lstat().st_uid != os.geteuid():
                continue
            lock = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # not made by ``PrivateFolder``, or removed just now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(folder / _OWNER, lock):
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # its owner lives
            pass
        finally:
            os.close(lock)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class PrivateTransactions(SqliteTransactions):
    """Transactions on a file that need not outlive a crash.

    The file is gone after ``close``, and with this object or its process. A forked child may
    use it as long as its parent lives.

    Args:
        engine: To a file in *folder*.
        folder: For this file alone.
    """

    def __init__(self, engine: Engine, folder: PrivateFolder) -> None:
        super().__init__(engine, is_own=True)
        self._folder = folder
        finalize(self, _remove, engine, folder)

    def close(self) -> None:
        """Remove the file; the next transaction begins with an empty one."""
        super().close()
        _remove(self.engine, self._folder)

    def _set_up_connections(self) -> None:
        event.listen(self.engine, "connect", _set_up)

    def _prepare_database(self) -> None:
        self._folder.make()
        self._synchronous = None

    def _prepare_tables(self) -> None:
        """Create all tables at once: looking for each of them would take ten times as long."""
        with self._connection() as connection:
            driver: Any = connection.connection.dbapi_connection
            # A write-ahead log, so that readers never block the writer.
            driver.execute("PRAGMA journal_mode = WAL")
            driver.executescript(_all_tables())


def _set_up(driver: Any, _: object) -> None:
    driver.execute("PRAGMA synchronous = OFF")


def _remove(engine: Engine, folder: PrivateFolder) -> None:
    engine.dispose()
    folder.remove()


@cache
def _all_tables() -> str:
    dialect = sqlite.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [
            str(CreateIndex(index).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    # Nothing but the name of a table and a number.
    statements.append(f"INSERT INTO {schema.name} VALUES ({SCHEMA_VERSION})")  # noqa: S608
    return ";\n".join(["BEGIN", *statements, "COMMIT"])
