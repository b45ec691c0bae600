"""The engines that ``bench/engines.py`` compares: how each is set up, started and held."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from procrastinate import SyncPsycopgConnector

from bench import engine_apps
from bench.accept import caller, environs, front
from bench.servers import Process, running, schema
from hookkit import HookKit
from hookkit.core.entry import State
from hookkit.inbox.inbox import Inbox


class Engine(Protocol):
    """Something that does jobs."""

    def send(self, bodies: Sequence[bytes]) -> None:
        """Send *bodies*, from one thread."""

    def hold(self) -> None:
        """Keep the workers from beginning."""

    def go(self) -> float:
        """Let the workers begin; return when, by ``time.perf_counter``."""

    def is_settled(self) -> bool:
        """Return whether nothing is left to do after all jobs have reported their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How an engine is set up, and what it promises then; texts are for the page.

    Attributes:
        start: Starts it; what it starts ends with the stack.
        setup: What was chosen.
        synced: When a job that was sent is on the disk.
        killed: What becomes of a running job whose worker is killed.
    """

    start: Callable[[ExitStack, Path], Engine]
    setup: str
    synced: str
    killed: str


class Peer:
    """An engine whose workers are another program, to which a function sends."""

    def __init__(self, send_one: Callable[[str], object], workers: Process) -> None:
        self._send_one = send_one
        self._workers = workers

    def send(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._send_one(body.decode())

    def hold(self) -> None:
        self._workers.hold()

    def go(self) -> float:
        self._workers.go()
        return time.perf_counter()

    def is_settled(self) -> bool:
        return True


class OverCelery:
    """hookkit over Celery."""

    def __init__(self, app: Any, workers: Process) -> None:
        self._inbox: Inbox = app.extensions["hookkit"].opening.inbox()
        self._call = caller(app)
        self._workers = workers

    def send(self, bodies: Sequence[bytes]) -> None:
        for environ in environs(iter(bodies), len(bodies)):
            self._call(environ)

    def hold(self) -> None:
        self._workers.hold()

    def go(self) -> float:
        self._workers.go()
        return time.perf_counter()

    def is_settled(self) -> bool:
        return is_settled(self._inbox)


class Pool:
    """hookkit's own pool in the process that receives, on a new inbox after each hold.

    Args:
        new_url: Returns the database of the next inbox.
        is_front: Whether deliveries go past Flask.
        pause_s: How long the handler sleeps.
    """

    def __init__(
        self, new_url: Callable[[], str], *, is_front: bool = False, pause_s: float = 0.0
    ) -> None:
        self._new_url = new_url
        self._is_front = is_front
        self._pause_s = pause_s
        self._open(new_url(), "thread")

    def close(self) -> None:
        self._state.stop()

    def _open(self, url: str, runner: str) -> None:
        hooks, app = engine_apps.make_hooks(url, runner, pause_s=self._pause_s)
        self._state = app.extensions["hookkit"]
        self._call = caller(front(hooks, app) if self._is_front else app)

    def send(self, bodies: Sequence[bytes]) -> None:
        for environ in environs(iter(bodies), len(bodies)):
            self._call(environ)

    def hold(self) -> None:
        self.close()
        self._open(self._new_url(), "none")

    def go(self) -> float:
        url = self._state.settings.database
        self.close()
        self._open(url, "thread")
        # The workers of the others, which were held, have their connections as well.
        self._state.opening.inbox().prepare()
        began = time.perf_counter()
        self._state.start()
        return began

    def is_settled(self) -> bool:
        return is_settled(self._state.opening.inbox())


def is_settled(inbox: Inbox) -> bool:
    counts = inbox.counts()
    return counts[State.DONE] == sum(counts.values())


def has_front() -> bool:
    return hasattr(HookKit, "wsgi")


def workers(stack: ExitStack, folder: Path, kind: str) -> Process:
    """Run the workers of an engine until the end of the stack."""
    return stack.enter_context(
        running(
            "-m",
            "bench.engine_workers",
            kind,
            log=folder / f"{kind.replace(' ', '-')}-log",
            environment=engine_apps.environment(),
        )
    )


# Each starts one engine.


def _celery(stack: ExitStack, folder: Path, task: str) -> Engine:
    app = engine_apps.make_celery(task)
    return Peer(app.tasks["bench.task"].delay, workers(stack, folder, f"celery {task}"))


def _late_celery(stack: ExitStack, folder: Path) -> Engine:
    app = engine_apps.make_late_celery()
    return Peer(app.tasks["bench.task"].delay, workers(stack, folder, "late celery"))


def _huey_on_redis(stack: ExitStack, folder: Path) -> Engine:
    _, send = engine_apps.make_huey_on_redis()
    return Peer(send, workers(stack, folder, "huey on redis"))


def _huey_on_sqlite(stack: ExitStack, folder: Path) -> Engine:
    _, send = engine_apps.make_huey_on_sqlite()
    return Peer(send, workers(stack, folder, "huey on sqlite"))


def _dramatiq(stack: ExitStack, folder: Path) -> Engine:
    return Peer(engine_apps.make_dramatiq().send, workers(stack, folder, "dramatiq"))


def _procrastinate(stack: ExitStack, folder: Path) -> Engine:
    connector = SyncPsycopgConnector(conninfo=engine_apps.DATABASE)
    app, send = engine_apps.make_procrastinate(connector)
    stack.enter_context(app.open())
    app.schema_manager.apply_schema()
    return Peer(send, workers(stack, folder, "procrastinate"))


def _over_celery(stack: ExitStack, folder: Path) -> Engine:
    app = engine_apps.make_app(engine_apps.DATABASE, "celery")
    stack.callback(app.extensions["hookkit"].stop)
    app.extensions["hookkit"].opening.inbox()  # makes the tables
    return OverCelery(app, workers(stack, folder, "hookkit"))


def _on_sqlite(stack: ExitStack, folder: Path, *, is_front: bool = False) -> Engine:
    pool = Pool(lambda: new_file(folder), is_front=is_front)
    stack.callback(pool.close)
    return pool


def _on_postgres(stack: ExitStack, folder: Path) -> Engine:
    server = engine_apps.DATABASE.rpartition("options=")[0].rstrip("?&")
    schemas = stack.enter_context(ExitStack())  # dropped when the pool is closed
    pool = Pool(lambda: schemas.enter_context(schema(server)))
    stack.callback(pool.close)
    return pool


def new_file(folder: Path) -> str:
    """Return the URL of a SQLite file that does not exist."""
    return f"sqlite:///{folder}/{time.monotonic_ns()}.db"


SQLITE = "hookkit, SQLite"
FRONT = "hookkit, SQLite, front"
POSTGRES = "hookkit, PostgreSQL"
OVER_CELERY = "hookkit, PostgreSQL, Celery"
CELERY = "Celery, no settings"
CELERY_COMMIT = "Celery, one commit"

_SYNCED = "before the 200"
_RUN_AGAIN = "runs again when its lease of 60 s is over"
_IN_A_SECOND = "within a second of being sent"

#: What is beside what; the names are those of the figures.
KINDS = {
    SQLITE: Kind(
        start=_on_sqlite,
        setup="as it is: 4 threads in the process that receives",
        synced=_SYNCED,
        killed=_RUN_AGAIN,
    ),
    FRONT: Kind(
        start=lambda stack, folder: _on_sqlite(stack, folder, is_front=True),
        setup="the same, with `hooks.wsgi(app)` in front of Flask",
        synced=_SYNCED,
        killed=_RUN_AGAIN,
    ),
    POSTGRES: Kind(
        start=_on_postgres,
        setup="as it is: 4 threads in the process that receives",
        synced=_SYNCED,
        killed=_RUN_AGAIN,
    ),
    OVER_CELERY: Kind(
        start=_over_celery,
        setup='`HOOKKIT_RUNNER = "celery"`, 2 worker processes; events in PostgreSQL, Redis'
        " only wakes the workers",
        synced=_SYNCED,
        killed=_RUN_AGAIN,
    ),
    CELERY: Kind(
        start=lambda stack, folder: _celery(stack, folder, "noop"),
        setup="2 worker processes, results off; Redis without persistence",
        synced="never",
        killed="lost",
    ),
    CELERY_COMMIT: Kind(
        start=lambda stack, folder: _celery(stack, folder, "commit"),
        setup="the same; the task makes one PostgreSQL commit of its body",
        synced="when the task has run",
        killed="lost",
    ),
    "Celery, late": Kind(
        start=_late_celery,
        setup="`task_acks_late`, `task_reject_on_worker_lost`, `worker_prefetch_multiplier=1`;"
        " Redis with `appendfsync everysec`",
        synced=_IN_A_SECOND,
        killed="runs again; if all of the worker is killed, in an hour",
    ),
    "huey, Redis": Kind(
        start=_huey_on_redis,
        setup="2 worker processes, results off; Redis with `appendfsync everysec`",
        synced=_IN_A_SECOND,
        killed="lost",
    ),
    "huey, SQLite": Kind(
        start=_huey_on_sqlite,
        setup="2 worker processes, results off, `fsync=True`",
        synced="before sending returns",
        killed="lost",
    ),
    "dramatiq": Kind(
        start=_dramatiq,
        setup="2 processes of 8 threads, its own middleware; Redis with `appendfsync everysec`",
        synced=_IN_A_SECOND,
        killed="runs again in a minute",
    ),
    "procrastinate": Kind(
        start=_procrastinate,
        setup="one worker with `concurrency=10`; PostgreSQL",
        synced="before sending returns",
        killed="waits until a task of your own looks for stalled jobs",
    ),
}
