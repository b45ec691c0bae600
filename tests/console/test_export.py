"""Events as a file."""

import csv
import io
import json
import time
from dataclasses import replace

import pytest

from hookkit.core.errors import TookTooLong, Unavailable
from hookkit.web.console import export
from tests.console.ops import SAME_ORIGIN

NUMBER = "+49 170 1234567"


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_table_has_a_row_for_each_chosen_event_newest_first(ops):
    ops.receive_all()
    ops.receive("event-3")

    answer = ops.get("/events/export?as=csv&state=done")

    assert [(row["entry"], row["state"], row["handlers"]) for row in rows(answer)] == [
        ("3", "done", "forward succeeded; greet succeeded"),
        ("2", "done", "forward succeeded; greet succeeded"),
    ]
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=events-")


def test_lines_are_what_the_command_prints(ops):
    ops.receive_all()

    found = [json.loads(line) for line in ops.get("/events/export?as=jsonl").text.splitlines()]

    printed = ops.app.test_cli_runner().invoke(args=["hookkit", "list", "--json"])
    assert found == json.loads(printed.stdout)["entries"]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_cell_begins_a_formula(ops, begin):
    ops.receive_all()
    record = ops.inbox.find(limit=1)[0]

    hostile = with_words(record, f"{begin}cmd|' /C calc'!A0")
    line = export.FORMATS["csv"].line(hostile, is_revealed=True)

    cells = next(csv.reader(io.StringIO(line)))
    # Of a problem, the first line is shown.
    assert len([cell for cell in cells if cell.startswith("'")]) == (3 if begin == "\n" else 4)
    assert [cell for cell in cells if cell.startswith(begin)] == []
    assert line.startswith('"')


def with_words(record, text):
    return replace(record, vendor_type=text, event_id=text, lane=text, problem=text)


def test_file_holds_no_personal_data_and_is_not_recorded(ops):
    ops.error = f"no such number: {NUMBER}"
    ops.receive(f"of:{NUMBER}", text=NUMBER)

    texts = [ops.get(f"/events/export?as={name}").text for name in export.FORMATS]

    assert [text for text in texts if "1234567" in text] == []
    assert ops.acts() == []


def test_whoever_may_reveal_gets_personal_data_and_it_is_recorded(ops):
    ops.error = f"no such number: {NUMBER}"
    ops.receive("event-1")
    ops.as_user("reveal")
    fields = {"as": "jsonl", "state": "dead"}

    answer = ops.post("/events/export/reveal", fields, page="/events?state=dead")

    assert answer.text.count(NUMBER) == 1
    answer.close()
    assert ops.acts() == [("ada@example.com", "export", "jsonl", "done")]


def test_nobody_else_is_offered_personal_data(ops):
    ops.receive("event-1")
    ops.as_user("switch")

    assert "/events/export/reveal" not in ops.get("/events").text
    answer = ops.client.post("/ops/events/export/reveal", headers=SAME_ORIGIN)
    assert answer.status_code == 403


def test_file_ends_after_so_many_rows_and_so_many_entries(ops, monkeypatch):
    ops.is_broken = False
    ops.receive(*(f"event-{number}" for number in range(12)))
    monkeypatch.setattr(export, "_PAGE", 5)

    monkeypatch.setattr(export, "MAX_ROWS", 7)
    assert [row["entry"] for row in rows(ops.get("/events/export?as=csv"))] == [
        str(number) for number in range(12, 5, -1)
    ]
    monkeypatch.setattr(export, "MAX_ROWS", 100)
    assert len(rows(ops.get("/events/export?as=csv"))) == 12
    monkeypatch.setattr(export, "MAX_LOOKED_AT", 2 * export._LOOK_AT)
    assert len(rows(ops.get("/events/export?as=csv"))) == 10


def test_so_many_rows_are_not_cut_by_so_many_entries():
    steps = export.MAX_LOOKED_AT // export._LOOK_AT

    assert steps * export._PAGE == export.MAX_ROWS


@pytest.mark.parametrize(("ago_s", "pauses_s"), [(None, []), (11, []), (1, [0.1, 0.1])])
def test_file_is_made_slowly_while_deliveries_arrive(ops, monkeypatch, ago_s, pauses_s):
    ops.receive("event-1", "event-2", "event-3")
    slept_s = []
    monkeypatch.setattr(export, "_PAGE", 1)
    monkeypatch.setattr(export.time, "sleep", slept_s.append)
    ops.state.received_at_s = None if ago_s is None else time.monotonic() - ago_s

    assert len(rows(ops.get("/events/export?as=csv"))) == 3
    assert slept_s == pauses_s


def test_one_file_is_made_at_a_time(ops):
    ops.receive("event-1")

    first = ops.client.get("/ops/events/export?as=csv")
    second = ops.get("/events/export?as=csv")
    first.close()

    assert (second.status_code, second.headers["Cache-Control"]) == (429, "no-store")
    assert len(rows(ops.get("/events/export?as=csv"))) == 1


def test_reader_who_stalls_keeps_nobody_from_another_file(ops, monkeypatch):
    ops.receive("event-1", "event-2")
    monkeypatch.setattr(export, "_PAGE", 1)
    stalled = ops.client.get("/ops/events/export?as=csv", buffered=False)
    monkeypatch.setattr(export, "STALLED_S", 0.0)

    second = ops.get("/events/export?as=csv")

    assert len(rows(second)) == 2
    # It must not look whole: the server closes the connection amid the file.
    with pytest.raises(TookTooLong):
        list(stalled.iter_encoded())


@pytest.mark.parametrize("query", ["as=xls", "as=csv&state=deed", "as=csv&since=never"])
def test_what_is_asked_for_wrongly_is_refused_in_one_sentence(ops, query):
    answer = ops.get(f"/events/export?{query}")

    assert answer.status_code == 400
    assert "<h1>" in answer.text


def test_inbox_that_is_away_is_told_before_the_file_begins(ops, monkeypatch):
    def away(*args, **kwargs):
        raise Unavailable("the database is away")

    monkeypatch.setattr("hookkit.inbox.reading.Reading.find", away)

    assert ops.get("/events/export?as=csv").status_code == 503
    assert ops.get("/events/export?as=csv").status_code == 503
