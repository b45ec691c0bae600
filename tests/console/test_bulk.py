"""Many events run again: what a person sees first, what the form asks for, and what is recorded."""

import re
from datetime import timedelta

import pytest

from hookkit.application.app_state import state_of
from hookkit.core.entry import Filter, State
from hookkit.inbox.replay_records import Bulk, Ending
from tests.console.ops import SAME_ORIGIN, Ops, form_of

START = "/replays/start"


@pytest.fixture
def ops():
    made = Ops()
    made.as_user("operate")
    yield made
    made.close()


def group_page(ops, number=0):
    """Return the address of the form for one group of the page of dead letters."""
    found = re.findall(r'href="/ops(/replays/new\?group=[0-9a-f]+)"', ops.get("/dead").text)
    return found[number]


def start(ops, page, **fields):
    given = {"reason": "the shop is back"} | fields
    return ops.post(START, {"per_second": "20"} | given, page=page)


def test_group_shows_what_would_run_and_starts_it(ops):
    ops.receive("event-1", "event-2")
    page = group_page(ops)
    text = ops.get(page).text
    ops.is_broken = False

    answer = start(ops, page)

    assert "forward: RuntimeError: the shop is away" in text
    assert "<strong>2</strong>" in text
    assert (answer.status_code, answer.location) == (303, "/ops/replays/1?did=started")
    assert ops.ran == ["event-1", "event-2"] * 2
    record = ops.inbox.replays.read(1)
    assert (record.who, record.reason, record.count) == ("ada@example.com", "the shop is back", 2)
    assert record.ending is Ending.DONE
    assert ops.acts() == [
        ("ada@example.com", "replay", "forward: RuntimeError: the shop is away", "done")
    ]


def test_other_groups_and_what_dies_meanwhile_are_left_alone(ops):
    ops.receive("event-1", "event-2")
    ops.error = "no such customer"
    ops.receive("event-3")
    page = group_page(ops)
    fields = ops.token(page, START)
    ops.error = "the shop is away"
    ops.receive("event-4")
    ops.is_broken = False
    ops.ran.clear()

    given = fields | {"reason": "mended", "per_second": "20"}
    answer = ops.client.post(f"/ops{START}", data=given, headers=SAME_ORIGIN)

    assert answer.status_code == 303
    assert ops.ran == ["event-1", "event-2"]


def test_list_of_events_leads_to_a_replay_of_what_it_chooses(ops):
    ops.receive("event-1", "event-2")
    ops.is_broken = False
    ops.receive("event-3")
    assert '"/ops/replays/new?state=dead"' in ops.get("/events?state=dead").text

    assert start(ops, "/replays/new?state=dead").status_code == 303

    assert ops.ran == ["event-1", "event-2", "event-3", "event-1", "event-2"]
    assert ops.inbox.audit.find()[0].act.wanted == Filter(state=State.DEAD)


def test_relative_times_are_resolved_when_the_page_is_opened(ops):
    ops.receive("event-1")

    first, second = (ops.token("/replays/new?since=2h", START) for _ in range(2))
    state_of(ops.app)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["since"])
    assert first["up_to"] == second["up_to"] == "1"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": " "}, "Say why, for the record."),
        ({"reason": "x" * 501}, "Write at most 500 characters."),
        ({"per_second": "0"}, "Write a whole number from 1 to 1000."),
        ({"per_second": "1001"}, "Write a whole number from 1 to 1000."),
        ({"per_second": "²"}, "Write a whole number from 1 to 1000."),
        ({"count": "1"}, "There are 2 by now, and not 1: look again."),
    ],
)
def test_mistake_starts_nothing_and_keeps_what_was_written(ops, fields, sentence):
    ops.receive("event-1", "event-2")

    answer = start(ops, group_page(ops), handler="greet", **fields)

    assert answer.status_code == 400
    assert sentence in answer.text
    assert 'value="greet" checked' in answer.text
    assert "token" in form_of(answer.text, f"/ops{START}")
    assert ops.inbox.replays.find() == []
    assert ops.acts() == []


def test_number_above_100_is_typed(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.bulk.TYPED_ABOVE", 1)
    ops.receive("event-1", "event-2")
    page = group_page(ops)

    assert "Type 2 to confirm" in ops.get(page).text
    assert "Write 2, which is how many" in start(ops, page).text
    assert start(ops, page, typed="3").status_code == 400
    assert start(ops, page, typed=" 2 ").status_code == 303


def test_unknown_handler_is_refused(ops):
    ops.receive("event-1")

    assert start(ops, group_page(ops), handler="nobody").status_code == 409
    assert ops.inbox.replays.find() == []


def test_only_the_chosen_handlers_run(ops):
    ops.receive("event-1")
    ops.is_broken = False

    start(ops, group_page(ops), handler="greet")

    attempts = ops.inbox.reading.read(1).record.attempts
    assert [each.handler for each in attempts if each.replays] == ["greet"]


def test_second_press_starts_nothing(ops):
    ops.receive("event-1")
    page = group_page(ops)
    ops.inbox.replays.start(
        Filter(state=State.DEAD),
        handlers=None,
        reason="",
        who="bob",
        now=state_of(ops.app).now() + timedelta(hours=1),
        bulk=Bulk("forward: RuntimeError: the shop is away", 20, 1, 1),
    )

    answer = start(ops, page)

    assert answer.status_code == 409
    assert "Replay 1 is about the same and has not ended" in answer.text
    assert ops.ran == ["event-1"]


def test_group_that_is_gone_and_an_address_that_chooses_nothing_say_so(ops):
    ops.receive("event-1")

    assert "is gone" in ops.get("/replays/new?group=0123456789abcdef").text
    assert "Choose some events first" in ops.get("/replays/new").text
    assert "Nothing of it can run again" in ops.get("/replays/new?type=typo").text
    assert ops.get("/replays/new?state=deed").status_code == 400
    assert ops.get(f"/replays/new?state=dead&up_to={'9' * 18}").status_code == 200


def test_preview_says_what_cannot_run(ops):
    ops.receive("event-1")
    ops.inbox.prune(
        bodies_before=state_of(ops.app).now() + timedelta(days=1),
        ids_before=state_of(ops.app).now() - timedelta(days=1),
    )

    assert "the bytes of entry 1 are gone" in ops.get(group_page(ops)).text


def left(ops, count=3, per_second=1):
    """Leave a replay to housekeeping, which does not come by itself here."""
    ops.receive(*(f"event-{number}" for number in range(count)))
    ops.inbox.replays.start(
        Filter(state=State.DEAD),
        handlers=None,
        reason="the shop is back",
        who="ada@example.com",
        now=state_of(ops.app).now(),
        bulk=Bulk("forward: away", per_second, count, count),
    )
    state_of(ops.app).advance_replays()


def test_page_of_a_replay_tells_how_far_it_is(ops):
    left(ops)

    text = ops.get("/replays/1").text

    assert "1 of 3 made due" in text
    assert "<dt>Failed again</dt><dd>1</dd>" in text
    assert "<dt>Left</dt><dd>2</dd>" in text
    assert "forward: away" in ops.get("/replays").text


def test_replay_is_paused_goes_on_and_is_cancelled(ops):
    left(ops)

    paused = ops.post("/replays/1/pause", page="/replays/1")
    assert paused.location == "/ops/replays/1?did=paused"
    assert "paused" in ops.get("/replays/1").text
    assert ops.post("/replays/1/go-on", page="/replays/1").status_code == 303
    assert ops.inbox.replays.read(1).paused_at is None


def test_cancelled_replay_makes_nothing_more_due(ops):
    left(ops)

    ops.post("/replays/1/cancel", page="/replays/1")

    state_of(ops.app).advance_replays()
    assert len(ops.ran) == 4
    assert "cancelled" in ops.get("/replays/1").text
    assert ("ada@example.com", "cancel", "replay 1", "done") in ops.acts()


def test_replay_that_stopped_itself_says_so(ops):
    left(ops, count=51, per_second=1000)
    state = state_of(ops.app)
    now = state.now() + timedelta(seconds=5)
    state.clock = lambda: now
    state.advance_replays()

    text = ops.get("/replays/1").text

    assert "stopped itself" in text
    assert "whatever was mended did not help" in text
    assert len(ops.ran) == 51 + 50


def test_without_the_right_buttons_say_what_they_take(ops):
    left(ops)
    ops.as_user("view")

    assert "This takes the right “operate”." in ops.get("/replays/1").text
    assert "replays/new" not in ops.get("/dead").text
    assert "This takes the right “operate”." in ops.get("/events?state=dead").text
    assert ops.get("/replays/new?state=dead").status_code == 403


def test_replays_that_are_not_there_say_so(ops):
    assert "Nothing was replayed in bulk yet" in ops.get("/replays").text
    assert ops.get("/replays/7").status_code == 404


def test_groups_and_replays_show_no_personal_data(ops):
    ops.error = "no customer 'Ada Lovelace' at +49 170 1234567"
    ops.receive("event-1")
    page = group_page(ops)
    start(ops, page)

    for path in ("/dead", page, "/replays", "/replays/1", "/audit"):
        text = ops.get(path).text
        assert "Lovelace" not in text, path
        assert "1234567" not in text, path


@pytest.mark.parametrize("path", ["/", "/?last=30d&at=support", "/dead", "/replays"])
def test_pages_work_on_both_databases(sql_url, path):
    ops = Ops(HOOKKIT_DATABASE=sql_url)
    ops.as_user("operate")
    ops.receive_all()
    state_of(ops.app).receiver.report.minutes.write()

    assert ops.get(path).status_code == 200
    assert start(ops, group_page(ops)).status_code == 303
    assert ops.get("/replays/1").status_code == 200
    ops.close()
