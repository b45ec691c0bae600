"""What ``hookkit.inbox.inbox`` promises, held over every inbox: what is claimed and not begun."""

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    admit_in_lane,
    after,
    attempt,
    claim,
    claim_one,
    done,
    record,
    waiting,
)


@pytest.fixture
def entry_ids(inbox):
    return admit(inbox, "first", "second", "third")


def stands(inbox, entry_id):
    found = record(inbox, entry_id)
    return found.state, found.claim_count


def ids(entries):
    return [entry.id for entry in entries]


def begin(inbox, entry, at=0):
    return inbox.begin(entry, now=after(at), lease_s=LEASE_S)


def test_only_what_is_leased_has_begun(inbox, entry_ids):
    claimed = claim(inbox, limit=1, ahead=1)

    assert ids(claimed) == entry_ids[:2]
    assert [entry.claim_count for entry in claimed] == [1, 1]
    assert [stands(inbox, each) for each in entry_ids] == [
        (State.RUNNING, 1),
        (State.WAITING, 0),
        (State.PENDING, 0),
    ]


def test_set_aside_entry_is_nobody_elses_until_the_lease_is_over(inbox, entry_ids):
    claim(inbox, limit=1, ahead=2)

    before = claim(inbox, at=LEASE_S - 1)
    inbox_says = record(inbox, entry_ids[1]).next_attempt_at

    assert (before, inbox_says) == ([], after(LEASE_S))


def test_worker_that_dies_has_spent_no_attempt_of_what_it_set_aside(inbox, entry_ids):
    claim(inbox, limit=1, ahead=2)

    lost = claim(inbox, at=LEASE_S, ahead=5)
    others = claim(inbox, at=LEASE_S, ahead=5)

    assert [(one.id, one.claim_count, one.lost_claim_count) for one in lost] == [
        (entry_ids[0], 2, 1)
    ]
    assert [(one.id, one.claim_count, one.lost_claim_count) for one in others] == [
        (each, 1, 0) for each in entry_ids[1:]
    ]


def test_set_aside_entry_begins_once_however_often_it_is_asked_for(inbox, entry_ids):
    _, second = claim(inbox, limit=1, ahead=1)

    begun = [begin(inbox, second, at=30), begin(inbox, second, at=40)]

    assert begun == [True, True]
    assert stands(inbox, entry_ids[1]) == (State.RUNNING, 1)
    # Its lease began when it did, and not with the claim.
    assert claim(inbox, at=99.999, only=[second.id]) == []
    assert ids(claim(inbox, at=100, only=[second.id])) == [second.id]


@pytest.mark.parametrize("how", ["claimed", "replayed", "given back", "settled"])
def test_set_aside_entry_that_is_ours_no_more_does_not_begin(inbox, entry_ids, how):
    _, second = claim(inbox, limit=1, ahead=1)
    match how:
        case "claimed":
            claim_one(inbox, only=[second.id])
        case "replayed":
            inbox.replay(second.id, now=NOW)
        case "given back":
            inbox.give_back([second], now=NOW)
        case "settled":
            begin(inbox, second)
            inbox.settle(second, waiting(retry_after_s=5), now=NOW)
    before = stands(inbox, second.id)

    assert not begin(inbox, second)
    assert stands(inbox, second.id) == before


def test_entry_is_settled_and_the_next_begins(inbox, entry_ids):
    first, second = claim(inbox, limit=1, ahead=1)

    told = inbox.settle_and_begin(
        first, done(attempt("greet")), second, now=after(5), lease_s=LEASE_S
    )

    assert told == (True, True)
    assert stands(inbox, first.id) == (State.DONE, 1)
    assert stands(inbox, second.id) == (State.RUNNING, 1)
    (made,) = record(inbox, first.id).attempts
    assert (made.handler, made.outcome) == ("greet", Outcome.SUCCEEDED)
    assert ids(claim(inbox, at=4 + LEASE_S, only=[second.id])) == []
    assert ids(claim(inbox, at=5 + LEASE_S, only=[second.id])) == [second.id]


@pytest.mark.parametrize("taken", [0, 1])
def test_one_of_two_that_is_ours_no_more_does_not_keep_the_other(inbox, entry_ids, taken):
    pair = claim(inbox, limit=1, ahead=1)
    claim_one(inbox, at=LEASE_S, only=[pair[taken].id])

    told = inbox.settle_and_begin(
        pair[0], done(attempt()), pair[1], now=after(LEASE_S), lease_s=LEASE_S
    )

    assert told == ((False, True) if taken == 0 else (True, False))
    assert stands(inbox, pair[0].id)[0] is (State.RUNNING if taken == 0 else State.DONE)


def test_what_is_given_back_can_be_claimed_at_once(inbox, entry_ids):
    first, *others = claim(inbox, limit=1, ahead=2)

    inbox.give_back([first, *others], now=after(1))

    assert ids(claim(inbox, at=1)) == entry_ids[1:]
    assert stands(inbox, first.id) == (State.RUNNING, 1)  # it had begun


def test_what_another_has_claimed_since_is_not_given_back(inbox, entry_ids):
    _, second = claim(inbox, limit=1, ahead=1)
    taken = claim_one(inbox, only=[second.id])

    inbox.give_back([second], now=after(1))

    assert inbox.settle(taken, done(attempt()), now=after(2))


def test_giving_back_nothing_is_fine(inbox):
    inbox.give_back([], now=NOW)

    assert inbox.find() == []


def test_renewing_what_is_set_aside_keeps_it_without_beginning_it(inbox, entry_ids):
    _, second = claim(inbox, limit=1, ahead=1)

    assert inbox.renew(second, now=after(30), lease_s=LEASE_S)

    assert stands(inbox, second.id) == (State.WAITING, 0)
    assert record(inbox, second.id).next_attempt_at == after(30 + LEASE_S)


def test_nothing_is_set_aside_in_lanes(inbox):
    admit_in_lane(inbox, "first", lane="c-1")
    admit_in_lane(inbox, "other", lane="c-2")

    claimed = claim(inbox, limit=1, ahead=5, in_lanes=True)

    assert [entry.event_id for entry in claimed] == ["first"]
