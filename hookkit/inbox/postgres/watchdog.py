"""Breaks connections off whose server does not answer in time.

A server that hangs, or a network that swallows packets, keeps a driver waiting for ever, and no
time-out of the server's own is of use then. Here the process cuts the socket itself: the
driver's wait ends in the error of a broken connection.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Connection

#: How late a connection may be cut, in seconds.
_PERIOD_S = 0.25


class _Watch:
    """The socket of one connection, and until when it is left alone."""

    def __init__(self, file: int, until: float) -> None:
        # Of its own: the driver may close its file, and the number be another's by then.
        self.file = os.dup(file)
        self.until = until
        self.has_cut = False

    def cut(self) -> None:
        self.has_cut = True
        # The other end may have closed it already.
        with socket.socket(fileno=os.dup(self.file)) as its, suppress(OSError):
            its.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Watches connections of one process, in a thread that begins with the first of them."""

    def __init__(self) -> None:
        self._watches: dict[Connection, _Watch] = {}
        self._lock = Lock()
        self._is_needed = Event()
        self._thread: Thread | None = None

    def start(self, connection: Connection, timeout_s: float) -> None:
        """Break *connection* off unless it ends in time; not where the driver shows no file."""
        driver: Any = connection.connection.dbapi_connection
        try:
            watch = _Watch(driver.fileno(), time.monotonic() + timeout_s)
        except Exception:  # noqa: BLE001  # the driver's own, for one that is closed
            return
        with self._lock:
            self._watches[connection] = watch
            if self._thread is None:
                self._thread = Thread(target=self._look, name="hookkit-watchdog", daemon=True)
                self._thread.start()
            self._is_needed.set()

    def lift(self, connection: Connection) -> None:
        """Let *connection* take as long as it takes from now on."""
        with self._lock:
            if connection in self._watches:
                self._watches[connection].until = float("inf")

    def has_cut(self, connection: Connection) -> bool:
        """Tell whether *connection* was broken off."""
        with self._lock:
            return connection in self._watches and self._watches[connection].has_cut

    def end(self, connection: Connection) -> bool:
        """Leave *connection* alone, and tell whether it was broken off."""
        with self._lock:
            watch = self._watches.pop(connection, None)
            if watch is not None:
                os.close(watch.file)
        return watch is not None and watch.has_cut

    def _look(self) -> None:
        while self._is_needed.wait():
            time.sleep(_PERIOD_S)
            with self._lock:
                if not self._watches:
                    self._is_needed.clear()
                now = time.monotonic()
                for watch in self._watches.values():
                    if now >= watch.until and not watch.has_cut:
                        watch.cut()
