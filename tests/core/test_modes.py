import pytest

from hookkit.core.entry import State
from hookkit.core.modes import (
    STATES,
    Change,
    Mode,
    is_orphan,
    is_over,
    is_young,
    modes_after,
    runs_beside,
    switch_changes,
)

LIVE, SHADOW, IGNORE = Mode.LIVE, Mode.SHADOW, Mode.IGNORE
DECLARED = {"v1.1": LIVE, "v2": SHADOW}
SWITCHED = switch_changes("v2", modes_after(DECLARED, ()), {"v1.1": {"request:success"}})


def test_every_mode_has_its_state():
    assert {mode: state.value for mode, state in STATES.items()} == {
        LIVE: "pending",
        SHADOW: "shadow",
        IGNORE: "ignored",
    }


def test_version_that_is_not_listed_is_ignored():
    assert modes_after(DECLARED, ()).of("v1", "message") is IGNORE


def test_what_cannot_be_told_is_live():
    modes = modes_after(DECLARED, ())

    assert modes.of("", "") is LIVE
    assert modes.state_of("", "") is State.PENDING
    assert modes.state_of("v2", "conversation:message") is State.SHADOW


def test_last_change_of_a_version_holds():
    modes = modes_after(DECLARED, [Change("v2", "", LIVE), Change("v2", "", IGNORE)])

    assert modes.of("v2", "conversation:message") is IGNORE


def test_switch_swaps_the_modes_and_leaves_types_without_counterpart():
    modes = modes_after(DECLARED, SWITCHED)

    assert modes.of("v2", "conversation:message") is LIVE
    assert modes.of("v1.1", "message:appUser") is SHADOW
    assert modes.of("v1.1", "request:success") is LIVE


def test_switch_back_restores_what_was():
    there = modes_after(DECLARED, SWITCHED)
    back = switch_changes("v1.1", there, {"v2": {"switchboard:passControl"}})

    modes = modes_after(DECLARED, (*SWITCHED, *back))

    assert modes.of("v1.1", "message:appUser") is modes.of("v1.1", "request:success") is LIVE
    assert modes.of("v2", "conversation:message") is SHADOW
    assert modes.of("v2", "switchboard:passControl") is LIVE


def test_change_of_a_version_undoes_those_of_its_types_alone():
    changes = [Change("v1.1", "a", LIVE), Change("v2", "b", LIVE), Change("v1.1", "", IGNORE)]

    modes = modes_after(DECLARED, changes)

    assert modes.of("v1.1", "a") is IGNORE
    assert modes.of("v2", "b") is LIVE


def test_switch_leaves_what_is_for_something_else_alone():
    modes = modes_after({"app": LIVE, "3.3": LIVE, "3.4": SHADOW}, ())

    changes = switch_changes("3.4", modes, {"app": {"application_installed"}}, ["app"])

    assert {change.version for change in changes} == {"3.3", "3.4"}


def test_switch_leaves_what_is_not_live_alone():
    modes = modes_after({"v1": IGNORE, "v1.1": LIVE, "v2": SHADOW}, ())

    assert {change.version for change in switch_changes("v2", modes, {})} == {"v1.1", "v2"}


@pytest.mark.parametrize(
    ("declared", "changes", "has_twins"),
    [
        pytest.param({"v2": LIVE}, [], False, id="one"),
        pytest.param({"v1.1": IGNORE, "v2": LIVE}, [], False, id="one, and one ignored"),
        pytest.param({"v1.1": LIVE, "v2": LIVE}, [], True, id="two live"),
        pytest.param(DECLARED, [], True, id="shadow"),
        pytest.param(DECLARED, [Change("v1.1", "", IGNORE)], False, id="retired"),
        pytest.param({"v2": LIVE}, [Change("v1.1", "a", LIVE)], True, id="one type of another"),
        pytest.param({"v2": LIVE}, [Change("v1.1", "a", IGNORE)], False, id="type ignored"),
    ],
)
def test_owners_are_kept_where_two_versions_may_report_a_fact(declared, changes, has_twins):
    assert modes_after(declared, changes).has_twins == has_twins


@pytest.mark.parametrize(("owner", "runs"), [(None, True), ("v2", True), ("v1.1", False)], ids=str)
def test_live_entry_runs_unless_another_version_owns_its_fact(owner, runs):
    assert runs_beside(owner, "v2") == runs


@pytest.mark.parametrize(("age_ms", "young"), [(0, True), (99, True), (100, False)])
def test_switch_promotes_what_is_younger_than_the_window(age_ms, young):
    assert is_young(0, now_ms=age_ms, window_ms=100) == young


@pytest.mark.parametrize(
    ("received_ms", "now_ms", "orphan"),
    [
        pytest.param(900, 999, False, id="young"),
        pytest.param(900, 1000, True, id="window over, just near enough"),
        pytest.param(899, 1000, False, id="too long before"),
        pytest.param(1100, 1199, False, id="after, young"),
        pytest.param(1100, 1200, True, id="after, window over"),
        pytest.param(1101, 1300, False, id="too long after"),
    ],
)
def test_orphan_is_near_a_switch_and_has_waited_for_the_window(received_ms, now_ms, orphan):
    assert is_orphan(received_ms, switched_ms=1000, now_ms=now_ms, window_ms=100) == orphan


def test_switch_is_over_when_no_orphan_can_be_left():
    assert not is_over(switched_ms=1000, now_ms=1200, window_ms=100)
    assert is_orphan(1100, switched_ms=1000, now_ms=1200, window_ms=100)
    assert is_over(switched_ms=1000, now_ms=1201, window_ms=100)
