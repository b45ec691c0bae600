import pytest

from hookkit.core.entry import AT_REST, REPLAYABLE, SETTLED, State

#: state -> the states that may follow it.
TRANSITIONS = {
    State.PENDING: {State.RUNNING, State.WAITING},
    State.RUNNING: {State.RUNNING, State.WAITING, State.DONE, State.DEAD},
    State.WAITING: {State.RUNNING, State.PENDING},
    State.DONE: {State.PENDING},
    State.DEAD: {State.PENDING},
    State.SHADOW: {State.PENDING},
    State.TWIN: set(),
    State.IGNORED: set(),
}

#: What an entry may be written as.
FIRST = {State.PENDING, State.SHADOW, State.TWIN, State.IGNORED}


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
def test_every_state_is_reached_from_a_first_one(state):
    assert any(state in reachable(first) for first in FIRST)


@pytest.mark.parametrize("state", sorted(set(State) - {State.TWIN, State.IGNORED}))
def test_no_state_is_a_trap_but_those_that_never_run(state):
    assert reachable(state) | FIRST == set(State)


@pytest.mark.parametrize("state", [State.TWIN, State.IGNORED])
def test_twins_and_what_is_ignored_stay_so(state):
    assert TRANSITIONS[state] == set()


def test_shadow_is_left_by_a_promotion_alone():
    assert TRANSITIONS[State.SHADOW] == {State.PENDING}


def test_worker_has_nothing_to_do_for_what_rests():
    assert {state for state in State if State.RUNNING not in TRANSITIONS[state]} == AT_REST


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
