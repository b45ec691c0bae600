"""What ``hookkit.inbox.inbox`` promises, held over every inbox: claims in groups."""

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.records import Terms
from hookkit.inbox.sql import claim as claims
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    admit_in_lane,
    after,
    attempt,
    claim_one,
    deliver,
    done,
    item,
    record,
    succeeded,
    waiting,
)


@pytest.fixture
def entry_ids(inbox):
    return admit(inbox, "first", "second", "third")


def claim_group(inbox, *finished, at=0, in_lanes=False, **how):
    terms = {"endpoints": ["support"], "lease_s": LEASE_S, "limit": 10, "max_attempts": 5}
    settled, claimed = inbox.settle_and_claim(
        finished, Terms(in_lanes=in_lanes, **terms | how), now=after(at), in_lanes=in_lanes
    )
    assert settled == {entry.id for entry, _ in finished}
    return claimed


def stands(inbox, entry_id):
    found = record(inbox, entry_id)
    return found.state, found.claim_count


def counts(entries):
    return [(one.id, one.claim_count, one.lost_claim_count, one.lease_token[0]) for one in entries]


def test_group_is_leased_and_counted_when_it_is_settled(inbox, entry_ids):
    group = claim_group(inbox)

    before = [stands(inbox, each) for each in entry_ids]
    claim_group(inbox, *((entry, done(attempt())) for entry in group))

    assert counts(group) == [(each, 1, 0, "g") for each in entry_ids]
    assert before == [(State.RUNNING, 0)] * 3
    assert [stands(inbox, each) for each in entry_ids] == [(State.DONE, 1)] * 3
    assert [len(record(inbox, each).attempts) for each in entry_ids] == [1, 1, 1]


def test_group_belongs_to_nobody_else_until_its_lease_is_over(inbox, entry_ids):
    claim_group(inbox)

    assert claim_group(inbox, at=LEASE_S - 0.001) == []
    assert [one.id for one in claim_group(inbox, at=LEASE_S)] == entry_ids[:1]


def test_lost_group_is_charged_to_each_when_it_is_lost_once_more(inbox, entry_ids):
    claim_group(inbox)

    first = claim_group(inbox, at=LEASE_S)
    second = claim_group(inbox, at=LEASE_S)
    again = claim_group(inbox, at=2 * LEASE_S, only=[first[0].id])
    once_more = claim_group(inbox, at=3 * LEASE_S, only=[first[0].id])

    assert counts(first) == [(entry_ids[0], 1, 0, "s")]
    assert counts(second) == [(entry_ids[1], 1, 0, "s")]
    assert counts(again) == [(entry_ids[0], 3, 2, "c")]
    assert counts(once_more) == [(entry_ids[0], 4, 3, "c")]


def test_suspect_that_is_settled_has_lost_nothing(inbox, entry_ids):
    claim_group(inbox)
    (suspect,) = claim_group(inbox, at=LEASE_S)

    inbox.settle(suspect, waiting(attempt(outcome=Outcome.FAILED), retry_after_s=0), now=NOW)
    retried = claim_group(inbox, only=[suspect.id], at=LEASE_S)

    assert stands(inbox, suspect.id) == (State.RUNNING, 1)
    assert counts(retried) == [(suspect.id, 2, 0, "g")]


def test_lost_entry_is_left_alone_where_it_may_not_be_taken(inbox, entry_ids):
    claim_group(inbox, limit=1)

    others = claim_group(inbox, at=LEASE_S, takes_lost=False)

    assert [one.id for one in others] == entry_ids[1:]
    assert claim_group(inbox, at=LEASE_S, takes_lost=False, only=entry_ids) == []


@pytest.mark.parametrize(
    ("max_attempts", "tokens"), [(1, "c"), (2, "c"), (3, "ggg"), (None, "ccc"), (23, "ggg")]
)
def test_entries_with_few_attempts_are_claimed_alone(inbox, entry_ids, max_attempts, tokens):
    claimed = claim_group(inbox, max_attempts=max_attempts)

    assert "".join(one.lease_token[0] for one in claimed) == tokens


def test_entry_that_has_used_up_most_of_its_attempts_is_claimed_alone(inbox):
    admit(inbox, "failing")
    for at in range(3):
        (entry,) = claim_group(inbox, at=at)
        failed = attempt(outcome=Outcome.FAILED, number=at + 1)
        inbox.settle(entry, waiting(failed, retry_after_s=0), now=after(at))
    admit(inbox, "other", received_at=after(3))

    in_no_group = claim_group(inbox, at=4, takes_alone=False)
    alone = claim_group(inbox, at=4)
    rest = claim_group(inbox, at=4)

    assert in_no_group == []
    assert [(one.event_id, one.claim_count) for one in alone] == [("failing", 4)]
    assert [one.event_id for one in rest] == ["other"]


def test_group_holds_a_few_megabytes_at_most(inbox, monkeypatch):
    monkeypatch.setattr(claims, "MAX_GROUP_BYTES", 25)
    for number in range(4):
        inbox.admit(deliver(item(f"m-{number}"), body=b"x" * 10))
    inbox.admit(deliver(item("large"), body=b"x" * 100))

    groups = [[one.event_id for one in claim_group(inbox)] for _ in range(4)]

    assert groups == [["m-0", "m-1"], ["m-2", "m-3"], ["large"], []]


def test_success_that_was_committed_in_a_lost_group_is_told_to_the_next_claim(inbox, entry_ids):
    group = claim_group(inbox)
    inbox.transact(group[0], lambda connection: attempt("book"))

    (again,) = claim_group(inbox, at=LEASE_S)

    assert (again.id, succeeded(again)) == (entry_ids[0], {"book"})


def test_what_belongs_to_another_claim_is_not_settled_and_the_others_are(inbox, entry_ids):
    group = claim_group(inbox)
    claim_one(inbox, at=LEASE_S, only=[group[1].id])

    settled, claimed = inbox.settle_and_claim(
        [(entry, done(attempt())) for entry in group], None, now=after(LEASE_S)
    )

    assert (settled, claimed) == ({group[0].id, group[2].id}, [])
    assert stands(inbox, group[1].id) == (State.RUNNING, 1)
    assert record(inbox, group[1].id).attempts == ()


def test_entries_of_one_settlement_may_come_to_different_ends(inbox, entry_ids):
    first, second, third = claim_group(inbox)

    claim_group(
        inbox,
        (first, done(attempt())),
        (second, waiting(attempt(outcome=Outcome.FAILED), retry_after_s=7)),
        (third, waiting(attempt(outcome=Outcome.FAILED), retry_after_s=9)),
    )

    assert [stands(inbox, each)[0] for each in entry_ids] == [
        State.DONE,
        State.WAITING,
        State.WAITING,
    ]
    assert record(inbox, second.id).next_attempt_at == after(7)
    assert record(inbox, third.id).next_attempt_at == after(9)


def test_what_is_given_back_can_be_claimed_at_once_in_its_old_place(inbox, entry_ids):
    group = claim_group(inbox)
    admit(inbox, "later", received_at=after(1))

    inbox.give_back(group[:2], now=after(2))

    assert [stands(inbox, each) for each in entry_ids[:2]] == [(State.PENDING, 0)] * 2
    assert [one.event_id for one in claim_group(inbox, at=2)] == ["first", "second", "later"]


def test_retry_that_is_given_back_stays_a_retry(inbox, entry_ids):
    (entry,) = claim_group(inbox, limit=1)
    inbox.settle(entry, waiting(attempt(outcome=Outcome.FAILED), retry_after_s=0), now=NOW)
    group = claim_group(inbox, only=[entry.id])

    inbox.give_back(group, now=after(5))

    stood = record(inbox, entry.id)
    assert (stood.state, stood.claim_count, stood.next_attempt_at) == (State.WAITING, 1, after(5))
    assert counts(claim_group(inbox, at=5, only=[entry.id])) == [(entry.id, 2, 0, "g")]


def test_what_another_has_claimed_since_is_not_given_back(inbox, entry_ids):
    group = claim_group(inbox)
    taken = claim_one(inbox, at=LEASE_S, only=[group[0].id])

    inbox.give_back(group[:1], now=after(LEASE_S))

    assert inbox.settle(taken, done(attempt()), now=after(LEASE_S))


def test_giving_back_nothing_is_fine(inbox):
    inbox.give_back([], now=NOW)

    assert inbox.find() == []


def test_leases_of_a_group_are_renewed_and_the_lost_ones_told(inbox, entry_ids):
    group = claim_group(inbox)
    claim_one(inbox, at=LEASE_S, only=[group[1].id])

    ours = inbox.renew(group, now=after(LEASE_S), lease_s=LEASE_S)

    assert ours == {group[0].id, group[2].id}
    assert claim_group(inbox, at=2 * LEASE_S - 0.001) == []


def test_group_has_one_entry_of_each_lane(inbox):
    admit_in_lane(inbox, "a-1", "a-2", lane="a")
    admit_in_lane(inbox, "b-1", lane="b")
    admit(inbox, "free", "free too")

    group = claim_group(inbox, in_lanes=True)

    assert [one.event_id for one in group] == ["a-1", "b-1", "free", "free too"]


def test_next_of_a_lane_is_claimed_by_the_commit_that_settles_the_one_before_it(inbox):
    admit_in_lane(inbox, "a-1", "a-2", lane="a")
    (first,) = claim_group(inbox, in_lanes=True)

    nothing = claim_group(inbox, in_lanes=True)
    following = claim_group(inbox, (first, done(attempt())), in_lanes=True)

    assert (nothing, [one.event_id for one in following]) == ([], ["a-2"])


def test_replays_of_one_lane_are_not_claimed_together(inbox):
    entry_ids = admit_in_lane(inbox, "a-1", "a-2", lane="a")
    for _ in entry_ids:
        (entry,) = claim_group(inbox, in_lanes=True)
        inbox.settle(entry, done(attempt()), now=NOW, in_lanes=True)
    for entry_id in entry_ids:
        inbox.replay(entry_id, now=after(1))

    assert [one.event_id for one in claim_group(inbox, at=1, in_lanes=True)] == ["a-1"]


def test_success_that_is_committed_with_its_effects_is_counted_with_them(inbox, entry_ids):
    group = claim_group(inbox)
    made = [inbox.transact(entry, lambda connection: attempt()) for entry in group]

    before = [stands(inbox, each) for each in entry_ids]
    claim_group(inbox, *((entry, done(one)) for entry, one in zip(group, made, strict=True)))

    # A release that counts every claim looks for successes only of what was counted.
    assert before == [(State.RUNNING, 1)] * 3
    assert [stands(inbox, each) for each in entry_ids] == [(State.DONE, 1)] * 3
