from datetime import UTC, datetime

import pytest

from hookkit.core.outcome import Admitted, Outcome, Receipt, Result, settle
from hookkit.core.retry import RetryPolicy
from hookkit.core.states import SETTLED, State

NOW = datetime(2024, 3, 1, 10, 0, 5, tzinfo=UTC)
QUICK = RetryPolicy(first_delay_s=1, max_attempts=5)
SLOW = RetryPolicy(first_delay_s=60, max_attempts=5)
ONCE = RetryPolicy(max_attempts=1)


def outcome(result, retry=QUICK):
    return Outcome(handler="h", result=result, started_at=NOW, ended_at=NOW, retry=retry)


SUCCESS = outcome(Result.SUCCEEDED)
FAILURE = outcome(Result.FAILED)
SLOW_FAILURE = outcome(Result.FAILED, SLOW)
LAST_FAILURE = outcome(Result.FAILED, ONCE)


@pytest.mark.parametrize(
    ("outcomes", "state", "retry_after_s"),
    [
        pytest.param([], State.DONE, None, id="nothing was left to do"),
        pytest.param([SUCCESS], State.DONE, None, id="success"),
        pytest.param([outcome(Result.UNHANDLED)], State.DONE, None, id="nobody wanted it"),
        pytest.param([outcome(Result.UNKNOWN)], State.DONE, None, id="nobody understood it"),
        pytest.param([FAILURE], State.WAITING, 1, id="failure"),
        pytest.param([SUCCESS, FAILURE], State.WAITING, 1, id="one of two failed"),
        pytest.param([SLOW_FAILURE, FAILURE], State.WAITING, 1, id="the sooner of two"),
        pytest.param([LAST_FAILURE], State.DEAD, None, id="out of attempts"),
        pytest.param([LAST_FAILURE, SUCCESS], State.DEAD, None, id="one out of attempts"),
        pytest.param([LAST_FAILURE, SLOW_FAILURE], State.WAITING, 60, id="the other may try again"),
    ],
)
def test_entry_waits_as_long_as_a_failed_handler_may_be_tried_again(outcomes, state, retry_after_s):
    settlement = settle(1, outcomes, 0.0)

    assert settlement.state is state
    assert settlement.retry_after_s == retry_after_s
    assert settlement.outcomes == tuple(outcomes)
    assert settlement.state in SETTLED


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        pytest.param([SUCCESS], State.DEAD, id="the rest succeeded"),
        pytest.param([], State.DEAD, id="no rest"),
        pytest.param([FAILURE], State.WAITING, id="the rest may try again"),
    ],
)
def test_handler_that_gave_up_earlier_is_not_forgotten(outcomes, state):
    assert settle(2, outcomes, 0.0, any_exhausted=True).state is state


def test_delay_follows_the_attempt_and_the_jitter():
    assert settle(3, [FAILURE], 0.0).retry_after_s == 4
    assert settle(3, [FAILURE], 1.0).retry_after_s == pytest.approx(4.4)
    assert settle(5, [FAILURE], 0.0).state is State.DEAD


def test_receipt_counts_new_and_duplicate_events():
    receipt = Receipt(
        admitted=(
            Admitted(entry_id=1, event_id="a", is_new=True),
            Admitted(entry_id=2, event_id="b", is_new=False),
            Admitted(entry_id=3, event_id="c", is_new=False, is_conflict=True),
        )
    )

    assert (receipt.new_count, receipt.duplicate_count) == (1, 2)
    assert (receipt.status, receipt.code) == (200, "accepted")


def test_receipt_of_nothing_counts_nothing():
    assert (Receipt().new_count, Receipt().duplicate_count) == (0, 0)
