"""The inbox ``memory://``: a SQLite file of one process, for tests, that is soon removed.

It is a file because connections to one store in memory lock each other's tables out, instead
of waiting for each other: https://www.sqlite.org/sharedcache.html
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any
from weakref import finalize

from sqlalchemy import Engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata, schema
from hookkit.inbox.sqlite.transactions import SqliteTransactions


class PrivateTransactions(SqliteTransactions):
    """Transactions on a file that no other program opens, and that need not outlive a crash.

    The file is gone after ``close``, and with this object or its process. A forked child may
    use it as long as its parent lives.

    Args:
        engine: To a file in *folder*.
        folder: For this file alone.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, is_own=True)
        self._folder = folder
        self._maker = os.getpid()
        finalize(self, _remove, engine, folder, self._maker)

    def close(self) -> None:
        """Remove the file; the next transaction begins with an empty one."""
        super().close()
        _remove(self.engine, self._folder, self._maker)

    def _set_up_connections(self) -> None:
        event.listen(self.engine, "connect", _set_up)

    def _prepare_database(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
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


def _remove(engine: Engine, folder: Path, maker: int) -> None:
    engine.dispose()
    # A forked child leaves the file to its parent.
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


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
