"""What hookkit does about bodies that gunicorn does not wait for, or for too long.

A worker of the class ``sync`` tells its master between requests that it is alive. A client that
sends slowly keeps it from that, and after ``timeout`` seconds the master kills the worker, with
the handlers in its threads. https://gunicorn.org/design/ asks for a proxy before this class.

A body that comes too slowly can be given up in time. Headers cannot: they are read before the
application is called.

A client that is answered before its body is read may still be sending. If gunicorn closes the
connection then, the client sees it broken and not the answer; nginx tells its own client 502.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from threading import Thread
from typing import Any

#: How to mend it, for the log and for ``flask hookkit check``.
ADVICE = (
    "start gunicorn with --worker-class gthread --threads 4, or set HOOKKIT_RUNNER to none and run"
    " `flask hookkit worker`"
)


def killing_timeout_s() -> float | None:
    """Return after how many seconds one slow client gets the worker killed that is starting.

    It is None if none does, or if no worker of gunicorn is loading the application now.
    """
    frame = sys._getframe()  # noqa: SLF001  # inspect.stack() reads every source file
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__", "").startswith("gunicorn."):
            # A worker, or the master that loads the application for its workers.
            config = getattr(frame.f_locals.get("self"), "cfg", None)
            if config is not None:
                return _killing_timeout_s(config)
    return None


def concerns_about(runner: str) -> Iterator[str]:
    """Yield what *runner* suffers from the gunicorn that the environment describes."""
    timeout_s = _timeout_in_environment_s()
    if timeout_s is not None and runner == "thread":
        yield (
            "GUNICORN_CMD_ARGS: one client that sends slowly gets a worker of the class sync"
            f" killed after {timeout_s:g} s, and the handlers that run in it: {ADVICE}"
        )


def _timeout_in_environment_s() -> float | None:
    if "GUNICORN_CMD_ARGS" not in os.environ or find_spec("gunicorn") is None:
        return None
    from gunicorn.config import Config  # noqa: PLC0415  # optional

    config = Config()
    given = config.parser().parse_known_args(config.get_cmd_args_from_env())[0]
    for name, value in vars(given).items():
        if name in config.settings and value is not None:
            config.set(name, value)
    return _killing_timeout_s(config)


def _killing_timeout_s(config: Any) -> float | None:
    # It is gthread if there are threads, whatever was asked for.
    is_sync = config.worker_class_str in ("sync", "SyncWorker", "gunicorn.workers.sync.SyncWorker")
    return float(config.timeout) if is_sync and config.timeout else None


#: How long and how many bytes are waited for after an answer. nginx hangs up sooner: it has the
#: answer, and its default for bodies (``client_max_body_size``) is 1 MiB.
UNREAD_S = 1.0
MAX_UNREAD_BYTES = 8 << 20


def take_unread(environ: Mapping[str, Any]) -> None:
    """After the answer, let the client finish a body that was not read, for a second at most.

    Nothing is done if the connection is gunicorn's to go on with: what is read here would be
    missing in its count of the body.
    """
    connection = environ.get("gunicorn.socket")
    has_body = environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ
    if connection is None or not has_body or not _is_last(environ):
        return
    until_s, read_bytes = time.monotonic() + UNREAD_S, 0
    # The base class's methods: those of TLS would decrypt what is thrown away.
    with suppress(OSError):  # the client has gone, or takes too long
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while read_bytes < MAX_UNREAD_BYTES and (left_s := until_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            piece = socket.socket.recv(connection, 1 << 16)
            if not piece:
                break
            read_bytes += len(piece)
    with suppress(OSError):  # gunicorn would wait for the client again
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _is_last(environ: Mapping[str, Any]) -> bool:
    """Tell whether gunicorn closes the connection after this request."""
    if not environ["wsgi.multithread"]:  # the worker class sync always does
        return True
    asked = environ.get("HTTP_CONNECTION", "").lower()
    return asked == "close" or (environ["SERVER_PROTOCOL"] == "HTTP/1.0" and not asked)


class BodyWatch:
    """Gives up a body that is not there in time, in a process that serves one request at a time.

    Args:
        limit_s: How long a body may take.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._watched: tuple[socket.socket, float] | None = None
        self._process_id = 0

    @contextmanager
    def reading(self, environ: Mapping[str, Any]) -> Iterator[None]:
        """Within the block, end the body of the request of *environ* once it took too long."""
        connection = environ.get("gunicorn.socket")
        if connection is None:
            yield
            return
        if self._process_id != os.getpid():  # threads do not outlive a fork
            self._process_id = os.getpid()
            Thread(target=self._watch, name="hookkit-slow-bodies", daemon=True).start()
        self._watched = connection, time.monotonic() + self.limit_s
        try:
            yield
        finally:
            self._watched = None

    def _watch(self) -> None:
        while True:
            time.sleep(self.limit_s / 10)
            watched = self._watched
            if watched is not None and time.monotonic() >= watched[1]:
                self._watched = None
                with suppress(OSError):
                    # The base class's: that of TLS would go on in plain text. The answer is sent.
                    socket.socket.shutdown(watched[0], socket.SHUT_RD)
