"""Inserts rows by the driver itself: SQLAlchemy takes longer over them than SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Table

from hookkit.inbox.sql.rows import Values

# SQLite before 3.32 takes 999 values, and 32 rows have about 700. Each statement lets other
# threads run: https://www.sqlite.org/limits.html#max_variable_number
_MOST_ROWS = 64 if sqlite3.sqlite_version_info >= (3, 32) else 32


def insert(driver: Any, table: Table, rows: Sequence[Values], ending: str = "") -> None:
    """Insert *rows*, which have the same columns, many by one statement.

    Not ``executemany``: Python's sqlite3 lets other threads run at each row, and the one that
    commits for all of them would wait for its turn as often.

    Args:
        driver: The connection of ``sqlite3``.
        ending: What stands behind the rows in the statement.
    """
    for start in range(0, len(rows), _MOST_ROWS):
        some = rows[start : start + _MOST_ROWS]
        values = chain.from_iterable(row.values() for row in some)
        driver.execute(insert_into(table, tuple(some[0]), len(some), ending), tuple(values))


@cache
def insert_into(table: Table, columns: tuple[str, ...], count: int, ending: str) -> str:
    """Return the statement that inserts *count* rows; it has nothing in it but names of columns."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    rows = ", ".join([f"({marks})"] * count)
    # Any error ends the transaction, so that SQLite need not keep copies of what it changes to
    # undo this statement alone: https://www.sqlite.org/lang_conflict.html
    verb = "INSERT" if ending else "INSERT OR ROLLBACK"
    return f"{verb} INTO {table.name} ({names}) VALUES {rows}{ending}"
