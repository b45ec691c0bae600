"""However much strangers and senders send, the log stays short; signals miss nothing."""

import logging

import pytest
from sqlalchemy import create_engine

from hookkit import HookKit, signals
from hookkit.log import FIRST_LINES, flush_all
from tests.applications import ENDPOINTS, SECRET, make_app, message, post

pytestmark = pytest.mark.usefixtures("each_door")

#: Well above the bound.
MANY = 3 * FIRST_LINES


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog):
    flush_all()  # what the tests before have left out
    caplog.set_level(logging.INFO, "hookkit")


def lines_of(caplog, action):
    return [record for record in caplog.records if getattr(record, "action", None) == action]


def counted(signal, app):
    """Return a list to which each sending of *signal* adds its arguments."""
    seen = []
    signal.connect(lambda _, **what: seen.append(what), app, weak=False)
    return seen


def test_refusals_are_logged_at_a_bounded_rate_and_all_signalled(hooks, caplog):
    app = make_app(hooks)
    refused = counted(signals.delivery_rejected, app)
    client = app.test_client()

    answers = [post(client, message(), secret=None) for _ in range(MANY)]

    assert {(each.status_code, each.json["code"]) for each in answers} == {
        (401, "signature_missing")
    }
    assert len(lines_of(caplog, "delivery_rejected")) == FIRST_LINES
    assert len(refused) == MANY
    assert sum(hooks.stats(app).entries.values()) == 0


def test_refusals_are_bounded_by_endpoint_and_code(hooks, caplog):
    sales = {"provider": "sunshine", "secrets": ["the-secret-of-the-sales"]}
    app = make_app(hooks, HOOKKIT_ENDPOINTS={**ENDPOINTS, "sales": sales})
    client = app.test_client()

    for url in ("/hooks/support", "/hooks/sales"):
        for secret in (None, "a-secret-that-does-not-fit"):
            for _ in range(MANY):
                post(client, message(), url=url, secret=secret)

    assert len(lines_of(caplog, "delivery_rejected")) == 4 * FIRST_LINES


def test_what_was_left_out_is_logged_at_the_end_of_the_process(hooks, caplog):
    app = make_app(hooks)
    for _ in range(MANY):
        post(app.test_client(), message(), secret=None)

    app.extensions["hookkit"].stop()

    last = lines_of(caplog, "delivery_rejected")[-1]
    assert (last.left_out, last.endpoint, last.code) == (
        MANY - FIRST_LINES,
        "support",
        "signature_missing",
    )


def test_unsigned_tests_of_a_url_are_logged_at_a_bounded_rate(hooks, caplog):
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"chat": {"provider": "8x8", "region": "us"}})
    accepted = counted(signals.delivery_accepted, app)
    client = app.test_client()

    for _ in range(MANY):
        answer = client.post("/hooks/chat", json={"eventType": "WEB_HOOK_VERIFY"})
        assert answer.status_code == 200

    assert len(lines_of(caplog, "ping_answered")) == FIRST_LINES
    assert lines_of(caplog, "delivery_accepted") == []
    assert len(accepted) == MANY


def test_conflicts_of_one_delivery_are_one_line_and_all_signalled(hooks, caplog):
    app = make_app(hooks)
    conflicts = counted(signals.event_conflict, app)

    for text in ("first", "second"):
        body = message()
        body["events"] = [message(f"event-{n}", text)["events"][0] for n in range(50)]
        answer = post(app.test_client(), body)

    assert (answer.status_code, answer.json) == (
        200,
        {"code": "accepted", "new": 0, "duplicates": 50},
    )
    (line,) = lines_of(caplog, "event_conflict")
    assert (line.endpoint, line.entry_id, line.conflicts) == ("support", 1, 50)
    assert len(conflicts) == 50
    assert sum(hooks.stats(app).entries.values()) == 50


def test_conflicts_are_logged_at_a_bounded_rate(hooks, caplog):
    client = make_app(hooks).test_client()

    for number in range(MANY):
        post(client, message(text=f"text {number}"))

    assert len(lines_of(caplog, "event_conflict")) == FIRST_LINES


def test_unavailability_is_logged_at_a_bounded_rate(hooks, caplog, tmp_path):
    missing = create_engine(f"sqlite:///{tmp_path}/missing/inbox.db")
    client = make_app(hooks, HOOKKIT_DATABASE=missing).test_client()

    answers = {post(client, message()).status_code for _ in range(MANY)}

    assert answers == {503}
    assert len(lines_of(caplog, "delivery_unavailable")) == FIRST_LINES


def test_failures_of_a_handler_are_logged_at_a_bounded_rate_and_all_signalled(hooks, caplog):
    @hooks.on("*", name="fragile")
    def fail(event):
        raise ValueError(event.id)

    app = make_app(hooks, HOOKKIT_RETRY={"max_attempts": 1})
    failed = counted(signals.attempt_failed, app)
    dead = counted(signals.event_dead, app)

    for number in range(MANY):
        assert post(app.test_client(), message(f"event-{number}")).status_code == 200

    assert len(lines_of(caplog, "attempt_failed")) == FIRST_LINES
    assert len(lines_of(caplog, "event_dead")) == FIRST_LINES
    assert len(failed) == len(dead) == MANY


def test_receiver_of_a_signal_that_raises_is_logged_at_a_bounded_rate(hooks, caplog):
    app = make_app(hooks)

    def broken(_, **what):
        raise RuntimeError("no")

    signals.delivery_rejected.connect(broken, app)
    for _ in range(MANY):
        assert post(app.test_client(), message(), secret=None).status_code == 401

    assert len(lines_of(caplog, "signal_receiver_failed")) == FIRST_LINES


def test_secret_is_in_no_line(hooks, caplog):
    client = make_app(hooks).test_client()
    for secret in (SECRET, None, "a-secret-of-a-stranger"):
        for _ in range(MANY):
            post(client, message(), secret=secret)

    assert SECRET not in caplog.text
    assert "a-secret-of-a-stranger" not in caplog.text
