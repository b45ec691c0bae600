"""The thread that sweeps, and what a process that does it is refused."""

import logging
from threading import Event

import pytest

from hookkit import ConfigurationError, HookKit, Unavailable
from hookkit.runners.base import Runner
from hookkit.runners.celery import runner as sweepers
from hookkit.runners.celery.runner import Sweeper
from tests.applications import make_app
from tests.waiting import DEADLINE_S, wait_until


class Swept(Runner):
    """Something to sweep whose sweeps end as they are told."""

    def __init__(self, *ends):
        self.ends = list(ends)
        self.is_over = Event()
        self.has_stopped = False

    def sweep(self):
        if not self.ends:
            self.is_over.set()
        elif error := self.ends.pop(0):
            raise error
        return False

    def stop(self):
        self.has_stopped = True


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch):
    monkeypatch.setattr(sweepers, "SWEEP_S", 0.0)


def test_sweep_goes_on_whatever_comes_of_one_and_an_outage_is_told_once(caplog):
    caplog.set_level(logging.WARNING)
    away, bug = Unavailable("down"), RuntimeError("a bug")
    swept = Swept(away, away, away, None, bug)
    sweeper = Sweeper(Runner(), swept)

    sweeper.start()
    sweeper.start()
    assert swept.is_over.wait(DEADLINE_S)
    sweeper.stop()

    assert [record.action for record in caplog.records] == [
        "worker_unavailable",
        "worker_available",
        "sweep_failed",
    ]
    assert swept.has_stopped
    wait_until(lambda: not sweeper._thread.is_alive())


def test_child_of_a_fork_sweeps_in_a_thread_of_its_own():
    swept = Swept()
    sweeper = Sweeper(Runner(), swept)
    sweeper.start()
    sweeper.stop()

    sweeper.after_fork()
    swept.is_over.clear()
    sweeper.start()

    assert swept.is_over.wait(DEADLINE_S)
    sweeper.stop()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sweeps": True}, "--sweep wakes the workers of Celery, and the runner is 'thread'"),
        ({"threads": 0}, "--concurrency 0 runs no handlers"),
    ],
    ids=["sweep without Celery", "nothing to do"],
)
def test_process_that_would_do_nothing_is_refused(tmp_path, options, told):
    hooks = HookKit()
    hooks.on("*", name="see")(lambda event: None)
    database = f"sqlite:///{tmp_path}/inbox.db"
    app = make_app(hooks, HOOKKIT_RUNNER="thread", HOOKKIT_DATABASE=database)

    with pytest.raises(ConfigurationError) as refused:
        app.extensions["hookkit"].make_worker_process(**options)

    assert told in str(refused.value)
