"""An answer 200 is given after the sync that puts the delivery on the disk."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from hookkit.inbox.sqlite import file as sqlite_file
from tests.acceptance.power.deliveries import make_deliveries, twice
from tests.acceptance.power.log_frames import answers_before_sync
from tests.acceptance.power.record import Acknowledged
from tests.acceptance.power.system_calls import (
    can_trace,
    has_seen_the_end,
    synced_before_answers,
    tracing,
)
from tests.acceptance.power.traffic import run_traffic
from tests.acceptance.servers import gunicorn
from tests.acceptance.test_gunicorn import APPLICATION
from tests.applications import message
from tests.scale import SCALE
from tests.waiting import wait_until

DELIVERIES = 100


def run(seed):
    """Return the record of a run that sends each delivery twice."""
    random = Random(seed)  # noqa: S311  # no secret depends on it
    deliveries = make_deliveries("run", DELIVERIES, random)
    # Few pages, so that the log begins anew in between.
    return run_traffic({}, twice(deliveries, random), checkpoint_pages=300)


@pytest.mark.parametrize("seed", range(SCALE))
def test_commit_of_each_delivery_is_synced_before_200(seed):
    record = run(seed)

    assert answers_before_sync(record) == []
    assert len({step.key for step in record if isinstance(step, Acknowledged)}) == DELIVERIES


def test_answer_before_the_sync_is_noticed(monkeypatch):
    def set_up(driver, _):
        driver.execute("PRAGMA synchronous = NORMAL")

    monkeypatch.setattr(sqlite_file, "set_up", set_up)

    assert answers_before_sync(run(seed=1))


# The first test holds everywhere; this one adds the SQLite that Python brings, and real calls.
@pytest.mark.skipif(not can_trace(), reason="strace is not there, or may not trace")
def test_real_server_syncs_the_log_before_each_200(tmp_path):
    trace = tmp_path / "trace"
    bodies = [message(f"event-{number}") for number in range(DELIVERIES * SCALE)]

    with (
        gunicorn(tmp_path, APPLICATION, under=tracing(trace)) as server,
        ThreadPoolExecutor(8) as senders,
    ):
        answers = list(senders.map(server.post, bodies))
    wait_until(lambda: has_seen_the_end(trace, server.process.pid))
    synced = synced_before_answers(trace.read_text().splitlines())

    assert {status for status, _ in answers} == {200}
    assert len(synced) == len(bodies)
    log = str(tmp_path / "inbox.db-wal")
    assert [files for files in synced if log not in files] == []
