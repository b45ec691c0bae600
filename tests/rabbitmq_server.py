"""A real RabbitMQ of its own, which can stop and come back with what it held."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import amqp

from tests.acceptance.servers import free_port
from tests.waiting import wait_until

#: An Erlang machine takes longer to start than other servers.
_START_S = 90.0


class RabbitServer:
    """A server of one node.

    Attributes:
        url: The same after each start.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port, self._names_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "plugins").write_text("[].\n")
        # Everything that it would otherwise share with another node of this machine.
        self._environment = os.environ | {
            "HOME": str(folder),  # for the cookie
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": f"hookkit-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }

    def start(self) -> None:
        """Return when it takes connections."""
        with (self._folder / "rabbitmq-log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program], env=self._environment, stdout=log, stderr=log
            )
        wait_until(lambda: self._process.poll() is not None or self._answers(), _START_S)
        assert self._process.poll() is None, (self._folder / "rabbitmq-log").read_text()

    def stop(self) -> None:
        """End it as the machine's shutdown does: durable queues and messages stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it, and the daemon of names that it has started."""
        self.stop()
        subprocess.run(
            ["epmd", "-port", str(self._names_port), "-kill"],  # noqa: S607  # Erlang's, on PATH
            check=False,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=2):
                return True
        except (OSError, amqp.AMQPError):
            return False
