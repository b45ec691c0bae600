"""Exact and near facts: names, pairs, and what a switch makes of those that it finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookkit.core.facts import (
    Report,
    decide,
    is_exact,
    is_near,
    near_fact,
    pair_nearest,
    plain_name,
)
from hookkit.core.ids import MAX_ID_CHARS

W = 100


def report(entry_id, at, fact="~x", version="v2", lane=None):
    return Report(entry_id, version, fact, lane, at)


def old(entry_id, at, fact="~x", **more):
    return report(entry_id, at, fact, "v1.1", **more)


def ids(pairs):
    return sorted((one.entry_id, other.entry_id) for one, other in pairs)


def decided(held, near=(), owners=(), window_ms=W):
    decision = decide(held, near, {each.fact: each for each in owners}, window_ms=window_ms)
    return tuple([each.entry_id for each in part] for part in decision)


# Names


@pytest.mark.parametrize("text", ["read:user", "x" * MAX_ID_CHARS, "x" * 1000, "\x00", "\ud800"])
def test_near_name_says_so_and_can_be_stored(text):
    name = near_fact(text)

    assert is_near(name)
    assert not is_exact(name)
    assert len(name.encode()) <= MAX_ID_CHARS
    assert name != near_fact(f"{text}2")


def test_near_name_meets_the_exact_one():
    assert plain_name(near_fact("read:user")) == plain_name("read:user") == "read:user"


def test_what_has_no_name_is_neither():
    assert not is_exact(None)
    assert not is_near(None)


# Pairs


def test_nearest_pair_first_and_one_to_one():
    ones = [old(1, 0), old(2, 50)]
    others = [report(3, 45), report(4, 60)]

    assert ids(pair_nearest(ones, others, window_ms=W)) == [(1, 4), (2, 3)]


def test_what_is_too_far_apart_is_no_pair():
    assert ids(pair_nearest([old(1, 0)], [report(2, 101)], window_ms=W)) == []
    assert ids(pair_nearest([old(1, 0)], [report(2, 100)], window_ms=W)) == [(1, 2)]


def test_same_lane_goes_before_a_nearer_time():
    ones = [old(1, 0, lane="a"), old(2, 1, lane="b")]
    others = [report(3, 0, lane="b"), report(4, 9, lane="a"), report(5, 9, lane="c")]

    assert ids(pair_nearest(ones, others, window_ms=W)) == [(1, 4), (2, 3)]
    assert ids(pair_nearest(ones, others[2:], window_ms=W)) == [(2, 5)]


def nearest_by_hand(ones, others, window_ms):
    """Return how far apart the pairs are that looking at every pair finds."""
    every = sorted((abs(one - other), a, b) for a, one in ones for b, other in others)
    found, gone = [], set()
    for distance, one, other in every:
        if distance <= window_ms and not {(0, one), (1, other)} & gone:
            gone |= {(0, one), (1, other)}
            found.append(distance)
    return found


some_times = st.lists(st.integers(0, 300), max_size=8)


@given(some_times, some_times, st.sampled_from([5, W, 1000]))
def test_pairs_are_those_of_looking_at_every_pair(ones, others, window_ms):
    # Distances that are equal leave a choice, so times are made such that none are.
    ones = [(number, 1000 * at + 7**number % 499) for number, at in enumerate(ones)]
    others = [(number, 1000 * at + 11**number % 997 + 1) for number, at in enumerate(others)]
    every = [abs(one - other) for _, one in ones for _, other in others]
    if len(set(every)) < len(every):
        return
    window_ms *= 1000

    pairs = pair_nearest(
        [old(number, at) for number, at in ones],
        [report(100 + number, at) for number, at in others],
        window_ms=window_ms,
    )

    apart = sorted(abs(one.received_ms - other.received_ms) for one, other in pairs)
    assert apart == sorted(nearest_by_hand(ones, others, window_ms))


# What a switch makes of them


def test_near_report_that_has_run_in_the_other_version_is_a_twin():
    assert decided([report(2, 5)], [(old(1, 0), True)]) == ([], [2])


@pytest.mark.parametrize(
    ("held", "near"),
    [
        pytest.param([report(2, 5)], [], id="nothing else"),
        pytest.param([report(2, 5)], [(report(1, 0), True)], id="its own version"),
        pytest.param([report(2, 5)], [(old(1, 0, "~y"), True)], id="another fact"),
        pytest.param([report(2, 101)], [(old(1, 0), True)], id="too long ago"),
        pytest.param([report(2, 5)], [(old(1, 0), False)], id="a twin itself"),
    ],
)
def test_near_report_without_a_twin_runs(held, near):
    assert decided(held, near) == ([2], [])


def test_one_that_has_run_stands_for_one():
    assert decided([report(2, 9), report(3, 1)], [(old(1, 0), True)]) == ([2], [3])
    # It was the twin of another before.
    before = [(old(1, 0), True), (report(2, 1), False)]
    assert decided([report(3, 2)], before) == ([3], [])


def test_of_two_versions_that_were_held_back_one_runs():
    assert decided([report(2, 5), old(1, 0)]) == ([1], [2])


def test_exact_report_runs_if_its_fact_is_free_and_says_nothing_of_others():
    assert decided([report(2, 5, "x"), report(3, 5, "~y")], [(old(1, 0, "~y"), True)]) == ([2], [3])


def test_near_report_may_mean_what_the_other_version_calls_exact():
    start = old(1, 0, "x")

    assert decided([report(2, 5)], owners=[start]) == ([], [2])
    # Its exact twin is there too: the near one is about something else.
    assert decided([report(2, 5), report(3, 6, "x")], owners=[start]) == ([3, 2], [])


def test_exact_report_may_be_what_has_run_as_a_near_one():
    assert decided([old(2, 5, "x")], [(report(1, 0), True)]) == ([], [2])
    assert decided([old(2, 5, "x")], [(report(1, 0, "~y"), True)]) == ([2], [])
