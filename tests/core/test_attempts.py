from datetime import UTC, datetime, timedelta

import pytest

from hookkit.core.attempts import FINISHED, UNTRIED, Outcome, Recorded, Tries, tries_of

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


def recorded(outcome, handler="h", replay=0, retry_at=None):
    return Recorded(handler, outcome, replay, retry_at)


def test_nothing_recorded_is_nothing_tried():
    assert tries_of([], replay=0, chosen=None) == {}
    assert Tries(count=0, is_finished=False, gave_up=False, due_at=None) == UNTRIED


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_recorded_attempt_counts(outcome):
    tries = tries_of([recorded(outcome)], replay=0, chosen=None)["h"]

    assert tries.count == 1
    assert tries.is_finished is (outcome in {Outcome.SUCCEEDED, Outcome.DISCARDED})
    assert tries.is_finished is (outcome in FINISHED)
    assert tries.gave_up is (outcome is Outcome.GAVE_UP)


def test_handlers_are_told_apart():
    tries = tries_of(
        [
            recorded(Outcome.FAILED, "a", retry_at=LATER),
            recorded(Outcome.SUCCEEDED, "b"),
            recorded(Outcome.LOST, "a"),
        ],
        replay=0,
        chosen=None,
    )

    assert tries == {"a": Tries(count=2), "b": Tries(count=1, is_finished=True)}


def test_due_time_is_that_of_the_last_attempt():
    first = recorded(Outcome.FAILED, retry_at=NOW)
    second = recorded(Outcome.FAILED, retry_at=LATER)

    assert tries_of([first, second], replay=0, chosen=None)["h"].due_at == LATER
    assert tries_of([second, first], replay=0, chosen=None)["h"].due_at == NOW


def test_success_is_not_undone_by_what_was_recorded_after_it():
    # The store answered that a commit failed which had not.
    both = [recorded(Outcome.SUCCEEDED), recorded(Outcome.FAILED, retry_at=LATER)]

    tries = tries_of(both, replay=0, chosen=None)["h"]

    assert (tries.is_finished, tries.count) == (True, 2)


def test_attempts_of_earlier_runs_are_not_counted():
    earlier = [
        recorded(Outcome.FAILED, retry_at=LATER),
        recorded(Outcome.GAVE_UP),
    ]

    assert tries_of(earlier, replay=1, chosen=None) == {"h": UNTRIED}
    present = recorded(Outcome.FAILED, replay=1)
    assert tries_of([*earlier, present], replay=1, chosen=None) == {"h": Tries(count=1)}


def test_due_time_of_an_earlier_run_is_forgotten():
    tries = tries_of([recorded(Outcome.FAILED, retry_at=LATER)], replay=1, chosen=None)

    assert tries["h"].due_at is None


@pytest.mark.parametrize(
    ("chosen", "is_finished"),
    [
        pytest.param(None, True, id="all"),
        pytest.param({"other"}, True, id="another is chosen"),
        pytest.param({"h"}, False, id="it is chosen"),
        pytest.param(set(), True, id="none is chosen"),
    ],
)
def test_success_of_an_earlier_run_holds_unless_the_handler_is_chosen(chosen, is_finished):
    tries = tries_of([recorded(Outcome.SUCCEEDED)], replay=1, chosen=chosen)

    assert tries["h"] == Tries(is_finished=is_finished)


def test_success_of_the_present_run_holds_though_the_handler_is_chosen():
    tries = tries_of([recorded(Outcome.SUCCEEDED, replay=2)], replay=2, chosen={"h"})

    assert tries["h"] == Tries(count=1, is_finished=True)
