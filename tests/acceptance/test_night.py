"""A night with the console: dead letters run again while others die and a worker is killed.

The console is in one process, which runs nothing; the handlers are in another, which is killed.
"""

import re
import signal
import textwrap

import pytest

from hookkit.core.entry import State
from hookkit.inbox.replay_records import Ending
from tests.acceptance.servers import hookkit_worker
from tests.applications import ENDPOINTS
from tests.console.ops import SECRET_KEY, Ops
from tests.waiting import wait_until

EACH = 150
LATE = 50

APPLICATION = f"""
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit, RetryPolicy

    MENDED = Path(__file__).parent / "mended"
    hooks = HookKit()

    # An entry whose process was killed has lost one of its attempts.
    @hooks.on("*", name="forward", retry=RetryPolicy(max_attempts=4, first_delay_s=0.01))
    def forward(event):
        if event.id.startswith("customer"):
            raise LookupError("no such customer")
        if event.id.startswith("late") or not MENDED.exists():
            raise RuntimeError("the shop is away")

    app = Flask(__name__)
    app.config["SECRET_KEY"] = {SECRET_KEY!r}
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = %r
    app.config["HOOKKIT_LEASE_S"] = 1
    hooks.init_app(app)
"""


@pytest.fixture
def ops(database_url, tmp_path):
    (tmp_path / "application.py").write_text(textwrap.dedent(APPLICATION % database_url))
    made = Ops(HOOKKIT_DATABASE=database_url, HOOKKIT_RUNNER="none")
    made.as_user("operate")
    yield made
    made.close()


def count(ops, state):
    return ops.inbox.counts()[state]


def start(ops, title, per_second):
    """Find a group by what it says, look at what would run, and run it again."""
    dead = ops.get("/dead").text
    row = next(row for row in dead.split("<tr>") if title in row)
    page = re.search(r'href="/ops(/replays/new\?group=[0-9a-f]+)"', row)[1]
    assert f"<strong>{EACH}</strong>" in ops.get(page).text
    given = {"reason": "mended", "per_second": str(per_second), "typed": str(EACH)}
    answer = ops.post("/replays/start", given, page=page)
    assert answer.status_code == 303, answer.text
    return int(re.search(r"/replays/(\d+)", answer.location)[1])


def replayed(ops, prefix):
    """Return how often the events of one kind were replayed."""
    found = ops.inbox.find(limit=1000)
    return [each.replays for each in found if each.event_id.startswith(prefix)]


def test_one_group_runs_again_once_although_more_die_and_the_process_is_killed(ops, tmp_path):
    ops.receive(*(f"{kind}-{number}" for number in range(EACH) for kind in ("shop", "customer")))
    with hookkit_worker(tmp_path) as worker:
        wait_until(lambda: count(ops, State.DEAD) == 2 * EACH)
        (tmp_path / "mended").touch()
        replay_id = start(ops, "the shop is away", per_second=50)
        wait_until(lambda: ops.inbox.replays.read(replay_id).count >= 60)
        worker.end(signal.SIGKILL)
    between = ops.inbox.replays.read(replay_id)
    ops.receive(*(f"late-{number}" for number in range(LATE)))

    with hookkit_worker(tmp_path, name="another"):
        wait_until(lambda: ops.inbox.replays.results(replay_id).succeeded == EACH)
        wait_until(lambda: count(ops, State.DEAD) == EACH + LATE)

        ended = ops.inbox.replays.read(replay_id)
        assert between.ended_at is None
        assert (ended.count, ended.ending, ended.refused) == (EACH, Ending.DONE, {})
        assert replayed(ops, "shop") == [1] * EACH
        assert replayed(ops, "customer") == [0] * EACH
        assert replayed(ops, "late") == [0] * LATE
        text = ops.get(f"/replays/{replay_id}").text
        assert f"{EACH} of {EACH} made due" in text
        assert f"<dt>Succeeded</dt><dd>{EACH}</dd>" in text


def test_cancelled_replay_leaves_the_rest_and_one_that_fails_again_stops_itself(ops, tmp_path):
    ops.receive(*(f"customer-{number}" for number in range(EACH)))
    with hookkit_worker(tmp_path):
        wait_until(lambda: count(ops, State.DEAD) == EACH)
        first_id = start(ops, "no such customer", per_second=5)
        wait_until(lambda: ops.inbox.replays.read(first_id).count)
        ops.post(f"/replays/{first_id}/cancel", page=f"/replays/{first_id}")
        cancelled = ops.inbox.replays.read(first_id)
        wait_until(lambda: count(ops, State.DEAD) == EACH)

        second_id = start(ops, "no such customer", per_second=1000)
        wait_until(lambda: ops.inbox.replays.read(second_id).ended_at)
        wait_until(lambda: count(ops, State.DEAD) == EACH)

    assert cancelled.ending is Ending.CANCELLED
    assert cancelled.count < EACH
    assert ops.inbox.replays.read(first_id) == cancelled
    stopped = ops.inbox.replays.read(second_id)
    assert (stopped.ending, stopped.count) == (Ending.FAILING, 50)
    assert sum(replayed(ops, "customer")) == cancelled.count + 50
    assert "stopped itself" in ops.get(f"/replays/{second_id}").text
