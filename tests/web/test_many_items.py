"""A body of very many events: nothing is lost, and nobody else waits for it."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event

from hookkit import HookKit, signals
from hookkit.core.delivery import Payload
from hookkit.core.entry import EVERYTHING, State
from hookkit.core.event import EventType
from hookkit.core.provider import MAX_REPEATED_BYTES, split
from hookkit.providers import load_providers
from tests.applications import ENDPOINTS, make_app, message, post
from tests.measuring import unmeasured


def body_of(count, text="Where is my order?"):
    body = message()
    body["events"] = [message(f"event-{number}", text)["events"][0] for number in range(count)]
    return body


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def app_of(hooks, sql_url, each_door):
    """Return a function that makes an application with settings of its own."""
    made = []

    def make(**config):
        app = make_app(hooks, HOOKKIT_DATABASE=sql_url, HOOKKIT_RUNNER="none", **config)
        made.append(app.extensions["hookkit"])
        return app

    yield make
    for state in made:
        state.stop()


def handle_all(app):
    while app.extensions["hookkit"].worker.work(limit=32):
        pass


def records(app):
    return list(app.extensions["hookkit"].opening.inbox().find())


def test_body_of_too_many_events_is_one_event_that_is_not_understood(app_of, hooks, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    seen = []
    hooks.fallback(lambda event: seen.append(event))
    app = app_of()
    body = body_of(1001)

    first = post(app.test_client(), body)
    second = post(app.test_client(), body)
    handle_all(app)

    assert (first.status_code, first.json) == (
        200,
        {"code": "accepted", "new": 1, "duplicates": 0},
    )
    assert (second.status_code, second.json) == (
        200,
        {"code": "accepted", "new": 0, "duplicates": 1},
    )
    (record,) = records(app)
    assert record.problem == "body: holds more than 1000 events"
    assert (record.state, record.has_body, record.event_type) == (State.DONE, True, "unknown")
    (unknown,) = seen
    assert unknown.type is EventType.UNKNOWN
    assert len(unknown.raw["events"]) == 1001
    actions = [record.action for record in caplog.records]
    assert actions.count("delivery_accepted") == 2


def test_body_of_as_many_events_as_are_taken_is_taken_apart(app_of):
    app = app_of()

    assert post(app.test_client(), body_of(1000)).json["new"] == 1000


def test_limit_may_be_set_for_an_endpoint(app_of):
    endpoints = {"support": ENDPOINTS["support"] | {"max_items": 2}}
    app = app_of(HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_MAX_ITEMS=5_000)

    assert post(app.test_client(), body_of(2)).json["new"] == 2
    assert post(app.test_client(), body_of(3)).json["new"] == 1
    problems = [record.problem for record in records(app)]
    assert Counter(problems) == {None: 2, "body: holds more than 2 events": 1}


def test_event_stays_what_it_was_when_the_limit_changes(app_of, hooks):
    """One of many keeps its place under a lower limit, a whole body stays whole under a higher."""
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append((event.type, event.id)))
    post(app_of(HOOKKIT_MAX_ITEMS=3).test_client(), body_of(3))
    post(app_of(HOOKKIT_MAX_ITEMS=3).test_client(), body_of(4))

    # Whole under a lower limit, and taken apart under a higher one.
    handle_all(app_of(HOOKKIT_MAX_ITEMS=2))
    app = app_of(HOOKKIT_MAX_ITEMS=4)
    hooks.replay_all(app, EVERYTHING)
    handle_all(app)

    known = [(EventType.MESSAGE, f"event-{number}") for number in range(3)]
    whole = [each for each in seen if each not in known]
    assert sorted(each for each in seen if each in known) == sorted(known * 2)
    assert {kind for kind, _ in whole} == {EventType.UNKNOWN}
    assert len(whole) == 2


def test_whole_body_says_why_in_the_handler_too(app_of, hooks):
    seen = []
    hooks.fallback(lambda event: seen.extend(event.problems))
    app = app_of(HOOKKIT_MAX_ITEMS=3)

    post(app.test_client(), body_of(4))
    handle_all(app)

    assert seen == [record.problem for record in records(app)]
    assert seen == ["body: holds more than 3 events"]


def test_limit_of_one_event_is_said_in_the_singular(app_of):
    app = app_of(HOOKKIT_MAX_ITEMS=1)

    post(app.test_client(), body_of(2))

    assert [record.problem for record in records(app)] == ["body: holds more than 1 event"]


@pytest.mark.parametrize("event_id", ["whole:1", "whole:", f"whole:{'0' * 64}"])
def test_no_id_of_a_sender_makes_an_event_unknown(app_of, hooks, event_id):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append((event.type, event.id)))
    app = app_of()
    body = message(event_id)

    post(app.test_client(), body)
    handle_all(app)

    assert seen == [(EventType.MESSAGE, event_id)]


@pytest.mark.usefixtures("no_vendor_waits")
@unmeasured()
def test_10_000_events_are_admitted_under_a_higher_limit(app_of, hooks, caplog):
    app = app_of(HOOKKIT_MAX_ITEMS=10_000, HOOKKIT_MAX_BODY=1 << 24)
    client = app.test_client()

    assert post(client, body_of(10_000)).json == {
        "code": "accepted",
        "new": 10_000,
        "duplicates": 0,
    }
    conflicts = []
    signals.event_conflict.connect(lambda _, **what: conflicts.append(what), app, weak=False)
    again = post(client, body_of(10_000, "Other text"))

    assert (again.status_code, again.json["duplicates"]) == (200, 10_000)
    assert len(conflicts) == 10_000
    assert [record.action for record in caplog.records].count("event_conflict") == 1
    assert app.extensions["hookkit"].opening.inbox().counts()[State.PENDING] == 10_000
    assert hooks.stats(app).entries[State.PENDING] == 1001  # as many as are counted, and more


@pytest.mark.usefixtures("no_vendor_waits")
@unmeasured()
def test_no_statement_has_more_parameters_than_postgresql_takes(hooks, postgres_url):
    app = make_app(
        hooks, HOOKKIT_DATABASE=postgres_url, HOOKKIT_RUNNER="none", HOOKKIT_MAX_ITEMS=10_000
    )
    client = app.test_client()
    counts = []

    def count(_, __, ___, parameters, ____, is_many):
        counts.append(max(map(len, parameters)) if is_many else len(parameters))

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for text in ("a", "b"):
            assert post(client, small_body_of(10_000, text)).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", count)
        app.extensions["hookkit"].stop()

    # https://www.postgresql.org/docs/current/limits.html
    assert 0 < max(counts) < 65_535 // 10


def small_body_of(count, text):
    body = message()
    body["events"] = [{"id": str(number), "type": text} for number in range(count)]
    return body


def many_of(provider):
    """Return a body of very many events to *provider*, as its versions know them."""
    return {
        "sunshine": [
            b'{"webhook":{"version":"v2"},"app":{},"events":[' + b"{}," * 300_000 + b"{}]}",
            b'{"trigger":"message:appUser","version":"v1.1","messages":[%s{}]}'
            % (b"{}," * 300_000),
        ],
        "livechat": [
            b'{"webhook_id":"w","secret_key":"s","action":"auto_accesses_updated",'
            b'"organization_id":"o","payload":[' + b"{}," * 300_000 + b"{}]}",
        ],
        "line": [b'{"destination":"d","events":[' + b"{}," * 300_000 + b"{}]}"],
        "sendgrid": [b"[" + b"{}," * 300_000 + b"{}]"],
    }[provider]


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        (name, body)
        for name in ("sunshine", "livechat", "line", "sendgrid")
        for body in many_of(name)
    ],
    ids=["sunshine v2", "sunshine v1.1", "livechat", "line", "sendgrid"],
)
def test_no_more_items_are_made_than_are_taken(provider, body, monkeypatch):
    made = []
    original = Payload.item
    monkeypatch.setattr(Payload, "item", lambda *a, **b: made.append(1) or original(*a, **b))

    (item,) = split(
        load_providers()[provider],
        endpoint="e",
        body=body,
        headers={},
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        max_items=1000,
    )

    # What would repeat its body is not even begun.
    assert (item.problem, len(made)) in {
        ("body: holds more than 1000 events", 1002),
        ("body: its events would repeat more than 8388608 bytes", 1),
    }


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("sunshine", {"trigger": "message:appUser", "version": "v1.1", "messages": [{}] * 1000}),
        (
            "livechat",
            {
                "webhook_id": "w",
                "action": "auto_accesses_updated",
                "organization_id": "o",
                "payload": [{}] * 1000,
            },
        ),
    ],
)
def test_events_repeat_no_more_of_their_body_than_can_be_hashed(provider, body):
    def items_of(rest_bytes):
        return split(
            load_providers()[provider],
            endpoint="e",
            body=json.dumps({**body, "rest": "x" * rest_bytes}).encode(),
            headers={},
            received_at=datetime(2026, 3, 1, tzinfo=UTC),
            max_items=1000,
        )

    assert len(items_of(1000)) == 1000
    (item,) = items_of(MAX_REPEATED_BYTES // 1000)
    assert item.problem == "body: its events would repeat more than 8388608 bytes"
    assert len(item.raw["rest"]) == MAX_REPEATED_BYTES // 1000
