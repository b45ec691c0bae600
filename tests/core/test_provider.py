import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hookkit.core.body import BLANK
from hookkit.core.delivery import Delivery, Options, Payload, VerifiedDelivery
from hookkit.core.event import EventType, MessageEvent, UnknownEvent, build_event, unknown_event
from hookkit.core.parts import Author, AuthorType, Conversation, Message
from hookkit.core.provider import PayloadVersion, Provider, normalize, parse, split, unknown_item
from hookkit.signatures.shared_secret import SharedSecretHeader

NOW = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)


def split_events(payload):
    return [
        payload.item(raw=event, vendor_type=event.get("type", ""), event_id=event.get("id"))
        for event in payload.document.get("events", [])
    ]


def read_other(item):
    return build_event(item, EventType.OTHER, {"reason": item.vendor_type})


def fail(*arguments):
    raise ZeroDivisionError


def provider(**changes):
    version = PayloadVersion(split=split_events, normalize=read_other)
    made = Provider(
        name="acme",
        scheme=SharedSecretHeader("x-secret"),
        detect_version=lambda document, headers: document.get("version"),
        versions={"1": version},
        triggers={},
        parallel=True,
        kept_headers=("x-version",),
    )
    return replace(made, **changes)


def failing(**functions):
    version = PayloadVersion(split=split_events, normalize=read_other)
    return provider(versions={"1": replace(version, **functions)})


def taken_apart(body, by=None, **how):
    given = {"endpoint": "support", "headers": {}, "received_at": NOW, **how}
    return split(by or provider(), body=body, **given)


def verified(body=b'{"version": "1", "events": [{"id": "a"}]}', **headers):
    delivery = Delivery(endpoint="support", body=body, headers=headers, received_at=NOW)
    return VerifiedDelivery(delivery=delivery, secret_index=1, body_authenticated=False)


# Taking a body apart


def test_items_are_the_payload_versions_own():
    first, second = taken_apart(b'{"version": "1", "events": [{"id": "a"}, {"id": "b"}]}')

    assert (first.event_id, second.event_id) == ("a", "b")
    assert first.payload.version == "1"
    assert first.payload.provider == "acme"
    assert first.problem is None


@pytest.mark.parametrize(
    ("body", "version", "problem"),
    [
        pytest.param(b"\xff", "", "body: not UTF-8", id="unreadable"),
        pytest.param(b"[]", "", "body: not a JSON object", id="no object"),
        pytest.param(b"{}", "", "body: the payload version cannot be told", id="no version"),
        pytest.param(b'{"version": "9"}', "", "body: payload version '9' is not known", id="new"),
        pytest.param(b'{"version": "1"}', "1", "body: holds no event", id="empty"),
    ],
)
def test_what_is_not_understood_is_one_item_with_its_problem(body, version, problem):
    (item,) = taken_apart(body)

    assert item.problem == problem
    assert item.payload.version == version
    assert item.vendor_type == ""


def test_unreadable_body_is_told_by_its_bytes():
    first, same, other = (taken_apart(body)[0] for body in (b"\xff", b"\xff", b"\xfe"))

    assert first.event_id.startswith("unreadable:")
    assert first.event_id == same.event_id != other.event_id
    assert first.raw == {}


def test_unknown_version_is_told_by_its_content():
    first, same, other = (
        taken_apart(body)[0] for body in (b'{"a": 1, "b": 2}', b'{"b":2,"a":1}', b'{"a": 1}')
    )

    assert first.event_id.startswith("unknown:")
    assert first.event_id == same.event_id != other.event_id
    assert first.raw == {"a": 1, "b": 2}


def test_provider_that_cannot_take_a_body_apart_loses_nothing():
    (item,) = taken_apart(b'{"version": "1"}', failing(split=fail))

    assert item.problem == "body: ZeroDivisionError while it was taken apart"
    assert item.raw == {"version": "1"}
    assert item.payload.version == "1"


def test_lazy_provider_that_fails_halfway_loses_nothing():
    def halfway(payload):
        yield from split_events(payload)
        raise ZeroDivisionError

    (item,) = taken_apart(b'{"version": "1", "events": [{}]}', failing(split=halfway))

    assert item.problem == "body: ZeroDivisionError while it was taken apart"


def test_version_may_be_told_by_a_header():
    by = provider(detect_version=lambda document, headers: headers.get("x-version"))

    (item,) = taken_apart(b'{"events": [{"id": "a"}]}', by, headers={"x-version": "1"})

    assert item.event_id == "a"


def test_window_of_the_endpoint_reaches_the_payload():
    (item,) = taken_apart(b'{"version": "1"}', provider(options=Options(repeat_window_s=7.5)))

    assert item.payload.options.repeat_window_s == 7.5


# Parsing a delivery


def test_delivery_becomes_an_envelope():
    envelope = parse(provider(), verified())

    assert envelope.endpoint == "support"
    assert envelope.provider == "acme"
    assert envelope.version == "1"
    assert envelope.received_at == NOW
    assert envelope.secret_index == 1
    assert envelope.body == verified().delivery.body
    assert [item.event_id for item in envelope.items] == ["a"]


def test_only_known_headers_are_kept():
    headers = {
        "content-type": "application/json",
        "user-agent": "acme",
        "x-version": "1",
        "x-secret": "hidden",
        "cookie": "hidden",
    }

    envelope = parse(provider(), verified(**headers))

    assert envelope.headers == {
        "content-type": "application/json",
        "user-agent": "acme",
        "x-version": "1",
    }
    assert envelope.items[0].payload.headers == envelope.headers


def test_envelope_of_what_is_not_understood_has_an_item_and_no_version():
    envelope = parse(provider(options=Options(repeat_window_s=5)), verified(b"oops"))

    assert envelope.version == ""
    assert len(envelope.items) == 1
    assert envelope.items[0].payload.options.repeat_window_s == 5


# Reading an item


def an_item(**changes):
    payload = Payload(
        provider="acme",
        endpoint="support",
        version="1",
        received_at=NOW,
        headers={},
        document={"a": 1},
    )
    return payload.item(**{"raw": {"a": 1}, "vendor_type": "ping", "event_id": "e", **changes})


def test_event_is_the_payload_versions_own():
    event = normalize(provider(), an_item())

    assert event.type is EventType.OTHER
    assert event.reason == "ping"


@pytest.mark.parametrize(
    ("by", "item", "problems"),
    [
        pytest.param(provider(), an_item(problem="odd"), ("odd",), id="an item with a problem"),
        pytest.param(provider(versions={}), an_item(), (), id="a version that is gone"),
        pytest.param(
            failing(normalize=fail),
            an_item(),
            ("item: ZeroDivisionError while it was read",),
            id="a provider that fails",
        ),
    ],
)
def test_item_that_cannot_be_read_is_unknown(by, item, problems):
    event = normalize(by, item)

    assert type(event) is UnknownEvent
    assert event.problems == problems
    assert event.raw == {"a": 1}


def test_item_with_a_problem_is_not_shown_to_the_provider():
    event = normalize(failing(normalize=fail), an_item(problem="odd"))

    assert event.problems == ("odd",)


def test_unknown_item_is_the_whole_document():
    item = unknown_item(an_item().payload, "odd", "ping")

    assert (item.raw, item.problem, item.vendor_type) == ({"a": 1}, "odd", "ping")
    assert item.event_id == f"1:{item.content_hash}"


def test_unknown_event_names_the_items_problem_first():
    assert unknown_event(an_item(problem="odd"), "more").problems == ("odd", "more")
    assert unknown_event(an_item(), "more").problems == ("more",)


# Building an event


MESSAGE = Message(id="m")


def test_event_is_built_from_its_parts_and_its_item():
    parts = {
        "message": MESSAGE,
        "conversation": Conversation(id="c"),
        "actor": Author(type=AuthorType.USER),
        "occurred_at": NOW - timedelta(seconds=1),
    }

    event = build_event(an_item(), EventType.MESSAGE, parts, ["odd"])

    assert event == MessageEvent(
        id="e",
        type=EventType.MESSAGE,
        provider="acme",
        endpoint="support",
        version="1",
        vendor_type="ping",
        received_at=NOW,
        problems=("odd",),
        raw={"a": 1},
        **parts,
    )


def test_parts_that_are_none_or_of_other_kinds_are_left_out():
    parts = {
        "message": MESSAGE,
        "conversation": Conversation(),
        "user": None,
        "extra": None,
        "postback": "not a message's",
    }

    event = build_event(an_item(), EventType.MESSAGE, parts)

    assert event.user is None
    assert event.extra == {}


@pytest.mark.parametrize(
    ("parts", "problems"),
    [
        pytest.param(
            {"conversation": Conversation()},
            ("message: missing, so this is no conversation:message",),
            id="message",
        ),
        pytest.param(
            {"message": MESSAGE, "conversation": None},
            ("conversation: missing, so this is no conversation:message",),
            id="conversation",
        ),
        pytest.param(
            {},
            (
                "conversation: missing, so this is no conversation:message",
                "message: missing, so this is no conversation:message",
            ),
            id="both",
        ),
    ],
)
def test_event_without_a_required_part_is_unknown_and_names_it(parts, problems):
    event = build_event(an_item(), EventType.MESSAGE, {**parts, "reason": "r"}, ["odd"])

    assert type(event) is UnknownEvent
    assert event.problems == ("odd", *problems)
    assert event.reason == "r"
    assert event.raw == {"a": 1}


# Secrets that lie in the body

SECRETIVE = {"version": "1", "events": [{"id": "a"}], "secret": "XYZ", "n": 1.50}


def secretive():
    return provider(
        blanked=("secret", "token"),
        versions={
            "1": PayloadVersion(
                split=lambda payload: [
                    payload.item(raw=payload.document, vendor_type="", event_id=None)
                ],
                normalize=read_other,
            )
        },
    )


def test_secret_in_the_body_is_kept_nowhere():
    envelope = parse(secretive(), verified(json.dumps(SECRETIVE).encode()))

    (item,) = envelope.items
    assert b"XYZ" not in envelope.body
    assert item.raw == SECRETIVE | {"secret": BLANK}
    assert json.loads(envelope.body) == item.raw


def test_body_without_a_secret_is_kept_as_it_arrived():
    body = b'{ "version": "1" , "events": [{"id": "a"}], "n": 1.50 }'

    assert parse(secretive(), verified(body)).body == body
    assert parse(secretive(), verified(b"oops")).body == b"oops"


def test_kept_body_is_taken_apart_as_the_first_time():
    envelope = parse(secretive(), verified(json.dumps(SECRETIVE).encode()))

    again = taken_apart(envelope.body, secretive())

    assert again == envelope.items
    assert normalize(secretive(), again[0]) == normalize(secretive(), envelope.items[0])


def test_secret_is_no_part_of_what_tells_items_apart():
    first, second = (
        taken_apart(json.dumps(SECRETIVE | {"secret": secret}).encode(), secretive())[0]
        for secret in ("XYZ", "ABC")
    )

    assert (first.event_id, first.content_hash) == (second.event_id, second.content_hash)
    unknown = taken_apart(b'{"secret": "XYZ"}', secretive())[0]
    assert unknown.raw == {"secret": BLANK}


def test_document_that_was_read_to_verify_is_not_read_again():
    document = {"version": "1", "events": [{"id": "b"}]}
    sent = verified(b"not read")
    sent = sent._replace(delivery=replace(sent.delivery, document=document))

    assert parse(provider(), sent).items[0].event_id == "b"


# Versions that the settings pin


@pytest.mark.parametrize(
    ("pin", "document", "version"),
    [
        pytest.param(None, {"version": "1"}, "1", id="no pin"),
        pytest.param("2", {"version": "1"}, "2", id="for all"),
        pytest.param("2", {"version": "3"}, "3", id="another shape"),
        pytest.param("2", {}, None, id="no shape"),
        pytest.param({"a": "2"}, {"version": "1", "webhook": "a"}, "2", id="by webhook"),
        pytest.param({"a": "2"}, {"version": "1", "webhook": "b"}, "1", id="another webhook"),
        pytest.param({"a": "2"}, {"version": "1"}, "1", id="no webhook"),
    ],
)
def test_version_is_pinned_where_bodies_leave_it_open(pin, document, version):
    by = provider(
        pinnable=("1", "2"),
        registration_of=lambda document: document.get("webhook"),
        options=Options(version=pin),
    )

    assert by.version_of(document, {}) == version


def test_provider_that_names_no_webhook_has_no_registrations():
    assert provider().registration({"webhook": "a"}) is None
