"""Sunshine Conversations: when things happened, in every form of a time."""

from datetime import UTC, datetime

import pytest

from tests.providers.sunshine_bodies import (
    AT,
    read_events,
    read_one,
    said_in,
    v1,
    v1_1,
    v1_message,
    v2,
    v2_message,
)

every_version = pytest.mark.parametrize("version", ["v1", "v1.1", "v2"])


def moment(*, millisecond=0, **parts):
    at = {"year": 2023, "month": 8, "day": 23, "hour": 13, "minute": 22, "second": 47, **parts}
    return datetime(**at, microsecond=millisecond * 1000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(1692796967.555, moment(millisecond=555), id="float seconds"),
        pytest.param(1692796967, moment(), id="int seconds"),
        pytest.param(1692796967.0, moment(), id="whole float"),
        pytest.param(1692796967.5554, moment(millisecond=555), id="rounded down"),
        pytest.param(1692796967.5556, moment(millisecond=556), id="rounded up"),
        pytest.param(1692796967.9996, moment(second=48), id="rounded over the second"),
        pytest.param(1444348338.704, datetime(2015, 10, 8, 23, 52, 18, 704000, UTC), id="decimal"),
        pytest.param(1692796967555, moment(millisecond=555), id="int milliseconds"),
        pytest.param(1692796967555.0, moment(millisecond=555), id="float milliseconds"),
        pytest.param(100_000_000_000, datetime(5138, 11, 16, 9, 46, 40, tzinfo=UTC), id="1e11 s"),
        pytest.param(
            100_000_000_001, datetime(1973, 3, 3, 9, 46, 40, 1000, tzinfo=UTC), id="over 1e11"
        ),
        pytest.param(0, datetime(1970, 1, 1, tzinfo=UTC), id="the epoch"),
        pytest.param(-1.5, datetime(1969, 12, 31, 23, 59, 58, 500000, UTC), id="before it"),
        pytest.param("2023-08-23T13:22:47.555Z", moment(millisecond=555), id="ISO"),
        pytest.param("2023-08-23T13:22:47Z", moment(), id="ISO without fraction"),
        pytest.param("2023-08-23T13:22:47.5Z", moment(millisecond=500), id="ISO, one digit"),
        pytest.param("2023-08-23T13:22:47", moment(), id="ISO without zone"),
        pytest.param("2023-08-23T15:22:47.555+02:00", moment(millisecond=555), id="offset"),
        pytest.param("2023-08-23T05:52:47-07:30", moment(), id="half-hour offset"),
        pytest.param("2023-08-23T13:22:47.555499Z", moment(millisecond=555), id="us down"),
        pytest.param("2023-08-23T13:22:47.555500Z", moment(millisecond=556), id="us up"),
        pytest.param("2023-08-23T13:22:47.999999Z", moment(second=48), id="us over the second"),
    ],
)
@every_version
def test_time_is_utc_to_the_millisecond(version, written, expected):
    received_at = said_in(version, message={"received": written}).message.received_at

    assert received_at == expected
    assert received_at.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "2023-13-01", "9999-12-31T23:59:59.9999Z", 1e300, 10**300, True, [], {}],
    ids=repr,
)
@every_version
def test_what_is_no_time_is_none_and_a_problem(version, written):
    path = "payload.message.received" if version == "v2" else "messages[0].received"
    body = (
        v2("conversation:message", {"message": v2_message(received=written)})
        if version == "v2"
        else {"v1": v1, "v1.1": v1_1}[version](
            "message:appUser", messages=[v1_message(received=written)]
        )
    )

    (event,) = read_events(body)

    assert event.message.received_at is None
    assert event.problems == (f"{path}: not a time",)


def test_event_happened_when_its_body_says():
    assert read_one(v1_1("conversation:read", timestamp=AT)).occurred_at == moment(
        minute=24, second=15, millisecond=555
    )
    assert read_one(v2("conversation:read", {})).occurred_at == moment(
        minute=24, second=15, millisecond=555
    )


def test_event_without_a_time_of_its_own_has_none():
    assert read_one(v1_1("conversation:read")).occurred_at is None
    assert read_one(v2("conversation:read", {}, createdAt=None)).occurred_at is None


def test_message_of_v1_happened_when_it_was_received():
    event = read_one(v1_1("message:appUser", messages=[v1_message(received=1692796967.555)]))

    assert event.occurred_at == moment(millisecond=555)


def test_time_of_a_v1_body_is_above_its_messages():
    event = read_one(v1_1("message:appUser", messages=[v1_message(received=1)], timestamp=AT))

    assert event.occurred_at == moment(minute=24, second=15, millisecond=555)
