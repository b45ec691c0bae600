from datetime import UTC, datetime

import pytest

from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.entry import SETTLED, Admitted, Receipt, State, settle

NOW = datetime(2024, 3, 1, 10, 0, 5, tzinfo=UTC)


def attempt(outcome, retry_after_s=None):
    return Attempt(
        handler="h",
        number=1,
        outcome=outcome,
        started_at=NOW,
        ended_at=NOW,
        retry_after_s=retry_after_s,
    )


SUCCESS = attempt(Outcome.SUCCEEDED)
FAILURE = attempt(Outcome.FAILED, 1)
SLOW_FAILURE = attempt(Outcome.FAILED, 60)
LAST_FAILURE = attempt(Outcome.FAILED)
PERMANENT = attempt(Outcome.GAVE_UP)
LOST = attempt(Outcome.LOST)


@pytest.mark.parametrize(
    ("attempts", "state", "retry_after_s"),
    [
        pytest.param([], State.DONE, None, id="nothing was left to do"),
        pytest.param([SUCCESS], State.DONE, None, id="success"),
        pytest.param([LOST, SUCCESS], State.DONE, None, id="success after a lost claim"),
        pytest.param([attempt(Outcome.UNHANDLED)], State.DONE, None, id="nobody wanted it"),
        pytest.param([attempt(Outcome.UNKNOWN)], State.DONE, None, id="nobody understood it"),
        pytest.param([FAILURE], State.WAITING, 1, id="failure"),
        pytest.param([SUCCESS, FAILURE], State.WAITING, 1, id="one of two failed"),
        pytest.param([SLOW_FAILURE, FAILURE], State.WAITING, 1, id="the sooner of two"),
        pytest.param([LAST_FAILURE], State.DEAD, None, id="out of attempts"),
        pytest.param([LAST_FAILURE, SUCCESS], State.DEAD, None, id="one out of attempts"),
        pytest.param([LAST_FAILURE, SLOW_FAILURE], State.WAITING, 60, id="the other may try again"),
        pytest.param([PERMANENT, SUCCESS], State.DEAD, None, id="gave up"),
        pytest.param([PERMANENT, FAILURE], State.WAITING, 1, id="gave up, the other may try again"),
    ],
)
def test_entry_waits_as_long_as_a_failed_handler_may_be_tried_again(attempts, state, retry_after_s):
    settlement = settle(attempts, event_type="conversation:read")

    assert settlement.state is state
    assert settlement.retry_after_s == retry_after_s
    assert settlement.attempts == tuple(attempts)
    assert settlement.event_type == "conversation:read"
    assert settlement.state in SETTLED


@pytest.mark.parametrize(
    ("attempts", "state"),
    [
        pytest.param([SUCCESS], State.DEAD, id="the rest succeeded"),
        pytest.param([], State.DEAD, id="no rest"),
        pytest.param([FAILURE], State.WAITING, id="the rest may try again"),
    ],
)
def test_handler_that_gave_up_earlier_is_not_forgotten(attempts, state):
    assert settle(attempts, is_exhausted=True).state is state


@pytest.mark.parametrize(
    ("attempts", "wait_s", "retry_after_s"),
    [
        pytest.param([SUCCESS], 30, 30, id="the other is due later"),
        pytest.param([SLOW_FAILURE], 30, 30, id="sooner than the failed one"),
        pytest.param([FAILURE], 30, 1, id="later than the failed one"),
        pytest.param([LAST_FAILURE], 30, 30, id="and one is out of attempts"),
        pytest.param([SUCCESS], -5, 0, id="it has become due meanwhile"),
    ],
)
def test_handler_that_is_due_later_is_waited_for(attempts, wait_s, retry_after_s):
    settlement = settle(attempts, wait_s=wait_s)

    assert (settlement.state, settlement.retry_after_s) == (State.WAITING, retry_after_s)


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
