"""The pages of events: what they show, and what they do."""

import pytest

from hookkit import signals
from hookkit.inbox.records import STEP
from tests.console.ops import cookie_of
from tests.inbox.test_reading import entry_row, store

NUMBER = "+49 170 1234567"


def test_events_are_listed_newest_first(ops):
    ops.receive_all()

    text = ops.get("/events").text

    assert text.index("/ops/events/2") < text.index("/ops/events/1")
    assert "forward: RuntimeError: the shop is away" in text


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("state=dead", [1]),
        ("state=done", [2]),
        ("outcome=failed", [1]),
        ("untried=greet", []),
        ("event=event-2", [2]),
        ("id=2", [2]),
        ("type=conversation:message", [1, 2]),
        ("at=support&since=1h", [1, 2]),
        ("until=1h", []),
        ("q=2", [2]),
        ("q=event-1", [1]),
        ("q=state:dead+type:conversation:message", [1]),
        ("q=state:done+event-1", []),
        ("q=handler:forward+error:RuntimeError", [1]),
        ("q=handler:greet+error:RuntimeError", []),
        ("q=lane:65f1c0ffee0123456789abcd", []),
        ("version=v2", [1, 2]),
        ("replayed=no&conflict=no", [1, 2]),
        ("replayed=yes", []),
        ("below=2", [1]),
    ],
)
def test_address_chooses_events(ops, query, ids):
    ops.receive_all()

    text = ops.get(f"/events?{query}").text

    assert [number for number in (1, 2) if f'"/ops/events/{number}"' in text] == ids


def test_page_leads_to_older_events(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.events.LIMIT", 1)
    ops.receive_all()

    first = ops.get("/events?state=done").text
    older = ops.get("/events?at=support").text

    assert "below=" not in first
    assert "/ops/events?at=support&amp;below=2" in older
    assert '"/ops/events/1"' in ops.get("/events?at=support&below=2").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=deed", "Choose one of"),
        ("outcome=lucky", "Choose one of"),
        ("conflict=maybe", "Choose one of yes, no"),
        ("since=then", "Write 2h, today"),
        ("since=1h&until=2h", "No entry fits"),
        ("id=99999999999999999999", "whole number"),
        ("id=²", "whole number"),
        ("below=x", "Nothing was looked for"),
        (f"type={'x' * 300}", "at most 255"),
    ],
)
def test_mistake_in_the_address_is_told_beside_its_field(ops, query, sentence):
    answer = ops.get(f"/events?{query}")

    assert answer.status_code == 400
    assert sentence in answer.text


def test_empty_pages_say_why(ops):
    assert "Nothing was received yet" in ops.get("/events").text
    ops.receive("event-1")
    assert "No entry fits" in ops.get("/events?type=typo").text
    assert "No entry has a lower id" in ops.get("/events?below=1").text
    store(ops.inbox, [entry_row(9 + STEP)])
    far = ops.get("/events?type=typo").text
    assert "None fits among the 20,000 entries that were looked at, back to" in far
    assert "Look further back" in far


def test_event_shows_raw_beside_normalized_and_what_each_handler_did(ops):
    ops.receive_all()

    text = ops.get("/events/1").text

    for part in ("As it came", "As handlers get it", "text of 18 characters", "forward", "greet"):
        assert part in text
    assert "ops.py:" in text  # where it was raised
    assert "Where is my order?" not in text


def test_entry_that_is_not_there_is_404(ops):
    answer = ops.get("/events/7")

    assert answer.status_code == 404
    assert "There is no entry 7" in answer.text
    assert ops.get(f"/events/{2**64}").status_code == 404


def test_body_that_was_deleted_is_told(ops):
    ops.receive("event-1")
    store(ops.inbox, [entry_row(50)])

    assert "HOOKKIT_KEEP_BODIES_DAYS" in ops.get("/events/50").text


def test_replay_runs_what_has_not_succeeded_and_is_audited(ops):
    ops.receive("event-1")
    ops.is_broken = False
    ops.as_user("operate")

    answer = ops.post("/events/1/replay", {"reason": "the shop is back"}, page="/events/1")

    assert (answer.status_code, answer.location) == (303, "/ops/events/1?did=replayed")
    assert ops.ran == ["event-1", "event-1"]
    assert ops.acts() == [("ada@example.com", "replay", "entry 1", "done")]
    (record,) = ops.inbox.audit.find()
    assert (record.act.reason, record.act.address) == ("the shop is back", "127.0.0.1")
    assert "The entry is due again" in ops.get("/events/1?did=replayed").text


def test_second_press_of_the_button_replays_nothing(ops):
    ops.receive("event-1")
    ops.as_user("operate")
    fields = ops.token("/events/1", "/events/1/replay")

    first, second = (
        ops.client.post(
            "/ops/events/1/replay", data=fields, headers={"Sec-Fetch-Site": "same-origin"}
        )
        for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (303, 409)
    assert len(ops.ran) == 2


def test_handlers_can_be_chosen(ops):
    ops.receive_all()
    ops.as_user("operate")

    ops.post("/events/2/replay", {"handler": "greet"}, page="/events/2")

    attempts = ops.inbox.reading.read(2).record.attempts
    assert [each.handler for each in attempts if each.replays] == ["greet"]


def test_replay_that_is_refused_is_told_and_audited(ops):
    ops.receive("event-1")
    ops.as_user("operate")

    answer = ops.post("/events/1/replay", {"handler": "nobody"}, page="/events/1")

    assert answer.status_code == 409
    assert "no handler has the name" in answer.text.lower()
    ((*_, result),) = ops.acts()
    assert result.startswith("refused: no handler has the name")


def test_actions_that_cannot_be_done_say_why(ops):
    ops.receive("event-1")
    store(ops.inbox, [entry_row(50)])

    assert "This takes the right “operate”." in ops.get("/events/1").text
    ops.as_user("operate")
    assert "are gone, so that it cannot run again" in ops.get("/events/50").text


def test_personal_data_is_shown_to_whoever_asked_for_it_for_five_minutes(ops):
    ops.error = f"no such number: {NUMBER}"
    ops.receive("event-1", "event-2", text=f"call {NUMBER}")
    ops.as_user("reveal")
    hidden = ops.get("/events/1").text

    answer = ops.post("/events/1/reveal", page="/events/1")

    assert NUMBER not in hidden
    cookie = cookie_of(answer, "hookkit_reveal")
    assert (cookie["path"], cookie["max-age"]) == ("/ops/events/1", "300")
    assert ops.get("/events/1").text.count(NUMBER) == 3
    assert NUMBER not in ops.get("/events/2").text
    assert NUMBER not in ops.get("/events").text
    assert ops.acts() == [("ada@example.com", "reveal", "entry 1", "done")]
    ops.as_user("reveal", user="bob@example.com")
    assert NUMBER not in ops.get("/events/1").text
    ops.as_user("view")
    assert NUMBER not in ops.get("/events/1").text


def test_old_cookie_reveals_nothing(ops, monkeypatch):
    ops.receive("event-1", text=f"call {NUMBER}")
    ops.as_user("reveal")
    ops.post("/events/1/reveal", page="/events/1")
    monkeypatch.setattr("hookkit.web.console.event.REVEALED_S", -1)

    assert NUMBER not in ops.get("/events/1").text


def test_action_is_told_by_a_signal(ops):
    ops.receive("event-1")
    ops.as_user("operate")
    told = []

    def listen(sender, **what):
        told.append((sender, what["act"].action, what["result"]))

    with signals.operated.connected_to(listen):
        ops.post("/events/1/replay", page="/events/1")

    assert told == [(ops.app, "replay", "done")]


def test_commands_are_audited_too(ops):
    ops.receive("event-1")
    runner = ops.app.test_cli_runner()

    runner.invoke(args=["hookkit", "replay", "1", "--who", "ada", "--reason", "mended"])
    runner.invoke(args=["hookkit", "quarantine", "release", "7", "--who", "ada"])
    runner.invoke(args=["hookkit", "versions", "switch", "support", "v9", "--who", "ada"])
    runner.invoke(args=["hookkit", "versions", "retire", "support", "v9", "--who", "ada"])

    assert [(who, action) for who, action, *_ in ops.acts()] == [
        ("ada", "retire"),
        ("ada", "switch"),
        ("ada", "release"),
        ("ada", "replay"),
    ]


@pytest.mark.parametrize("path", ["/events", "/events/1", "/events?q=state:dead"])
def test_pages_work_on_both_databases(make_ops, sql_url, path):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    ops.receive_all()
    ops.as_user("operate")

    assert ops.get(path).status_code == 200
    assert ops.post("/events/1/replay", page="/events/1").status_code == 303
    assert ops.acts() == [("ada@example.com", "replay", "entry 1", "done")]


@pytest.mark.parametrize(
    "query",
    [
        "event=%00",
        "type=a%00b",
        "at=%00",
        "untried=%00",
        "q=%00",
        "q=state:%ff",
        "event=%ed%a0%80",
        "since=0001-01-01",
        "until=9999-12-31T23:59-12:00",
        "since=999999999d",
        "id=9223372036854775807",
        "below=9223372036854775807",
        "q=" + "9" * 5000,
        "type=" + "%F0%9F%92%A9" * 255,
    ],
    ids=lambda query: query[:30],
)
def test_no_address_breaks_the_page(make_ops, sql_url, query):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    ops.receive("event-1")

    assert ops.get(f"/events?{query}").status_code in (200, 400)
