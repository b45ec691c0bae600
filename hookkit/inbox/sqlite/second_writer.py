"""Finds a transactional handler that writes past its own transaction, and would wait for itself.

SQLite has one writer. The handler holds its lock from the first moment on, so that a second
connection to the same file would wait until it gives up, and deliveries with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, event

from hookkit.core.errors import ConfigurationError

#: What a statement that only reads may begin with.
_READING = ("SELECT", "PRAGMA", "EXPLAIN", "WITH", "VALUES", "SAVEPOINT", "RELEASE", "ROLLBACK")


class _Held(threading.local):
    """The connection of the transactional handler that this thread runs, and its file."""

    connection: object = None
    file: str = ""


_held = _Held()


@contextmanager
def one_writer(connection: Connection) -> Iterator[None]:
    """Refuse statements of this thread that would wait for *connection*, which it holds itself."""
    _listen()
    _held.connection, _held.file = _raw(connection), _file_of(connection)
    try:
        yield
    finally:
        _held.connection, _held.file = None, ""


@cache
def _listen() -> None:
    event.listen(Engine, "before_cursor_execute", _refuse_second_writer)


def _refuse_second_writer(connection: Connection, *more: Any) -> None:
    """Raise if a statement would wait for what this thread holds.

    Raises:
        ConfigurationError: It would.
    """
    if not _held.file or _raw(connection) is _held.connection:
        return
    statement: str = more[1]
    if statement.lstrip().upper().startswith(_READING) or _file_of(connection) != _held.file:
        return
    raise ConfigurationError(
        "a transactional handler writes to the inbox's SQLite file through a connection of its"
        " own, and would wait for itself: write through run.connection, or let the session use"
        " it (Session(bind=run.connection)); or keep the application's tables in another file"
    )


def _raw(connection: Connection) -> object:
    return connection.connection.dbapi_connection


def _file_of(connection: Connection) -> str:
    name = connection.engine.url.database if connection.dialect.name == "sqlite" else None
    return os.path.realpath(name) if name else ""
