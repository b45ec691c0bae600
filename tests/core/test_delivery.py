import copy
import pickle
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from hookkit.core.delivery import Delivery, Envelope, Options, Payload, VerifiedDelivery
from hookkit.core.entry import Entry
from hookkit.core.event import EVENT_CLASSES, EventType, MessageEvent
from hookkit.core.ids import MAX_ID_CHARS
from hookkit.core.provider import normalize, unknown_item
from hookkit.providers.sunshine import PROVIDER
from tests.folding import in_one
from tests.model_types import wrong_types
from tests.providers.reading import SAMPLES, read_sample, sample_id
from tests.providers.sunshine_bodies import items_of, read_one, v2, v2_message

NOW = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)
DELIVERY = Delivery(
    endpoint="support",
    body=b'{"text": "CONFIDENTIAL"}',
    headers={"x-api-key": "CONFIDENTIAL"},
    received_at=NOW,
)
PAYLOAD = Payload(
    provider="sunshine",
    endpoint="support",
    version="v2",
    received_at=NOW,
    headers={"x-note": "CONFIDENTIAL"},
    document={"text": "CONFIDENTIAL"},
)


def item(**changes):
    given = {"raw": {"a": 1}, "vendor_type": "x", "event_id": "e1", **changes}
    return PAYLOAD.item(**given)


# Items


def test_item_keeps_what_it_is_given():
    made = item(lane="c", fact="message:m", problem="odd")

    assert (made.event_id, made.lane, made.fact, made.problem) == ("e1", "c", "message:m", "odd")
    assert made.payload is PAYLOAD
    assert made.previous_event_id is made.repeat_after_s is None


@pytest.mark.parametrize(("version", "prefix"), [("v2", "v2:"), ("", "unknown:")])
def test_id_that_nobody_gave_is_derived_from_the_content(version, prefix):
    payload = replace(PAYLOAD, version=version)

    made = payload.item(raw={"a": 1}, vendor_type="", event_id=None)

    assert made.event_id == prefix + made.content_hash


def test_ids_are_bounded():
    made = item(event_id="x" * 300, lane="y" * 300, fact="z" * 300, repeat_after_s=60)

    for text in (made.event_id, made.previous_event_id, made.lane, made.fact):
        assert text.startswith("sha256:")
    assert made.event_id != made.previous_event_id


@pytest.mark.parametrize(
    ("offset", "slot"),
    [(timedelta(0), 0), (timedelta(seconds=59.999), 0), (timedelta(seconds=60), 1)],
)
def test_repetition_is_told_by_the_slot_of_its_arrival(offset, slot):
    start = datetime(1970, 1, 1, tzinfo=UTC)
    payload = replace(PAYLOAD, received_at=start + offset)

    made = payload.item(raw={}, vendor_type="", event_id="e", repeat_after_s=60)

    assert made.event_id == f"e@{slot}"
    assert made.previous_event_id == f"e@{slot - 1}"
    assert made.repeat_after_s == 60


def test_window_of_the_endpoint_replaces_the_providers():
    payload = replace(PAYLOAD, options=Options(repeat_window_s=0.5))

    made = payload.item(raw={}, vendor_type="", event_id="e", repeat_after_s=60)

    assert made.repeat_after_s == 0.5
    assert made.event_id == f"e@{int(NOW.timestamp() // 0.5)}"


# What may be printed


def printable():
    message = v2_message({"type": "text", "text": "CONFIDENTIAL"})
    body = v2("conversation:message", {"message": message})
    (of_message,) = items_of(body)
    entry = Entry(
        id=1,
        endpoint="support",
        event_id="e",
        position=0,
        claim_count=1,
        lease_token="t",
        received_at=NOW,
        body=b"CONFIDENTIAL",
        headers={"x-note": "CONFIDENTIAL"},
    )
    envelope = Envelope(
        endpoint="support",
        provider="sunshine",
        version="v2",
        received_at=NOW,
        body=b"CONFIDENTIAL",
        headers={"x-note": "CONFIDENTIAL"},
        secret_index=0,
        items=(of_message,),
    )
    verified = VerifiedDelivery(delivery=DELIVERY, secret_index=0, body_authenticated=False)
    event = normalize(PROVIDER, of_message)
    odd = normalize(PROVIDER, unknown_item(of_message.payload, "odd"))
    return [DELIVERY, verified, PAYLOAD, of_message, envelope, entry, event, odd]


@pytest.mark.parametrize("value", printable(), ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("show", [repr, str, "{}".format], ids=["repr", "str", "format"])
def test_what_is_printed_shows_no_content(value, show):
    assert "CONFIDENTIAL" not in show(value)
    assert "e1" in show(value) or "support" in show(value) or "sunshine" in show(value)


@in_one("kind", EventType)
def test_every_class_of_event_is_printed_by_its_type_and_id_alone(kind):
    assert EVENT_CLASSES[kind].__repr__ is EVENT_CLASSES[EventType.OTHER].__repr__


def test_event_is_printed_in_a_line():
    event = read_one(v2("conversation:message", {"message": v2_message()}))

    assert repr(event) == "<MessageEvent conversation:message 'event1' from sunshine v2>"


# Events as values


@in_one("sample", SAMPLES, ids=sample_id)
def test_event_is_a_value(sample):
    for event, again in zip(read_sample(sample), read_sample(sample), strict=True):
        assert event == again
        assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301  # made just now
        assert copy.deepcopy(event) == event
        assert event != replace(event, id="another")


def test_event_cannot_be_changed():
    event = read_one(v2("conversation:message", {"message": v2_message()}))

    with pytest.raises(AttributeError):
        event.id = "another"
    with pytest.raises((AttributeError, TypeError)):
        event.colour = "blue"


def test_event_can_be_matched_by_its_parts():
    event = read_one(v2("conversation:message", {"message": v2_message()}))

    match event:
        case MessageEvent(message=message, conversation=conversation):
            assert (message.text, conversation.id) == ("hi", "9d8c7b6a")
        case _:
            raise AssertionError


@in_one("kind", EventType)
def test_class_of_a_type_has_every_attribute_of_the_model(kind):
    names = {each.name for each in fields(EVENT_CLASSES[kind])}

    assert {"id", "type", "conversation", "user", "actor", "extra", "problems", "raw"} <= names


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("conversation:message", "MessageEvent"),
        ("conversation:message:update", "MessageEvent"),
        ("conversation:message:remove", "MessageEvent"),
        ("conversation:message:delivery:channel", "DeliveryEvent"),
        ("conversation:message:delivery:user", "DeliveryEvent"),
        ("conversation:message:delivery:failure", "DeliveryEvent"),
        ("notification:delivery:channel", "DeliveryEvent"),
        ("notification:delivery:user", "DeliveryEvent"),
        ("notification:delivery:failure", "DeliveryEvent"),
        ("conversation:postback", "PostbackEvent"),
        ("conversation:read", "ActivityEvent"),
        ("conversation:typing", "ActivityEvent"),
        ("conversation:referral", "ReferralEvent"),
        ("conversation:create", "ConversationEvent"),
        ("conversation:update", "ConversationEvent"),
        ("conversation:properties", "ConversationEvent"),
        ("conversation:tag", "ConversationEvent"),
        ("conversation:untag", "ConversationEvent"),
        ("conversation:access", "ConversationEvent"),
        ("conversation:summary", "ConversationEvent"),
        ("conversation:close", "ConversationEvent"),
        ("conversation:remove", "ConversationEvent"),
        ("conversation:queue", "ConversationEvent"),
        ("conversation:transfer", "ConversationEvent"),
        ("conversation:join", "ConversationEvent"),
        ("conversation:leave", "ConversationEvent"),
        ("client:add", "ClientEvent"),
        ("client:update", "ClientEvent"),
        ("client:remove", "ClientEvent"),
        ("user:create", "UserEvent"),
        ("user:update", "UserEvent"),
        ("user:remove", "UserEvent"),
        ("user:merge", "MergeEvent"),
        ("agent:status", "AgentEvent"),
        ("agent:create", "AgentEvent"),
        ("agent:update", "AgentEvent"),
        ("agent:remove", "AgentEvent"),
        ("switchboard:acceptControl", "ControlEvent"),
        ("switchboard:acceptControl:failure", "ControlEvent"),
        ("switchboard:offerControl", "ControlEvent"),
        ("switchboard:offerControl:failure", "ControlEvent"),
        ("switchboard:passControl", "ControlEvent"),
        ("switchboard:passControl:failure", "ControlEvent"),
        ("switchboard:releaseControl", "ControlEvent"),
        ("test", "TestEvent"),
        ("other", "OtherEvent"),
        ("unknown", "UnknownEvent"),
    ],
)
def test_type_has_the_class_of_the_model(kind, name):
    assert EVENT_CLASSES[EventType(kind)].__name__ == name


def test_every_type_has_its_class():
    assert set(EVENT_CLASSES) == set(EventType)


# The checker that the property tests rely on


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        pytest.param({"id": 1}, "MessageEvent.id", id="no text"),
        pytest.param({"type": "conversation:message"}, "MessageEvent.type", id="no member"),
        pytest.param({"occurred_at": "now"}, "MessageEvent.occurred_at", id="no time"),
        pytest.param({"occurred_at": datetime(2024, 3, 1)}, "MessageEvent.occurred_at", id="naive"),  # noqa: DTZ001
        pytest.param(
            {"occurred_at": NOW.replace(microsecond=1)}, "MessageEvent.occurred_at", id="finer"
        ),
        pytest.param({"problems": ["a"]}, "MessageEvent.problems", id="no tuple"),
        pytest.param({"problems": ("a", 1)}, "MessageEvent.problems[1]", id="an item"),
        pytest.param({"extra": []}, "MessageEvent.extra", id="no mapping"),
        pytest.param({"extra": {"a": [{"b": ()}]}}, "MessageEvent.extra", id="no JSON in it"),
        pytest.param({"extra": {1: 1}}, "MessageEvent.extra", id="no text as key"),
        pytest.param({"conversation": None}, "MessageEvent.conversation", id="missing"),
        pytest.param({"reason": b"x"}, "MessageEvent.reason", id="neither text nor None"),
    ],
)
def test_checker_finds_a_wrong_type(changes, wrong):
    event = read_one(v2("conversation:message", {"message": v2_message()}))

    (found, *_) = wrong_types(replace(event, **changes))

    assert found.startswith(f"{wrong}: ")


def test_checker_looks_into_the_parts():
    event = read_one(v2("conversation:message", {"message": v2_message()}))
    message = replace(event.message, author=replace(event.message.author, user_id=5), content="hi")

    found = wrong_types(replace(event, message=message))

    assert [line.partition(":")[0] for line in found] == [
        "MessageEvent.message.author.user_id",
        "MessageEvent.message.content",
    ]


def test_item_without_id_and_time_is_about_its_own_content_unless_it_says_more():
    made = item(event_id="e", repeat_after_s=60)

    assert made.subject == "e"
    assert made.about(None) is made
    assert made.about("x" * 300).subject.startswith("sha256:")
    assert item(event_id="e").subject is None


def test_item_repeats_what_was_said_at_any_time():
    first, second = (
        replace(PAYLOAD, received_at=NOW + timedelta(days=days)).item(
            raw={}, vendor_type="", event_id="tag@x", repeat_after_s=60
        )
        for days in (0, 1)
    )
    other = item(event_id="untag@x", repeat_after_s=60)

    assert first.event_id != second.event_id
    assert second.repeats(first.event_id)
    assert second.repeats(first.id_after(other.event_id))
    assert not second.repeats(other.event_id)
    assert not second.repeats("tag")


def test_new_id_of_what_is_said_again_hangs_on_what_was_said_before():
    made = item(event_id="x" * 300, repeat_after_s=60)

    ids = {made.id_after(before) for before in ("a", "b")}

    assert len(ids | {made.event_id}) == 3
    assert all(len(each) <= MAX_ID_CHARS and made.repeats(each) for each in ids)
    assert made.id_after("a") == made.id_after("a")


@pytest.mark.parametrize(
    ("slot_s", "window_s", "length_s"), [(None, 60, 60), (300, 60, 300), (300, 600, 600)]
)
def test_slots_of_a_provider_may_be_longer_than_a_window(slot_s, window_s, length_s):
    payload = replace(PAYLOAD, slot_s=slot_s)

    made = payload.item(raw={}, vendor_type="", event_id="e", repeat_after_s=window_s)

    assert made.event_id == f"e@{int(PAYLOAD.received_at.timestamp() // length_s)}"
    assert made.repeat_after_s == window_s
