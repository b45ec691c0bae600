"""Real servers: an application under gunicorn, in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hookkit import crash_points
from tests.acceptance.forking import ForkedPython
from tests.applications import SECRET
from tests.waiting import DEADLINE_S, wait_until

ROOT = Path(__file__).parents[2]

#: What answers later than this is asked again by those who wait for something else.
ANSWER_S = 30.0


class ServerDied(Exception):
    """The server ended before it answered; the message is what it printed."""


@dataclass
class Server:
    """A running server.

    Attributes:
        folder: Where the application, its inbox and its log are.
    """

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def post(self, body: object, secret: str = SECRET) -> tuple[int, dict[str, object]]:
        """Deliver *body* over a connection of its own; return status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            headers = {"X-API-Key": secret, "Content-Type": "application/json"}
            connection.request("POST", "/hooks/support", body=data, headers=headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def log(self) -> str:
        """Return what the server has printed."""
        return (self.folder / "log").read_text()

    def told(self) -> str:
        """Return how it has ended, if it has, and the end of what it has printed."""
        return f"status {self.process.poll()}: ...{self.log()[-3000:]}"

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file that handlers write."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def gunicorn(
    folder: Path,
    application: str,
    *options: str,
    probe: bool = True,
    under: Sequence[str] = (),
    crash_at: str = "",
    is_fresh: bool = False,
) -> Iterator[Server]:
    """Serve the source of *application* from *folder* until the end of the block.

    Args:
        probe: Begin the block when a request was answered; else when the process has begun.
        under: A command that runs what stands behind it, in its own process.
        crash_at: Where each process is to die, as ``hookkit.crash_points`` says.
        is_fresh: Start a Python for it. Else it is forked from a process that has imported
            hookkit, so that it starts at once, and it imports nothing but the application.
    """
    (folder / "application.py").write_text(textwrap.dedent(application))
    port = free_port()
    options = ("--workers=2", "--no-control-socket", f"-b127.0.0.1:{port}", *options)
    arguments = [*options, "--graceful-timeout=5", "application:app"]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}",
        "PYTHONWARNINGS": "default",
        crash_points.VARIABLE: crash_at,
    }
    start = subprocess.Popen if is_fresh or under else ForkedPython
    with (folder / "log").open("wb") as log:
        process = start(
            [*under, sys.executable, "-m", "gunicorn", *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, port, folder)
    try:
        wait_until(lambda: not probe or process.poll() is not None or _answers(port))
        if process.poll() is not None:
            raise ServerDied(server.log())
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@dataclass
class WorkerProcess:
    """A running ``flask hookkit worker``.

    Attributes:
        path: Where what it prints goes.
    """

    process: subprocess.Popen[bytes]
    path: Path

    def log(self) -> str:
        """Return what it has printed."""
        return self.path.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has printed *text*."""
        wait_until(lambda: text in self.log() or self.process.poll() is not None)
        assert text in self.log(), self.log()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and return how it has ended."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def hookkit_worker(
    folder: Path,
    *options: str,
    name: str = "worker",
    probe: bool = True,
    is_fresh: bool = False,
) -> Iterator[WorkerProcess]:
    """Run ``flask hookkit worker`` on the application in *folder* until the end of the block.

    Args:
        name: Tells several apart.
        probe: Begin the block when it has opened the inbox; else when the process has begun.
        is_fresh: Start a Python for it, as ``gunicorn`` does.
    """
    path = folder / f"{name}.log"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}", "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "flask", "--app", "application", "hookkit", "worker"]
    start = subprocess.Popen if is_fresh else ForkedPython
    with path.open("wb") as log:
        process = start(
            [*command, *options], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    worker = WorkerProcess(process, path)
    try:
        if probe:
            worker.wait_for("handling the events of")
        yield worker
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Tell whether a worker answers; the master takes connections before one is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
