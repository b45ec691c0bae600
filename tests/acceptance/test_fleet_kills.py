"""What killed processes leave: nothing lost, no effect twice, no neighbour charged."""

import time
from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from hookkit import ReplayRefused
from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.fleet import (
    assert_no_more_is_run_again_than_promised,
    assert_nothing_is_lost_or_doubled,
    fleet,
    records_in,
    report,
)
from tests.scale import SCALE, times
from tests.waiting import wait_until

#: In each of two tests on each database: 1,000 in ``make soak``.
KILLS = times(8, 50)
POISONS = 2 if SCALE == 1 else 6


def replay_some(running, inbox, random):
    """Replay a few events that are done and were never replayed."""
    done = inbox.find(Filter(state=State.DONE), limit=50)
    for record in random.sample(done, min(2, len(done))):
        if record.event_id not in running.replayed:
            try:
                inbox.replay(record.id, now=datetime.now(UTC))
            except ReplayRefused:
                continue
            running.replayed.append(record.event_id)


@pytest.mark.parametrize("ordered", [False, True], ids=["any order", "lanes"])
def test_kills_lose_and_double_nothing(tmp_path, database_url, ordered):
    random = Random(17)  # noqa: S311  # no secret depends on it
    poisons = [f"poison-{number}" for number in range(POISONS)]
    inbox = open_inbox(database_url)

    with fleet(tmp_path, database_url, "web", "web", "handles", ordered=ordered) as running:
        while running.kill_count < KILLS:
            running.wait_for_progress(random.randint(1, 50))
            # What the last run was of must not decide what is under way now.
            time.sleep(random.random() / 20)
            # Now and then all at once.
            is_for_all = random.random() < 0.1
            running.kill(*(running.alive() if is_for_all else [running.one_alive(random)]))
            replay_some(running, inbox, random)
            if poisons and random.random() < 0.3:
                running.send(poisons.pop())
        running.settle()
        inbox.close()
        assert_nothing_is_lost_or_doubled(running)
        again = assert_no_more_is_run_again_than_promised(running)

    report(f"lanes {ordered}, {database_url.partition(':')[0]}", running, again)
    runs = Counter(run.event_id for run in running.runs() if run.outcome == "killed")
    assert max(runs.values(), default=0) <= 5


@pytest.mark.parametrize(("max_attempts", "processes"), [(5, 1), (5, 3), (2, 2), (1, 1)])
def test_event_that_kills_runs_as_often_as_allowed_and_charges_no_neighbour(
    tmp_path, database_url, max_attempts, processes
):
    roles = ["web", "handles", "web"][:processes]
    inbox = open_inbox(database_url)

    # What a test waits for here are leases: more events would only cost time.
    load = {"pause_s": 0.05 * processes, "threads": 1}
    with fleet(tmp_path, database_url, *roles, max_attempts=max_attempts, **load) as running:
        for number in range(POISONS * max(1, SCALE // 2)):
            running.wait_for_progress(80)
            running.send(f"poison-{number}")
            # Beside another, it might be charged with what that one did: see the next test.
            wait_until(lambda dead=number + 1: inbox.counts()[State.DEAD] == dead)
        running.settle()
        inbox.close()
        assert_nothing_is_lost_or_doubled(running)
        again = assert_no_more_is_run_again_than_promised(running)

    report(f"{max_attempts} attempts, {processes} processes", running, again)
    records = records_in(database_url)
    runs = Counter(run.event_id for run in running.runs() if run.outcome == "killed")
    poisons = [each for each in records if each.startswith("poison")]
    assert {each: runs[each] for each in poisons} == dict.fromkeys(poisons, max_attempts)
    assert len(again) == len(poisons) * max_attempts
    assert charged(records, poisons) == {}


def charged(records, poisons):
    """Return what was charged with more than it has tried, except *poisons*."""
    return {
        event_id: (record.claim_count, [each.outcome for each in record.attempts])
        for event_id, record in records.items()
        if event_id not in poisons
        if any(each.outcome is Outcome.LOST for each in record.attempts)
        or record.claim_count > len(record.attempts)
    }


def test_events_that_kill_and_arrive_together_are_dead_and_charge_no_neighbour(
    tmp_path, database_url
):
    poisons = [f"poison-{number}" for number in range(4)]

    with fleet(tmp_path, database_url, "admits", "handles", threads=1) as running:
        running.wait_for_progress(40)
        running.send(*poisons)
        running.settle()
        assert_nothing_is_lost_or_doubled(running)
        again = assert_no_more_is_run_again_than_promised(running)

    report("together", running, again)
    runs = Counter(run.event_id for run in running.runs() if run.outcome == "killed")
    assert runs.keys() == set(poisons)
    assert runs[poisons[0]] == 5
    # What was claimed together with it and had not begun is charged with that loss as well.
    assert set(runs.values()) <= {4, 5}
    assert charged(records_in(database_url), poisons) == {}
