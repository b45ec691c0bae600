"""Handled events per second, beside bare Celery tasks.

Two pairs take turns in one run. Each job ends by appending 8 bytes to a file:

* ``celery + postgres``: hookkit over two Celery worker processes and PostgreSQL, from verifying
  to settling, beside ``task + commit``: a Celery task for each body that makes one PostgreSQL
  commit of it;
* ``pool + sqlite``: hookkit's embedded pool over a SQLite file, beside ``no-op task``: a Celery
  task for each body that does nothing.

End to end is the time from the first event sent to the last one settled. Drain is the time from
the moment when the workers may begin, after everything was sent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Protocol

import click
import psycopg

from bench import engine_apps
from bench.accept import caller, environs, new_bodies
from bench.capacity import cpu_s, postgres_server
from hookkit.core.entry import State
from hookkit.inbox.inbox import Inbox
from tests.redis_server import RedisServer

#: Goals of the project, end to end; the command fails when one is missed.
MIN_TIMES_COMMIT = 1.5
MIN_TIMES_NOOP = 2.0

SENDERS = 4
DEADLINE_S = 120.0


class Figures(NamedTuple):
    """The figures of one round.

    Attributes:
        end_to_end: Jobs per second.
        drain: Jobs per second.
        cpu_ms: Milliseconds of a core for a job end to end, of all processes but PostgreSQL's
            where that was given. Others on the machine hardly change it.
    """

    end_to_end: float
    drain: float
    cpu_ms: float


class Engine(Protocol):
    """Something that does jobs."""

    def send(self, bodies: Sequence[bytes]) -> None:
        """Send *bodies*, from one thread."""

    def hold(self) -> None:
        """Keep the workers from beginning."""

    def go(self) -> None:
        """Let the workers begin."""

    def is_settled(self) -> bool:
        """Return whether nothing is left to do after all jobs have reported their end."""


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often the engines take turns.")
@click.option("--events", default=3000, show_default=True, help="Events of an engine per turn.")
@click.option("--folder", default=None, help="Where the files are made, on the disk to measure.")
def engines(rounds: int, events: int, folder: str | None) -> None:
    """Time hookkit over Celery and over its own pool, beside bare Celery tasks."""
    with ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        running = start_all(stack, made)
        found = by_turns(running, made / "done", rounds, events)
    for name, figures in found.items():
        click.echo(
            f"{name:>18}  end to end {median(each.end_to_end for each in figures):7,.0f}/s"
            f"  drain {median(each.drain for each in figures):7,.0f}/s"
            f"  {median(each.cpu_ms for each in figures):5.2f} ms of a core"
        )
    over_commit = _times(found, "celery + postgres", "task + commit")
    over_noop = _times(found, "pool + sqlite", "no-op task")
    if over_commit < MIN_TIMES_COMMIT or over_noop < MIN_TIMES_NOOP:
        raise SystemExit(1)


def _times(found: dict[str, list[Figures]], name: str, base: str) -> float:
    goal = MIN_TIMES_COMMIT if base == "task + commit" else MIN_TIMES_NOOP
    pairs = list(zip(found[name], found[base], strict=True))
    times = median(one.end_to_end / other.end_to_end for one, other in pairs)
    drain = median(one.drain / other.drain for one, other in pairs)
    cpu = median(other.cpu_ms / one.cpu_ms for one, other in pairs)
    click.echo(
        f"{name}: {times:.2f} times {base} end to end (goal: at least {goal:g}),"
        f" {drain:.2f} times draining, by processor time {cpu:.2f} times"
    )
    return times


def start_all(stack: ExitStack, folder: Path) -> dict[str, Engine]:
    """Start the servers and the workers; return the engines by name."""
    redis = RedisServer(folder)
    redis.start()
    stack.callback(redis.stop)
    engine_apps.BROKER = redis.url.removesuffix("/0")
    engine_apps.DONE = str(folder / "done")
    engine_apps.DATABASE = stack.enter_context(postgres(folder))
    bare = engine_apps.make_bare()
    over_celery = engine_apps.make_app(engine_apps.DATABASE, "celery")
    over_celery.extensions["hookkit"].opening.inbox()  # makes the tables
    stack.callback(over_celery.extensions["hookkit"].stop)
    for kind in ("bare", "hookkit"):
        stack.enter_context(workers(kind, folder))
    pool = Pool(folder)
    stack.callback(pool.close)
    return {
        "celery + postgres": OverCelery(over_celery),
        "task + commit": Bare(bare, "bench.commit"),
        "pool + sqlite": pool,
        "no-op task": Bare(bare, "bench.noop"),
    }


def by_turns(
    running: dict[str, Engine], done: Path, rounds: int, events: int
) -> dict[str, list[Figures]]:
    """Return the figures of each engine in each round, after a round to warm up."""
    found: dict[str, list[Figures]] = {name: [] for name in running}
    names = list(running)
    bodies = new_bodies()
    for number in range(-1, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            count = events if number >= 0 else max(100, events // 10)
            mine = [[next(bodies) for _ in range(count)] for _ in range(2)]
            figures = measure(running[name], done, *mine)
            if number >= 0:
                found[name].append(figures)
    return found


def measure(engine: Engine, done: Path, first: Sequence[bytes], second: Sequence[bytes]) -> Figures:
    """Return the jobs per second of *first* end to end, and of *second* drained."""
    done.unlink(missing_ok=True)
    began, began_s = time.perf_counter(), all_cpu_s()
    send_all(engine, first)
    wait_for(engine, done, len(first))
    end_to_end = len(first) / (time.perf_counter() - began)
    cpu_ms = (all_cpu_s() - began_s) / len(first) * 1000
    done.unlink()
    engine.hold()
    send_all(engine, second)
    began = time.perf_counter()
    engine.go()
    wait_for(engine, done, len(second))
    return Figures(end_to_end, len(second) / (time.perf_counter() - began), cpu_ms)


def all_cpu_s() -> float:
    """Return the processor time of this process, its children, and PostgreSQL."""
    return cpu_s(os.getpid()) + sum(cpu_s(pid) for pid in _postmasters)


def send_all(engine: Engine, bodies: Sequence[bytes]) -> None:
    shares = [bodies[start::SENDERS] for start in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(engine.send, shares))


def wait_for(engine: Engine, done: Path, count: int) -> None:
    """Return when *count* jobs have reported their end, and are settled."""
    enough = count * len(engine_apps.RECORD)
    wait_until(lambda: done.exists() and done.stat().st_size >= enough)
    wait_until(engine.is_settled)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when *condition* is true."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise click.ClickException(f"the jobs are not done after {DEADLINE_S:g} s")
        time.sleep(0.005)


class Bare:
    """Celery tasks, one per body."""

    def __init__(self, celery_app: Any, name: str) -> None:
        self._celery_app = celery_app
        self._task = celery_app.tasks[name]

    def send(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._task.delay(body.decode())

    def hold(self) -> None:
        self._celery_app.control.cancel_consumer("celery", reply=True)

    def go(self) -> None:
        self._celery_app.control.add_consumer("celery")

    def is_settled(self) -> bool:
        return True


class OverCelery:
    """hookkit over Celery."""

    def __init__(self, app: Any) -> None:
        self._celery_app = app.extensions["celery"]
        self._inbox: Inbox = app.extensions["hookkit"].opening.inbox()
        self._call = caller(app)

    def send(self, bodies: Sequence[bytes]) -> None:
        for environ in environs(iter(bodies), len(bodies)):
            self._call(environ)

    def hold(self) -> None:
        self._celery_app.control.cancel_consumer("hookkit", reply=True)

    def go(self) -> None:
        self._celery_app.control.add_consumer("hookkit")

    def is_settled(self) -> bool:
        return is_settled(self._inbox)


class Pool:
    """hookkit's own pool, on a new file after each hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open("thread")

    def close(self) -> None:
        self._app.extensions["hookkit"].stop()

    def _open(self, runner: str) -> None:
        url = f"sqlite:///{self._folder}/{uuid.uuid4().hex}.db"
        self._app = engine_apps.make_app(url, runner)
        self._call = caller(self._app)

    def send(self, bodies: Sequence[bytes]) -> None:
        for environ in environs(iter(bodies), len(bodies)):
            self._call(environ)

    def hold(self) -> None:
        self._app.extensions["hookkit"].stop()
        self._open("none")

    def go(self) -> None:
        state = self._app.extensions["hookkit"]
        state.stop()
        url = state.settings.database
        self._app = engine_apps.make_app(url, "thread")
        self._call = caller(self._app)
        self._app.extensions["hookkit"].start()

    def is_settled(self) -> bool:
        return is_settled(self._app.extensions["hookkit"].opening.inbox())


def is_settled(inbox: Inbox) -> bool:
    counts = inbox.counts()
    return counts[State.DONE] == sum(counts.values())


@contextmanager
def workers(kind: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Celery with two worker processes until the end of the block."""
    environment = os.environ | {
        "BENCH_DONE": engine_apps.DONE,
        "BENCH_DATABASE": engine_apps.DATABASE,
        "BENCH_BROKER": engine_apps.BROKER,
    }
    with (folder / f"{kind}-log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.engine_apps", kind],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yield the URL of a new schema, on ``HOOKKIT_TEST_POSTGRES_URL`` or a new server."""
    given = os.environ.get("HOOKKIT_TEST_POSTGRES_URL")
    with ExitStack() as stack:
        url = given or stack.enter_context(_own_server())
        name = f"hookkit_bench_{uuid.uuid4().hex}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        there = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
        with psycopg.connect(there, autocommit=True) as connection:
            connection.execute("CREATE TABLE bench_bare (body TEXT NOT NULL)")
        yield there
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


#: Not a child of this process: the server runs as another user.
_postmasters: list[int] = []


@contextmanager
def _own_server() -> Iterator[str]:
    with postgres_server() as (url, postmaster):
        _postmasters.append(postmaster)
        yield url
        _postmasters.remove(postmaster)
