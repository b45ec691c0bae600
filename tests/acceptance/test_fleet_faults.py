"""Stops, pauses, clocks and a store that is away: nothing is lost, and no effect is there twice."""

import os
import signal
import time
from contextlib import contextmanager
from random import Random

import pytest

from hookkit.core.attempts import Outcome
from tests.acceptance.fleet import (
    LEASE_S,
    assert_no_more_is_run_again_than_promised,
    assert_nothing_is_lost_or_doubled,
    fleet,
    records_in,
    report,
)
from tests.acceptance.test_crash_points import SERVING
from tests.acceptance.test_store_faults import locked
from tests.postgres_server import IMMEDIATE, own_server
from tests.scale import SCALE, times
from tests.waiting import DEADLINE_S, wait_until

ROLES = ("web", "web", "handles")

#: test_crash_points.py has each of them, without a fleet.
DEADLY = SERVING if SCALE > 1 else SERVING[::3]


@pytest.mark.parametrize("name", DEADLY)
def test_death_of_a_process_with_a_backlog_loses_and_doubles_nothing(tmp_path, database_url, name):
    random = Random(name)  # noqa: S311  # no secret depends on it

    for round_number in range(SCALE):
        crash_at = f"{name}:{random.randint(1, 40)}"
        with fleet(
            tmp_path, database_url, *ROLES, crash_at=crash_at, joins=round_number > 0
        ) as dying:
            before = dying.kill_count
            wait_until(
                lambda dying=dying, before=before: dying.kill_count >= before + 4, 4 * DEADLINE_S
            )
            dying.end(signal.SIGKILL)
    with fleet(tmp_path, database_url, "handles", joins=True) as running:
        running.settle(sends=False)
        assert_nothing_is_lost_or_doubled(running)
        report(name, running, assert_no_more_is_run_again_than_promised(running))


def test_stop_at_any_moment_repeats_and_charges_nothing(tmp_path, database_url):
    random = Random(23)  # noqa: S311  # no secret depends on it
    stops = times(6, 12)

    with fleet(tmp_path, database_url, *ROLES, threads=3) as running:
        for _ in range(stops):
            running.wait_for_progress(random.randint(1, 30))
            time.sleep(random.random() / 20)
            pid = running.one_alive(random)
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: pid in running.dead())
        running.settle()
        assert_nothing_is_lost_or_doubled(running)
        assert assert_no_more_is_run_again_than_promised(running) == []

    assert set(running.dead().values()) <= {0, -signal.SIGKILL}  # those that are killed at the end
    assert len([status for status in running.dead().values() if status == 0]) == stops
    assert lost(database_url) == {}


def test_process_that_was_paused_beyond_its_lease_settles_nothing(tmp_path, database_url):
    random = Random(29)  # noqa: S311  # no secret depends on it

    with fleet(tmp_path, database_url, *ROLES) as running:
        for _ in range(times(1, 2)):
            running.wait_for_progress(40)
            time.sleep(random.random() / 20)
            pid = running.one_alive(random)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(LEASE_S + 0.5)
            os.kill(pid, signal.SIGCONT)
        running.settle()
        assert_nothing_is_lost_or_doubled(running)
        # A process that is paused amid a write keeps the others from renewing theirs.
        again = assert_no_more_is_run_again_than_promised(running, *running.everyone())
        report("paused", running, again)


def test_clock_that_jumps_loses_and_doubles_nothing(tmp_path, database_url):
    random = Random(31)  # noqa: S311  # no secret depends on it

    with fleet(tmp_path, database_url, *ROLES) as running:
        for number in range(times(4, 8)):
            running.wait_for_progress(random.randint(10, 40))
            running.set_clock(random.choice([-1, 0, 1]))
            if number % 4 == 0:
                running.kill(running.one_alive(random))
        running.set_clock(3)
        running.settle()
        assert_nothing_is_lost_or_doubled(running)


@contextmanager
def away(server, path):
    """Have the store away until the end of the block."""
    if server is None:
        with locked(None, path):
            yield
        return
    server.stop(IMMEDIATE)
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
@pytest.mark.parametrize("outage_s", [0.5, LEASE_S + 1])
def test_store_that_is_away_amid_a_batch_makes_nothing_lost_or_doubled(tmp_path, name, outage_s):
    with own_server() as server:
        is_sqlite = name == "sqlite"
        url = f"sqlite:///{tmp_path}/inbox.db" if is_sqlite else server.url
        with fleet(tmp_path, url, *ROLES) as running:
            for _ in range(times(1, 2)):
                running.wait_for_progress(50)
                with away(None if is_sqlite else server, tmp_path / "inbox.db"):
                    time.sleep(outage_s)
            running.wait_for_progress(50)
            running.settle()
            assert_nothing_is_lost_or_doubled(running)
            again = assert_no_more_is_run_again_than_promised(running, *running.everyone())
            running.end(signal.SIGKILL)
    report(f"{name}, away for {outage_s} s", running, again)


def lost(database_url):
    """Return the entries of which an attempt was lost."""
    return {
        event_id: record
        for event_id, record in records_in(database_url).items()
        if any(each.outcome is Outcome.LOST for each in record.attempts)
    }
