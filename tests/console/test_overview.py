"""The first page, dead letters and the audit."""

import os
from datetime import timedelta

import pytest

from hookkit.application.app_state import state_of


def test_overview_says_that_nothing_needs_anybody(ops):
    ops.is_broken = False
    ops.receive("event-1")

    text = ops.get("/").text

    assert "Nothing needs you." in text
    assert "<strong>1</strong>" in text


def test_overview_leads_to_what_is_dead_since_today(ops):
    ops.receive("event-1", "event-2")

    text = ops.get("/").text

    assert "2 events are dead: forward, RuntimeError: the shop is away" in text
    assert 'href="/ops/events?state=dead"' in text
    state = state_of(ops.app)
    now = state.now() + timedelta(hours=25)
    state.clock = lambda: now
    assert "events are dead" not in ops.get("/").text


def test_overview_says_that_nothing_is_handled(make_ops):
    ops = make_ops(HOOKKIT_RUNNER="none")
    ops.receive("event-1")
    state = state_of(ops.app)
    now = state.now() + timedelta(seconds=100)
    state.clock = lambda: now

    text = ops.get("/").text

    assert "What is due first has waited for 100 s" in text
    assert "and no worker was seen lately: start one, such as “flask hookkit worker”." in text
    assert 'href="/ops/events?state=pending"' in text


def test_overview_and_stats_name_the_workers(ops):
    state = state_of(ops.app)
    assert "No process that runs handlers was seen lately." in ops.get("/").text
    state._presence(threads=3).beat()

    text = ops.get("/").text
    printed = ops.app.test_cli_runner().invoke(args=["hookkit", "stats"]).output

    for words in (f"process {os.getpid()}", "3 threads", "moving, support"):
        assert words in text
        assert words in " ".join(printed.split())


def test_overview_counts_what_was_refused_today(ops):
    ops.client.post("/hooks/support", json={})
    state_of(ops.app).receiver.report.minutes.write()

    assert "1 signature_missing" in ops.get("/").text


def test_dead_letters_are_grouped_by_handler_and_error(ops):
    ops.receive("event-1", "event-2")
    ops.error = "no customer 'Ada' at +49 170 1234567"
    ops.receive("event-3")

    text = ops.get("/dead").text

    first, second = text.index("the shop is away"), text.index("no customer")
    assert first < second
    assert "tests/console/ops.py:" in text
    assert 'href="/ops/events/2"' in text
    assert "Ada" not in text.split("<main")[1]


def test_page_without_dead_letters_says_so(ops):
    assert "No event is dead" in ops.get("/dead").text


def test_audit_shows_who_did_what_newest_first(ops, monkeypatch):
    ops.receive("event-1")
    assert "Nobody has replayed" in ops.get("/audit").text
    ops.as_user("operate")
    ops.post("/events/1/replay", {"reason": "the shop is back"}, page="/events/1")
    ops.app.test_cli_runner().invoke(args=["hookkit", "replay", "--state", "dead", "--who", "bob"])
    ops.as_user("view")

    text = ops.get("/audit").text

    assert text.index("bob") < text.index("the shop is back")
    assert "<code>--state dead</code>" in text
    monkeypatch.setattr("hookkit.web.console.audit.LIMIT", 1)
    assert "bob" not in ops.get("/audit?below=2").text
    assert "below=2" in ops.get("/audit").text
    assert "No record is older." in ops.get("/audit?below=1").text


@pytest.mark.parametrize("below", ["x", "-1", "\u0663", "9" * 30])
def test_audit_refuses_what_is_no_number(ops, below):
    assert ops.get(f"/audit?below={below}").status_code == 400


def test_charts_draw_what_came_and_say_the_same_in_a_table(ops):
    ops.receive("event-1", "event-1", "event-2")
    ops.client.post("/hooks/support", json={})
    state_of(ops.app).receiver.report.minutes.write()

    text = ops.get("/?last=1h").text

    assert "3 events, at most" in text
    assert "1 delivery, at most 1 in one bar" in text
    assert 'class="bar bar-0"' in text
    assert '<caption class="hidden">Refused, by code</caption>' in text
    assert '<th scope="col">signature_missing</th>' in text
    assert "gave up" in text or "failed" in text
    assert "half within" in text


def test_charts_are_of_one_endpoint_or_of_all(ops):
    ops.receive("event-1")
    state_of(ops.app).receiver.report.minutes.write()

    assert "The last 7 days at support" in ops.get("/?last=7d&at=support").text
    assert "The last 24 hours</h2>" in ops.get("/?last=never&at=nowhere").text


def test_charts_of_nothing_draw_nothing(ops):
    text = ops.get("/").text

    assert "0 events" in text
    assert 'class="bar ' not in text


def test_dead_letters_show_when_they_failed(ops):
    ops.receive("event-1", "event-2")

    assert 'aria-label="2 in the last 24 hours, at most 2 in one"' in ops.get("/dead").text
