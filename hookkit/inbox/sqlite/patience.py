"""Gives up what takes too long to read from a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hookkit.core.errors import TookTooLong

#: So many steps of SQLite's machine lie between two looks at the clock: a millisecond, roughly.
_STEPS = 20_000


@contextmanager
def given_up_after(limit_s: float | None, connection: Connection) -> Iterator[None]:
    """Give up a statement within the block once *limit_s* seconds are over; None is never.

    Raises:
        TookTooLong: It was given up.
    """
    if limit_s is None:
        yield
        return
    end_s = time.monotonic() + limit_s
    driver: Any = connection.connection.dbapi_connection
    driver.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS)
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise TookTooLong(f"it took longer than {limit_s:g} s") from error
        raise
    finally:
        driver.set_progress_handler(None, 0)
