"""Sunshine Conversations: versions, event ids, facts."""

import json
from datetime import timedelta

import pytest

from hookkit.core.event import EventType
from hookkit.core.facts import is_exact, near_fact
from hookkit.providers.sunshine import PROVIDER, detect_version
from hookkit.providers.sunshine.identity import digest
from tests.folding import in_one
from tests.providers.reading import NOW, SAMPLES, provider_of, sample_id, split_body
from tests.providers.sunshine_bodies import (
    AT,
    CONVERSATION_ID,
    MESSAGE_ID,
    USER_ID,
    item_of,
    items_of,
    read_events,
    read_one,
    v1,
    v1_1,
    v1_message,
    v2,
    v2_batch,
    v2_event,
    v2_message,
)

SUNSHINE_SAMPLES = [sample for sample in SAMPLES if provider_of(sample) is PROVIDER]


def load(name):
    (sample,) = (one for one in SUNSHINE_SAMPLES if sample_id(one) == f"sunshine/{name}")
    return json.loads(sample.read_bytes())


# Versions


@pytest.mark.parametrize(
    ("document", "version"),
    [
        pytest.param({"trigger": "postback"}, "v1", id="a trigger without a version"),
        pytest.param({"trigger": "postback", "version": None}, "v1", id="version null"),
        pytest.param({"trigger": "postback", "version": "v1"}, "v1", id="v1 said"),
        pytest.param({"trigger": "postback", "version": "v1.1"}, "v1.1", id="v1.1"),
        pytest.param({"trigger": "postback", "version": "1.1"}, "v1.1", id="1.1 without v"),
        pytest.param({"trigger": "postback", "version": 1.1}, "v1.1", id="1.1 as a number"),
        pytest.param({"trigger": "postback", "version": "v9"}, "v9", id="v1.x from the future"),
        pytest.param({"trigger": "postback", "version": []}, "v[]", id="version is no text"),
        pytest.param({"events": [], "webhook": {"version": "v2"}}, "v2", id="v2"),
        pytest.param({"events": []}, "v2", id="v2 without webhook"),
        pytest.param({"events": [], "webhook": None}, "v2", id="v2 with webhook null"),
        pytest.param({"events": [], "webhook": {}}, "v2", id="v2 without its version"),
        pytest.param({"events": [], "webhook": {"version": 2}}, "v2", id="v2 as a number"),
        pytest.param({"events": [], "webhook": {"version": "v3"}}, "v3", id="v3"),
        pytest.param({"events": [], "trigger": "postback"}, "v2", id="both shapes"),
        pytest.param({"events": {}, "trigger": "postback"}, "v1", id="events is no array"),
        pytest.param({"events": {}}, None, id="nothing but events that are no array"),
        pytest.param({"trigger": 1}, None, id="trigger is no text"),
        pytest.param({"version": "v1.1"}, None, id="a version alone"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_version_is_told_by_the_shape(document, version):
    assert detect_version(document, {}) == version


@in_one("sample", SUNSHINE_SAMPLES, ids=sample_id)
def test_every_sample_is_of_the_version_whose_folder_it_lies_in(sample):
    version = detect_version(json.loads(sample.read_bytes()), {})

    # The pipeline call looks like v1, whose API it is a part of.
    assert version == ("v1" if sample.name.startswith("_pipeline") else sample.parent.name)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param({}, "body: the payload version cannot be told", id="none"),
        pytest.param(
            {"events": [{}], "webhook": {"version": "v3"}},
            "body: payload version 'v3' is not known",
            id="v3",
        ),
        pytest.param(
            {"trigger": "postback", "version": "v\ud800" + "9" * 80},
            "body: payload version 'v\\ud800" + "9" * 32 + " is not known",
            id="hostile",
        ),
        pytest.param(
            {"trigger": "postback", "version": "v2"},
            "body: holds no event",
            id="v2 with v1's shape",
        ),
        pytest.param({"events": []}, "body: holds no event", id="no events"),
    ],
)
def test_unknown_version_is_kept_with_its_problem(document, problem):
    (event,) = read_events(document)

    assert event.type is EventType.UNKNOWN
    assert event.problems == (problem,)
    assert event.raw == document


@pytest.mark.parametrize("name", ["message", "postback"])
def test_pipeline_call_is_no_webhook(name):
    body = v1("message:appUser", nonce="secret", **{name: {"_id": MESSAGE_ID}})

    (event,) = read_events(body)

    assert event.type is EventType.UNKNOWN
    assert event.vendor_type == "message:appUser"
    assert event.problems == ("body: not a webhook but a call of the legacy middleware pipeline",)


def test_webhook_with_a_nonce_is_still_a_webhook():
    event = read_one(v1("message:appUser", nonce="secret", messages=[v1_message()]))

    assert event.type is EventType.MESSAGE


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        pytest.param(v1_1("from:tomorrow"), ("trigger: not known",), id="v1.1"),
        pytest.param(v2("from:tomorrow", {}), ("type: not known",), id="v2"),
        pytest.param(v2_batch({"id": "a"}), ("type: not known",), id="v2 without type"),
    ],
)
def test_trigger_from_the_future_is_unknown_and_read_all_the_same(body, problems):
    (event,) = read_events(body)

    assert event.type is EventType.UNKNOWN
    assert event.problems == problems
    assert event.tenant_id == "app1"


def test_element_that_is_no_event_does_not_take_its_neighbours_along():
    body = v2_batch("oops", v2_event("conversation:read", {}), None)

    first, second, third = read_events(body)

    assert first.problems == ("events[0]: not an object",)
    assert second.type is EventType.READ
    assert third.problems == ("events[2]: not an object",)
    assert first.raw == {"events": ["oops"]}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(
            v1_1("message:appUser"),
            "message: missing, so this is no conversation:message",
            id="v1.1 message",
        ),
        pytest.param(
            v1_1("message:appUser", messages=[]),
            "message: missing, so this is no conversation:message",
            id="v1.1 no messages",
        ),
        pytest.param(
            v2("conversation:message", {}),
            "message: missing, so this is no conversation:message",
            id="v2 message",
        ),
        pytest.param(
            v1_1("postback"),
            "postback: missing, so this is no conversation:postback",
            id="postback",
        ),
        pytest.param(v1_1("client:add"), "client: missing, so this is no client:add", id="client"),
        pytest.param(
            v1_1("merge:appUser", surviving={"_id": "a"}),
            "discarded: missing, so this is no user:merge",
            id="merge",
        ),
        pytest.param(v2("user:update", {}), "user: missing, so this is no user:update", id="user"),
        pytest.param(
            v2("conversation:create", {"conversation": None}),
            "conversation: missing, so this is no conversation:create",
            id="v2 conversation",
        ),
    ],
)
def test_event_without_its_required_part_is_unknown(body, problem):
    (event,) = read_events(body)

    assert event.type is EventType.UNKNOWN
    assert problem in event.problems


def test_what_cannot_be_read_is_none_and_its_neighbours_are_read():
    message = v2_message(received={"not": "a time"}, metadata=[1], source={"type": 5, "x": 1})

    (event,) = read_events(v2("conversation:message", {"message": message}, createdAt=[]))

    assert event.type is EventType.MESSAGE
    assert event.message.text == "hi"
    assert event.occurred_at is event.message.received_at is event.message.source.type is None
    assert event.problems == (
        "createdAt: not a time",
        "payload.message.received: not a time",
        "payload.message.metadata: not an object",
        "payload.message.source.type: not a text",
    )


def test_problem_of_v1_says_in_which_element_it_is():
    message = v1_message(role=1, received="yesterday", actions=[{"text": "a"}, {"text": 1}, 2])

    (event,) = read_events(v1_1("message:appUser", messages=[message]))

    assert event.problems == (
        "messages[0].role: not a text",
        "messages[0].received: not a time",
        "messages[0].actions[1].text: not a text",
        "messages[0].actions[2]: not an object",
    )
    assert [action.text for action in event.message.content.actions] == ["a", None]


# Several items in one body


@pytest.mark.parametrize(
    ("trigger", "array", "elements"),
    [
        pytest.param("message", "messages", [{"_id": "a"}, {"_id": "b"}], id="message"),
        pytest.param("message:appUser", "messages", [{"_id": "a"}, {"_id": "b"}], id="appUser"),
        pytest.param("message:appMaker", "messages", [{"_id": "a"}, {"_id": "b"}], id="appMaker"),
        pytest.param("delivery:success", "messages", [{"_id": "a"}, {"_id": "b"}], id="success"),
        pytest.param("delivery:failure", "messages", [{"_id": "a"}, {"_id": "b"}], id="failure"),
        pytest.param(
            "postback",
            "postbacks",
            [{"action": {"_id": "a", "payload": "X"}}, {"action": {"_id": "b", "payload": "X"}}],
            id="postbacks of two buttons",
        ),
        pytest.param(
            "postback",
            "postbacks",
            [{"action": {"payload": "X"}}, {"action": {"payload": "Y"}}],
            id="postbacks without ids",
        ),
        pytest.param(
            "postback",
            "postbacks",
            [
                {"action": {"payload": "X"}, "message": {"_id": "a"}},
                {"action": {"payload": "X"}, "message": {"_id": "b"}},
            ],
            id="postbacks of two messages",
        ),
        pytest.param(
            "payment:success",
            "payments",
            [{"charge": {"id": "a"}}, {"charge": {"id": "b"}}],
            id="pay",
        ),
        pytest.param("payment:success", "payments", [{"x": 1}, {"x": 2}], id="pay without charge"),
        pytest.param("merge:appUser", "discarded", [{"_id": "a"}, {"_id": "b"}], id="merge"),
        pytest.param("client:add", "clients", [{"_id": "a"}, {"_id": "b"}], id="client:add"),
        pytest.param("client:block", "clients", [{"id": "a"}, {"id": "b"}], id="client:block"),
        pytest.param("client:remove", "clients", [{"_id": "a"}, {"_id": "b"}], id="client:remove"),
    ],
)
@pytest.mark.parametrize("timestamp", [AT, None], ids=["timed", "untimed"])
def test_each_element_of_an_array_is_an_event_of_its_own(trigger, array, elements, timestamp):
    body = v1_1(trigger, surviving={"_id": "s"}, timestamp=timestamp, **{array: elements})

    items = items_of(body)

    assert [item.raw[array] for item in items] == [[element] for element in elements]
    assert len({item.event_id for item in items}) == len(elements)
    assert len({item.content_hash for item in items}) == len(elements)


def test_events_of_a_v2_batch_are_items_of_their_own():
    body = v2_batch(
        v2_event("conversation:read", {}, id="a"), v2_event("conversation:read", {}, id="b")
    )

    assert [item.event_id for item in items_of(body)] == ["a", "b"]
    assert [item.raw["id"] for item in items_of(body)] == ["a", "b"]


# Event ids


@pytest.mark.parametrize(
    ("body", "event_id"),
    [
        pytest.param(v2("conversation:read", {}), "event1", id="v2's own"),
        pytest.param(v2("conversation:read", {}, id=17), "17", id="v2's own, a number"),
        pytest.param(
            v1("message:appUser", messages=[v1_message()]), f"v1:message:{MESSAGE_ID}", id="v1"
        ),
        pytest.param(
            v1_1("message:appUser", messages=[v1_message()]),
            f"v1.1:message:{MESSAGE_ID}",
            id="message",
        ),
        pytest.param(
            v1_1("message:appUser", messages=[v1_message(deleted=True)]),
            f"v1.1:message:{MESSAGE_ID}:deleted",
            id="deleted message",
        ),
        pytest.param(
            v1_1(
                "message:delivery:user",
                message={"_id": "m"},
                destination={"type": "line", "integrationId": "i"},
            ),
            "v1.1:delivery:user:m:line:i",
            id="delivery",
        ),
        pytest.param(
            v1_1(
                "notification:delivery:failure",
                notification={"_id": "n"},
                destination={"type": "line", "integrationId": "i", "destinationId": "+1"},
            ),
            "v1.1:notification:failure:n:line:i:+1",
            id="notification",
        ),
        pytest.param(
            v1_1("payment:success", payments=[{"charge": {"id": "ch_1"}}]),
            "v1.1:payment:ch_1",
            id="payment",
        ),
        pytest.param(
            v1_1("merge:appUser", surviving={"_id": "s"}, discarded=[{"_id": "d"}]),
            "v1.1:merge:s:d",
            id="merge",
        ),
        pytest.param(v1_1("appUser:delete"), f"v1.1:user:{USER_ID}:removed", id="user removal"),
    ],
)
def test_event_id_names_what_happened(body, event_id):
    item = item_of(body)

    assert item.event_id == event_id
    assert item.repeat_after_s is item.previous_event_id is None


BY_TIME = [
    pytest.param(v1_1("conversation:read", timestamp=AT), id="read"),
    pytest.param(v1("conversation:read", timestamp=AT), id="v1 read"),
    pytest.param(v1_1("conversation:start", timestamp=AT), id="start"),
    pytest.param(
        v1_1("conversation:referral", referral={"code": "x"}, timestamp=AT), id="referral"
    ),
    pytest.param(
        v1_1("typing:appUser", activity={"type": "typing:start"}, timestamp=AT), id="typing"
    ),
    pytest.param(v1_1("client:add", clients=[{"_id": "c"}], timestamp=AT), id="client"),
    pytest.param(v1_1("link:match", channel="twilio", timestamp=AT), id="link"),
    pytest.param(
        v1_1("postback", postbacks=[{"action": {"_id": "a"}}], timestamp=AT), id="postback"
    ),
    pytest.param(v1_1("request:success", timestamp=AT), id="by content"),
    pytest.param(v1_1("from:tomorrow", timestamp=AT), id="unknown"),
]


@pytest.mark.parametrize("body", BY_TIME)
def test_same_thing_at_another_time_is_another_event(body):
    item = item_of(body)

    assert item.event_id.startswith(f"{item.payload.version}:")
    assert item.repeat_after_s is None
    assert item_of({**body, "timestamp": AT + 0.001}).event_id != item.event_id


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            v1_1("conversation:read", timestamp=AT),
            v1_1("conversation:read", timestamp=AT, conversation={"_id": "other"}),
            id="read of another conversation",
        ),
        pytest.param(
            v1_1("conversation:read", timestamp=AT),
            v1_1("conversation:read", timestamp=AT, appUser={"_id": "other"}),
            id="read by another user",
        ),
        pytest.param(
            v1_1("conversation:read", timestamp=AT),
            v1_1("conversation:start", timestamp=AT),
            id="another trigger",
        ),
        pytest.param(
            v1("conversation:read", timestamp=AT),
            v1_1("conversation:read", timestamp=AT, conversation=None),
            id="another version",
        ),
        pytest.param(
            v1_1("conversation:referral", timestamp=AT, referral={"code": "a"}),
            v1_1("conversation:referral", timestamp=AT, referral={"code": "b"}),
            id="another code",
        ),
        pytest.param(
            v1_1("typing:appUser", timestamp=AT, activity={"type": "typing:start"}),
            v1_1("typing:appUser", timestamp=AT, activity={"type": "typing:stop"}),
            id="stop after start",
        ),
        pytest.param(
            v1_1("client:add", timestamp=AT, client={"_id": "a"}, clients=[]),
            v1_1("client:add", timestamp=AT, client={"_id": "b"}, clients=[]),
            id="another client, in the singular",
        ),
        pytest.param(
            v1("link:failure", channel="twilio", criteria={"phoneNumber": "+1"}),
            v1("link:failure", channel="twilio", criteria={"phoneNumber": "+2"}),
            id="a link tried with another number",
        ),
        pytest.param(
            v1("link:failure", channel="twilio", error={"code": "a"}),
            v1("link:failure", channel="twilio", error={"code": "b"}),
            id="a link failed otherwise",
        ),
        pytest.param(
            v1_1("message:appUser", messages=[v1_message()]),
            v1_1("message:appUser", messages=[v1_message(deleted=True)]),
            id="a message and its removal",
        ),
        pytest.param(
            v1_1("message:delivery:channel", message={"_id": "m"}, destination={"type": "line"}),
            v1_1("message:delivery:user", message={"_id": "m"}, destination={"type": "line"}),
            id="another stage",
        ),
        pytest.param(
            v1_1("message:delivery:user", message={"_id": "m"}, destination={"type": "line"}),
            v1_1("message:delivery:user", message={"_id": "m"}, destination={"type": "viber"}),
            id="another destination",
        ),
        pytest.param(
            v1("delivery:success", messages=[{"_id": "m"}]),
            v1("delivery:failure", messages=[{"_id": "m"}]),
            id="another outcome",
        ),
        pytest.param(
            v1_1("request:success", extra="a"), v1_1("request:success", extra="b"), id="content"
        ),
        pytest.param(
            v2("conversation:read", {}, id=None, createdAt="2023-08-23T13:24:15.555Z"),
            v2("conversation:read", {}, id=None, createdAt="2023-08-23T13:24:15.556Z"),
            id="v2 without ids",
        ),
    ],
)
def test_different_facts_have_different_event_ids(first, second):
    assert item_of(first).event_id != item_of(second).event_id


def test_missing_id_of_v2_is_derived():
    item = item_of(v2("conversation:read", {}, id=None))

    assert item.event_id == f"v2:{item.content_hash}"
    assert item.repeat_after_s is None


UNTIMED = [
    pytest.param(
        v1_1("postback", postbacks=[{"action": {"_id": "a", "payload": "YES"}}]), id="postback"
    ),
    pytest.param(v1("postback", postbacks=[{"action": {"payload": "YES"}}]), id="v1 postback"),
    pytest.param(v1("client:add", clients=[{"id": "c"}]), id="v1 client"),
    pytest.param(v1("link:success", channel="messenger"), id="v1 link"),
    pytest.param(v1_1("request:success"), id="by content"),
    pytest.param(v1_1("message:appUser", messages=[{"text": "no id"}]), id="message without id"),
    pytest.param(v1_1("message:delivery:user"), id="delivery without message"),
    pytest.param(v1_1("notification:delivery:user"), id="notification without id"),
    pytest.param(v1("appUser:delete", appUser=None), id="nobody's removal"),
]


@pytest.mark.parametrize("body", UNTIMED)
def test_what_has_neither_id_nor_time_is_told_by_when_it_arrives(body):
    start = NOW.replace(hour=10, minute=0, second=0, microsecond=0)
    first, a_minute_later, in_the_next_slot, an_hour_later = (
        item_of(body, received_at=start + timedelta(minutes=minutes)) for minutes in (0, 1, 20, 60)
    )

    is_press = body["trigger"] == "postback"
    assert first.repeat_after_s == (30 if is_press else 20 * 60)
    assert a_minute_later.event_id == first.event_id
    # Whether this one is new is decided at admit, by the age of the previous slot's.
    assert in_the_next_slot.event_id != first.event_id
    assert in_the_next_slot.previous_event_id == first.event_id
    assert an_hour_later.event_id != first.event_id
    assert an_hour_later.previous_event_id != first.event_id


@pytest.mark.parametrize("body", UNTIMED)
def test_endpoint_may_say_how_long_a_repetition_is_a_redelivery(body):
    start = NOW.replace(hour=10, minute=0, second=0, microsecond=0)
    item = item_of(body, received_at=start, repeat_window_s=3600)
    later = item_of(body, received_at=start + timedelta(minutes=59), repeat_window_s=3600)

    assert item.repeat_after_s == 3600
    assert later.event_id == item.event_id


def test_window_of_an_endpoint_changes_nothing_where_ids_are_known():
    item = item_of(v1_1("appUser:delete"), repeat_window_s=3600)

    assert item.repeat_after_s is None


# Lanes


@pytest.mark.parametrize(
    ("body", "lane"),
    [
        pytest.param(v1_1("conversation:read"), "9d8c7b6a", id="v1.1 conversation"),
        pytest.param(v1("conversation:read"), USER_ID, id="v1 user"),
        pytest.param(
            v1_1(
                "notification:delivery:user",
                appUser=None,
                conversation=None,
                matchResult={"conversation": {"_id": "matched"}},
            ),
            "matched",
            id="matched conversation",
        ),
        pytest.param(v2("conversation:read", {}), "9d8c7b6a", id="v2 conversation"),
        pytest.param(v2("user:update", {"conversation": None}), None, id="v2 without"),
    ],
)
def test_lane_is_the_conversation(body, lane):
    assert item_of(body).lane == lane


# Facts


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        pytest.param(
            v1_1("message:appUser", messages=[v1_message()]),
            v2("conversation:message", {"message": v2_message()}),
            f"message:{MESSAGE_ID}",
            id="message of a user",
        ),
        pytest.param(
            v1_1("message:appMaker", messages=[v1_message()]),
            v2("conversation:message", {"message": v2_message()}),
            f"message:{MESSAGE_ID}",
            id="message of the business",
        ),
        pytest.param(
            v1("message", messages=[v1_message()]),
            v2("conversation:message", {"message": v2_message()}),
            f"message:{MESSAGE_ID}",
            id="v1's generic message",
        ),
        pytest.param(
            v1_1("message:appUser", messages=[v1_message(deleted=True)]),
            v2("conversation:message", {"message": v2_message(deleted=True)}),
            f"message:{MESSAGE_ID}:deleted",
            id="deletion",
        ),
        *(
            pytest.param(
                v1_1(
                    f"message:delivery:{stage}",
                    message={"_id": "m"},
                    destination={"type": "apn", "integrationId": "i"},
                ),
                v2(
                    f"conversation:message:delivery:{stage}",
                    {"message": {"id": "m"}, "destination": {key: "ios", "integrationId": "i"}},
                ),
                f"delivery:{stage}:m:ios:i",
                id=f"delivery {stage} with {key}",
            )
            for stage in ("channel", "user", "failure")
            for key in ("type", "integrationType")
        ),
        pytest.param(
            v1("delivery:success", messages=[{"_id": "m"}], destination={"type": "line"}),
            v2(
                "conversation:message:delivery:channel",
                {"message": {"id": "m"}, "destination": {"type": "line"}},
            ),
            "delivery:channel:m:line:",
            id="v1 delivery:success",
        ),
        pytest.param(
            v1("delivery:failure", messages=[{"_id": "m"}], destination={"type": "line"}),
            v2(
                "conversation:message:delivery:failure",
                {"message": {"id": "m"}, "destination": {"type": "line"}},
            ),
            "delivery:failure:m:line:",
            id="v1 delivery:failure",
        ),
        pytest.param(
            v1_1("merge:appUser", surviving={"_id": "s"}, discarded=[{"_id": "d"}]),
            v2("user:merge", {"mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}}}),
            "merge:s:d",
            id="merge",
        ),
        pytest.param(
            v1_1("merge:appUser", surviving={"_id": "s"}, discarded={"_id": "d"}),
            v2("user:merge", {"mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}}}),
            "merge:s:d",
            id="merge with a lone object",
        ),
        *(
            pytest.param(
                v1_1("appUser:delete"),
                v2(kind, {"user": {"id": USER_ID}}),
                f"user:{USER_ID}:removed",
                id=kind,
            )
            for kind in ("user:remove", "user:delete")
        ),
    ],
)
def test_fact_is_equal_in_every_version(old, new, fact):
    assert item_of(old).fact == fact
    assert item_of(new).fact == fact


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(v1_1("conversation:read", appUser=None), id="v1.1 read by nobody"),
        pytest.param(v2("conversation:read", {}), id="v2 read by nobody"),
        pytest.param(
            v1_1("notification:delivery:user", notification={"_id": "n"}), id="notification"
        ),
        pytest.param(v1_1("postback", postbacks=[{}]), id="v1.1 postback"),
        pytest.param(v2("conversation:postback", {"postback": {"payload": "x"}}), id="v2 postback"),
        pytest.param(v1_1("message:appUser", messages=[{}]), id="v1.1 message without id"),
        pytest.param(v2("conversation:message", {"message": {}}), id="v2 message without id"),
        pytest.param(v1_1("message:delivery:user", message=None), id="v1.1 delivery of nothing"),
        pytest.param(v2("conversation:message:delivery:user", {}), id="v2 delivery of nothing"),
        pytest.param(v1_1("merge:appUser", surviving={"_id": "s"}), id="v1.1 half a merge"),
        pytest.param(v2("user:merge", {"mergedUsers": {"surviving": {"id": "s"}}}), id="v2 half"),
        pytest.param(v2("user:remove", {}), id="v2 nobody removed"),
        pytest.param(v2_batch({"type": 5}), id="v2 without a word"),
    ],
)
def test_what_cannot_be_named_has_no_fact(body):
    assert item_of(body).fact is None


def client(kind, reason=None, channel="twilio"):
    changes = {"user": {"id": USER_ID}, "client": {"type": channel}, "reason": reason}
    return v2(kind, changes)


def linked(trigger):
    return v1_1(trigger, channel="twilio")


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        pytest.param(
            v1_1("conversation:read", timestamp=AT),
            v2("conversation:read", {"activity": {"author": {"userId": USER_ID}}}),
            f"~read:{USER_ID}",
            id="read",
        ),
        pytest.param(
            v1("conversation:read", timestamp=AT),
            v2("conversation:read", {"activity": {"author": {"userId": USER_ID}}}),
            f"~read:{USER_ID}",
            id="read in v1",
        ),
        pytest.param(
            v1_1("postback", postbacks=[{"action": {"payload": "YES"}}]),
            v2("conversation:postback", {"user": {"id": USER_ID}, "postback": {"payload": "YES"}}),
            f"~postback:{USER_ID}:{digest('YES')}",
            id="postback",
        ),
        pytest.param(
            v1_1("conversation:referral", referral={"code": "x"}),
            v2("conversation:referral", {"referral": {"code": "x"}}),
            f"~conversation:{CONVERSATION_ID}:start",
            id="referral",
        ),
        *(
            pytest.param(
                v1_1(f"client:{what}", clients=[{"_id": "c", "platform": platform}]),
                client(*new, channel),
                f"~client:{what}:{USER_ID}:{channel}",
                id=f"client {what} {platform}",
            )
            for platform, channel in (("twilio", "twilio"), ("web", "sdk"), ("apn", "sdk"))
            for what, new in (
                ("add", ("client:add", "channelLinking")),
                ("remove", ("client:remove", "api")),
                ("block", ("client:update", "blocked")),
            )
        ),
        *(
            pytest.param(
                linked(f"link:{word}"),
                client(*new),
                f"~client:{outcome}:{USER_ID}:twilio",
                id=f"link {word} {new[1]}",
            )
            for word, outcome, new in (
                ("match", "matched", ("client:update", "matched")),
                ("success", "confirmed", ("client:update", "confirmed")),
                ("failure", "failed", ("client:remove", "linkFailed")),
                ("failure", "failed", ("client:remove", "linkFailure")),
                ("failure", "failed", ("client:remove", "linkCancelled")),
            )
        ),
    ],
)
def test_what_takes_its_time_as_well_is_a_near_fact_of_both_versions(old, new, fact):
    assert item_of(old).fact == fact
    assert item_of(new).fact == fact


def test_start_of_a_conversation_that_was_there_is_a_referral_in_v2():
    start = item_of(v1_1("conversation:start", timestamp=AT))
    again = item_of(v1_1("conversation:start", timestamp=AT + 60))

    assert start.fact == item_of(v2("conversation:create", {})).fact
    assert is_exact(start.fact)
    assert item_of(v2("conversation:referral", {})).fact == near_fact(start.fact)
    assert again.fact == start.fact
    assert again.event_id != start.event_id


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(v1_1("typing:appUser", activity={"type": "typing:start"}), id="v1.1"),
        pytest.param(v2("conversation:typing", {"activity": {"type": "typing:start"}}), id="v2"),
    ],
)
def test_typing_has_no_fact(body):
    assert item_of(body).fact is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(v1("conversation:start", timestamp=AT), id="v1 start"),
        pytest.param(v1("conversation:referral", timestamp=AT), id="v1 referral"),
        pytest.param(client("client:update", "unblocked"), id="unblocked"),
        pytest.param(client("client:update", None), id="without a reason"),
        pytest.param(client("client:add", channel=None), id="v2 client of no type"),
        pytest.param(v1_1("client:add", clients=[{}]), id="v1.1 client of no platform"),
    ],
)
def test_what_only_one_version_tells_of_has_no_fact(body):
    assert item_of(body).fact is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1.1/message-appUser", "v2/conversation-message"),
        ("v1/message", "v1.1/message-appUser"),
        ("v1.1/message-appMaker", "v2/conversation-message.business"),
        ("v1.1/message-delivery-channel", "v2/conversation-message-delivery-channel"),
        ("v1.1/message-delivery-user", "v2/conversation-message-delivery-user"),
        ("v1/merge-appUser", "v2/user-merge"),
        ("v1.1/appUser-delete", "v2/user-remove"),
        ("v1/appUser-delete", "v2/user-remove"),
    ],
)
def test_samples_of_one_fact_share_it(old, new):
    facts = {item_of(load(name)).fact for name in (old, new)}

    assert len(facts) == 1
    assert facts != {None}


@in_one("sample", SUNSHINE_SAMPLES, ids=sample_id)
def test_event_ids_of_samples_are_told_apart_by_version(sample):
    version = sample.parent.name
    items = split_body(PROVIDER, sample.read_bytes())

    is_derived = version != "v2" and not sample.name.startswith("_")
    assert all(item.event_id.startswith(f"{version}:") == is_derived for item in items)
