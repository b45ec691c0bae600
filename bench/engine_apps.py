"""The applications of ``bench/engines.py``; the environment says where their servers are.

Each job appends the time at which it ran to a file, which its process has open, and does nothing
else: to open the file for each would take longer than the quickest engines do.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import dramatiq
import huey
import psycopg
from celery import Celery
from dramatiq.brokers.redis import RedisBroker
from flask import Flask
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from hookkit import Event, HookKit

SECRET = "a-secret-for-the-benchmark"

#: The file of the times; its size is the number of jobs that are done.
DONE = os.environ.get("BENCH_DONE", "")
DATABASE = os.environ.get("BENCH_DATABASE", "")
#: A Redis that keeps nothing, and one that keeps all but the last second.
BROKER = os.environ.get("BENCH_BROKER", "redis://127.0.0.1:1")
KEPT_BROKER = os.environ.get("BENCH_KEPT_BROKER", "redis://127.0.0.1:1")

#: One time in the file, in nanoseconds of the clock that all processes share.
RECORD = struct.Struct("q")

_PACE: dict[str, Any] = {"worker_hijack_root_logger": False, "task_ignore_result": True}


def environment() -> dict[str, str]:
    """Return what another process needs to find the same servers."""
    return {
        "BENCH_DONE": DONE,
        "BENCH_DATABASE": DATABASE,
        "BENCH_BROKER": BROKER,
        "BENCH_KEPT_BROKER": KEPT_BROKER,
    }


def note_done() -> None:
    os.write(_opened(DONE), RECORD.pack(time.monotonic_ns()))


@cache
def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def noop(body: str) -> None:
    note_done()


# Celery


def make_celery(task: str) -> Celery:
    """Return bare Celery as it is without any settings: a task is taken off before it runs.

    Args:
        task: ``noop`` or ``commit``; each has a queue of its own, or the workers of one would
            take what is sent to the other.
    """
    functions = {"noop": (noop, 0), "commit": (commit, 5)}
    function, database = functions[task]
    app = Celery("bare", broker=f"{BROKER}/{database}")
    app.conf.update(**_PACE)
    app.task(function, name="bench.task", shared=False)
    return app


def make_late_celery() -> Celery:
    """Return Celery as its documentation sets it up for tasks that must not be lost."""
    app = Celery("late", broker=f"{KEPT_BROKER}/2")
    # https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.acks_late
    # https://docs.celeryq.dev/en/stable/userguide/optimizing.html#reserve-one-task-at-a-time
    app.conf.update(
        **_PACE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
    )
    app.task(noop, name="bench.task", shared=False)
    return app


def commit(body: str) -> None:
    connection = connected()
    with connection.transaction():
        connection.execute("INSERT INTO bench_bare (body) VALUES (%s)", (body,))
    note_done()


@cache
def connected() -> psycopg.Connection[Any]:
    """Return the connection of this process, which runs one task at a time."""
    connection = psycopg.connect(DATABASE, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS bench_bare (body TEXT NOT NULL)")
    return connection


# huey


def make_huey_on_redis() -> tuple[huey.Huey, Callable[[str], object]]:
    queue = huey.RedisHuey("bench", url=f"{KEPT_BROKER}/3", results=False)
    return queue, queue.task(name="noop")(noop)


def make_huey_on_sqlite() -> tuple[huey.Huey, Callable[[str], object]]:
    # https://huey.readthedocs.io/en/latest/api.html#SqliteHuey: fsync makes writes durable
    file = Path(DONE).with_name("huey.db")
    queue = huey.SqliteHuey("bench", filename=str(file), fsync=True, results=False)
    return queue, queue.task(name="noop")(noop)


# dramatiq


def make_dramatiq() -> dramatiq.Actor[[str], None]:
    """Return the actor: a message is acknowledged when it has run, and tried again."""
    dramatiq.set_broker(RedisBroker(url=f"{KEPT_BROKER}/4"))  # type: ignore[no-untyped-call]
    return dramatiq.actor(noop)


# procrastinate


def make_procrastinate(
    connector: SyncPsycopgConnector | PsycopgConnector,
) -> tuple[App, Callable[[str], object]]:
    app = App(connector=connector)
    task = app.task(name="noop", queue="bench")(noop)
    return app, lambda body: task.defer(body=body)


# hookkit


def make_hooks(database: str, runner: str, *, pause_s: float = 0.0) -> tuple[HookKit, Flask]:
    """Return an application whose handler notes the time, after a pause."""

    def note(event: Event) -> None:
        if pause_s:
            time.sleep(pause_s)
        note_done()

    app = Flask("bench")
    app.config.update(
        HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": [SECRET]}},
        HOOKKIT_DATABASE=database,
        HOOKKIT_RUNNER=runner,
        HOOKKIT_WORKERS=4,
    )
    hooks = HookKit()
    hooks.on("conversation:message", name="note")(note)
    if runner == "celery":
        celery_app = Celery("bench", broker=f"{BROKER}/1")
        celery_app.conf.update(**_PACE)
        app.extensions["celery"] = celery_app
    hooks.init_app(app)
    return hooks, app


def make_app(database: str, runner: str) -> Flask:
    """Return the application alone, for a server."""
    return make_hooks(database, runner)[1]
