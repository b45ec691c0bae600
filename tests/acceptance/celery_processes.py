"""Celery's processes beside those that serve: workers that are killed, and the beat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT
from tests.waiting import DEADLINE_S, wait_until

#: What an application adds before ``hooks.init_app``; as Flask's documentation has it:
#: https://flask.palletsprojects.com/en/stable/patterns/celery/
CELERY = """
    from celery import Celery, Task

    class FlaskTask(Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object({
        "broker_url": %r,
        "task_ignore_result": True,
        "worker_prefetch_multiplier": 1,
        "beat_schedule": {
            "hookkit-sweep": {
                "task": "hookkit.sweep", "schedule": 1.0, "options": {"queue": "hookkit"}
            },
        },
    })
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    app.config["HOOKKIT_RUNNER"] = "celery"
    hooks.init_app"""


def over_celery(application: str, broker_url: str) -> str:
    """Return the source of *application*, its handlers run by Celery's workers."""
    assert application.count("    hooks.init_app") == 1
    return application.replace("    hooks.init_app", CELERY.removeprefix("\n") % broker_url)


class CeleryProcess:
    """A running ``celery worker`` or ``celery beat``, with the processes that it forks."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self.path = folder / f"{name}.log"
        environment = os.environ | {"PYTHONPATH": f"{ROOT}", "PYTHONWARNINGS": "default"}
        with self.path.open("ab") as log:
            self.process = ForkedPython(
                [sys.executable, "-m", "celery", "-A", "application:celery_app", *command],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        """Return what it has printed."""
        return self.path.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has printed *text*."""
        wait_until(lambda: text in self.log() or self.process.poll() is not None)
        assert text in self.log(), self.log()

    def children(self) -> list[int]:
        """Return the processes that run tasks."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def kill(self) -> None:
        """Kill it and its children, none of which can do anything about it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Tell it to end, and return how it has ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


@contextmanager
def celery_worker(folder: Path, name: str = "celery", *options: str) -> Iterator[CeleryProcess]:
    """Run a worker of two processes on the application in *folder* until the end of the block."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=info")
    command = ("worker", "-n", f"{name}@test", "-Q", "hookkit", "-c", "2", *quiet, *options)
    worker = CeleryProcess(folder, name, *command)
    try:
        worker.wait_for("ready.")
        yield worker
    finally:
        worker.kill()


@contextmanager
def celery_beat(folder: Path) -> Iterator[CeleryProcess]:
    """Run the beat, which sends the sweeps, until the end of the block."""
    beat = CeleryProcess(folder, "beat", "beat", "-s", "schedule", "--pidfile=", "--loglevel=info")
    try:
        beat.wait_for("Sending due task hookkit-sweep")
        yield beat
    finally:
        beat.kill()
