"""Replays of many entries: recorded, in steps, resumable, and without a double or a gap."""

from datetime import UTC, datetime
from threading import Thread

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.inbox.replay_records import Bulk, Ending
from hookkit.inbox.sights import ReplayResults
from tests.inbox.making import NOW, admit, after, attempt, claim, dead, done, settled, waiting

DEAD = Filter(state=State.DEAD)


def start(inbox, wanted=DEAD, **how):
    given = {"handlers": None, "reason": "the CRM was away", "who": "ada", "now": NOW} | how
    return inbox.replays.start(wanted, **given)


def finish(inbox, replay_id, **how):
    """Do what is left, and return the ids that became due, in their order."""
    found = []
    while True:
        entry_ids, record = inbox.replays.step(replay_id, now=NOW, **how)
        found += entry_ids
        if record.ended_at is not None:
            return found


def replays_of(inbox):
    return {one.id: one.replays for one in inbox.find(limit=1000)}


def test_replay_is_recorded_as_it_was_asked_for(inbox):
    settled(inbox, "m-1", dead())
    wanted = Filter(
        endpoint="support",
        state=State.DEAD,
        outcome=Outcome.FAILED,
        version="v2",
        lane="c-1",
        error="KeyError",
        tried_by="count",
        untried_by="greet",
        has_conflict=False,
        is_replayed=True,
        type="conversation:message",
        since=datetime(2020, 1, 1, tzinfo=UTC),
        until=datetime(2030, 1, 1, 12, 30, 5, 250_000, tzinfo=UTC),
    )

    started = start(inbox, wanted, handlers={"b", "a"})

    assert inbox.replays.read(started.id) == started
    assert (started.wanted, started.handlers) == (wanted, ("a", "b"))
    assert (started.reason, started.who, started.started_at) == ("the CRM was away", "ada", NOW)
    assert (started.after_id, started.up_to_id, started.count, started.ended_at) == (0, 1, 0, None)


def test_steps_make_each_entry_due_once_and_end(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(7)]
    started = start(inbox)

    found = finish(inbox, started.id, limit=3)

    record = inbox.replays.read(started.id)
    assert found == ids
    assert set(replays_of(inbox).values()) == {1}
    assert (record.count, record.ended_at, record.after_id) == (7, NOW, record.up_to_id)
    assert inbox.replays.step(started.id, now=after(1)) == ([], record)


def test_what_arrives_after_the_start_is_left_out(inbox):
    before = settled(inbox, "m-1", dead())
    started = start(inbox)
    later = settled(inbox, "m-2", dead())

    assert finish(inbox, started.id) == [before]
    assert replays_of(inbox) == {before: 1, later: 0}


def test_named_entries_are_found_however_far_apart_and_no_other(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(5)]

    started = start(inbox, Filter(entry_ids=[ids[3], ids[1], ids[3] + 10**9]))

    assert (started.after_id, started.up_to_id) == (ids[1] - 1, ids[4])
    assert finish(inbox, started.id) == [ids[1], ids[3]]


def test_what_cannot_be_replayed_is_passed_over(inbox):
    first = settled(inbox, "m-1", dead())
    (pending,) = admit(inbox, "m-2")
    last = settled(inbox, "m-3", done())

    assert finish(inbox, start(inbox, Filter()).id, limit=1) == [first, last]
    assert replays_of(inbox)[pending] == 0


def test_replay_of_an_empty_inbox_ends_at_its_first_step(inbox):
    started = start(inbox, Filter())

    entry_ids, record = inbox.replays.step(started.id, now=NOW)

    assert (entry_ids, record.count, record.ended_at) == ([], 0, NOW)


def test_step_of_no_replay_is_nothing(inbox):
    assert inbox.replays.step(7, now=NOW) == ([], None)
    assert inbox.replays.read(7) is None


def test_step_that_fails_changes_neither_entries_nor_how_far_it_is(inbox, monkeypatch):
    settled(inbox, "m-1", dead())
    started = start(inbox)

    def die(name):
        raise RuntimeError(name)

    with monkeypatch.context() as patched:
        patched.setattr("hookkit.crash_points.reach", die)
        with pytest.raises(RuntimeError, match="replay_written"):
            inbox.replays.step(started.id, now=NOW)

    assert inbox.replays.read(started.id) == started
    assert replays_of(inbox) == {1: 0}


def test_two_that_go_on_at_once_run_no_entry_twice(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(40)]
    started = start(inbox)
    found = []
    limits = (1, 3)
    threads = [
        Thread(target=lambda limit=limit: found.extend(finish(inbox, started.id, limit=limit)))
        for limit in limits
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == ids
    assert set(replays_of(inbox).values()) == {1}


def test_unfinished_replays_come_first_and_can_be_ended(inbox):
    settled(inbox, "m-1", dead())
    left, over = start(inbox), start(inbox)
    finish(inbox, over.id)

    assert [one.id for one in inbox.replays.find()] == [left.id, over.id]
    assert [one.id for one in inbox.replays.find(limit=1)] == [left.id]
    assert inbox.replays.end(left.id, now=after(5))
    assert not inbox.replays.end(left.id, now=after(9))
    assert inbox.replays.step(left.id, now=NOW)[0] == []
    assert [one.id for one in inbox.replays.find()] == [over.id, left.id]


def test_candidates_are_looked_at_in_pages_and_stay_as_they_are(inbox):
    failed = attempt(handler="forward", outcome=Outcome.FAILED)
    first = settled(inbox, "m-1", dead(attempt(handler="greet"), failed))
    second = settled(inbox, "m-2", done(attempt(handler="greet")))
    (third,) = admit(inbox, "m-3")

    page, below_id = inbox.replays.candidates(Filter(), below_id=third + 1, limit=1)
    rest, end = inbox.replays.candidates(Filter(), below_id=below_id, limit=3)

    assert [(one.id, one.state, one.has_body) for one in page] == [(third, State.PENDING, True)]
    # What has succeeded runs again only if everything does.
    assert [(one.id, one.handlers) for one in rest] == [
        (second, {"greet"}),
        (first, {"forward"}),
    ]
    assert end is None
    assert set(replays_of(inbox).values()) == {0}


def bulk(**how):
    given = {"title": "the CRM", "per_second": 20, "up_to_id": 1000, "previewed_count": 3} | how
    return Bulk(**given)


def advance(inbox, replay_id, seconds=0.0, **how):
    return inbox.replays.advance(replay_id, now=after(seconds), **how)


def run_again(inbox, settlement, *entry_ids):
    """Have entries run that are due, and end so."""
    for entry in claim(inbox, at=1, limit=1000, only=entry_ids):
        inbox.settle(entry, settlement, now=after(1))


FAILED = attempt(outcome=Outcome.GAVE_UP, error="RuntimeError: away")


def test_replay_for_housekeeping_is_recorded_with_what_a_person_saw(inbox):
    settled(inbox, "m-1", dead())
    started = start(inbox, bulk=bulk(up_to_id=7))

    assert inbox.replays.left_to_housekeeping() == [started]
    assert (started.title, started.per_second, started.previewed_count) == ("the CRM", 20, 3)
    assert (started.up_to_id, started.next_at, started.ending) == (1, NOW, None)
    start(inbox)
    assert inbox.replays.left_to_housekeeping() == [started]


def test_processes_together_keep_to_the_pace(inbox):
    for number in range(5):
        settled(inbox, f"m-{number}", dead())
    replay_id = start(inbox, bulk=bulk(per_second=2)).id

    steps = [advance(inbox, replay_id, at)[0] for at in (0, 0, 0.999, 1, 1, 2)]

    assert steps == [[1, 2], [], [], [3, 4], [], [5]]
    record = inbox.replays.read(replay_id)
    assert (record.count, record.ending, record.ended_at) == (5, Ending.DONE, after(2))


def test_what_came_after_the_look_is_left_out(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(4)]
    replay_id = start(inbox, bulk=bulk(up_to_id=ids[1])).id

    assert advance(inbox, replay_id)[0] == ids[:2]
    assert inbox.replays.read(replay_id).ending is Ending.DONE


def test_many_named_entries_are_found_step_by_step(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(9)]
    settled(inbox, "m-9", dead())
    wanted = Filter(entry_ids=ids[::2], state=State.DEAD)
    replay_id = start(inbox, wanted, bulk=bulk(per_second=2)).id

    steps = [advance(inbox, replay_id, at)[0] for at in range(3)]

    assert steps == [ids[0:4:2], ids[4:8:2], ids[8:9]]


def test_paused_replay_does_nothing_until_it_goes_on(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(3)]
    replay_id = start(inbox, bulk=bulk(per_second=1)).id
    advance(inbox, replay_id)

    assert inbox.replays.pause(replay_id, now=NOW)
    assert not inbox.replays.pause(replay_id, now=NOW)
    assert inbox.replays.left_to_housekeeping() == []
    assert advance(inbox, replay_id, 5)[0] == []
    assert inbox.replays.unpause(replay_id)
    assert not inbox.replays.unpause(replay_id)
    assert advance(inbox, replay_id, 5)[0] == [ids[1]]
    assert inbox.replays.end(replay_id, now=after(6))
    assert advance(inbox, replay_id, 9)[0] == []
    assert inbox.replays.read(replay_id).ending is Ending.CANCELLED
    assert not inbox.replays.pause(replay_id, now=NOW)


def test_replay_that_a_process_does_itself_is_no_work_of_others(inbox):
    settled(inbox, "m-1", dead())
    replay_id = start(inbox).id

    assert advance(inbox, replay_id)[0] == []
    assert not inbox.replays.pause(replay_id, now=NOW)


def test_results_tell_what_became_of_the_entries(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(5)]
    replay_id = start(inbox).id
    finish(inbox, replay_id)
    run_again(inbox, done(attempt()), ids[0], ids[1])
    inbox.replay(ids[1], now=after(2))
    run_again(inbox, dead(FAILED), ids[2])
    run_again(inbox, waiting(attempt(outcome=Outcome.FAILED, retry_after_s=60.0)), ids[3])

    found = inbox.replays.results(replay_id)

    assert found == ReplayResults(
        succeeded=1, dead=1, failing=1, unrun=1, elsewhere=1, is_whole=True
    )
    assert not inbox.replays.results(replay_id, limit=5).is_whole


def test_entries_that_cannot_run_are_counted_by_the_reason(inbox):
    settled(inbox, "m-1", dead())
    inbox.prune(bodies_before=after(1), ids_before=after(-1))
    admit(inbox, "m-2")
    replay_id = start(inbox, Filter(), bulk=bulk()).id

    advance(inbox, replay_id)

    assert inbox.replays.read(replay_id).refused == {
        "the bytes of an entry are gone, so that it cannot run again": 1,
        "an entry is pending: only entries at rest run again": 1,
    }


def first_50_of(inbox, count=60):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(count)]
    replay_id = start(inbox, bulk=bulk(per_second=1000)).id
    assert advance(inbox, replay_id)[0] == ids[:50]
    return replay_id, ids


def test_replay_stops_itself_when_its_first_entries_fail_again(inbox):
    replay_id, ids = first_50_of(inbox)
    run_again(inbox, done(attempt()), *ids[:5])
    run_again(inbox, dead(FAILED), *ids[5:49])
    undecided = advance(inbox, replay_id, 2)
    run_again(inbox, dead(FAILED), ids[49])

    stopped = advance(inbox, replay_id, 4)

    assert (undecided[0], undecided[1].ended_at, undecided[1].next_at) == ([], None, after(3))
    assert (stopped[0], stopped[1].ending, stopped[1].count) == ([], Ending.FAILING, 50)
    assert {each.state for each in inbox.find(Filter(entry_ids=ids[50:]))} == {State.DEAD}


def test_replay_goes_on_when_enough_of_its_first_entries_succeed(inbox):
    replay_id, ids = first_50_of(inbox)
    run_again(inbox, dead(FAILED), *ids[:44])
    assert advance(inbox, replay_id, 2)[0] == []
    run_again(inbox, done(attempt()), *ids[44:])

    assert advance(inbox, replay_id, 4)[0] == ids[50:]


def test_results_of_old_replays_are_forgotten_in_steps(inbox):
    for number in range(3):
        settled(inbox, f"m-{number}", dead())
    replay_id = start(inbox).id
    finish(inbox, replay_id)

    assert not inbox.replays.prune(NOW)
    assert [inbox.replays.prune(after(1), limit=2) for _ in range(2)] == [True, False]
    assert inbox.replays.results(replay_id).unrun == 0
    assert inbox.replays.read(replay_id).count == 3
