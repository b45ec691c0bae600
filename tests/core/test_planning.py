from datetime import UTC, datetime, timedelta

import pytest

from hookkit.core.attempts import Tries
from hookkit.core.entry import Entry
from hookkit.core.handlers import Handler, Plan, plan

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def entry(tries=None, **more):
    return Entry(
        id=1,
        endpoint="support",
        event_id="m-1",
        position=0,
        claim_count=1,
        lease_token="token",
        received_at=NOW,
        body=b"",
        headers={},
        tries=tries or {},
        **more,
    )


def handlers(**limits):
    """Return handlers by name, each with its greatest number of attempts."""
    return [(Handler(name=name, function=print, triggers=()), n) for name, n in limits.items()]


def planned(of, now=NOW, *, at_once=False, **limits):
    """Return the plan with its turns as text: name, number, and whether it is lost."""
    made = plan(of, handlers(**limits), now, at_once=at_once)
    turns = [
        f"{turn.handler.name} {turn.number}{' lost' if turn.is_lost else ''}" for turn in made.turns
    ]
    return turns, made.is_exhausted, made.due_at


def test_nobody_has_no_turn():
    assert plan(entry(), [], NOW) == Plan(turns=(), is_exhausted=False, due_at=None)


def test_first_claim_is_everybodys_first_attempt_in_their_order():
    assert planned(entry(), b=3, a=1) == (["b 1", "a 1"], False, None)


def test_who_is_finished_has_no_turn_and_is_not_missed():
    done = entry({"a": Tries(count=1, is_finished=True)})

    assert planned(done, a=1, b=3) == (["b 1"], False, None)
    assert planned(done, a=1) == ([], False, None)


def test_attempts_are_counted_for_each_by_itself():
    tried = entry({"a": Tries(count=2), "b": Tries(count=1)})

    assert planned(tried, a=3, b=3, c=3) == (["a 3", "b 2", "c 1"], False, None)


@pytest.mark.parametrize(
    "tries",
    [
        pytest.param(Tries(count=3), id="no attempt is left"),
        pytest.param(Tries(count=4), id="its policy allows fewer by now"),
        pytest.param(Tries(count=1, gave_up=True), id="it gave up"),
        pytest.param(Tries(count=3, due_at=after(9)), id="it was due later"),
    ],
)
def test_who_may_not_run_any_more_is_told_and_leaves_the_others_their_turns(tries):
    assert planned(entry({"a": tries}), a=3, b=3) == (["b 1"], True, None)


def test_who_is_finished_is_never_exhausted():
    finished = entry({"a": Tries(count=9, is_finished=True, gave_up=True)}, chosen=frozenset("b"))

    assert planned(finished, a=3, b=3) == (["b 1"], False, None)


@pytest.mark.parametrize(
    ("at", "turns", "due_at"),
    [
        pytest.param(0, ["c 1"], after(10), id="both later"),
        pytest.param(9.999, ["c 1"], after(10), id="just before"),
        pytest.param(10, ["a 2", "c 1"], after(20), id="one is due"),
        pytest.param(20, ["a 2", "b 2", "c 1"], None, id="both are due"),
    ],
)
def test_who_is_due_later_waits(at, turns, due_at):
    waits = entry({"b": Tries(count=1, due_at=after(20)), "a": Tries(count=1, due_at=after(10))})

    assert planned(waits, after(at), a=3, b=3, c=3) == (turns, False, due_at)


def test_at_once_runs_those_that_are_due_later():
    waits = entry({"a": Tries(count=1, due_at=after(10))})

    assert planned(waits, at_once=True, a=3) == (["a 2"], False, None)


def test_at_once_gives_nobody_more_attempts():
    spent = entry({"a": Tries(count=3, due_at=after(10))})

    assert planned(spent, at_once=True, a=3) == ([], True, None)


def test_chosen_ones_run_and_the_others_are_missed():
    chosen = entry({"c": Tries(is_finished=True)}, chosen=frozenset({"a", "nobody"}))

    assert planned(chosen, a=3, c=3) == (["a 1"], False, None)
    assert planned(chosen, a=3, b=3, c=3) == (["a 1"], True, None)


def test_lost_claims_are_attempts_of_all_that_were_due_in_them():
    lost = entry({"a": Tries(count=1), "c": Tries(count=1, is_finished=True)}, lost_claim_count=2)

    turns, is_exhausted, _ = planned(lost, a=9, b=9, c=9)

    assert turns == ["a 2 lost", "a 3 lost", "a 4", "b 1 lost", "b 2 lost", "b 3"]
    assert not is_exhausted


def test_lost_claims_are_not_those_of_a_handler_that_is_due_later():
    lost = entry({"a": Tries(count=1, due_at=after(5))}, lost_claim_count=2)

    assert planned(lost, a=9) == ([], False, after(5))


@pytest.mark.parametrize(
    ("limit", "turns", "is_exhausted"),
    [
        pytest.param(1, ["a 1 lost"], True, id="fewer than were lost"),
        pytest.param(2, ["a 1 lost", "a 2 lost"], True, id="as many as were lost"),
        pytest.param(3, ["a 1 lost", "a 2 lost", "a 3"], False, id="one is left"),
    ],
)
def test_no_more_attempts_are_lost_than_there_were(limit, turns, is_exhausted):
    assert planned(entry(lost_claim_count=2), a=limit) == (turns, is_exhausted, None)
