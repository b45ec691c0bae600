"""The workers of one engine: ``python -m bench.engine_workers dramatiq``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import huey
from celery import Celery
from procrastinate import PsycopgConnector

from bench import engine_apps


def work_celery(app: Celery, queue: str = "celery") -> None:
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=warning"]
    app.worker_main(["worker", "--concurrency=2", f"--queues={queue}", *quiet])


def work_huey(queue: huey.Huey) -> None:
    queue.create_consumer(workers=2, worker_type="process").run()


def work_dramatiq() -> None:
    # Its command is its only interface to run workers.
    program = [sys.executable, "-m", "dramatiq", "bench.engine_apps:make_dramatiq"]
    os.execv(sys.executable, [*program, "--processes", "2", "--threads", "8"])  # noqa: S606


def work_procrastinate() -> None:
    app, _ = engine_apps.make_procrastinate(PsycopgConnector(conninfo=engine_apps.DATABASE))
    app.run_worker(queues=["bench"], concurrency=10)


WORKERS: dict[str, Callable[[], None]] = {
    "celery noop": lambda: work_celery(engine_apps.make_celery("noop")),
    "celery commit": lambda: work_celery(engine_apps.make_celery("commit")),
    "late celery": lambda: work_celery(engine_apps.make_late_celery()),
    "hookkit": lambda: work_celery(
        engine_apps.make_app(engine_apps.DATABASE, "celery").extensions["celery"], "hookkit"
    ),
    "huey on redis": lambda: work_huey(engine_apps.make_huey_on_redis()[0]),
    "huey on sqlite": lambda: work_huey(engine_apps.make_huey_on_sqlite()[0]),
    "dramatiq": work_dramatiq,
    "procrastinate": work_procrastinate,
}

if __name__ == "__main__":
    WORKERS[sys.argv[1]]()
