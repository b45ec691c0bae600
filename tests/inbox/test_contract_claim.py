"""What ``hookkit.inbox.inbox`` promises, held over every inbox: claiming and settling."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
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
    gave_up,
    item,
    record,
    succeeded,
    waiting,
)


def ids(entries):
    return [entry.event_id for entry in entries]


def test_claim_leases_an_entry_and_counts_the_attempt(inbox):
    (entry_id,) = admit(inbox, "m-1")

    entry = claim_one(inbox)

    assert (entry.id, entry.endpoint, entry.event_id) == (entry_id, "support", "m-1")
    assert (entry.claim_count, entry.replays, entry.tries) == (1, 0, {})
    assert entry.received_at == NOW
    stands = record(inbox, entry_id)
    assert (stands.state, stands.claim_count) == (State.RUNNING, 1)


def test_claimed_entry_knows_its_place_in_the_payload(inbox):
    inbox.admit(deliver(item("m-9"), item("m-1"), item("m-5")))

    claimed = claim(inbox)

    assert [(entry.event_id, entry.position) for entry in claimed] == [
        ("m-9", 0),
        ("m-1", 1),
        ("m-5", 2),
    ]


def test_oldest_is_claimed_first(inbox):
    admit(inbox, "late", received_at=after(3))
    admit(inbox, "early", received_at=after(1))
    admit(inbox, "middle", received_at=after(2))

    first, second, third = (claim_one(inbox, at=5, limit=1) for _ in range(3))

    assert ids([first, second, third]) == ["early", "middle", "late"]


def test_retry_takes_its_place_by_when_it_became_due(inbox):
    admit(inbox, "retried")
    inbox.settle(claim_one(inbox), waiting(retry_after_s=20), now=NOW)
    admit(inbox, "before", received_at=after(10))
    admit(inbox, "behind", received_at=after(30))

    claimed = claim(inbox, at=40)

    assert ids(claimed) == ["before", "retried", "behind"]


def test_no_more_than_the_limit_is_claimed(inbox):
    admit(inbox, "m-1", "m-2", "m-3")

    claimed = claim(inbox, limit=2)

    assert ids(claimed) == ["m-1", "m-2"]
    assert inbox.counts()[State.PENDING] == 1


def test_limit_of_nothing_claims_nothing(inbox):
    admit(inbox, "m-1")

    assert claim(inbox, limit=0) == []
    assert inbox.counts()[State.PENDING] == 1


def test_only_the_given_endpoints_are_claimed(inbox):
    admit(inbox, "m-1", endpoint="sales")
    admit(inbox, "m-2", endpoint="support")
    admit(inbox, "m-3", endpoint="billing")

    assert claim(inbox, endpoints=()) == []
    assert ids(claim(inbox, endpoints=("support", "unheard-of"))) == ["m-2"]
    assert ids(claim(inbox, endpoints={"billing", "sales"})) == ["m-1", "m-3"]


def test_running_entry_is_not_claimed_again(inbox):
    admit(inbox, "m-1")
    claim_one(inbox)

    assert claim(inbox, at=LEASE_S - 0.001) == []


def test_pending_entry_is_due_whatever_the_clock_says(inbox):
    admit(inbox, "m-1", received_at=after(3600))

    assert ids(claim(inbox, at=0)) == ["m-1"]


def test_waiting_entry_is_claimed_once_it_is_due(inbox):
    admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), waiting(retry_after_s=30), now=NOW)

    too_early = claim(inbox, at=29.999)
    due = claim(inbox, at=30)

    assert too_early == []
    assert [(entry.event_id, entry.claim_count) for entry in due] == [("m-1", 2)]


@pytest.mark.parametrize("settlement", [done(), dead()], ids=["done", "dead"])
def test_settled_entry_is_never_claimed(inbox, settlement):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), settlement, now=NOW)

    assert claim(inbox, at=10**6) == []
    assert claim(inbox, at=10**6, only=[entry_id]) == []


def test_entry_whose_lease_is_over_is_claimed_again(inbox):
    admit(inbox, "m-1")
    first = claim_one(inbox)

    second = claim_one(inbox, at=LEASE_S)

    assert (second.id, second.claim_count) == (first.id, 2)
    assert second.lease_token != first.lease_token


def test_entry_whose_lease_is_over_is_claimed_alone(inbox):
    admit(inbox, "killer", "neighbour")
    claim(inbox)
    admit(inbox, "later", received_at=after(LEASE_S + 5))

    claims = [ids(claim(inbox, at=LEASE_S + 10)) for _ in range(4)]

    assert claims == [["killer"], ["neighbour"], ["later"], []]


def test_batch_passes_over_an_entry_whose_lease_is_over(inbox):
    admit(inbox, "killer")
    claim(inbox)
    admit(inbox, "before", received_at=after(1))
    admit(inbox, "behind", received_at=after(LEASE_S + 1))

    claims = [ids(claim(inbox, at=LEASE_S + 10)) for _ in range(3)]

    assert claims == [["before", "behind"], ["killer"], []]


def test_only_claims_exactly_these_entries(inbox):
    first, _, third = admit(inbox, "m-1", "m-2", "m-3")

    claimed = claim(inbox, only=[third, first, 10**6])

    assert ids(claimed) == ["m-1", "m-3"]
    assert inbox.counts()[State.PENDING] == 1


def test_only_nothing_claims_nothing(inbox):
    admit(inbox, "m-1")

    assert claim(inbox, only=[]) == []


def test_only_keeps_to_the_endpoints_and_the_limit(inbox):
    here = admit(inbox, "m-1", "m-2")
    there = admit(inbox, "m-3", endpoint="sales")

    claimed = claim(inbox, only=there + here, limit=1)

    assert ids(claimed) == ["m-1"]
    assert claim(inbox, only=there) == []


def test_only_claims_a_waiting_entry_at_once(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), waiting(retry_after_s=3600), now=NOW)

    claimed = claim(inbox, only=[entry_id])

    assert [(entry.id, entry.claim_count) for entry in claimed] == [(entry_id, 2)]


def test_only_leaves_a_running_entry_to_its_holder(inbox):
    (entry_id,) = admit(inbox, "m-1")
    claim_one(inbox)

    assert claim(inbox, only=[entry_id], at=LEASE_S - 0.001) == []
    assert ids(claim(inbox, only=[entry_id], at=LEASE_S)) == ["m-1"]


def test_only_claims_an_entry_whose_lease_is_over_alone(inbox):
    entry_ids = admit(inbox, "killer")
    claim(inbox)
    entry_ids += admit(inbox, "other", received_at=after(LEASE_S))

    claims = [ids(claim(inbox, only=entry_ids, at=LEASE_S + 1)) for _ in range(2)]

    assert claims == [["killer"], ["other"]]


def test_only_passes_over_an_entry_whose_lease_is_over_for_older_ones(inbox):
    entry_ids = admit(inbox, "killer")
    claim(inbox)
    entry_ids += admit(inbox, "older", received_at=after(1))

    claims = [ids(claim(inbox, only=entry_ids, at=LEASE_S + 1)) for _ in range(2)]

    assert claims == [["older"], ["killer"]]


def test_batch_of_chosen_ones_passes_over_an_entry_whose_lease_is_over(inbox):
    entry_ids = admit(inbox, "killer")
    claim_one(inbox)
    entry_ids += admit(inbox, "before", received_at=after(1))
    entry_ids += admit(inbox, "behind", received_at=after(LEASE_S + 1))

    claims = [ids(claim(inbox, only=entry_ids, at=LEASE_S + 5)) for _ in range(3)]

    assert claims == [["before", "behind"], ["killer"], []]


def test_only_takes_many_ids(inbox):
    entry_ids = admit(inbox, *(f"m-{number}" for number in range(1_200)))

    claimed = claim(inbox, only=entry_ids, limit=1_200)

    assert [entry.id for entry in claimed] == entry_ids


def test_threads_never_claim_the_same_entry(inbox, eager_threads):
    threads = 6
    admit(inbox, *(f"m-{number}" for number in range(60)))
    start = Barrier(threads)

    def claim_all(_):
        start.wait()
        claimed = []
        while batch := claim(inbox, limit=3):
            claimed += batch
        return ids(claimed)

    with ThreadPoolExecutor(threads) as pool:
        claimed = [event_id for part in pool.map(claim_all, range(threads)) for event_id in part]

    left = ids(claim(inbox, limit=100))
    assert sorted(claimed + left) == sorted(f"m-{number}" for number in range(60))


def test_renewed_lease_lasts_longer(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)

    assert inbox.renew([entry], now=after(50), lease_s=LEASE_S)

    assert claim(inbox, at=109.999) == []
    assert ids(claim(inbox, at=110)) == ["m-1"]


def test_lease_that_is_over_can_be_renewed_by_its_last_holder(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)

    assert inbox.renew([entry], now=after(LEASE_S + 5), lease_s=LEASE_S)

    assert claim(inbox, at=LEASE_S + 10) == []


def test_lease_of_another_claim_is_not_renewed(inbox):
    admit(inbox, "m-1")
    first = claim_one(inbox)
    claim_one(inbox, at=LEASE_S)

    assert not inbox.renew([first], now=after(LEASE_S), lease_s=10**6)

    assert ids(claim(inbox, at=2 * LEASE_S)) == ["m-1"]


def test_settled_entry_is_not_renewed(inbox):
    (entry_id,) = admit(inbox, "m-1")
    entry = claim_one(inbox)
    inbox.settle(entry, done(), now=NOW)

    assert not inbox.renew([entry], now=NOW, lease_s=LEASE_S)

    assert record(inbox, entry_id).state is State.DONE


def test_settlement_records_every_outcome(inbox):
    (entry_id,) = admit(inbox, "m-1")
    failed = attempt(
        "log", Outcome.FAILED, error="ValueError: no \ud800 \x00", raised_at="own/\x00.py:7"
    )

    assert inbox.settle(claim_one(inbox), dead(attempt("greet"), failed), now=NOW)

    stands = record(inbox, entry_id)
    assert stands.state is State.DEAD
    assert [(one.number, one.handler, one.outcome) for one in stands.attempts] == [
        (1, "greet", Outcome.SUCCEEDED),
        (1, "log", Outcome.FAILED),
    ]
    assert [(one.error, one.raised_at) for one in stands.attempts] == [
        (None, None),
        ("ValueError: no \\ud800 \\x00", "own/\\x00.py:7"),
    ]
    times = {(one.started_at, one.ended_at) for one in stands.attempts}
    assert times == {(NOW, NOW + timedelta(milliseconds=250))}


def test_entry_settles_without_outcomes(inbox):
    (entry_id,) = admit(inbox, "m-1")

    assert inbox.settle(claim_one(inbox), done(), now=NOW)

    stands = record(inbox, entry_id)
    assert (stands.state, stands.attempts) == (State.DONE, ())


def test_times_are_cut_to_milliseconds(inbox):
    (entry_id,) = admit(inbox, "m-1")
    fine = attempt(started_at=after(0.000999), ended_at=after(0.001999))

    inbox.settle(claim_one(inbox), done(fine), now=NOW)

    (recorded,) = record(inbox, entry_id).attempts
    assert (recorded.started_at, recorded.ended_at) == (NOW, after(0.001))


def test_waiting_entry_tells_when_it_is_tried_again(inbox):
    (entry_id,) = admit(inbox, "m-1")

    inbox.settle(claim_one(inbox), waiting(retry_after_s=4.5), now=after(1))

    stands = record(inbox, entry_id)
    assert (stands.state, stands.next_attempt_at) == (State.WAITING, after(5.5))


def test_attempts_are_numbered_and_kept_oldest_first(inbox):
    (entry_id,) = admit(inbox, "m-1")
    for number, at in enumerate((0, 100, 200), start=1):
        failed = attempt("log", Outcome.FAILED, number=number, error=f"at {at}")
        inbox.settle(claim_one(inbox, at=at), waiting(failed), now=after(at))

    told = [(one.number, one.error) for one in record(inbox, entry_id).attempts]

    assert told == [(1, "at 0"), (2, "at 100"), (3, "at 200")]


def test_late_worker_settles_nothing(inbox):
    (entry_id,) = admit(inbox, "m-1")
    late = claim_one(inbox)
    current = claim_one(inbox, at=LEASE_S)

    assert not inbox.settle(late, done(attempt()), now=after(LEASE_S))

    stands = record(inbox, entry_id)
    assert (stands.state, stands.attempts) == (State.RUNNING, ())
    assert inbox.settle(current, done(attempt()), now=after(LEASE_S))


def test_entry_settles_once(inbox):
    (entry_id,) = admit(inbox, "m-1")
    entry = claim_one(inbox)
    inbox.settle(entry, done(attempt()), now=NOW)

    assert not inbox.settle(entry, dead(attempt()), now=NOW)

    stands = record(inbox, entry_id)
    assert (stands.state, len(stands.attempts)) == (State.DONE, 1)


def test_worker_whose_lease_is_over_settles_when_nobody_else_claimed(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)

    assert inbox.settle(entry, done(), now=after(10 * LEASE_S))


def test_handlers_that_succeeded_are_told_to_the_next_claim(inbox):
    admit(inbox, "m-1", "m-2")
    first, second = claim(inbox)
    partly = waiting(attempt("greet"), attempt("log", Outcome.FAILED), retry_after_s=0)
    inbox.settle(first, partly, now=NOW)
    inbox.settle(second, waiting(attempt("", Outcome.UNHANDLED), retry_after_s=0), now=NOW)

    claimed = claim(inbox)

    told = {entry.event_id: succeeded(entry) for entry in claimed}
    assert told == {"m-1": {"greet"}, "m-2": set()}


def test_replay_of_a_done_entry_runs_every_handler_again(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), done(attempt("greet")), now=NOW)

    inbox.replay(entry_id, now=after(10))

    assert record(inbox, entry_id).state is State.PENDING
    entry = claim_one(inbox, at=10)
    assert (entry.replays, succeeded(entry), entry.claim_count) == (1, set(), 1)


@pytest.mark.parametrize("settle_as", [dead, waiting], ids=["dead", "waiting"])
def test_replay_runs_what_has_not_succeeded(inbox, settle_as):
    (entry_id,) = admit(inbox, "m-1")
    partly = settle_as(attempt("greet"), attempt("log", Outcome.FAILED))
    inbox.settle(claim_one(inbox), partly, now=NOW)

    inbox.replay(entry_id, now=NOW)

    stands = record(inbox, entry_id)
    assert (stands.claim_count, stands.next_attempt_at) == (0, None)
    entry = claim_one(inbox)
    assert (entry.replays, succeeded(entry), entry.claim_count) == (1, {"greet"}, 1)


def test_replay_gives_all_attempts_again_and_keeps_the_old_ones(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), waiting(attempt(outcome=Outcome.FAILED)), now=NOW)
    inbox.settle(
        claim_one(inbox, at=99), dead(attempt(outcome=Outcome.FAILED, number=2)), now=after(99)
    )

    inbox.replay(entry_id, now=after(100))
    inbox.settle(claim_one(inbox, at=100), done(attempt()), now=after(100))

    stands = record(inbox, entry_id)
    assert [(one.number, one.replays) for one in stands.attempts] == [(1, 0), (2, 0), (1, 1)]
    assert stands.claim_count == 1


def test_retry_of_a_replay_is_a_replay(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), done(attempt("greet")), now=NOW)
    inbox.replay(entry_id, now=NOW)
    partly = waiting(attempt("greet"), attempt("log", Outcome.FAILED), retry_after_s=0)
    inbox.settle(claim_one(inbox), partly, now=NOW)

    entry = claim_one(inbox)

    assert (entry.replays, entry.claim_count, succeeded(entry)) == (1, 2, {"greet"})


def test_second_replay_of_a_done_entry_starts_over_as_well(inbox):
    (entry_id,) = admit(inbox, "m-1")
    for _ in range(2):
        inbox.settle(claim_one(inbox), done(attempt("greet")), now=NOW)
        inbox.replay(entry_id, now=NOW)

    assert succeeded(claim_one(inbox)) == set()


def test_replayed_entry_is_due_since_its_replay(inbox):
    (entry_id,) = admit(inbox, "replayed")
    inbox.settle(claim_one(inbox), done(), now=NOW)
    admit(inbox, "waited", received_at=after(5))

    inbox.replay(entry_id, now=after(10))

    assert ids(claim(inbox, at=10)) == ["waited", "replayed"]


def test_late_worker_does_not_settle_a_replay(inbox):
    (entry_id,) = admit(inbox, "m-1")
    late = claim_one(inbox)
    inbox.settle(claim_one(inbox, at=LEASE_S), dead(), now=after(LEASE_S))
    inbox.replay(entry_id, now=after(LEASE_S))

    assert not inbox.settle(late, done(), now=after(LEASE_S))

    assert record(inbox, entry_id).state is State.PENDING


def test_pending_entry_is_not_replayed(inbox):
    (entry_id,) = admit(inbox, "m-1")

    with pytest.raises(ReplayRefused, match=f"entry {entry_id} is pending"):
        inbox.replay(entry_id, now=NOW)

    assert claim_one(inbox).replays == 0


def test_running_entry_is_not_replayed(inbox):
    (entry_id,) = admit(inbox, "m-1")
    entry = claim_one(inbox)

    with pytest.raises(ReplayRefused, match=f"entry {entry_id} is running"):
        inbox.replay(entry_id, now=NOW)

    assert inbox.settle(entry, done(), now=NOW)


@pytest.mark.parametrize("entry_id", [0, -1, 7])
def test_what_is_not_there_is_not_replayed(inbox, entry_id):
    with pytest.raises(ReplayRefused, match=f"there is no entry {entry_id}"):
        inbox.replay(entry_id, now=NOW)


def test_nothing_is_due_in_an_empty_inbox(inbox):
    assert inbox.next_due_at(["support"]) is None


def test_pending_entry_has_been_due_since_it_was_received(inbox):
    admit(inbox, "m-1", received_at=after(5))
    admit(inbox, "m-2", received_at=after(1))

    assert inbox.next_due_at(["support"]) == after(1)


def test_running_entry_is_due_when_its_lease_is_over(inbox):
    admit(inbox, "m-1")
    claim_one(inbox, at=5)

    assert inbox.next_due_at(["support"]) == after(5 + LEASE_S)


def test_waiting_entry_is_due_at_its_next_attempt(inbox):
    admit(inbox, "m-1", "m-2")
    first, second = claim(inbox)
    inbox.settle(first, waiting(retry_after_s=50), now=NOW)
    inbox.settle(second, waiting(retry_after_s=40), now=NOW)

    assert inbox.next_due_at(["support"]) == after(40)


@pytest.mark.parametrize("settlement", [done(), dead()], ids=["done", "dead"])
def test_settled_entry_is_never_due(inbox, settlement):
    admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), settlement, now=NOW)

    assert inbox.next_due_at(["support"]) is None


def test_only_the_given_endpoints_are_due(inbox):
    admit(inbox, "m-1", endpoint="sales")

    assert inbox.next_due_at(["support"]) is None
    assert inbox.next_due_at([]) is None
    assert inbox.next_due_at({"support", "sales"}) == NOW


def test_discarded_handler_counts_as_finished(inbox):
    admit(inbox, "m-1")
    inbox.settle(
        claim_one(inbox),
        waiting(attempt("greet", Outcome.DISCARDED), attempt("flaky", Outcome.FAILED)),
        now=NOW,
    )

    again = claim_one(inbox, at=30)

    assert (succeeded(again), gave_up(again)) == ({"greet"}, set())


def test_handler_that_gave_up_is_told_until_a_replay(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(
        claim_one(inbox),
        waiting(attempt("broken", Outcome.GAVE_UP), attempt("flaky", Outcome.FAILED)),
        now=NOW,
    )

    again = claim_one(inbox, at=30)
    inbox.settle(again, dead(attempt("flaky", Outcome.FAILED)), now=after(30))
    inbox.replay(entry_id, now=after(31))
    replayed = claim_one(inbox, at=31)

    assert (gave_up(again), gave_up(replayed)) == ({"broken"}, set())


def test_claim_tells_whether_the_one_before_it_was_never_settled(inbox):
    admit(inbox, "m-1")

    first = claim_one(inbox)
    second = claim_one(inbox, at=LEASE_S)
    inbox.settle(second, waiting(attempt("flaky", Outcome.FAILED)), now=after(LEASE_S))
    third = claim_one(inbox, at=LEASE_S + 30)

    assert [entry.lost_claim_count for entry in (first, second, third)] == [0, 1, 0]


def test_outcome_may_be_of_an_earlier_attempt(inbox):
    (entry_id,) = admit(inbox, "m-1")
    claim_one(inbox)
    second = claim_one(inbox, at=LEASE_S)

    inbox.settle(second, done(attempt("greet", Outcome.LOST, number=1), attempt(number=2)), now=NOW)

    recorded = record(inbox, entry_id).attempts
    assert [(one.number, one.outcome) for one in recorded] == [
        (1, Outcome.LOST),
        (2, Outcome.SUCCEEDED),
    ]


def test_has_due_tells_what_a_claim_would_find(inbox):
    def has_due(at=0, *endpoints):
        return inbox.has_due(endpoints or ("support",), now=after(at))

    empty = has_due()
    admit(inbox, "m-1")
    pending = [has_due(), has_due(-3600), has_due(0, "sales")]
    entry = claim_one(inbox)
    running = [has_due(LEASE_S - 1), has_due(LEASE_S)]
    inbox.settle(entry, waiting(attempt("greet", Outcome.FAILED)), now=NOW)
    failed = [has_due(29), has_due(30)]
    inbox.settle(claim_one(inbox, at=30), done(attempt()), now=after(30))

    assert not empty
    assert pending == [True, True, False]  # a clock that was set back holds up nothing
    assert running == [False, True]
    assert failed == [False, True]
    assert not has_due(10**6)
