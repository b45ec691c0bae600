"""The page of what comes live, and the changes that its script asks for."""

import json
import re

import pytest

from hookkit.inbox.sights import Mark
from hookkit.web.console.live import _read, _Seen, _spelt
from tests.applications import message, post


def mark_of(ops, query=""):
    return re.search(r'data-mark="([^"]+)"', ops.get(f"/live{query}").text)[1]


def changes(ops, mark, query=""):
    answer = ops.get(f"/live/changes?mark={mark}{query}")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return json.loads(answer.data)


def test_page_begins_with_the_newest_rows_and_says_what_to_do_without_scripts(ops):
    ops.receive_all()

    text = ops.get("/live").text

    assert text.index(">entry 2</a>") < text.index(">entry 1</a>")
    assert re.search(r"✖ forward \d+ ms: RuntimeError: the shop is away", text)
    assert re.search(r"<noscript><p>[^<]*reload it", text)
    assert ">entry 1</a>" not in ops.get("/live?state=done").text


def test_changes_are_sent_once_oldest_first(ops):
    mark = mark_of(ops)
    ops.receive_all()

    found = changes(ops, mark)

    assert [each["cells"][0] for each in found["changes"]] == ["entry 1", "entry 2"]
    assert found["changes"][0]["url"] == "/ops/events/1"
    assert found["changes"][0]["cells"][1] == "✖ dead"
    assert changes(ops, found["mark"])["changes"] == []


def test_entry_that_is_tried_again_is_a_change(ops):
    ops.receive_all()
    mark = mark_of(ops)
    ops.state.replaying.one(1)

    (change,) = changes(ops, mark)["changes"]

    assert change["cells"][:2] == ["entry 1", "✔ done"]


def test_refused_deliveries_are_changes(ops):
    mark = mark_of(ops)
    post(ops.client, message("event-1"), secret="of-nobody")

    found = changes(ops, mark)

    assert [each["cells"][:2] for each in found["changes"]] == [["refused 1", "✖ refused"]]
    assert found["changes"][0]["url"] == "/ops/quarantine/1"
    assert changes(ops, found["mark"])["changes"] == []
    assert changes(ops, mark, "&state=dead")["changes"] == []


@pytest.mark.parametrize(
    ("query", "ids"), [("&state=dead", [1]), ("&at=moving", []), ("&at=support&state=done", [2])]
)
def test_changes_are_those_that_were_chosen(ops, query, ids):
    mark = mark_of(ops)
    ops.receive_all()

    found = changes(ops, mark, query)["changes"]

    assert [each["cells"][0] for each in found] == [f"entry {number}" for number in ids]


def test_what_is_too_much_is_passed_over_and_told(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.live.LIMIT", 2)
    mark = mark_of(ops)
    ops.receive("event-1", "event-2", "event-3")

    found = changes(ops, mark)

    assert (len(found["changes"]), found["skipped"]) == (2, True)
    assert changes(ops, found["mark"])["changes"] == []


def test_texts_are_visible_and_without_personal_data(ops):
    ops.error = "no customer\u202e ada@example.org\x1b[31m"
    mark = mark_of(ops)
    ops.receive("event-1")

    text = ops.get(f"/live/changes?mark={mark}").text
    cells = " ".join(json.loads(text)["changes"][0]["cells"])

    assert "ada@example.org" not in cells
    assert r"\u202e" in cells
    assert cells.isprintable()


def test_mark_is_what_it_was_in_an_address_that_is_short():
    missing = frozenset(range(9_999_001, 10_000_000))
    full = _Seen(Mark(10_000_000, 10_000_000, missing - {9_999_500}, missing), 7)

    for each in (full, _Seen(Mark(0, 0, frozenset(), frozenset()), 0)):
        assert _read(_spelt(each)) == each
        assert len(_spelt(each)) < 600


@pytest.mark.parametrize(
    "mark",
    [
        "x",
        "1.2",
        "1.2.3.4.5.6",
        "-1.0.0.0.0",
        "1.1.1.-1.0",
        "f" * 600,
        f"0.0.0.0.{'f' * 9999}",
        "ffffffffffffffffff.0.0.0.0",
    ],
)
def test_mark_that_is_none_is_refused(ops, mark):
    assert ops.get(f"/live/changes?mark={mark}").status_code == 400


def test_without_a_mark_it_begins_now(ops):
    ops.receive("event-1")

    found = json.loads(ops.get("/live/changes").data)

    assert found["changes"] == []
    ops.receive("event-2")
    assert len(changes(ops, found["mark"])["changes"]) == 1


def test_what_is_not_in_the_lists_is_refused(ops):
    assert ops.get("/live?state=deed").status_code == 400
    assert ops.get("/live?at=nowhere").status_code == 400
    assert ops.get(f"/live/changes?mark={mark_of(ops)}&state=deed").status_code == 400


def test_changes_work_on_both_databases(make_ops, sql_url):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    mark = mark_of(ops)
    ops.receive_all()

    assert len(changes(ops, mark)["changes"]) == 2
