"""The page of one event: its timeline, its twin, trying it, and what is saved of it."""

import json
import re
import shlex
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from click.testing import CliRunner

from hookkit.cli.main import main
from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter
from hookkit.inbox.records import ReadAs
from hookkit.web.console import timeline
from tests.applications import SECRET, message, post
from tests.cli.test_versions import V1_1
from tests.console.ops import MOVING_SECRET
from tests.inbox.test_reading import entry_row, store

NUMBER = "+49 170 1234567"


def record_of(ops, entry_id=1):
    return ops.inbox.find(Filter(entry_ids=[entry_id]), limit=1)[0]


def attempt_of(record, handler, *, after_s, number=1, replays=0, **more):
    at = record.received_at + timedelta(seconds=after_s)
    given = {"handler": handler, "started_at": at, "ended_at": at, "number": number}
    return replace(record.attempts[0], **given, replays=replays, **more)


@pytest.fixture
def record(ops):
    ops.receive("event-1")
    return record_of(ops)


def test_timeline_has_a_lane_for_each_handler_and_a_column_for_each_moment(record):
    failed = {"outcome": Outcome.FAILED, "retry_at": record.received_at}
    found = replace(
        record,
        attempts=(
            attempt_of(record, "shop.greet", after_s=0),
            attempt_of(record, "shop.forward", after_s=0.2, **failed),
            attempt_of(record, "shop.forward", after_s=5, number=2, **failed),
            attempt_of(record, "shop.forward", after_s=900, replays=1, **failed),
        ),
        next_attempt_at=record.received_at + timedelta(hours=2),
    )

    drawn = timeline.timeline_of(found, ["shop.late"])

    assert [each.name for each in drawn.lanes] == ["greet", "forward", "late"]
    assert [each.is_untried for each in drawn.lanes] == [False, False, True]
    assert [each.after for each in drawn.columns] == ["+0 s", "+5 s", "+15 min", "+2 h"]
    assert [each.replay for each in drawn.columns] == [0, 0, 1, 0]
    assert [each.outcome for each in drawn.marks if each.y == drawn.lanes[1].y] == [
        *["failed"] * 3,
        "",
    ]
    assert drawn.summary == "4 attempts of 2 handlers"


def test_timeline_is_drawn_with_the_newest_columns_alone(record):
    attempts = tuple(
        attempt_of(record, "forward", after_s=60 * number, number=number) for number in range(30)
    )

    drawn = timeline.timeline_of(replace(record, attempts=attempts), [])

    assert len(drawn.columns) == timeline.MAX_COLUMNS
    assert drawn.left_out == 30 - timeline.MAX_COLUMNS
    assert drawn.columns[-1].after == "+29 min"


def test_timeline_and_list_say_the_same(ops, record):
    text = ops.get("/events/1").text

    assert '<title id="timeline">2 attempts of 2 handlers.' in text
    assert len(re.findall(r'<g class="outcome-(?:failed|succeeded)">', text)) == 2
    assert len(re.findall(r"<li value=", text)) == 2


def test_entry_without_attempts_has_no_timeline(record):
    assert timeline.timeline_of(replace(record, attempts=()), ["forward"]) is None


def receive_twins(ops):
    """Have both versions report one message, with another text each."""
    old, new = deepcopy(V1_1), message("event-1", "Where is it?")
    old["messages"][0]["_id"] = new["events"][0]["payload"]["message"]["id"]
    for body in (old, new):
        assert post(ops.client, body, url="/hooks/moving", secret=MOVING_SECRET).status_code == 200


def test_twin_is_compared_field_by_field_without_personal_data(ops):
    receive_twins(ops)

    text = ops.get("/events/1").text

    section = text[text.index('id="h-twin"') :]
    section = section[: section.index("</section>")]
    assert 'href="/ops/events/2"' in section
    assert "<code>message.content.text</code>" in section
    assert "text of 12 characters" in section
    assert "Where is it?" not in section


def test_twin_without_a_body_is_not_compared(ops, monkeypatch):
    receive_twins(ops)
    twin = ops.inbox.reading.twin
    monkeypatch.setattr(
        "hookkit.inbox.reading.Reading.twin",
        lambda _, record, **how: replace(twin(record, **how), body=None),
    )

    assert "cannot be compared" in ops.get("/events/1").text


def test_trying_shows_what_is_read_otherwise_and_runs_nothing(ops, record):
    ops.as_user("operate")
    before = len(ops.ran)

    same = ops.get("/events/1?try=1").text
    ops.inbox.record_readings([ReadAs(1, "conversation:typing", None)])
    otherwise = ops.get("/events/1?try=1").text

    assert "Nothing is read otherwise than what is stored of it." in same
    assert "<dt>greet</dt><dd>has succeeded, and runs again only if you choose it</dd>" in same
    assert "<dt>forward</dt><dd>failed last, and runs again</dd>" in same
    assert "<code>event_type</code>" in otherwise
    assert "<td>conversation:typing</td><td>conversation:message</td>" in otherwise
    assert (len(ops.ran), ops.acts(), record_of(ops).replays) == (before, [], 0)


def test_trying_takes_the_right_to_operate(ops, record):
    assert "h-try" not in ops.get("/events/1?try=1").text


def test_what_cannot_be_read_cannot_be_tried_nor_saved(ops):
    store(ops.inbox, [entry_row(50)])
    ops.as_user("operate")

    assert 'id="h-try"' in ops.get("/events/50?try=1").text
    answer = ops.get("/events/50/fixture")
    assert answer.status_code == 404
    assert "has no body to capture" in answer.text


def test_fixture_is_what_the_command_prints_and_holds_no_personal_data(ops):
    ops.receive("event-1", text=f"call {NUMBER}")
    ops.as_user("operate")

    page, file = ops.get("/events/1/fixture"), ops.get("/events/1/fixture?as=file")

    printed = ops.app.test_cli_runner().invoke(args=["hookkit", "capture", "1"])
    assert json.loads(file.text) == json.loads(printed.stdout)
    assert file.headers["Content-Disposition"] == "attachment; filename=event-1.json"
    assert file.content_type == "application/octet-stream"
    assert [text for text in (page.text, file.text) if "1234567" in text] == []


@pytest.mark.parametrize("kind", ["of its kind", "as it was saved"])
def test_send_lines_send_an_event_of_the_same_kind(ops, tmp_path, kind):
    ops.receive("event-1")
    ops.as_user("operate")
    path = "/events/1" if kind == "of its kind" else "/events/1/fixture"
    (line,) = re.findall(r"<code>(hookkit send .*?)</code>", ops.get(path).text)
    file = tmp_path / "event-1.json"
    file.write_text(ops.get("/events/1/fixture?as=file").text)
    command, url, *options = shlex.split(unescape(line).replace("event-1.json", str(file)))[1:]

    printed = CliRunner().invoke(main, [command, url, *options, "--secret", SECRET, "--print"])

    assert (printed.exit_code, url) == (0, "http://localhost/hooks/support"), printed.output
    sent = printed.stdout_bytes.split(b"\r\n\r\n", 1)[1]
    ops.is_broken = False
    assert post(ops.client, sent).json["new"] == 1
    assert record_of(ops, 2).vendor_type == record_of(ops, 1).vendor_type
