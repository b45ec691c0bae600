"""Which fields nobody reads."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from hookkit.core.body import encode_body
from hookkit.core.delivery import Payload
from hookkit.core.event import EventType, build_event
from hookkit.core.provider import PayloadVersion, split
from hookkit.core.unread import MAX_ITEMS, unread_fields
from hookkit.providers import load_providers
from tests.applications import message

SUNSHINE = load_providers()["sunshine"]


def unread_of(body, index=0):
    items = split(
        SUNSHINE,
        endpoint="support",
        body=encode_body(body),
        headers={},
        received_at=datetime.now(UTC),
    )
    return unread_fields(SUNSHINE.versions["v2"], items[index])


def with_payload(**more):
    body = message()
    body["events"][0]["payload"] |= more
    return body


def test_fields_that_are_read_are_none():
    assert unread_of(message()) == frozenset()


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"sentiment": "angry"}, "events[].payload.sentiment"),
        ({"sentiment": {"score": 3, "words": ["a"]}}, "events[].payload.sentiment"),
        ({"4915112345678": "a telephone number"}, "events[].payload.*"),
        ({"ann@example.org": 1}, "events[].payload.*"),
        ({"x1234567": 1}, "events[].payload.*"),
    ],
)
def test_new_field_is_named_and_its_value_is_not(more, path):
    assert unread_of(with_payload(**more)) == {path}


@pytest.mark.parametrize("value", [None, [], {}])
def test_field_that_says_nothing_is_none(value):
    assert unread_of(with_payload(sentiment=value)) == frozenset()


def test_new_fields_below_those_that_are_read_are_named():
    body = message()
    body["events"][0]["payload"]["message"]["author"]["user"]["mood"] = "good"
    body["events"][0]["payload"]["message"]["content"]["tone"] = "formal"

    assert unread_of(body) == {
        "events[].payload.message.author.user.mood",
        "events[].payload.message.content.tone",
    }


def test_new_field_beside_the_events_is_named():
    assert unread_of({**message(), "region": "eu"}) == {"region"}


def test_only_the_event_that_is_meant_is_looked_at():
    body = message("event-1")
    other = deepcopy(message("event-2")["events"][0])
    other["payload"]["sentiment"] = "angry"
    body["events"].append(other)

    assert unread_of(body, 0) == frozenset()
    assert unread_of(body, 1) == {"events[].payload.sentiment"}


def test_objects_that_the_event_keeps_whole_are_read():
    body = message()
    body["events"][0]["payload"]["message"]["metadata"] = {"any": {"key": 1}}

    assert unread_of(body) == frozenset()


# A vendor of somebody else, which reads in its own ways


def version_of(read, split_payload=None):
    def one(payload):
        yield payload.item(raw=payload.document, vendor_type="x", event_id=None)

    def normalize(item):
        return build_event(item, EventType.OTHER, {"extra": read(item.raw)}, ())

    return PayloadVersion(split=split_payload or one, normalize=normalize)


def unread_by(read, document, split_payload=None):
    version = version_of(read, split_payload)
    payload = Payload(
        provider="other",
        endpoint="support",
        version="1",
        received_at=datetime.now(UTC),
        headers={},
        document=document,
    )
    item = next(iter(version.split(payload)))
    return unread_fields(version, item)


DOCUMENT = {"a": 1, "b": {"c": 2, "d": [{"e": 3}, {"f": 4}]}}


@pytest.mark.parametrize(
    ("read", "unread"),
    [
        (lambda raw: {}, {"a", "b"}),
        (lambda raw: {"a": raw["a"]}, {"b"}),
        (lambda raw: {"a": raw.get("a"), "c": raw["b"]["c"]}, {"b.d"}),
        (lambda raw: {"e": raw["b"]["d"][0]["e"]}, {"a", "b.c", "b.d[].f"}),
        (lambda raw: {"b": raw["b"]}, {"a"}),
        (lambda raw: {"b": [raw["b"]]}, {"a"}),
        (lambda raw: dict(raw.items()), set()),
        (lambda raw: {"all": list(raw.values())}, set()),
    ],
)
def test_however_a_vendor_reads_it_is_noticed(read, unread):
    assert unread_by(read, DOCUMENT) == unread


def test_event_that_lies_in_a_copy_is_looked_at():
    def split_copy(payload):
        yield payload.item(raw={**payload.document}, vendor_type="x", event_id="1")

    assert unread_by(lambda raw: {"a": raw["a"]}, DOCUMENT, split_copy) == {"b"}


def test_event_that_is_not_found_again_has_no_fields():
    numbers = iter(range(1000))

    def split_anew(payload):
        for _ in range(MAX_ITEMS + 5):
            yield payload.item(
                raw=payload.document, vendor_type="x", event_id=f"event-{next(numbers)}"
            )

    assert unread_by(lambda raw: {}, DOCUMENT, split_anew) == frozenset()

    def split_once(payload):
        yield payload.item(raw=payload.document, vendor_type="x", event_id=f"event-{next(numbers)}")

    assert unread_by(lambda raw: {}, DOCUMENT, split_once) == frozenset()


def test_what_is_nested_too_deep_is_left_out():
    document = inner = {}
    for _ in range(200):
        inner["a"] = inner = {}
    inner["b"] = 1

    def read(raw):
        while raw:
            raw = raw.get("a", {})
        return {"deep": document}

    assert unread_by(read, document) == frozenset()
