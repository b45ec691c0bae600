"""What a database raises -> ``Unavailable``, without the parameters: those hold bodies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from hookkit.core.errors import Unavailable


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what a database raises into ``Unavailable``."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if isinstance(error, StatementError):
            # The user's own engine need not hide them, and the cause is logged as well.
            error.hide_parameters = True
        raise Unavailable(f"the inbox cannot be used: {brief_reason(error)}") from error


def brief_reason(error: BaseException) -> str:
    """Return what *error* is, without the statement and its parameters."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        # PostgreSQL tells the values of a row on the lines that follow.
        lines = str(error.orig).splitlines() or [""]
        return f"{type(error.orig).__name__}: {lines[0]}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, sqlite3.Error):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
