"""What vendors send that is not read: noticed while events are handled, and shown by a command."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from hookkit import HookKit
from hookkit.core.errors import Unavailable
from hookkit.inbox.records import Drifted
from hookkit.inbox.sql.drift import KEPT_DAYS
from hookkit.operating import drift as module
from hookkit.operating.drift import documented_unread
from hookkit.providers import load_providers
from tests.applications import make_app, message, post

FIELD = Drifted("sunshine", "v2", "field", "events[].payload.sentiment")


def with_sentiment(event_id="event-1"):
    body = message(event_id)
    body["events"][0]["payload"]["sentiment"] = {"score": "of Ann"}
    return body


@pytest.fixture
def app():
    return make_app(HookKit())


@pytest.fixture
def state(app):
    return app.extensions["hookkit"]


def found(state, since=date(1971, 1, 1)):
    state.drift.write()
    records = state.opening.inbox().drift.find(since)
    return {(each.kind, each.name): each.count for each in records}


def test_new_field_is_noticed_in_the_first_event_and_logged_once_a_day(app, state, caplog):
    for number in range(3):
        post(app.test_client(), with_sentiment(f"event-{number}"))

    assert found(state) == {("field", FIELD.name): 1}
    (line,) = [each for each in caplog.records if getattr(each, "action", "") == "drift"]
    assert line.getMessage() == (
        "sunshine v2 sends what is not read: field events[].payload.sentiment;"
        " see `flask hookkit drift`"
    )
    assert "Ann" not in caplog.text


def test_fields_are_looked_for_in_one_of_a_hundred_events(app, state, monkeypatch):
    monkeypatch.setattr(module, "ONE_OF", 3)
    for number in range(7):
        post(app.test_client(), with_sentiment(f"event-{number}"))

    assert found(state) == {("field", FIELD.name): 3}


def test_fields_are_looked_for_less_often_where_there_are_many_events(app, state, monkeypatch):
    monkeypatch.setattr(module, "ONE_OF", 1)
    monkeypatch.setattr(module, "MANY", 3)
    monkeypatch.setattr(module, "ONE_OF_MANY", 4)
    for number in range(8):
        post(app.test_client(), with_sentiment(f"event-{number}"))

    assert found(state) == {("field", FIELD.name): 4}  # of the events 0, 1, 2 and 4


def test_unknown_types_and_problems_are_noticed_in_every_event(app, state):
    for number, word in enumerate(
        ["conversation:new", "conversation:new", "a word\nof a stranger"]
    ):
        body = message(f"event-{number}")
        body["events"][0]["type"] = word
        post(app.test_client(), body)
    body = message("event-9")
    body["events"][0]["createdAt"] = "nobody@example.org"
    post(app.test_client(), body)

    seen = found(state)
    assert seen["type", "conversation:new"] == 2
    assert seen["type", "(no word)"] == 1
    (problem,) = [name for kind, name in seen if kind == "problem"]
    assert "nobody" not in problem


def test_what_the_documentation_shows_is_no_news(app, state):
    for each in load_providers().values():
        documented = documented_unread(each)
        assert all(version in each.versions for version, _ in documented)
    assert ("v1.1", "appUser.conversationStarted") in documented_unread(
        load_providers()["sunshine"]
    )


def test_samples_are_looked_through_once_for_all_applications(app, monkeypatch):
    post(app.test_client(), message())
    looked = []
    monkeypatch.setattr(module, "documented_unread", looked.append)

    post(make_app(HookKit()).test_client(), message())

    assert looked == []


def test_day_is_counted_apart_and_told_again(app, state, caplog):
    moments = [datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)]
    state.drift._clock = lambda: moments[0]
    post(app.test_client(), with_sentiment("event-1"))
    state.drift._counts.clear()
    state.drift._clock = lambda: moments[1]
    post(app.test_client(), with_sentiment("event-2"))
    state.drift.write()

    (record,) = state.opening.inbox().drift.find(date(2026, 3, 1))
    assert (record.first_on, record.last_on, record.count) == (
        date(2026, 3, 1),
        date(2026, 3, 2),
        2,
    )
    assert state.opening.inbox().drift.find(date(2026, 3, 3)) == []
    assert [getattr(each, "action", "") for each in caplog.records].count("drift") == 2


def test_findings_are_bounded(app, state, monkeypatch):
    monkeypatch.setattr(module, "MAX_FOUND", 5)
    monkeypatch.setattr(module, "MAX_KINDS", 3)
    for number in range(20):
        body = message(f"event-{number}")
        body["events"][0]["type"] = f"invented:{number}"
        post(app.test_client(), body)

    assert len(found(state)) == 5
    assert len(state.drift._counts) == 3


def test_second_process_counts_and_does_not_tell_again(state):
    inbox, day = state.opening.inbox(), date(2026, 3, 1)

    assert inbox.drift.add(day, {FIELD: 1}) == [FIELD]
    assert inbox.drift.add(day, {FIELD: 2}) == []
    assert inbox.drift.find(day)[0].count == 3


def test_what_is_old_is_forgotten(state):
    inbox, day = state.opening.inbox(), date(2026, 3, 1)
    inbox.drift.add(day - timedelta(days=KEPT_DAYS + 1), {FIELD: 1})
    inbox.drift.add(day, {FIELD: 1})

    assert inbox.drift.find(date(1971, 1, 1))[0].first_on == day


def test_inbox_that_is_away_loses_no_finding_and_no_event(app, state, monkeypatch):
    inbox = state.drift._inbox

    def away():
        raise Unavailable("away")

    monkeypatch.setattr(state.drift, "_inbox", away)
    assert post(app.test_client(), with_sentiment()).status_code == 200
    with pytest.raises(Unavailable):
        state.drift.write()
    monkeypatch.setattr(state.drift, "_inbox", inbox)

    assert found(state) == {("field", FIELD.name): 1}


def test_mistake_in_it_does_not_touch_the_event(app, state, monkeypatch, caplog):
    def fail(*arguments):
        raise RecursionError

    monkeypatch.setattr(module, "unread_fields", fail)

    assert post(app.test_client(), with_sentiment()).json == {
        "code": "accepted",
        "new": 1,
        "duplicates": 0,
    }
    assert [each.action for each in caplog.records].count("drift_failed") == 1


def test_large_body_is_not_looked_through(app, state, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    post(app.test_client(), with_sentiment())

    assert found(state) == {}


# The command


def drift_command(app, *arguments):
    return app.test_cli_runner().invoke(args=["hookkit", "drift", *arguments])


def test_command_shows_since_when_something_is_sent(app):
    post(app.test_client(), with_sentiment())
    result = drift_command(app)

    today = str(datetime.now(UTC).date())
    assert result.exit_code == 0
    assert result.output.splitlines()[1].split() == [
        *(today, today, "1", "sunshine", "v2", "field", FIELD.name)
    ]
    assert max(map(len, result.output.splitlines())) <= 100


def test_command_prints_json(app):
    post(app.test_client(), with_sentiment())
    (record,) = json.loads(drift_command(app, "--json", "--since", "1d").output)

    assert (record["kind"], record["name"], record["count"]) == ("field", FIELD.name, 1)


def test_command_says_that_there_is_nothing(app):
    assert drift_command(app, "--since", "2026-03-01").output == (
        "nothing since 2026-03-01: all that was sent is read\n"
    )
    assert json.loads(drift_command(app, "--json").output) == []


def test_command_refuses_what_is_no_time(app):
    result = drift_command(app, "--since", "soon")

    assert result.exit_code == 2
    assert "Traceback" not in result.output
