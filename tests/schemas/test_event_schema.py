"""The unified event as plain JSON and back, for every class and every part of the model."""

import dataclasses
import json
import types
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from marshmallow import ValidationError

from hookkit.core import content as contents
from hookkit.core.event import EVENT_CLASSES, EventType, MessageEvent, OtherEvent
from hookkit.core.parts import Conversation, Message, User
from hookkit.schemas import EventSchema
from hookkit.schemas import event as event_schemas
from tests.model_types import assert_well_typed

NOW = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)
CONTENT_CLASSES = get_args(contents.Content)


@pytest.fixture(autouse=True)
def _makes_schemas_anew():
    """Have none left from tests before, which coverage may not have looked at."""
    event_schemas._schema.cache_clear()
    event_schemas._defaults.cache_clear()


def full(hint, *, content=contents.Text, depth=2):
    """Return a value of type *hint* in which everything is filled in."""
    if hint == contents.Content | None:
        return full(content, depth=depth)
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        return (full(get_args(hint)[0], depth=depth),)
    if hint is Any or get_origin(hint) is Mapping:
        return {"vendorKey": [1, None, {"x": "ä\U0001f44d"}], "": False}
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(
            **{
                each.name: full(hints[each.name], content=content, depth=depth - 1)
                for each in dataclasses.fields(hint)
                if depth > 0 or each.name != "quoted"
            }
        )
    if issubclass(hint, Enum):
        return next(iter(hint))
    return {str: "text\x00\ud800", bool: True, int: 10**20, float: -73.5, datetime: NOW}[hint]


def event_of(kind, **how):
    event = full(EVENT_CLASSES[kind], depth=3, **how)
    return dataclasses.replace(event, type=kind)


def through_json(event):
    return EventSchema().load(json.loads(json.dumps(EventSchema().dump(event))))


@pytest.mark.parametrize("kind", EventType)
def test_every_attribute_of_every_class_survives(kind):
    event = event_of(kind)

    loaded = through_json(event)

    assert loaded == event
    assert type(loaded) is EVENT_CLASSES[kind]
    assert_well_typed(loaded)


@pytest.mark.parametrize("kind", EventType)
def test_full_event_leaves_no_attribute_out(kind):
    dump = EventSchema().dump(event_of(kind))

    assert set(dump) == {each.name for each in dataclasses.fields(EVENT_CLASSES[kind])}


@pytest.mark.parametrize("content", CONTENT_CLASSES, ids=lambda each: each.__name__)
def test_every_kind_of_content_survives(content):
    event = event_of(EventType.MESSAGE, content=content)

    loaded = through_json(event)

    assert loaded == event
    assert type(loaded.message.content) is content
    assert type(loaded.message.quoted.content) is content


@pytest.mark.parametrize("content", CONTENT_CLASSES, ids=lambda each: each.__name__)
def test_empty_content_survives(content):
    event = dataclasses.replace(event_of(EventType.MESSAGE), message=Message(content=content()))

    assert through_json(event) == event


def test_what_equals_its_default_is_left_out():
    event = OtherEvent(
        id="1",
        type=EventType.OTHER,
        provider="sunshine",
        endpoint="support",
        version="v2",
        vendor_type="x",
        received_at=NOW,
    )

    assert EventSchema().dump(event) == {
        "id": "1",
        "type": "other",
        "provider": "sunshine",
        "endpoint": "support",
        "version": "v2",
        "vendor_type": "x",
        "received_at": "2024-03-01T10:00:05.123Z",
    }


def test_false_and_zero_are_not_defaults():
    user = User(authenticated=False)
    location = contents.Location(lat=0.0, long=0.0)
    event = dataclasses.replace(
        event_of(EventType.MESSAGE), user=user, message=Message(content=location)
    )

    dump = EventSchema().dump(event)

    assert dump["user"] == {"authenticated": False}
    assert dump["message"] == {"content": {"kind": "Location", "lat": 0.0, "long": 0.0}}
    assert through_json(event) == event


def test_required_part_is_dumped_even_when_it_is_empty():
    event = MessageEvent(
        id="1",
        type=EventType.MESSAGE,
        provider="sunshine",
        endpoint="support",
        version="v1",
        vendor_type="message",
        received_at=NOW,
        conversation=Conversation(),
        message=Message(),
    )

    dump = EventSchema().dump(event)

    assert dump["conversation"] == dump["message"] == {}
    assert through_json(event) == event


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2024-03-01T10:00:05.123Z"),
        (NOW.replace(microsecond=0), "2024-03-01T10:00:05.000Z"),
        (NOW.astimezone(timezone(timedelta(hours=2))), "2024-03-01T10:00:05.123Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_time_is_dumped_as_utc(moment, text):
    event = dataclasses.replace(event_of(EventType.OTHER), occurred_at=moment)

    assert EventSchema().dump(event)["occurred_at"] == text
    assert through_json(event).occurred_at == moment


@pytest.mark.parametrize("text", ["2024-03-01T12:00:05.123+02:00", "2024-03-01T10:00:05.123Z"])
def test_time_is_loaded_as_utc(text):
    dump = {**EventSchema().dump(event_of(EventType.OTHER)), "occurred_at": text}

    loaded = EventSchema().load(dump)

    assert loaded.occurred_at == NOW
    assert loaded.occurred_at.tzinfo is UTC


def test_many_events_are_dumped_and_loaded():
    events = [event_of(kind) for kind in EventType]

    assert EventSchema().load(EventSchema().dump(events, many=True), many=True) == events


def test_key_of_a_newer_version_is_ignored():
    event = event_of(EventType.MESSAGE)
    dump = EventSchema().dump(event)
    dump["from_tomorrow"] = dump["message"]["from_tomorrow"] = 1

    assert EventSchema().load(dump) == event


def test_attribute_of_another_class_is_ignored():
    dump = {**EventSchema().dump(event_of(EventType.OTHER)), "postback": {"payload": "x"}}

    assert type(EventSchema().load(dump)) is OtherEvent


def test_null_is_loaded_where_the_model_has_none():
    dump = {**EventSchema().dump(event_of(EventType.OTHER)), "user": None, "reason": None}

    loaded = EventSchema().load(dump)

    assert loaded.user is loaded.reason is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        pytest.param({"type": "conversation:reaction"}, "type", id="unknown type"),
        pytest.param({"type": []}, "type", id="type is no text"),
        pytest.param({"type": None}, "type", id="type is null"),
        pytest.param({"id": 5}, "id", id="id is no text"),
        pytest.param({"id": None}, "id", id="id is null"),
        pytest.param({"received_at": "yesterday"}, "received_at", id="no time"),
        pytest.param({"received_at": 5}, "received_at", id="a number"),
        pytest.param({"received_at": "0001-01-01T00:00+23:59"}, "received_at", id="too early"),
        pytest.param({"problems": "x"}, "problems", id="no list"),
        pytest.param({"problems": [1]}, "problems", id="no list of texts"),
        pytest.param({"user": []}, "user", id="no object"),
        pytest.param({"user": {"id": 5}}, "user", id="a wrong part of a part"),
        pytest.param({"message": {"content": {}}}, "message", id="content without a kind"),
        pytest.param({"message": {"content": {"kind": "X"}}}, "message", id="unknown kind"),
        pytest.param({"message": {"content": {"kind": []}}}, "message", id="kind is no text"),
        pytest.param({"message": {"content": []}}, "message", id="content is no object"),
        pytest.param({"message": {"content": {"kind": "Text", "text": 5}}}, "message", id="text"),
    ],
)
def test_what_no_event_looks_like_is_a_validation_error(change, where):
    dump = {**EventSchema().dump(event_of(EventType.MESSAGE)), **change}

    with pytest.raises(ValidationError) as caught:
        EventSchema().load(dump)

    assert set(caught.value.messages) == {where}


@pytest.mark.parametrize("left_out", ["id", "type", "message", "received_at"])
def test_event_that_is_not_whole_is_a_validation_error(left_out):
    dump = EventSchema().dump(event_of(EventType.MESSAGE))
    del dump[left_out]

    with pytest.raises(ValidationError, match="not a whole"):
        EventSchema().load(dump)


@pytest.mark.parametrize("document", [None, 5, "x", [], [{}], {}], ids=repr)
def test_what_is_no_dump_is_a_validation_error(document):
    with pytest.raises(ValidationError):
        EventSchema().load(document)


def test_validation_error_says_what_was_expected():
    dump = {**EventSchema().dump(event_of(EventType.OTHER)), "received_at": 5}

    with pytest.raises(ValidationError) as caught:
        EventSchema().load(dump)

    assert caught.value.messages == {"received_at": ["not a time"]}
