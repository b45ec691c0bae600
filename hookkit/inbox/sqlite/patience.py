"""Gives up what takes too long to read from a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hookkit.core.errors import TookTooLong

#: So many steps of SQLite's machine lie between two looks at the clock: a millisecond, roughly.
_STEPS = 20_000

#: How long after an interruption the next one follows, in seconds: between two statements one has
#: no effect.
_AGAIN_S = 0.05


@contextmanager
def given_up_after(
    limit_s: float | None, connection: Connection, *, is_own: bool
) -> Iterator[None]:
    """Give up a statement within the block once *limit_s* seconds are over; None is never.

    Args:
        is_own: Whether hookkit made the engine. The user's may have a progress handler, which
            could not be put back: there a thread interrupts.

    Raises:
        TookTooLong: It was given up.
    """
    if limit_s is None:
        yield
        return
    stopped = _stopped_by_steps if is_own else _stopped_by_thread
    try:
        with stopped(connection.connection.dbapi_connection, limit_s):
            yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise TookTooLong(f"it took longer than {limit_s:g} s") from error
        raise


@contextmanager
def _stopped_by_steps(driver: Any, limit_s: float) -> Iterator[None]:
    end_s = time.monotonic() + limit_s
    driver.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


@contextmanager
def _stopped_by_thread(driver: Any, limit_s: float) -> Iterator[None]:
    is_over = Event()

    def interrupt() -> None:
        pause_s = limit_s
        while not is_over.wait(pause_s):
            driver.interrupt()
            pause_s = _AGAIN_S

    thread = Thread(target=interrupt, name="hookkit-patience", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()  # what others do on this connection afterwards is not interrupted
