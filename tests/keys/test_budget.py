"""Who may have an unknown key id looked up, by a clock that the tests turn."""

import pytest

from hookkit.core.rates import network_of
from hookkit.keys.budget import (
    MAX_MISSES,
    MAX_NETWORKS,
    MAX_PROVED,
    MAX_WANTED,
    MISSES_S,
    RESERVED,
    SUSPECT_BURST,
    SUSPECTS_PER_S,
    TOTAL_PER_S,
    WAIT_BURST,
    WANTED_S,
    Charge,
    LookupBudget,
    Standing,
)

VENDOR = "198.51.100.7"
STRANGER = "203.0.113.1"
NOW_S = 1000.0


@pytest.fixture
def budget():
    return LookupBudget(NOW_S)


def take(budget, address, at_s=NOW_S, *, is_down=False):
    return budget.take(address, at_s, is_down=is_down)


def use_up(budget, address=STRANGER, at_s=NOW_S):
    """Take all that *address* gets; return how much that was."""
    count = 0
    while take(budget, address, at_s) is not None:
        count += 1
    return count


def forged(number):
    """Return an address of its own for each number."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def test_network_that_names_ids_in_vain_is_served_no_more_at_once(budget):
    assert use_up(budget) == MAX_MISSES
    assert budget.standing(STRANGER, NOW_S) is Standing.SUSPECT
    assert use_up(budget, VENDOR) == MAX_MISSES


def test_network_is_forgiven_after_a_while(budget):
    use_up(budget)

    assert budget.standing(STRANGER, NOW_S + MISSES_S - 1) is Standing.SUSPECT
    assert use_up(budget, at_s=NOW_S + MISSES_S) == MAX_MISSES


def test_lookup_that_finds_a_key_does_not_count(budget):
    for _ in range(TOTAL_PER_S * 2):
        charge = take(budget, VENDOR)
        assert budget.may_wait(VENDOR, charge, NOW_S)
        budget.found(charge)

    assert budget.standing(VENDOR, NOW_S) is Standing.FRESH


def test_lookup_without_an_answer_makes_nobody_suspect(budget):
    for _ in range(MAX_MISSES * 2):
        budget.failed(take(budget, VENDOR))

    assert budget.standing(VENDOR, NOW_S) is Standing.FRESH


def test_any_number_of_networks_leaves_a_share_to_those_that_have_proved_a_delivery(budget):
    budget.note_proof(VENDOR)

    taken = [take(budget, forged(number)) for number in range(1000)]

    assert sum(each is not None for each in taken) == TOTAL_PER_S - RESERVED
    assert use_up(budget, VENDOR) == RESERVED


def test_stranger_at_a_hundred_networks_a_second_leaves_something_to_a_new_one(budget):
    for number in range(6000):
        at_s = NOW_S + number / 100
        assert take(budget, forged(number), at_s) is not None

    assert take(budget, VENDOR, at_s) is not None


def test_networks_that_are_known_for_forged_ids_take_nothing_from_a_new_one(budget):
    for number in range(100):
        use_up(budget, forged(number), NOW_S + number)
    at_s = NOW_S + 100

    # A thousand in a second.
    assert all(take(budget, forged(number % 100), at_s) is None for number in range(1000))
    assert take(budget, VENDOR, at_s) is not None


def test_time_saves_up_no_more_than_fits(budget):
    taken = [take(budget, forged(number), NOW_S + 1e6) for number in range(1000)]

    assert sum(each is not None for each in taken) == TOTAL_PER_S - RESERVED


def test_server_that_is_down_is_asked_at_once_for_proven_addresses_alone(budget):
    budget.note_proof(VENDOR)

    assert take(budget, STRANGER, is_down=True) is None
    assert take(budget, VENDOR, is_down=True) is not None


# What waits for its turn


def test_ids_that_wait_for_their_turn_are_asked_for_at_a_bounded_rate(budget):
    seconds = 60
    turns = [budget.want(f"id-{n}", NOW_S + n / 100) for n in range(100 * seconds)]

    asked = sum(turn is not None for turn in turns)
    assert asked <= SUSPECT_BURST + SUSPECTS_PER_S * seconds


def test_id_that_is_named_again_is_asked_for_before_those_that_are_named_once(budget):
    # All come from one address, as behind a proxy.
    asked = []
    for number in range(400):
        at_s = NOW_S + number / 100
        named = ["genuine"] if number in (110, 210) else []
        for key_id in [*named, f"forged-{number}"]:
            turn = budget.want(key_id, at_s)
            asked += [] if turn is None else [(turn[0], at_s)]

    ((_, at_s),) = [each for each in asked if each[0] == "genuine"]
    assert NOW_S + 1 <= at_s <= NOW_S + 2 + 1 / SUSPECTS_PER_S


def test_what_was_named_long_ago_does_not_count(budget):
    while budget.want("early", NOW_S) is not None:
        pass
    for _ in range(20):
        budget.want("early", NOW_S)
    at_s = NOW_S + WANTED_S
    for _ in range(SUSPECT_BURST):
        budget.want("late", at_s)

    assert [budget.want(each, at_s + 1)[0] for each in ("late", "late")] == ["late", "late"]


def test_lookup_that_finds_a_key_gives_its_turn_back(budget):
    for _ in range(SUSPECT_BURST * 2):
        asked, charge = budget.want("id", NOW_S)
        assert asked == "id"
        budget.found(charge)


# Who waits


def test_few_requests_wait_at_once_and_half_of_them_are_left_to_new_networks(budget):
    use_up(budget)
    suspects = [budget.may_wait(STRANGER, Charge(), NOW_S) for _ in range(100)]
    others = [budget.may_wait(forged(number), Charge(), NOW_S) for number in range(100)]

    assert (sum(suspects), sum(others)) == (WAIT_BURST / 2, WAIT_BURST / 2)


def test_address_that_has_proved_a_delivery_always_waits(budget):
    budget.note_proof(VENDOR)

    assert all(budget.may_wait(VENDOR, Charge(), NOW_S) for _ in range(1000))


# Addresses, and what is remembered of them


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("2001:db8:2::1", "2001:db8:2::/48"),
        ("", ""),
        ("unix:", "unix:"),
        ("203.0.113.1, 10.0.0.1", "203.0.113.1, 10.0.0.1"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_addresses_of_one_ipv6_site_are_one_network(address, network):
    assert network_of(address) == network


def test_memory_is_bounded_and_forgets_the_least_recent(budget):
    for number in range(MAX_NETWORKS + 10):
        take(budget, forged(number), NOW_S + number)
        budget.want(f"id-{number}", NOW_S)
        budget.note_proof(forged(number))
        budget.note_proof(VENDOR)

    assert len(budget._misses) <= MAX_NETWORKS
    assert len(budget._wanted) <= MAX_WANTED
    assert len(budget._proved) <= MAX_PROVED
    assert budget.standing(VENDOR, NOW_S) is Standing.PROVED
    assert budget.standing(forged(0), NOW_S) is Standing.FRESH
