"""The servers: one application, started as a process under each of them."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT, free_port
from tests.applications import SECRET
from tests.waiting import DEADLINE_S, wait_until

MAX_BODY = 100_000
DOORS = ("blueprint", "front")
VERIFY_TOKEN = "the-token-of-the-challenge"

ENDPOINTS = {
    "support": {"provider": "sunshine", "secrets": [SECRET]},
    "page": {
        "provider": "meta",
        "secrets": ["another-secret-for-the-page"],
        "verify_token": [VERIFY_TOKEN],
    },
}

#: ``X-Hooks`` tells what hookkit must have answered from the answers of the server before it and
#: of the application beside it.
APPLICATION = f"""
    import os
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit

    HERE = Path(__file__).parent
    hooks = HookKit()
    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{{HERE / 'inbox.db'}}"
    app.config["HOOKKIT_MAX_BODY"] = {MAX_BODY}
    app.config["HOOKKIT_RUNNER"] = "none"
    hooks.init_app(app)
    if os.environ["DOOR"] == "front":
        app.wsgi_app = hooks.wsgi(app)

    def marked(wsgi):
        def call(environ, start_response):
            def start(status, headers, *exc_info):
                if f"{{environ['PATH_INFO']}}/".startswith("/hooks/"):
                    headers = [*headers, ("X-Hooks", "1")]
                return start_response(status, headers, *exc_info)
            return wsgi(environ, start)
        return call

    app.wsgi_app = marked(app.wsgi_app)
"""

CHEROOT = """
    import signal, sys
    from cheroot.wsgi import Server
    from application import app

    server = Server(("127.0.0.1", int(sys.argv[1])), app, numthreads=4, shutdown_timeout=1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        server.start()
    finally:
        server.stop()
"""

#: Where `make` puts the oldest gunicorn that setup.cfg allows, beside the newest.
LOWEST_GUNICORN = Path(sys.prefix) / "gunicorn-lowest"


def _gunicorn(*options: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *("-m", "gunicorn", f"-b127.0.0.1:{port}", "--graceful-timeout=1", *options),
        "application:app",
    ]


def _granian(port: int) -> list[str]:
    options = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port))
    return ["-m", "granian", *options, "--no-ws", "--workers-kill-timeout", "1", "application:app"]


def _uwsgi(port: int) -> list[str]:
    options = ("--http-socket", f"127.0.0.1:{port}", "--master", "--enable-threads", "--threads=2")
    # Without the last two it reads no headers above 4 KiB, and waits 60 s for bodies.
    limits = ("--die-on-term", "--need-app", "--buffer-size=16384", "--socket-timeout=5")
    program = str(Path(sys.executable).parent / "uwsgi")
    # It runs a Python of its own, which has to be told where the packages are.
    return [program, *options, *limits, "--home", sys.prefix, "--module", "application:app"]


#: name -> what Python is told, so that it serves the application on a port
COMMANDS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn-lowest-sync": _gunicorn(),
    "gunicorn-lowest-gthread": _gunicorn("--threads=4"),
    "gunicorn-sync": _gunicorn("--no-control-socket"),
    "gunicorn-gthread": _gunicorn("--no-control-socket", "--threads=4"),
    "gunicorn-gevent": _gunicorn("--no-control-socket", "--worker-class=gevent"),
    "waitress": lambda port: [
        *("-m", "waitress", f"--listen=127.0.0.1:{port}"),
        "application:app",
    ],
    "granian": _granian,
    "cheroot": lambda port: ["serve_cheroot.py", str(port)],
    "uwsgi": _uwsgi,
}


#: The others need a Python of their own: another gunicorn, patches before the first import, or a
#: start that is no Python's.
FORKED = {"gunicorn-sync", "gunicorn-gthread", "waitress", "cheroot"}


@dataclass
class RawServer:
    """A running server."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def connect(self) -> socket.socket:
        """Return a new connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def log(self) -> str:
        """Return what it has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def bodies(self, marker: bytes = b"") -> list[bytes]:
        """Return the bodies in the inbox that *marker* is in."""
        # By the driver itself: an engine for each request takes longer than what it asks.
        with closing(sqlite3.connect(self.folder / "inbox.db")) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            if ("hookkit_deliveries",) not in tables:
                return []  # the first delivery that is proven opens the inbox
            found = connection.execute("SELECT body FROM hookkit_deliveries ORDER BY id")
            return [body for (body,) in found if marker in body]


@contextmanager
def serving(name: str, folder: Path, *options: str, door: str = "blueprint") -> Iterator[RawServer]:
    """Serve the application by the server *name* until the end of the block.

    Args:
        door: By which of ``DOORS`` it takes deliveries.
    """
    (folder / "application.py").write_text(textwrap.dedent(APPLICATION))
    (folder / "serve_cheroot.py").write_text(textwrap.dedent(CHEROOT))
    paths = [str(ROOT), str(folder)]
    if "lowest" in name:
        assert LOWEST_GUNICORN.is_dir(), f"{LOWEST_GUNICORN} is missing; `make test` makes it"
        paths.insert(0, str(LOWEST_GUNICORN))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "DOOR": door}
    port = free_port()
    start = ForkedPython if name in FORKED else subprocess.Popen
    with (folder / "log").open("wb") as log:
        process = start(
            [sys.executable, *COMMANDS[name](port), *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = RawServer(name, process, port, folder)
    try:
        wait_until(lambda: process.poll() is not None or _answers(server))
        assert process.poll() is None, server.log()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(server: RawServer) -> bool:
    # The inbox is opened by the first delivery, which proves nothing.
    probe = b"HEAD /hooks/support HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with suppress(OSError), server.connect() as connection:
        connection.sendall(probe)
        return bool(connection.recv(100))
    return False
