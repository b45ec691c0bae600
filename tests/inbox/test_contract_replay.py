"""What ``hookkit.inbox.inbox`` promises, held over every inbox: replaying."""

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, Settlement, State
from hookkit.core.errors import ReplayRefused
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    after,
    attempt,
    claim_one,
    dead,
    done,
    record,
    settled,
    succeeded,
    waiting,
)

FAILED = attempt(outcome=Outcome.FAILED)


def replay_all(inbox, **how):
    names = ("handlers", "after_id", "up_to_id", "limit")
    options = {name: how.pop(name) for name in names if name in how}
    return inbox.replay_all(Filter(**how), now=NOW, **options)


@pytest.fixture
def mixture(inbox):
    """Fill the inbox with entries that differ in every part that a filter may name."""

    def with_type(state, outcome, event_type):
        attempts = (attempt(outcome=outcome),)
        return Settlement(state=state, retry_after_s=None, attempts=attempts, event_type=event_type)

    return {
        "done": settled(
            inbox, "m-1", with_type(State.DONE, Outcome.SUCCEEDED, "conversation:message")
        ),
        "dead": settled(inbox, "m-2", with_type(State.DEAD, Outcome.FAILED, "other")),
        "unhandled": settled(inbox, "m-3", with_type(State.DONE, Outcome.UNHANDLED, "other")),
        "sales": settled(inbox, "m-4", endpoint="sales"),
        "late": settled(inbox, "m-5", received_at=after(100)),
    }


@pytest.mark.parametrize(
    ("wanted", "replayed"),
    [
        pytest.param({}, {"done", "dead", "unhandled", "sales", "late"}, id="everything"),
        pytest.param({"endpoint": "sales"}, {"sales"}, id="endpoint"),
        pytest.param({"state": State.DEAD}, {"dead"}, id="state"),
        pytest.param({"outcome": Outcome.UNHANDLED}, {"unhandled"}, id="outcome"),
        pytest.param({"type": "other"}, {"dead", "unhandled"}, id="event type"),
        pytest.param(
            {"type": "conversation:message"},
            {"done", "dead", "unhandled", "sales", "late"},
            id="vendor type as well",
        ),
        pytest.param({"type": "nothing"}, set(), id="no such type"),
        pytest.param({"untried_by": "greet"}, set(), id="untried by the only handler"),
        pytest.param(
            {"untried_by": "new", "endpoint": "sales"}, {"sales"}, id="untried by a new handler"
        ),
        pytest.param({"since": after(100)}, {"late"}, id="since, inclusive"),
        pytest.param({"since": after(100.001)}, set(), id="since, just later"),
        pytest.param(
            {"until": after(100)}, {"done", "dead", "unhandled", "sales"}, id="until, exclusive"
        ),
        pytest.param(
            {"until": after(100.001)},
            {"done", "dead", "unhandled", "sales", "late"},
            id="until, just later",
        ),
        pytest.param({"since": NOW, "until": NOW}, set(), id="no time at all"),
        pytest.param({"state": State.DONE, "type": "other"}, {"unhandled"}, id="two parts"),
        pytest.param({"entry_ids": []}, set(), id="no ids"),
        pytest.param({"entry_ids": [10**6]}, set(), id="an id that is not there"),
    ],
)
def test_what_a_filter_leaves_is_replayed(inbox, mixture, wanted, replayed):
    batch = replay_all(inbox, **wanted)

    expected = sorted(mixture[name] for name in replayed)
    assert (batch.entry_ids, batch.last_id) == (expected, None)
    pending = {one.id for one in inbox.find(Filter(state=State.PENDING))}
    assert pending == set(expected)


def test_chosen_ids_are_replayed(inbox, mixture):
    batch = replay_all(inbox, entry_ids={mixture["dead"], mixture["late"]})

    assert batch.entry_ids == [mixture["dead"], mixture["late"]]


def test_outcome_of_an_earlier_run_does_not_count(inbox):
    entry_id = settled(inbox, "m-1", done(attempt("", Outcome.UNHANDLED)))
    inbox.replay(entry_id, now=NOW)
    inbox.settle(claim_one(inbox), done(attempt()), now=NOW)

    again = replay_all(inbox, outcome=Outcome.UNHANDLED)
    by_the_present = replay_all(inbox, outcome=Outcome.SUCCEEDED)

    assert (again.entry_ids, by_the_present.entry_ids) == ([], [entry_id])


def test_replayed_entries_are_due_at_once_and_tell_how_often(inbox):
    entry_id = settled(inbox, "m-1")

    replay_all(inbox)

    stands = record(inbox, entry_id)
    assert (stands.state, stands.replays, stands.claim_count) == (State.PENDING, 1, 0)
    assert inbox.next_due_at(["support"]) == NOW
    assert claim_one(inbox).replays == 1


def test_many_are_walked_by_their_ids(inbox):
    ids = [settled(inbox, f"m-{number}") for number in range(5)]

    steps, after_id = [], 0
    while after_id is not None:
        batch = replay_all(inbox, limit=2, after_id=after_id)
        steps.append(batch.entry_ids)
        after_id = batch.last_id

    assert steps == [ids[:2], ids[2:4], ids[4:]]
    assert {record(inbox, each).replays for each in ids} == {1}


def test_none_is_replayed_beyond_the_last_that_is_meant(inbox):
    ids = [settled(inbox, f"m-{number}") for number in range(4)]

    batch = replay_all(inbox, up_to_id=ids[1], after_id=ids[0])

    assert batch[:2] == ([ids[1]], None)
    assert [record(inbox, each).replays for each in ids] == [0, 1, 0, 0]


def test_limit_counts_what_is_passed_over(inbox):
    (pending,) = admit(inbox, "m-0")
    entry_id = settled(inbox, "m-1")

    first = replay_all(inbox, limit=1)
    second = replay_all(inbox, limit=1, after_id=first.last_id)

    assert (first.entry_ids, first.last_id) == ([], pending)
    assert (second.entry_ids, second.last_id) == ([entry_id], entry_id)


def test_what_runs_or_is_due_is_passed_over(inbox):
    admit(inbox, "m-1")
    running = claim_one(inbox)
    (pending,) = admit(inbox, "m-2")
    waits = settled(inbox, "m-3", waiting(FAILED))

    batch = replay_all(inbox)

    assert batch.entry_ids == [waits]
    assert record(inbox, pending).replays == 0
    assert inbox.settle(running, done(), now=NOW)


def test_chosen_handlers_run_whether_they_have_succeeded_or_not(inbox):
    entry_id = settled(inbox, "m-1", dead(attempt("greet"), attempt("log", Outcome.FAILED)))

    inbox.replay(entry_id, now=NOW, handlers=["greet"])

    entry = claim_one(inbox)
    assert (entry.chosen, succeeded(entry)) == ({"greet"}, set())


def test_other_handlers_keep_their_successes(inbox):
    entry_id = settled(inbox, "m-1", done(attempt("greet"), attempt("log")))

    inbox.replay(entry_id, now=NOW, handlers=["greet"])

    assert succeeded(claim_one(inbox)) == {"log"}


def test_successes_of_chosen_handlers_hold_for_the_next_replay(inbox):
    entry_id = settled(inbox, "m-1", dead(attempt("greet", Outcome.FAILED), attempt("log")))
    inbox.replay(entry_id, now=NOW, handlers=["greet"])
    inbox.settle(claim_one(inbox), dead(attempt("greet")), now=NOW)

    inbox.replay(entry_id, now=NOW)

    entry = claim_one(inbox)
    assert (entry.chosen, succeeded(entry), entry.replays) == (None, {"greet", "log"}, 2)


def test_replay_without_chosen_ones_forgets_them(inbox):
    entry_id = settled(inbox, "m-1", done(attempt("greet"), attempt("log")))
    inbox.replay(entry_id, now=NOW, handlers=["greet"])
    inbox.settle(claim_one(inbox), done(attempt("greet")), now=NOW)

    inbox.replay(entry_id, now=NOW)

    entry = claim_one(inbox)
    assert (entry.chosen, succeeded(entry)) == (None, set())


def test_handlers_of_a_waiting_entry_cannot_be_chosen(inbox):
    entry_id = settled(inbox, "m-1", waiting(FAILED))

    with pytest.raises(ReplayRefused, match="handlers cannot be chosen now"):
        inbox.replay(entry_id, now=NOW, handlers=["greet"])
    batch = replay_all(inbox, handlers=["greet"])

    assert batch.entry_ids == []
    assert record(inbox, entry_id).state is State.WAITING


def test_handler_that_gave_up_is_asked_again_by_a_replay_and_not_by_a_retry(inbox):
    gave_up = attempt("greet", Outcome.GAVE_UP)
    entry_id = settled(inbox, "m-1", waiting(gave_up, attempt("log", Outcome.FAILED)))

    retried = claim_one(inbox, at=30)
    inbox.settle(retried, dead(attempt("log", Outcome.FAILED, number=2)), now=after(30))
    inbox.replay(entry_id, now=after(31))
    replayed = claim_one(inbox, at=31)
    inbox.settle(replayed, dead(attempt("greet", Outcome.GAVE_UP)), now=after(31))
    inbox.replay(entry_id, now=after(32), handlers=["greet"])
    again = claim_one(inbox, at=32)

    assert [each.tries["greet"].gave_up for each in (retried, replayed, again)] == [
        True,
        False,
        False,
    ]
    assert [each.tries["greet"].count for each in (retried, replayed, again)] == [1, 0, 0]


def test_due_times_of_handlers_are_those_of_their_last_attempts(inbox):
    soon = attempt("greet", Outcome.FAILED, retry_after_s=10)
    late = attempt("log", Outcome.FAILED, retry_after_s=500)
    entry_id = settled(inbox, "m-1", waiting(soon, late, retry_after_s=10))

    first = claim_one(inbox, at=10)
    again = attempt("greet", Outcome.FAILED, retry_after_s=20, number=2)
    inbox.settle(first, waiting(again, retry_after_s=20), now=after(10))
    second = claim_one(inbox, at=30)

    due = [{name: tries.due_at for name, tries in one.tries.items()} for one in (first, second)]
    assert due == [{"greet": after(10), "log": after(500)}, {"greet": after(30), "log": after(500)}]
    recorded = [one.retry_at for one in record(inbox, entry_id).attempts]
    assert recorded == [after(10), after(500), after(30)]


def test_entry_that_was_replayed_since_somebody_looked_is_left_alone(inbox):
    entry_id = settled(inbox, "m-1", dead(FAILED))
    inbox.replay(entry_id, now=NOW, replays=0)
    inbox.settle(claim_one(inbox), dead(FAILED), now=NOW)

    with pytest.raises(ReplayRefused, match="has changed meanwhile"):
        inbox.replay(entry_id, now=NOW, replays=0)
    assert record(inbox, entry_id).state is State.DEAD
    inbox.replay(entry_id, now=NOW, replays=1)


def test_due_times_of_an_earlier_run_do_not_count(inbox):
    late = attempt("greet", Outcome.FAILED, retry_after_s=500)
    entry_id = settled(inbox, "m-1", waiting(late, retry_after_s=500))

    inbox.replay(entry_id, now=NOW)

    tries = claim_one(inbox).tries["greet"]
    assert (tries.count, tries.due_at, tries.is_finished) == (0, None, False)


def test_claims_that_were_lost_in_a_row_are_counted_until_a_replay(inbox):
    (entry_id,) = admit(inbox, "m-1")
    claims = [claim_one(inbox, at=number * LEASE_S) for number in range(3)]
    inbox.settle(claims[-1], dead(FAILED), now=after(3 * LEASE_S))
    inbox.replay(entry_id, now=after(3 * LEASE_S))

    replayed = claim_one(inbox, at=3 * LEASE_S)
    after_that = claim_one(inbox, at=4 * LEASE_S)

    lost = [each.lost_claim_count for each in (*claims, replayed, after_that)]
    assert lost == [0, 1, 2, 0, 1]
