"""The applications of ``bench/engines.py``; the environment says where their servers are."""

from __future__ import annotations

import os
import socket
import sys
from functools import cache
from typing import Any

import psycopg
from celery import Celery
from flask import Flask

from hookkit import Event, HookKit

SECRET = "a-secret-for-the-benchmark"

#: The file to which each finished job appends 8 bytes; its size is the number of jobs.
DONE = os.environ.get("BENCH_DONE", "")
DATABASE = os.environ.get("BENCH_DATABASE", "")
BROKER = os.environ.get("BENCH_BROKER", "redis://127.0.0.1:1")
RECORD = b"12345678"

_PACE: dict[str, Any] = {"worker_hijack_root_logger": False, "task_ignore_result": True}


def note_done() -> None:
    file = os.open(DONE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, RECORD)
    finally:
        os.close(file)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Bare Celery


def make_bare() -> Celery:
    app = Celery("bare", broker=f"{BROKER}/0")
    app.conf.update(**_PACE)
    app.task(noop, name="bench.noop")
    app.task(commit, name="bench.commit")
    return app


def noop(body: str) -> None:
    note_done()


def commit(body: str) -> None:
    connection = connected()
    with connection.transaction():
        connection.execute("INSERT INTO bench_bare (body) VALUES (%s)", (body,))
    note_done()


@cache
def connected() -> psycopg.Connection[Any]:
    """Return the connection of this process, which runs one task at a time."""
    return psycopg.connect(DATABASE)


# hookkit


def note(event: Event) -> None:
    note_done()


def make_app(database: str, runner: str) -> Flask:
    app = Flask("bench")
    app.config.update(
        HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": [SECRET]}},
        HOOKKIT_DATABASE=database,
        HOOKKIT_RUNNER=runner,
    )
    hooks = HookKit()
    hooks.on("conversation:message", name="note")(note)
    if runner == "celery":
        celery_app = Celery("bench", broker=f"{BROKER}/1")
        celery_app.conf.update(**_PACE)
        app.extensions["celery"] = celery_app
    hooks.init_app(app)
    return app


def main() -> None:
    """Run two Celery processes: ``python -m bench.engine_apps bare``."""
    is_bare = sys.argv[1] == "bare"
    celery_app = make_bare() if is_bare else make_app(DATABASE, "celery").extensions["celery"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=warning"]
    queue = "celery" if is_bare else "hookkit"
    celery_app.worker_main(["worker", "--concurrency=2", f"--queues={queue}", *quiet])


if __name__ == "__main__":
    main()
