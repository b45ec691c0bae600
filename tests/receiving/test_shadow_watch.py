"""An endpoint that receives nothing but what is not handled."""

import pytest

from hookkit.core.entry import Admitted, Receipt, State
from hookkit.receiving.report import MOST_SHADOWS_IN_A_ROW, ShadowWatch
from tests.applications import message
from tests.cli.test_versions import Shop


def warnings_in(caplog):
    return [
        record.endpoint
        for record in caplog.records
        if getattr(record, "action", None) == "shadow_alone"
    ]


@pytest.fixture
def watch():
    return ShadowWatch()


def see(watch, *states, times=1, endpoint="support"):
    admitted = [Admitted(entry_id=1, event_id="e", is_new=True, state=state) for state in states]
    for _ in range(times):
        watch.note(endpoint, Receipt(admitted=tuple(admitted)))


def test_shadow_alone_is_told_once(watch, caplog):
    see(watch, State.SHADOW, times=MOST_SHADOWS_IN_A_ROW - 1)
    assert warnings_in(caplog) == []

    see(watch, State.SHADOW, State.IGNORED, times=5)

    assert warnings_in(caplog) == ["support"]


@pytest.mark.parametrize("state", [State.PENDING, State.TWIN, State.DONE])
def test_anything_that_runs_begins_anew(watch, caplog, state):
    see(watch, State.SHADOW, times=MOST_SHADOWS_IN_A_ROW - 1)
    see(watch, State.SHADOW, state)
    see(watch, State.SHADOW, times=MOST_SHADOWS_IN_A_ROW - 1)
    assert warnings_in(caplog) == []

    see(watch, State.SHADOW)

    assert warnings_in(caplog) == ["support"]


def test_endpoints_are_counted_apart(watch, caplog):
    see(watch, State.SHADOW, times=MOST_SHADOWS_IN_A_ROW - 1)
    see(watch, State.SHADOW, times=MOST_SHADOWS_IN_A_ROW - 1, endpoint="sales")

    assert warnings_in(caplog) == []


def test_endpoint_whose_live_version_is_silent_is_told_of(caplog):
    shop = Shop()
    for number in range(MOST_SHADOWS_IN_A_ROW):
        shop.new(f"event-{number}")

    assert warnings_in(caplog) == ["support"]
    assert "flask hookkit versions status support" in caplog.text
    assert message()["events"][0]["id"] not in caplog.text


def test_endpoint_both_of_whose_versions_come_is_not(caplog):
    shop = Shop()
    for number in range(MOST_SHADOWS_IN_A_ROW):
        shop.new(f"event-{number}")
        if number == 10:
            shop.old("a")

    assert warnings_in(caplog) == []
