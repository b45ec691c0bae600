"""What ``hookkit.inbox.inbox`` promises, held over every inbox: pruning."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import EVERYTHING, State
from hookkit.core.errors import ReplayRefused
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    after,
    attempt,
    claim,
    claim_one,
    dead,
    deliver,
    done,
    item,
    kept,
    record,
    settled,
    waiting,
)

FAILED = attempt(outcome=Outcome.FAILED)
LONG_AGO = -1000


def prune(inbox, *, bodies=LONG_AGO, ids=LONG_AGO, **how):
    """Prune in steps, of what was received before so many seconds; return what is gone."""
    gone_bodies, gone_ids, last = 0, 0, how.pop("after", (0, 0))
    while last is not None:
        step = inbox.prune(bodies_before=after(bodies), ids_before=after(ids), after=last, **how)
        gone_bodies += step.bodies
        gone_ids += step.ids
        last = step.last
    return gone_bodies, gone_ids


def test_bodies_go_first_and_ids_later(inbox):
    entry_id = settled(inbox, "m-1")

    early = prune(inbox, bodies=0)
    bodies = prune(inbox, bodies=0.001)
    stands = record(inbox, entry_id)
    ids = prune(inbox, bodies=0.001, ids=0.001)

    assert (early, bodies, ids) == ((0, 0), (1, 0), (0, 1))
    assert (stands.has_body, stands.state, len(stands.attempts)) == (False, State.DONE, 1)
    assert (kept(inbox), inbox.find()) == ([], [])


def test_id_without_its_body_stops_duplicates_and_is_not_replayed(inbox):
    entry_id = settled(inbox, "m-1")
    prune(inbox, bodies=1)

    (again,) = inbox.admit(deliver(item("m-1"), received_at=after(5))).admitted

    assert (again.entry_id, again.is_new, again.is_conflict) == (entry_id, False, False)
    assert kept(inbox) == []
    with pytest.raises(ReplayRefused, match=f"the bytes of entry {entry_id} are gone"):
        inbox.replay(entry_id, now=NOW)
    assert inbox.replay_all(EVERYTHING, now=NOW)[:2] == ([], None)


def test_conflict_is_seen_when_the_first_body_is_gone(inbox):
    settled(inbox, "m-1")
    prune(inbox, bodies=1)

    (again,) = inbox.admit(deliver(item("m-1", text="other"), body=b"other")).admitted

    assert again.is_conflict
    assert kept(inbox) == [(b"other", True)]


def test_event_is_new_once_its_id_is_gone(inbox):
    gone = settled(inbox, "m-1")
    prune(inbox, bodies=1, ids=1)

    (again,) = inbox.admit(deliver(item("m-1"), received_at=after(5))).admitted

    assert again.is_new
    assert again.entry_id > gone
    assert claim_one(inbox).tries == {}


def test_what_is_not_settled_is_kept_whatever_its_age(inbox):
    (running,) = admit(inbox, "m-1")
    claim_one(inbox)
    waits = settled(inbox, "m-2", waiting(FAILED))
    (pending,) = admit(inbox, "m-3")
    dead_one = settled(inbox, "m-4", dead(FAILED))

    gone = prune(inbox, bodies=10**9, ids=10**9)

    assert gone == (1, 1)
    left = {one.id: one.has_body for one in inbox.find()}
    assert left == {running: True, waits: True, pending: True}
    assert dead_one not in left
    assert all(entry.body for entry in claim(inbox, at=LEASE_S, only=[waits, pending]))


def test_body_is_kept_until_its_last_entry_is_settled(inbox):
    inbox.admit(deliver(item("m-1"), item("m-2"), body=b"both"))
    first, second = claim(inbox)
    inbox.settle(first, done(), now=NOW)

    early = prune(inbox, bodies=1)
    inbox.settle(second, done(), now=NOW)

    assert early == (0, 0)
    assert prune(inbox, bodies=1) == (1, 0)


def test_bodies_of_conflicts_go_as_well(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.admit(deliver(item("m-1", text="other"), body=b"other"))

    gone = prune(inbox, bodies=1)

    assert gone == (1, 0)
    assert [is_conflict for _, is_conflict in kept(inbox)] == [False]
    assert claim_one(inbox).id == entry_id


def test_replay_before_the_pruning_keeps_the_body(inbox):
    entry_id = settled(inbox, "m-1")
    inbox.replay(entry_id, now=NOW)

    assert prune(inbox, bodies=1, ids=1) == (0, 0)
    assert claim_one(inbox).body


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_all_that_is_old_enough_goes_in_steps_of_any_size(inbox, limit):
    for number in range(5):
        settled(inbox, f"old-{number}")
    (left,) = admit(inbox, "old-pending")
    young = settled(inbox, "young", received_at=after(100))

    gone = prune(inbox, bodies=100, ids=100, limit=limit)

    assert gone == (5, 5)
    assert {one.id: one.has_body for one in inbox.find()} == {left: True, young: True}


def test_one_step_deletes_no_more_than_its_limit(sql_inbox):
    for number in range(5):
        settled(sql_inbox, f"m-{number}")

    step = sql_inbox.prune(bodies_before=after(1), ids_before=after(1), limit=2)

    assert (step.bodies, step.ids) == (2, 2)
    assert step.last is not None
    assert (len(sql_inbox.find()), len(kept(sql_inbox))) == (3, 3)


def test_young_ones_end_the_walk(sql_inbox):
    for number in range(5):
        settled(sql_inbox, f"m-{number}")

    step = sql_inbox.prune(bodies_before=NOW, ids_before=NOW, limit=2)

    assert step == (0, 0, None)


def test_pruning_beside_replays_and_deliveries_loses_no_body_that_is_needed(inbox, eager_threads):
    numbers = range(10)
    ids = [settled(inbox, f"m-{number}") for number in numbers]
    start = Barrier(3)

    def replay_each():
        start.wait()
        return [entry_id for entry_id in ids if replayed(inbox, entry_id)]

    def prune_all():
        start.wait()
        return prune(inbox, bodies=1, limit=3)

    def deliver_more():
        start.wait()
        return [admit(inbox, f"n-{number}") for number in numbers]

    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(job) for job in (replay_each, prune_all, deliver_more)]
        due, (bodies, _), _ = (job.result() for job in jobs)

    claimed = claim(inbox, limit=1000)
    assert len(claimed) == len(due) + len(numbers)
    assert all(entry.body for entry in claimed)
    assert bodies == len(ids) - len(due)


def replayed(inbox, entry_id):
    try:
        inbox.replay(entry_id, now=NOW)
    except ReplayRefused:
        return False
    return True
