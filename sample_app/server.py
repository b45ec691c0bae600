"""Starts this application under gunicorn, and ends only the processes that it has started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import IO

ROOT = Path(__file__).parent.parent

#: Seconds to wait for the first answer, and after the request to stop before killing.
START_S = 30.0
STOP_S = 15.0


class ServerError(Exception):
    """The server did not start; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(
    port: int = 0, *, settings: Mapping[str, str] | None = None, log: IO[bytes] | None = None
) -> Iterator[Server]:
    """Serve on the loopback interface until the end of the block.

    Args:
        port: 0 takes a free one.
        settings: Environment variables to add.
        log: A file for what the server says; None shows it.
    """
    listener = socket.socket()
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(f"port {port} cannot be used: {error.strerror}") from error
        listener.listen()
        host, port = listener.getsockname()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        process = subprocess.Popen(
            [*command, "--config", str(ROOT / "sample_app" / "gunicorn_config.py")],
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
            # Only this process gets Ctrl-C. It passes it on as a signal that lets handlers end.
            start_new_session=True,
        )
    try:
        _wait_for_answer(process, host, port)
        yield Server(url=f"http://{host}:{port}", process=process)
    finally:
        _stop(process)


def _wait_for_answer(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"gunicorn ended with status {process.returncode}")
        connection = HTTPConnection(host, port, timeout=START_S)
        try:
            connection.request("HEAD", "/")
            connection.getresponse()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise ServerError(f"no answer for {START_S:g} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def interrupt_on_termination() -> None:
    """Have ``kill`` and a closed terminal end this program with its clean-up, like Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
