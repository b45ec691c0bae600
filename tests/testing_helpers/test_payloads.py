"""``hookkit_sample``: what it finds, and what it says of a path or a file that is wrong."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hookkit import HookkitError
from hookkit.testing import PayloadMaker

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
make = PayloadMaker(lambda: NOW)


def text_of(payload):
    return payload.document["events"][0]["payload"]["message"]["content"]["text"]


@pytest.mark.parametrize(
    "path", ["content.text", "message.content.text", "events.0.payload.message.content.text"]
)
def test_path_may_leave_out_its_beginning(path):
    assert text_of(make("sunshine", {path: "Hi"})) == "Hi"
    assert text_of(make("sunshine", **{path: "Hi"})) == "Hi"


def test_whole_path_is_meant_even_where_it_ends_another():
    document = make("sunshine", version="v1.1", trigger="message:appUser").document

    changed = make("sunshine", {"version": "v9"}, version="v1.1", trigger="message:appUser")

    assert changed.document == {**changed.document, "version": "v9"}
    assert document["version"] != "v9"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("content.txt", "did you mean events.0.payload.message.content.text"),
        ("contnt.text", "did you mean events.0.payload.message.content.text"),
        ("message.body.text", "did you mean events.0.payload.message.content.text"),
        ("xyzzy", "it has app, events, webhook; to add a field, call set_path("),
        ("id", "places in the payload; write more of the one you mean: app.id, "),
    ],
)
def test_path_that_is_wrong_is_told_with_the_nearest(path, message):
    with pytest.raises(HookkitError) as raised:
        make("sunshine", {path: 1})

    assert message in str(raised.value)


def test_vendor_version_and_sample_that_are_not_there_are_told():
    with pytest.raises(HookkitError, match="provider 'sunshne' is not known"):
        make("sunshne")
    with pytest.raises(HookkitError, match="has no version 'v3'"):
        make("sunshine", version="v3")
    with pytest.raises(HookkitError, match="did you mean conversation-message"):
        make("sunshine", trigger="conversation:mesage")


def test_payload_keeps_the_encoding_of_its_vendor():
    assert make("sunshine").body.startswith(b'{"')
    assert b"=" in make("twilio").body
    assert make("twilio").is_form
    assert make("sendgrid").body.startswith(b"[")


CAPTURED = {
    "provider": "sunshine",
    "version": "v2",
    "document": {"app": {"id": "a"}, "webhook": {"id": "w", "version": "v2"}, "events": []},
    "headers": {},
    "encoding": "object",
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "entry.json"


def test_captured_event_is_read_and_changed(file):
    file.write_text(json.dumps(CAPTURED))

    payload = make(file, {"app.id": "b"})

    assert (payload.name, payload.version, payload.document["app"]) == (
        "entry.json",
        "v2",
        {"id": "b"},
    )


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '"text"', "{}"),
        *(
            json.dumps({**CAPTURED, **wrong})
            for wrong in (
                {"document": []},
                {"headers": []},
                {"headers": {"a": 1}},
                {"encoding": "xml"},
                {"encoding": []},
                {"provider": None},
                {"more": 1},
            )
        ),
    ],
)
def test_file_that_holds_something_else_is_told(file, content):
    file.write_text(content)

    with pytest.raises(HookkitError, match="is no captured event; write one by: flask hookkit"):
        make(file)


def test_file_that_is_missing_is_told():
    with pytest.raises(HookkitError, match=r"nowhere\.json: No such file"):
        make(Path("nowhere.json"))


def test_file_has_one_version(file):
    file.write_text(json.dumps(CAPTURED))

    with pytest.raises(HookkitError, match="leave these out"):
        make(file, version="v2")
