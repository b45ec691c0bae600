"""What ``hookkit.inbox.inbox`` promises, held over every inbox: the order of a lane."""

from hookkit.core.attempts import Outcome
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit_in_lane,
    after,
    attempt,
    claim,
    claim_in_lanes,
    claim_one,
    dead,
    done,
    waiting,
)

FAILED = attempt(outcome=Outcome.FAILED)


def next_id(inbox, **how):
    entry = claim_in_lanes(inbox, **how)
    return None if entry is None else entry.event_id


def settle(inbox, entry, settlement, at=0):
    assert inbox.settle(entry, settlement, now=after(at), in_lanes=True)


def test_entries_of_a_lane_are_claimed_in_the_order_they_were_admitted(inbox):
    for number in range(4):
        # The clock goes backwards: the order is not that of the times.
        admit_in_lane(inbox, f"m-{number}", at=-number)

    claimed = []
    while (entry := claim_in_lanes(inbox)) is not None:
        claimed.append(entry.event_id)
        settle(inbox, entry, done())

    assert claimed == ["m-0", "m-1", "m-2", "m-3"]


def test_entries_of_one_delivery_keep_the_payloads_order_in_their_lane(inbox):
    admit_in_lane(inbox, "m-9", "m-1", "m-5")

    claimed = []
    while (entry := claim_in_lanes(inbox)) is not None:
        claimed.append(entry.event_id)
        settle(inbox, entry, done())

    assert claimed == ["m-9", "m-1", "m-5"]


def test_running_entry_holds_up_its_lane(inbox):
    admit_in_lane(inbox, "m-1")
    admit_in_lane(inbox, "m-2")
    first = claim_in_lanes(inbox)

    held_up = next_id(inbox, at=LEASE_S - 0.001)
    settle(inbox, first, done())

    assert (held_up, next_id(inbox)) == (None, "m-2")


def test_claim_in_lanes_is_of_one_entry_whatever_the_limit(inbox):
    admit_in_lane(inbox, "m-1", lane="c-1")
    admit_in_lane(inbox, "m-2", lane="c-2")

    assert next_id(inbox, limit=10) == "m-1"
    assert next_id(inbox, limit=0) is None
    assert next_id(inbox, limit=10) == "m-2"


def test_waiting_entry_holds_up_its_lane_until_it_is_done(inbox):
    admit_in_lane(inbox, "m-1")
    admit_in_lane(inbox, "m-2")
    settle(inbox, claim_in_lanes(inbox), waiting(FAILED, retry_after_s=3600))

    too_early = next_id(inbox, at=3599)
    again = claim_in_lanes(inbox, at=3600)
    meanwhile = next_id(inbox, at=3600)
    settle(inbox, again, done(), at=3600)

    assert (too_early, again.event_id, meanwhile) == (None, "m-1", None)
    assert next_id(inbox, at=3600) == "m-2"


def test_dead_entry_frees_its_lane(inbox):
    admit_in_lane(inbox, "m-1")
    admit_in_lane(inbox, "m-2")

    settle(inbox, claim_in_lanes(inbox), dead(FAILED))

    assert next_id(inbox) == "m-2"


def test_failing_head_holds_up_its_own_lane_only(inbox):
    admit_in_lane(inbox, "m-1", lane="c-1")
    admit_in_lane(inbox, "m-2", lane="c-1")
    admit_in_lane(inbox, "m-3", lane="c-2")
    admit_in_lane(inbox, "m-4", lane="c-1", endpoint="sales")
    admit_in_lane(inbox, "m-5", lane=None)
    settle(inbox, claim_in_lanes(inbox), waiting(FAILED, retry_after_s=3600))

    claimed = [next_id(inbox, endpoints=("support", "sales")) for _ in range(4)]

    assert sorted(claimed[:3]) == ["m-3", "m-4", "m-5"]
    assert claimed[3] is None


def test_entries_without_a_lane_run_side_by_side(inbox):
    admit_in_lane(inbox, "m-1", "m-2", lane=None)

    assert [next_id(inbox) for _ in range(3)] == ["m-1", "m-2", None]


def test_claim_without_lanes_regards_none(inbox):
    admit_in_lane(inbox, "m-1", "m-2", "m-3")

    assert [entry.event_id for entry in claim(inbox)] == ["m-1", "m-2", "m-3"]


def test_claim_of_chosen_entries_obeys_lanes(inbox):
    first, second = admit_in_lane(inbox, "m-1", "m-2")

    held_up = next_id(inbox, only=[second])
    head = claim_in_lanes(inbox, only=[second, first])
    meanwhile = next_id(inbox, only=[second, first])
    settle(inbox, head, done())

    assert (held_up, head.event_id, meanwhile) == (None, "m-1", None)
    assert next_id(inbox, only=[second]) == "m-2"


def test_waiting_head_is_claimed_at_once_when_it_is_chosen(inbox):
    first, second = admit_in_lane(inbox, "m-1", "m-2")
    settle(inbox, claim_in_lanes(inbox), waiting(FAILED, retry_after_s=3600))

    assert next_id(inbox, only=[second, first]) == "m-1"


def test_head_whose_lease_is_over_is_taken_over_before_its_lane_goes_on(inbox):
    admit_in_lane(inbox, "m-1")
    admit_in_lane(inbox, "m-2")
    late = claim_in_lanes(inbox)

    again = claim_in_lanes(inbox, at=LEASE_S)
    meanwhile = next_id(inbox, at=LEASE_S)
    settle(inbox, again, done(), at=LEASE_S)

    assert (again.event_id, again.lost_claim_count, meanwhile) == ("m-1", 1, None)
    assert not inbox.settle(late, dead(), now=after(LEASE_S))
    assert next_id(inbox, at=LEASE_S) == "m-2"


def test_entries_that_ran_side_by_side_before_there_were_lanes_are_taken_over_in_order(inbox):
    admit_in_lane(inbox, "m-1", "m-2")
    assert len(claim(inbox)) == 2  # by an application whose handlers were not ordered yet

    first = claim_in_lanes(inbox, at=LEASE_S)
    meanwhile = next_id(inbox, at=LEASE_S)
    settle(inbox, first, done(), at=LEASE_S)

    assert (first.event_id, meanwhile) == ("m-1", None)
    assert next_id(inbox, at=LEASE_S) == "m-2"


def test_takeover_waits_for_no_earlier_entry_that_waits_for_it(inbox):
    admit_in_lane(inbox, "m-1", "m-2")
    first, _ = claim(inbox)  # by an application whose handlers were not ordered yet
    settle(inbox, first, waiting(FAILED))

    second = claim_in_lanes(inbox, at=LEASE_S)
    settle(inbox, second, done(), at=LEASE_S)

    assert second.event_id == "m-2"
    assert next_id(inbox, at=LEASE_S) == "m-1"


def test_takeover_waits_for_another_whose_lease_is_not_over(inbox):
    admit_in_lane(inbox, "m-1", "m-2")
    _, second = claim(inbox)
    assert inbox.renew([second], now=after(5), lease_s=LEASE_S)

    meanwhile = next_id(inbox, at=LEASE_S)
    settle(inbox, second, done(), at=LEASE_S)

    assert (meanwhile, next_id(inbox, at=LEASE_S)) == (None, "m-1")


def test_replayed_entry_waits_for_no_earlier_one(inbox):
    (replayed,) = admit_in_lane(inbox, "m-0")
    admit_in_lane(inbox, "m-1")
    (last,) = admit_in_lane(inbox, "m-2")
    settle(inbox, claim_in_lanes(inbox), done())
    settle(inbox, claim_in_lanes(inbox), done())
    settle(inbox, claim_in_lanes(inbox), done())
    admit_in_lane(inbox, "m-3")
    settle(inbox, claim_in_lanes(inbox), waiting(FAILED, retry_after_s=3600))

    inbox.replay(last, now=NOW)
    inbox.replay(replayed, now=after(1))
    claimed = claim_in_lanes(inbox, at=1)
    settle(inbox, claimed, done(), at=1)

    assert (claimed.event_id, next_id(inbox, at=1)) == ("m-2", "m-0")


def test_replayed_entry_holds_up_no_later_one(inbox):
    (replayed,) = admit_in_lane(inbox, "m-1")
    settle(inbox, claim_in_lanes(inbox), done())
    admit_in_lane(inbox, "m-2", at=5)
    inbox.replay(replayed, now=after(10))

    assert next_id(inbox, at=10) == "m-2"


def test_replayed_entry_does_not_run_beside_another_of_its_lane(inbox):
    (replayed,) = admit_in_lane(inbox, "m-1")
    settle(inbox, claim_in_lanes(inbox), done())
    admit_in_lane(inbox, "m-2")
    running = claim_in_lanes(inbox)
    inbox.replay(replayed, now=NOW)

    meanwhile = next_id(inbox)
    settle(inbox, running, done())
    again = claim_in_lanes(inbox)
    admit_in_lane(inbox, "m-3")
    beside = next_id(inbox)
    settle(inbox, again, done())

    assert (meanwhile, again.event_id, beside) == (None, "m-1", None)
    assert next_id(inbox) == "m-3"


def test_held_up_entries_may_be_due_without_being_claimed(inbox):
    admit_in_lane(inbox, "m-1", "m-2")
    claim_in_lanes(inbox)

    assert inbox.has_due(["support"], now=NOW)
    assert next_id(inbox) is None
    assert inbox.next_due_at(["support"]) == after(LEASE_S)


def test_claimed_entry_is_the_only_one_of_its_lane_in_any_mixture_of_claims(inbox):
    first, second = admit_in_lane(inbox, "m-1", "m-2")
    entry = claim_one(inbox, only=[second])  # out of order, by one who regards no lanes

    assert next_id(inbox) is None
    assert next_id(inbox, only=[first]) is None
    settle(inbox, entry, done())
    assert next_id(inbox) == "m-1"
