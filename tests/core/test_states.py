import pytest

from hookkit.core.states import REPLAYABLE, SETTLED, TRANSITIONS, State


def reachable(start):
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo.extend(TRANSITIONS[state])
    return seen


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_from_the_first(state):
    assert state in reachable(State.PENDING)


@pytest.mark.parametrize("state", State)
def test_no_state_is_a_trap(state):
    assert reachable(state) == set(State)


@pytest.mark.parametrize("state", State)
def test_only_a_claim_makes_an_entry_run(state):
    claimable = {State.PENDING, State.WAITING, State.RUNNING}

    assert (State.RUNNING in TRANSITIONS[state]) == (state in claimable)


def test_running_is_left_by_a_settlement_alone():
    assert TRANSITIONS[State.RUNNING] - {State.RUNNING} == SETTLED
    assert {State.WAITING, State.DONE, State.DEAD} == SETTLED


@pytest.mark.parametrize("state", [State.DONE, State.DEAD])
def test_what_has_ended_is_left_by_a_replay_alone(state):
    assert TRANSITIONS[state] == {State.PENDING}
    assert state in REPLAYABLE


def test_what_runs_or_is_about_to_cannot_be_replayed():
    assert {State.WAITING, State.DONE, State.DEAD} == REPLAYABLE
