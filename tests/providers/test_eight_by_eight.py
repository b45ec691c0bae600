"""What is peculiar to 8x8's bodies: versions, ids, flat and nested shapes, words."""

import json
from datetime import UTC, datetime

import pytest

from hookkit import AuthorType, Card, Cards, EventType, File, Image, Postback, Text, User
from hookkit.core.triggers import explain
from hookkit.providers import load_providers
from hookkit.providers.eight_by_eight import CHAT_V1, CHAT_V2, GATEWAY, PROVIDER, detect_version
from hookkit.providers.eight_by_eight.identity import REPEAT_AFTER_S
from hookkit.providers.eight_by_eight.signature import EVENT_ID, SIGNATURE, TENANT_ID
from tests.providers.eight_by_eight_bodies import EIGHT_BY_EIGHT_SAMPLES, TEXT
from tests.providers.reading import NOW, headers_of, read, read_sample, sample_id, split_body

SIGNED = {SIGNATURE: "checked", TENANT_ID: "tenant-1", EVENT_ID: "event-1"}


def without(document, *keys):
    return {key: value for key, value in document.items() if key not in keys}


def gateway(word, **data):
    return {"eventType": word, "conversationId": "c1", "timestamp": 1713100003000, "data": data}


def event_of(document, headers=SIGNED):
    (event,) = read(PROVIDER, document, headers=headers)
    return event


def item_of(document, headers=SIGNED, **how):
    (item,) = split_body(PROVIDER, document, headers=headers, **how)
    return item


# Versions


@pytest.mark.parametrize(
    ("document", "unsigned", "signed"),
    [
        pytest.param(TEXT, CHAT_V1, CHAT_V2, id="TEXT"),
        pytest.param({"eventType": "AGENT_JOINED"}, CHAT_V1, CHAT_V2, id="AGENT_JOINED"),
        pytest.param({"eventType": "AGENT_LEFT"}, CHAT_V1, CHAT_V2, id="AGENT_LEFT"),
        pytest.param(
            {"eventType": "QUEUED", "messageType": "SYSTEM"}, CHAT_V1, CHAT_V2, id="QUEUED"
        ),
        pytest.param(
            {"eventType": "TRANSFER", "messageType": "SYSTEM"}, CHAT_V1, CHAT_V2, id="TRANSFER"
        ),
        pytest.param({"eventType": "NEW", "messageType": 5}, CHAT_V1, CHAT_V2, id="any of chat"),
        pytest.param({"sender": "a", "recipient": "b"}, CHAT_V1, CHAT_V2, id="a pair"),
        pytest.param({"sender": "a"}, None, None, id="half a pair"),
        pytest.param({"eventType": "TRANSFER"}, GATEWAY, GATEWAY, id="TRANSFER without a type"),
        pytest.param({"eventType": "QUEUED"}, None, None, id="QUEUED without anything"),
        pytest.param({"eventType": "QUEUED", "data": {}}, GATEWAY, GATEWAY, id="QUEUED, data"),
        pytest.param({"eventType": "TEXT", "data": {}}, GATEWAY, GATEWAY, id="TEXT, data"),
        pytest.param({"eventType": "MESSAGE"}, GATEWAY, GATEWAY, id="MESSAGE"),
        pytest.param({"eventType": "ACTIVITY"}, GATEWAY, GATEWAY, id="ACTIVITY"),
        pytest.param({"eventType": "MEMBERS_CHANGED"}, GATEWAY, GATEWAY, id="MEMBERS_CHANGED"),
        pytest.param({"eventType": "CONVERSATION_UPDATE"}, GATEWAY, GATEWAY, id="UPDATE"),
        pytest.param({"eventType": "SURVEY", "data": {"x": 1}}, GATEWAY, GATEWAY, id="new"),
        pytest.param({"eventType": "SURVEY", "data": []}, None, None, id="unknown"),
        pytest.param({"eventType": ["TEXT"]}, None, None, id="no word"),
        pytest.param({}, None, None, id="nothing"),
    ],
)
def test_version_is_told_by_the_shape_and_by_the_signature(document, unsigned, signed):
    assert detect_version(document, {}) == detect_version(document, {SIGNATURE: ""}) == unsigned
    assert detect_version(document, SIGNED) == signed


@pytest.mark.parametrize(
    ("named", "unsigned", "signed"),
    [
        ("v1.0", CHAT_V1, CHAT_V2),  # what is signed is never v1.0
        ("v2.0", CHAT_V2, CHAT_V2),
        ("Chat Gateway v1.0", GATEWAY, GATEWAY),
        ("v9.0", "v9.0", "v9.0"),
        (None, None, None),
        (2, None, None),
    ],
)
def test_ping_names_its_version(named, unsigned, signed):
    ping = {"eventType": "WEB_HOOK_VERIFY", "notificationVersion": named}

    assert (detect_version(ping, {}), detect_version(ping, SIGNED)) == (unsigned, signed)


@pytest.mark.parametrize("sample", EIGHT_BY_EIGHT_SAMPLES, ids=sample_id)
def test_sample_shows_its_version(sample):
    shown = detect_version(json.loads(sample.read_bytes()), headers_of(sample))

    assert shown == sample.parent.name


def test_versions_never_run_side_by_side():
    assert not PROVIDER.parallel


# Ids, lanes and facts


def test_event_is_named_by_tenant_and_id_of_the_headers():
    assert item_of(TEXT).event_id == "tenant-1:event-1"
    assert item_of(TEXT, SIGNED | {TENANT_ID: "a:b"}).event_id == "a%3Ab:event-1"


def test_headers_without_an_id_name_no_event():
    assert item_of(TEXT, {SIGNATURE: "x"}).event_id.startswith("v2.0:")


@pytest.mark.parametrize(
    "document", [{"hello": "world"}, {"eventType": "SURVEY"}, [], "no object"], ids=repr
)
def test_signed_headers_name_the_event_of_a_body_that_is_not_understood(document):
    item = item_of(document)

    assert item.event_id == "tenant-1:event-1"
    assert item.problem is not None
    assert event_of(document).type is EventType.UNKNOWN


def test_unsigned_headers_name_nothing():
    event = event_of(
        TEXT, without(SIGNED, SIGNATURE) | {"x-8x8-customer-id": "c", "x-8x8-retry": "1"}
    )

    assert (event.version, event.tenant_id, event.extra) == (CHAT_V1, None, {})
    assert event.id.startswith("v1.0:")


def test_unsigned_event_is_named_by_what_it_says():
    first, again = item_of(TEXT, {}), item_of(dict(reversed(TEXT.items())), {})
    later = item_of(TEXT | {"timestamp": TEXT["timestamp"] + 1}, {})

    assert first.event_id == again.event_id != later.event_id
    assert first.repeat_after_s is None


def test_unsigned_event_without_a_time_is_a_redelivery_for_a_while():
    item = item_of(without(TEXT, "timestamp"), {})

    assert item.repeat_after_s == REPEAT_AFTER_S
    assert item.event_id.endswith(f"@{int(NOW.timestamp()) // REPEAT_AFTER_S}")
    assert item_of(without(TEXT, "timestamp")).repeat_after_s is None
    assert item_of(without(TEXT, "timestamp"), {}, repeat_window_s=5).repeat_after_s == 5


def test_unsigned_event_without_a_time_is_about_its_conversation():
    assert item_of(without(TEXT, "timestamp"), {}).subject == TEXT["conversationId"]
    assert item_of(without(TEXT, "timestamp")).subject is None
    assert item_of(TEXT, {}).subject is None


PAIR = without(TEXT, "conversationId") | {"sender": "+1555:0100", "recipient": "+15551230001"}


@pytest.mark.parametrize(
    ("document", "conversation_id"),
    [
        pytest.param(PAIR, "+1555%3A0100:+15551230001", id="texts"),
        pytest.param(PAIR | {"sender": 1, "recipient": 2}, "1:2", id="numbers"),
        pytest.param(
            PAIR | {"sender": {"id": "a", "type": "agent"}, "recipient": {"id": "b"}},
            "a:b",
            id="objects",
        ),
        pytest.param(PAIR | {"conversationId": "c1"}, "c1", id="with an id"),
        pytest.param(PAIR | {"conversationId": ""}, "+1555%3A0100:+15551230001", id="empty id"),
        pytest.param(without(PAIR, "sender"), None, id="no sender"),
        pytest.param(without(PAIR, "recipient"), None, id="no recipient"),
        pytest.param(PAIR | {"sender": []}, None, id="sender unreadable"),
    ],
)
def test_two_that_talk_are_the_conversation_where_there_is_no_id(document, conversation_id):
    item, event = item_of(document, {}), event_of(document, {})

    assert event.version == CHAT_V1
    assert event.conversation.id == item.lane == conversation_id
    assert (item.fact or "").split(":")[1:2] == (
        [] if conversation_id is None else [conversation_id.replace("%", "%25").replace(":", "%3A")]
    )


def test_other_direction_is_another_conversation():
    swapped = PAIR | {"sender": PAIR["recipient"], "recipient": PAIR["sender"]}

    assert event_of(PAIR, {}).conversation.id != event_of(swapped, {}).conversation.id


def test_sender_is_the_author_where_no_agent_is_named():
    document = without(PAIR, "agentId", "agentName")

    assert event_of(document, {}).actor.user_id == "+1555:0100"
    assert event_of(document, {}).actor.type is AuthorType.UNKNOWN
    assert event_of(document, {}).problems == ()
    # "Only agent messages are delivered."
    assert event_of(without(document, "sender"), {}).actor.type is AuthorType.BUSINESS


def test_version_2_has_the_fact_of_version_1():
    assert item_of(TEXT).fact == item_of(TEXT, {}).fact is not None
    assert item_of(TEXT | {"message": "Other"}).fact != item_of(TEXT).fact
    assert item_of(TEXT | {"timestamp": 1}).fact != item_of(TEXT).fact
    assert item_of(without(TEXT, "timestamp")).fact is None


# Shapes


def flat(document):
    return {**document.get("data", {}), **without(document, "data")}


@pytest.mark.parametrize("sample", EIGHT_BY_EIGHT_SAMPLES, ids=sample_id)
def test_flat_and_nested_bodies_say_the_same(sample):
    document, headers = json.loads(sample.read_bytes()), headers_of(sample)
    (original,) = read_sample(sample)
    common = {"eventType", "conversationId", "timestamp", "messageType", "notificationVersion"}
    common |= {"sender", "recipient"} if sample.parent.name == CHAT_V1 else set()
    nested = {key: value for key, value in document.items() if key in common}
    nested["data"] = {key: value for key, value in flat(document).items() if key not in common}

    for other in (flat(document), nested):
        event = event_of(other, headers)
        if event.version == "" or sample.name.startswith("_"):
            continue
        assert (event.type, event.problems) == (original.type, ())
        for name in ("conversation", "user", "actor", "occurred_at", "extra", "tenant_id"):
            assert getattr(event, name) == getattr(original, name)
        for name in ("message", "postback", "state", "queue"):
            assert getattr(event, name, None) == getattr(original, name, None)


def test_newer_place_wins_where_a_key_is_in_both():
    event = event_of(gateway("QUEUED", queueId="in") | {"queueId": "beside", "queueName": "Q"})

    assert event.queue == {"id": "in", "name": "Q"}


def test_headers_tell_customer_tenant_and_retry():
    sent = SIGNED | {"x-8x8-customer-id": "customer-1", "x-8x8-retry": "3"}

    event = event_of(TEXT, sent)

    assert event.tenant_id == "tenant-1"
    assert event.extra == {"customer_id": "customer-1", "tenant_id": "tenant-1", "retry": 3}


@pytest.mark.parametrize("retry", ["x", "-1", "9" * 5000, "\u0661", ""])
def test_retry_that_is_no_number_is_left_out(retry):
    # Nothing has looked at it where an endpoint takes everything unsigned.
    event = event_of(TEXT, SIGNED | {"x-8x8-retry": retry})

    assert "retry" not in event.extra
    assert event.problems == ()


@pytest.mark.parametrize(
    ("data", "content"),
    [
        pytest.param({"text": "Hi"}, Text(text="Hi"), id="text"),
        pytest.param({}, Text(), id="nothing"),
        pytest.param({"attachments": [], "cards": []}, Text(), id="empty lists"),
        pytest.param(
            {"attachments": [{"id": "a", "type": "image"}]},
            Image(attachment_id="a", type="image"),
            id="image",
        ),
        pytest.param({"attachments": [{"id": "a"}]}, File(attachment_id="a"), id="id alone"),
        pytest.param(
            {"attachments": [{"id": "a", "type": "video"}]},
            File(attachment_id="a", type="video"),
            id="another type",
        ),
        pytest.param({"cards": [{}]}, Cards(cards=(Card(),)), id="card"),
        pytest.param({"text": "Hi", "attachments": "x"}, Text(text="Hi"), id="unreadable"),
    ],
)
def test_content_is_the_richest(data, content):
    event = event_of(gateway("MESSAGE", **data))

    assert event.type is EventType.MESSAGE
    assert event.message.content == content
    assert "attachments" not in event.extra


def test_attachments_that_the_content_does_not_show_are_in_extra():
    two = [{"id": "a", "type": "image"}, {"id": "b"}]
    described = [
        {"attachment_id": "a", "type": "image"},
        {"attachment_id": "b", "type": "file"},
    ]

    assert event_of(gateway("MESSAGE", attachments=two)).extra["attachments"] == described
    carded = event_of(gateway("MESSAGE", attachments=two[:1], cards=[{"contentType": "x"}]))
    assert isinstance(carded.message.content, Cards)
    assert carded.extra["attachments"] == described[:1]


@pytest.mark.parametrize(
    ("sender", "kind", "user"),
    [
        ({"id": "u", "type": "user"}, AuthorType.USER, User(id="u")),
        ({"type": "user"}, AuthorType.USER, None),
        ({"id": "b", "type": "bot"}, AuthorType.BOT, None),
        ({"id": "s", "type": "system"}, AuthorType.SYSTEM, None),
        ({"id": "a", "type": "agent"}, AuthorType.BUSINESS, None),
        ({"id": "n", "type": "supervisor"}, AuthorType.UNKNOWN, None),
        ({"id": "n", "type": None}, AuthorType.UNKNOWN, None),
    ],
    ids=repr,
)
def test_sender_is_told(sender, kind, user):
    event = event_of(gateway("MESSAGE", sender=sender, text="Hi"))

    assert (event.actor.type, event.user) == (kind, user)
    assert event.actor == event.message.author


def test_message_without_a_sender_has_no_author():
    event = event_of(gateway("MESSAGE", text="Hi", sender=None))

    assert (event.actor, event.user, event.problems) == (None, None, ())


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("created", EventType.CONVERSATION_CREATE),
        ("active", EventType.CONVERSATION_UPDATE),
        ("idle", EventType.CONVERSATION_UPDATE),
        ("hibernating", EventType.CONVERSATION_UPDATE),
        (None, EventType.CONVERSATION_UPDATE),
    ],
)
def test_state_of_a_conversation_is_told(state, kind):
    event = event_of(gateway("CONVERSATION_UPDATE", state=state))

    assert (event.type, event.state, event.problems) == (kind, state, ())


def test_number_of_the_customer_is_a_phone_unless_there_is_another():
    def phone(**data):
        return event_of(gateway("CONVERSATION_UPDATE", **data)).user.phone

    assert phone(msisdn="+1") == phone(msisdn="+1", user={"name": "x"}) == "+1"
    assert phone(msisdn=1) == "1"
    assert phone(msisdn="+1", user={"phone": "+2"}) == "+2"
    assert event_of(gateway("CONVERSATION_UPDATE")).user is None


def test_properties_of_a_customer_are_metadata_and_hide_nothing():
    properties = [{"key": "company", "value": "forged"}, {"key": "tier", "value": 1}, {"value": 2}]
    user = {"userId": 7, "company": "Acme", "additionalProperties": [*properties, {"key": "vip"}]}

    event = event_of(gateway("CONVERSATION_UPDATE", user=user))

    assert event.user.id == "7"
    assert event.user.metadata == {"company": "Acme", "tier": 1, "vip": None}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("joined", EventType.CONVERSATION_JOIN),
        ("left", EventType.CONVERSATION_LEAVE),
        ("muted", EventType.UNKNOWN),
        (None, EventType.UNKNOWN),
    ],
)
def test_change_of_members_is_told(change, kind):
    event = event_of(gateway("MEMBERS_CHANGED", memberType="agent", change=change, id="a"))

    assert (event.type, event.actor.user_id) == (kind, "a")
    assert event.problems == (("data.change: not known",) if kind is EventType.UNKNOWN else ())


@pytest.mark.parametrize(
    ("name", "value", "postback"),
    [
        pytest.param(
            "quickReply/action",
            {"type": "postback", "data": {"title": "T", "payload": "P"}},
            Postback(text="T", payload="P"),
            id="quick reply",
        ),
        pytest.param("quickReply/action", {"data": {}}, Postback(), id="empty quick reply"),
        pytest.param(
            "quickReply/action", {"data": {"payload": {"a": 1}}}, Postback(), id="odd payload"
        ),
        pytest.param(
            "adaptiveCard/action",
            {"type": "Action.Execute", "data": {"payload": 1}},
            Postback(metadata={"payload": 1}),
            id="card",
        ),
        pytest.param(
            "adaptiveCard/action", {"data": "text"}, Postback(payload="text"), id="card with a text"
        ),
        pytest.param("interactive/reply", {"data": [1]}, Postback(), id="a list"),
        pytest.param("interactive/new", None, Postback(), id="nothing"),
    ],
)
def test_pressed_button_is_a_postback_of_the_customer(name, value, postback):
    event = event_of(gateway("ACTIVITY", name=name, value=value))

    assert (event.type, event.postback) == (EventType.POSTBACK, postback)
    assert event.actor.type is AuthorType.USER
    assert event.extra["activity"] == name


@pytest.mark.parametrize(
    ("users", "state"), [([{"id": "a", "type": "user"}, {"id": "b"}], "start"), ([], "stop")]
)
def test_typing_starts_and_stops(users, state):
    event = event_of(gateway("ACTIVITY", name="typing", value={"users": users}))

    assert (event.type, event.state) == (EventType.TYPING, state)
    assert event.user == (User(id="a") if users else None)


def test_read_receipts_are_read():
    event = event_of(gateway("ACTIVITY", name="read-receipts", value=[{"what": 1}]))

    assert (event.type, event.actor, event.problems) == (EventType.READ, None, ())


def test_newest_receipt_says_who_has_read_and_up_to_when():
    user, agent = {"id": "u", "type": "user"}, {"id": "a", "type": "agent"}
    value = [
        {"timestamp": 1713100005000, "users": [user, agent]},
        {"timestamp": 1713100001000, "users": [agent]},
        {"users": [agent]},
    ]

    event = event_of(gateway("ACTIVITY", name="read-receipts", value=value))

    assert event.read_at == datetime(2024, 4, 14, 13, 6, 45, tzinfo=UTC)
    assert (event.actor.user_id, event.user) == ("u", User(id="u"))


def test_broken_receipts_are_told_and_the_others_read():
    value = [5, {"timestamp": "?", "users": [{"id": "a", "type": "agent"}]}]

    event = event_of(gateway("ACTIVITY", name="read-receipts", value=value))

    assert (event.type, event.read_at, event.actor.user_id) == (EventType.READ, None, "a")
    assert [each.split(":")[0] for each in event.problems] == [
        "data.value[0]",
        "data.value[1].timestamp",
    ]


@pytest.mark.parametrize(
    ("value", "postback"),
    [
        ({"data": {"id": "b", "title": "Yes"}}, Postback(payload="b", text="Yes")),
        ({"type": "button_reply", "data": "b"}, Postback(payload="b")),
        (
            {
                "type": "list_reply",
                "list_reply": {"id": "r", "title": "Friday", "description": "at ten"},
            },
            Postback(payload="r", text="Friday", metadata={"description": "at ten"}),
        ),
        (
            {
                "type": "nfm_reply",
                "nfm_reply": {"body": "Sent", "response_json": '{"size": "M", "n": 2}'},
            },
            Postback(text="Sent", metadata={"size": "M", "n": 2}),
        ),
        (
            {"type": "nfm_reply", "nfm_reply": {"response_json": "[1]"}},
            Postback(metadata={"response_json": "[1]"}),
        ),
        ({"type": "new_reply"}, Postback()),
        ({"button_reply": {"id": "b", "title": "Yes"}}, Postback(payload="b", text="Yes")),
        ({"id": 7, "title": "Yes"}, Postback(payload="7", text="Yes")),
        (
            {"type": "button", "button": {"payload": "b", "text": "Yes"}},
            Postback(payload="b", text="Yes"),
        ),
        (
            {"type": "nfm_reply", "nfm_reply": {"response_json": {"size": "M"}}},
            Postback(metadata={"size": "M"}),
        ),
        (
            {"interactive": {"type": "button_reply", "button_reply": {"id": "b"}}},
            Postback(payload="b"),
        ),
    ],
    ids=repr,
)
def test_choice_on_a_channel_is_a_postback(value, postback):
    event = event_of(gateway("ACTIVITY", name="interactive/reply", value=value))

    assert (event.type, event.postback, event.problems) == (EventType.POSTBACK, postback, ())


@pytest.mark.parametrize("kind", ["button_reply", "list_reply", "nfm_reply", "button"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"interactive": value}])
def test_reply_is_a_postback_whatever_the_activity_is_called(kind, wrap):
    value = wrap({"type": kind, kind: {"id": "b", "title": "Yes"}})

    event = event_of(gateway("ACTIVITY", name="whatsapp/new", value=value))

    assert (event.type, event.postback) == (EventType.POSTBACK, Postback(payload="b", text="Yes"))
    assert event.actor.type is AuthorType.USER


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("quickReply/action", {"data": {"payload": {}}}, "data.value.data.payload: not an id"),
        ("quickReply/action", {"data": 5}, "data.value.data: not an object"),
        ("adaptiveCard/action", {"data": [1]}, "data.value.data: not an object"),
        (
            "interactive/reply",
            {"type": "button_reply", "button_reply": {"title": 5}},
            "data.value.button_reply.title: not a text",
        ),
        (
            "interactive/reply",
            {"nfm_reply": {"response_json": 5}},
            "data.value.nfm_reply.response_json: not an object",
        ),
    ],
    ids=repr,
)
def test_part_of_a_postback_that_cannot_be_read_is_told(name, value, problem):
    event = event_of(gateway("ACTIVITY", name=name, value=value))

    assert (event.type, event.problems) == (EventType.POSTBACK, (problem,))


def test_all_who_type_are_kept():
    users = [{"id": "a", "type": "agent"}, {"id": "u", "type": "user"}]
    event = event_of(gateway("ACTIVITY", name="typing", value={"users": users}))

    assert (event.actor.user_id, event.extra["users"]) == ("a", users)


@pytest.mark.parametrize(
    "value",
    [
        [{"timestamp": 1713100005000, "users": [{"id": "a"}, {"id": "u", "type": "user"}]}],
        [{"timestamp": 1713100005000, "users": [{"id": "a"}]}, {"users": [{"id": "u"}]}],
    ],
)
def test_all_who_have_read_are_kept(value):
    event = event_of(gateway("ACTIVITY", name="read-receipts", value=value))

    assert (event.actor.user_id, event.extra["receipts"]) == ("a", value)


@pytest.mark.parametrize("data", [{"name": "viber/button", "value": {"text": "Yes"}}, {}])
def test_activity_that_the_model_has_no_word_for_is_other(data):
    event = event_of(gateway("ACTIVITY", **data))

    assert (event.type, event.problems) == (EventType.OTHER, ())
    assert event.extra["activity"] == data.get("name", "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"name": "typing", "value": []}, "data.value: not an object"),
        ({"name": "typing", "value": {"users": [5]}}, "data.value.users[0]: not an object"),
    ],
    ids=repr,
)
def test_activity_that_is_not_understood_says_so(data, problem):
    assert problem in event_of(gateway("ACTIVITY", **data)).problems


def test_time_is_milliseconds_and_the_messages_too():
    event = event_of(TEXT)

    assert event.occurred_at == datetime(2024, 4, 14, 13, 6, 42, tzinfo=UTC)
    assert event.message.received_at == event.occurred_at


# Words


def fires(word, sample_name):
    vocabulary = {name: each.triggers for name, each in load_providers().items()}
    trigger = explain(word, vocabulary)
    (sample,) = (
        each
        for each in EIGHT_BY_EIGHT_SAMPLES
        if sample_id(each) == f"eight_by_eight/{sample_name}"
    )
    (event,) = read_sample(sample)
    return trigger.fits(event)


ALL = {sample_id(each).partition("/")[2] for each in EIGHT_BY_EIGHT_SAMPLES}
FIRES = {
    "QUEUED": {"v1.0/QUEUED", "v2.0/QUEUED", f"{GATEWAY}/QUEUED"},
    "AGENT_JOINED": {
        "v1.0/AGENT_JOINED",
        "v2.0/AGENT_JOINED",
        "v2.0/AGENT_JOINED.without-message-type",
        f"{GATEWAY}/MEMBERS_CHANGED.agent_joined",
    },
    "AGENT_LEFT": {"v1.0/AGENT_LEFT", "v2.0/AGENT_LEFT"},
    "MEMBERS_CHANGED": {
        *("v1.0/AGENT_JOINED", "v2.0/AGENT_JOINED", "v1.0/AGENT_LEFT", "v2.0/AGENT_LEFT"),
        "v2.0/AGENT_JOINED.without-message-type",
        f"{GATEWAY}/MEMBERS_CHANGED.agent_joined",
        f"{GATEWAY}/MEMBERS_CHANGED.user_left",
    },
    "TRANSFER": {"v1.0/TRANSFER", "v2.0/TRANSFER", f"{GATEWAY}/TRANSFER"},
    "TEXT": {
        *("v1.0/TEXT", "v1.0/TEXT.sender-recipient", "v2.0/TEXT", "v2.0/TEXT.retry1"),
        f"{GATEWAY}/MESSAGE",
        f"{GATEWAY}/MESSAGE.attachments",
    },
    "MESSAGE": {
        *("v1.0/TEXT", "v1.0/TEXT.sender-recipient", "v2.0/TEXT", "v2.0/TEXT.retry1"),
        *(name for name in ALL if "/MESSAGE" in name),
    },
    "CONVERSATION_UPDATE": {name for name in ALL if "/CONVERSATION_UPDATE" in name},
    "ACTIVITY": {name for name in ALL if "/ACTIVITY" in name},
    "WEB_HOOK_VERIFY": {name for name in ALL if "/WEB_HOOK_VERIFY" in name},
    "8x8/TEXT": {name for name in ALL if "/TEXT" in name},
    "8x8/ACTIVITY": {name for name in ALL if "/ACTIVITY" in name},
}


def test_every_word_has_its_row():
    assert set(PROVIDER.triggers) == {word for word in FIRES if "/" not in word}


@pytest.mark.parametrize("word", FIRES)
def test_word_fires_for_its_counterparts_and_nothing_else(word):
    assert {name for name in ALL if fires(word, name)} == FIRES[word]
