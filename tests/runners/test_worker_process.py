"""The main thread of a process that runs handlers and serves nobody.

``tests/acceptance/test_worker_process.py`` has the processes themselves.
"""

import os
import signal

import pytest

from hookkit import ConfigurationError, HookKit, Unavailable
from hookkit.runners import worker_process as process
from hookkit.runners.worker_process import WorkerProcess
from tests.applications import make_app


class Pool:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def start(self):
        self.told.append("start")
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self):
        self.told.append("stop")


def run(pool, open_inbox):
    return WorkerProcess(
        pool, serves="nothing", open_inbox=open_inbox, running_count=lambda: 0
    ).run()


def test_inbox_that_is_away_is_tried_again_and_told_of_once(monkeypatch, caplog):
    monkeypatch.setattr(process, "OPEN_AGAIN_S", 0.0)
    tries = []
    pool = Pool()

    def open_inbox():
        tries.append("try")
        if len(tries) < 3:
            raise Unavailable("away")

    is_clean = run(pool, open_inbox)

    assert (is_clean, len(tries), pool.told) == (True, 3, ["start", "stop"])
    assert [record.action for record in caplog.records].count("worker_unavailable") == 1


def test_signal_while_the_inbox_is_away_starts_nothing():
    pool = Pool()

    def open_inbox():
        os.kill(os.getpid(), signal.SIGINT)
        raise Unavailable("away")

    assert (run(pool, open_inbox), pool.told) == (True, [])


def test_what_must_be_mended_leaves_signals_as_they_were():
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    def open_inbox():
        raise ConfigurationError("mend it")

    with pytest.raises(ConfigurationError):
        run(Pool(), open_inbox)

    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


def worker_process_on(database):
    """Return a worker of an application whose setting is a callable that ends the worker."""
    hooks, asked = HookKit(), []
    hooks.on("*", name="handle")(lambda event: None)

    def named():
        if not asked:
            os.kill(os.getpid(), signal.SIGTERM)
        asked.append(database)
        return database

    app = make_app(hooks, HOOKKIT_DATABASE=named, HOOKKIT_RUNNER="none")
    return app.extensions["hookkit"].make_worker_process(threads=1), asked


def test_callable_that_names_the_database_is_called_once(tmp_path):
    process, asked = worker_process_on(f"sqlite:///{tmp_path / 'inbox.db'}")

    assert process.run()
    assert len(asked) == 1


def test_store_that_no_other_process_sees_is_refused_from_a_callable_too():
    process, _ = worker_process_on("memory://")

    with pytest.raises(ConfigurationError, match="seen by no other process"):
        process.run()
