"""Who may settle an entry, when workers stop, die or have a clock that jumps."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from unittest.mock import patch

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT
from tests.applications import ENDPOINTS, admit, make_app, message, post
from tests.scale import SCALE
from tests.waiting import DEADLINE_S, wait_until

#: Works on an inbox until its input ends; hookkit's words are its output.
WORKER = f"""
import logging, os, sys, time
from pathlib import Path
from flask import Flask
from hookkit import HookKit, RetryPolicy

HERE = Path.cwd()
words = logging.StreamHandler(sys.stdout)
words.setFormatter(logging.Formatter("%(action)s", defaults={{"action": "-"}}))
logging.getLogger("hookkit").addHandler(words)
logging.getLogger("hookkit").setLevel(logging.INFO)
hooks = HookKit()

@hooks.on("conversation:message", name="handle")
def handle(event):
    with (HERE / "begun").open("a") as file:
        file.write(f"{{event.id}} {{sys.argv[1]}}\\n")
    if event.id == "poison":
        os.kill(os.getpid(), 9)
    while event.id == "slow" and sys.argv[1] == "first" and not (HERE / "go").exists():
        time.sleep(0.01)

app = Flask("worker")
app.config.update(
    HOOKKIT_ENDPOINTS={ENDPOINTS!r},
    HOOKKIT_DATABASE=f"sqlite:///{{HERE / 'inbox.db'}}",
    HOOKKIT_LEASE_S=1,
    HOOKKIT_WORKERS=1,
    HOOKKIT_RUNNER="thread",
    HOOKKIT_RETRY=RetryPolicy(max_attempts=3, first_delay_s=0.01),
)
hooks.init_app(app)
app.extensions["hookkit"].start()
sys.stdin.read()
"""


@contextmanager
def worker(folder, name):
    """Run a worker process; its output is in the file ``log-`` and its name."""
    (folder / "worker.py").write_text(WORKER)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}"}
    with (folder / f"log-{name}").open("ab") as log:
        process = ForkedPython(
            [sys.executable, "worker.py", name],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
        process.stdin.close()
        process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def inbox(tmp_path):
    opened = open_inbox(f"sqlite:///{tmp_path}/inbox.db")
    yield opened
    opened.close()


def admit_all(inbox, *event_ids):
    for event_id in event_ids:
        admit(inbox, message(event_id), datetime.now(UTC))


def by_event(inbox):
    return {record.event_id: record for record in inbox.find(limit=1000)}


def pause(process, database):
    """Pause *process* between two writes: amid one it would keep everybody else from writing."""
    with closing(sqlite3.connect(database, timeout=0.5)) as connection:
        while True:
            process.send_signal(signal.SIGSTOP)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
            else:
                return


def test_worker_that_was_paused_past_its_lease_cannot_settle(tmp_path, inbox):
    admit_all(inbox, "slow")

    with worker(tmp_path, "first") as first:
        wait_until(lambda: lines(tmp_path / "begun") == ["slow first"])
        pause(first, tmp_path / "inbox.db")
        with worker(tmp_path, "second"):
            wait_until(lambda: inbox.counts()[State.DONE])
        settled = by_event(inbox)["slow"]
        (tmp_path / "go").touch()
        first.send_signal(signal.SIGCONT)
        wait_until(lambda: "settle_fenced" in lines(tmp_path / "log-first"))

    assert by_event(inbox)["slow"] == settled
    ran = [(each.number, each.outcome) for each in settled.attempts if each.outcome != "lost"]
    assert ran == [(1, "succeeded")]
    assert lines(tmp_path / "begun") == ["slow first", "slow second"]
    assert "event_done" not in lines(tmp_path / "log-first")
    assert "event_done" in lines(tmp_path / "log-second")


def test_event_that_kills_its_worker_is_dead_and_its_neighbours_are_done(tmp_path, inbox):
    neighbours = [f"event-{number}" for number in range(6)]
    admit_all(inbox, *neighbours[:3], "poison", *neighbours[3:])
    deaths = 0

    while inbox.counts()[State.DEAD] == 0 or inbox.counts()[State.DONE] < 6:
        with worker(tmp_path, "one") as process:
            wait_until(
                lambda process=process: (
                    process.poll() is not None
                    or (inbox.counts()[State.DEAD], inbox.counts()[State.DONE]) == (1, 6)
                )
            )
            deaths += process.poll() == -signal.SIGKILL
        assert deaths <= 3

    records = by_event(inbox)
    begun = Counter(line.split()[0] for line in lines(tmp_path / "begun"))
    assert deaths == 3
    assert begun == {"poison": 3} | dict.fromkeys(neighbours, 1)
    assert records["poison"].state is State.DEAD
    assert {records[each].state for each in neighbours} == {State.DONE}
    assert {records[each].claim_count for each in neighbours} == {1}


class JumpingClock:
    """A clock that somebody sets an hour forward or back, time and again."""

    def __init__(self, seed):
        self.random = Random(seed)  # noqa: S311  # no secret depends on it
        self.offset = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self.offset

    def jump(self):
        self.offset = timedelta(hours=self.random.choice([-1, 0, 1]))


@contextmanager
def application_with_jumps(tmp_path, clock, runner, handle):
    hooks = HookKit()
    hooks.on("*", name="handle")(handle)
    with patch("hookkit.application.app_state.utc_now", clock):
        app = make_app(
            hooks,
            HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db",
            HOOKKIT_RUNNER=runner,
            HOOKKIT_RETRY=RetryPolicy(max_attempts=5, first_delay_s=0.01),
        )
        state = app.extensions["hookkit"]
        try:
            yield app.test_client(), state
        finally:
            state.stop()


def test_clock_that_jumps_between_steps_loses_and_doubles_nothing(tmp_path):
    count = 50 * SCALE
    clock = JumpingClock(1)
    seen, handled = set(), []

    def handle(event):
        clock.jump()
        if event.id not in seen:
            seen.add(event.id)
            raise ValueError("not yet")
        handled.append(event.id)

    with application_with_jumps(tmp_path, clock, "none", handle) as (client, state):
        for number in range(count):
            assert post(client, message(f"event-{number}")).status_code == 200
            clock.jump()
            state.worker.work()
        turns = 0
        while state.opening.inbox().counts()[State.DONE] < count and turns < 20 * count:
            clock.jump()
            state.worker.work()
            turns += 1
        records = state.opening.inbox().find(limit=count + 1)

    assert Counter(handled) == {f"event-{number}": 1 for number in range(count)}
    assert {(each.state, each.claim_count) for each in records} == {(State.DONE, 2)}


def test_clock_that_jumps_under_a_pool_loses_and_doubles_nothing(tmp_path):
    count = 100 * SCALE
    clock = JumpingClock(2)
    handled = []

    def handle(event):
        time.sleep(0.01)
        handled.append(event.id)

    with application_with_jumps(tmp_path, clock, "thread", handle) as (client, state):
        for number in range(count):
            assert post(client, message(f"event-{number}")).status_code == 200
            clock.jump()
        clock.offset = timedelta(hours=2)
        wait_until(lambda: state.opening.inbox().counts()[State.DONE] == count)

    assert Counter(handled) == {f"event-{number}": 1 for number in range(count)}
