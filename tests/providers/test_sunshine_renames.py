"""Sunshine Conversations: the seed's "Schema changes", a row for each that concerns webhooks."""

import dataclasses

import pytest

from hookkit.core.event import EventType
from hookkit.core.parts import AuthorType, Client, Device, Message, Source
from tests.providers.sunshine_bodies import (
    ISO,
    MESSAGE_ID,
    SOMETIME,
    client_v1,
    client_v2,
    message_v1,
    message_v2,
    place_v1,
    place_v2,
    read_one,
    sdk_v1,
    sdk_v2,
    user_v1,
    user_v2,
    v1_1,
    v1_message,
    v2,
    v2_message,
)


def path_of(value, path):
    for name in path.split("."):
        value = value[int(name)] if name.isdigit() else getattr(value, name)
    return value


RENAMES = [
    # Client
    ("platform -> type", client_v1(), client_v2(), "client.type", "whatsapp"),
    (
        "blocked -> status",
        client_v1(blocked=True, active=False),
        client_v2(status="blocked"),
        "client.status",
        "blocked",
    ),
    (
        "active -> status",
        client_v1(active=True),
        client_v2(status="active"),
        "client.status",
        "active",
    ),
    (
        "not active -> status",
        client_v1(active=False, blocked=False),
        client_v2(status="inactive"),
        "client.status",
        "inactive",
    ),
    (
        "status wins over active",
        client_v1(active=True, status="inactive"),
        client_v2(status="inactive"),
        "client.status",
        "inactive",
    ),
    ("neither says a status", client_v1(), client_v2(), "client.status", None),
    (
        "pending status",
        client_v1(status="pending"),
        client_v2(status="pending"),
        "client.status",
        "pending",
    ),
    ("status from the future", client_v1(status="x"), client_v2(status="x"), "client.status", "x"),
    ("web is an sdk client", sdk_v1(), sdk_v2(), "message.source.client.type", "sdk"),
    ("with a device", sdk_v1(), sdk_v2(), "message.source.device.type", "web"),
    (
        "id -> device.guid",
        sdk_v1(id="20b2be30"),
        sdk_v2(guid="20b2be30"),
        "message.source.device.guid",
        "20b2be30",
    ),
    ("_id -> device.id", sdk_v1(), sdk_v2(), "message.source.device.id", "d"),
    (
        "deviceId -> device.id",
        sdk_v1(_id=None, deviceId="d"),
        sdk_v2(),
        "message.source.device.id",
        "d",
    ),
    (
        "pushNotificationToken -> device",
        sdk_v1(pushNotificationToken="t"),
        sdk_v2(pushNotificationToken="t"),
        "message.source.device.push_token",
        "t",
    ),
    (
        "appVersion -> device",
        sdk_v1(appVersion="5.6"),
        sdk_v2(appVersion="5.6"),
        "message.source.device.app_version",
        "5.6",
    ),
    (
        "info -> device",
        sdk_v1(info={"vendor": "smooch"}),
        sdk_v2(info={"vendor": "smooch"}),
        "message.source.device.info",
        {"vendor": "smooch"},
    ),
    (
        "client in the body -> in the source",
        sdk_v1(displayName="Ana"),
        sdk_v2(client={"displayName": "Ana"}),
        "message.source.client.display_name",
        "Ana",
    ),
    # Conversation
    (
        "unreadCount -> participant",
        place_v1(unreadCount=3),
        place_v2(participants=[{"userId": "u", "unreadCount": 3}]),
        "conversation.participants.0.unread_count",
        3,
    ),
    (
        "lastRead -> participant",
        place_v1(lastRead=1692796967),
        place_v2(participants=[{"userId": "u", "lastRead": ISO}]),
        "conversation.participants.0.last_read",
        SOMETIME,
    ),
    (
        "appMakerLastRead -> businessLastRead",
        place_v1(appMakerLastRead=1692796967),
        place_v2(businessLastRead=ISO),
        "conversation.business_last_read",
        SOMETIME,
    ),
    # Destination
    (
        "destination's type",
        v1_1("message:delivery:user", message={"_id": "m"}, destination={"type": "line"}),
        v2(
            "conversation:message:delivery:user",
            {"message": {"id": "m"}, "destination": {"type": "line"}},
        ),
        "delivery.destination.type",
        "line",
    ),
    (
        "destination's type -> integrationType",
        v1_1("message:delivery:user", message={"_id": "m"}, destination={"type": "line"}),
        v2(
            "conversation:message:delivery:user",
            {"message": {"id": "m"}, "destination": {"integrationType": "line"}},
        ),
        "delivery.destination.type",
        "line",
    ),
    (
        "destination of a message",
        message_v1(destination={"type": "apn"}),
        message_v2(destination={"integrationType": "ios"}),
        "message.destination.type",
        "ios",
    ),
    # Integration
    *(
        (
            f"{old} -> {new} ({where})",
            message_v1(source={"type": old}),
            message_v2(source={"type": new}),
            "message.source.type",
            new,
        )
        for where in ("source",)
        for old, new in (
            ("apn", "ios"),
            ("fcm", "android"),
            ("api", "api:conversations"),
            ("notifications", "api:notifications"),
            ("custom", "custom"),
        )
    ),
    (
        "apn client",
        v1_1("message:appUser", client={"platform": "apn"}, messages=[v1_message(source={})]),
        message_v2(source={"client": {"type": "sdk"}, "device": {"type": "ios"}}),
        "message.source.device.type",
        "ios",
    ),
    (
        "fcm client",
        v1_1("message:appUser", client={"platform": "fcm"}, messages=[v1_message(source={})]),
        message_v2(source={"client": {"type": "sdk"}, "device": {"type": "android"}}),
        "message.source.device.type",
        "android",
    ),
    # Message
    (
        "messageSchema -> schema",
        message_v1(messageSchema="s"),
        message_v2(schema="s"),
        "message.schema",
        "s",
    ),
    (
        "override",
        message_v1(override={"whatsapp": {"payload": {"type": "template"}}}),
        message_v2(override={"whatsapp": {"payload": {"type": "template"}}}),
        "message.override",
        {"whatsapp": {"payload": {"type": "template"}}},
    ),
    (
        "received is a date",
        message_v1(received=1692796967),
        message_v2(received=ISO),
        "message.received_at",
        SOMETIME,
    ),
    (
        "authorId -> userId",
        message_v1(authorId="u"),
        message_v2(author={"type": "user", "userId": "u"}),
        "message.author.user_id",
        "u",
    ),
    (
        "appUser -> user",
        message_v1(role="appUser"),
        message_v2(author={"type": "user"}),
        "actor.type",
        AuthorType.USER,
    ),
    (
        "appMaker -> business",
        message_v1(role="appMaker"),
        message_v2(author={"type": "business"}),
        "actor.type",
        AuthorType.BUSINESS,
    ),
    (
        "whisper -> business",
        message_v1(role="whisper"),
        message_v2(author={"type": "business"}),
        "actor.type",
        AuthorType.BUSINESS,
    ),
    (
        "role from the future",
        message_v1(role="robot"),
        message_v2(author={"type": "robot"}),
        "actor.type",
        AuthorType.UNKNOWN,
    ),
    (
        "subroles -> author.subtypes",
        message_v1(subroles=["AI"]),
        message_v2(author={"type": "user", "subtypes": ["AI"]}),
        "message.author.subtypes",
        ("AI",),
    ),
    (
        "name -> author.displayName",
        message_v1(name="Ana"),
        message_v2(author={"displayName": "Ana"}),
        "message.author.display_name",
        "Ana",
    ),
    (
        "avatarUrl -> author.avatarUrl",
        message_v1(avatarUrl="https://a"),
        message_v2(author={"avatarUrl": "https://a"}),
        "message.author.avatar_url",
        "https://a",
    ),
    ("_id -> id", message_v1(), message_v2(), "message.id", MESSAGE_ID),
    (
        "metadata stays",
        message_v1(metadata={"a": 1}),
        message_v2(metadata={"a": 1}),
        "message.metadata",
        {"a": 1},
    ),
    ("deleted stays", message_v1(deleted=True), message_v2(deleted=True), "message.deleted", True),
    (
        "deleted is a removal",
        message_v1(deleted=True),
        message_v2(deleted=True),
        "type",
        EventType.MESSAGE_REMOVE,
    ),
    (
        "content of a quoted message",
        message_v1(quotedMessage={"type": "message", "content": v1_message(text="before")}),
        message_v2(
            quotedMessage={
                "type": "message",
                "message": v2_message({"type": "text", "text": "before"}),
            }
        ),
        "message.quoted.content.text",
        "before",
    ),
    (
        "id of a quoted message",
        message_v1(quotedMessage={"message": v1_message(_id="q")}),
        message_v2(quotedMessage={"message": v2_message(id="q")}),
        "message.quoted.id",
        "q",
    ),
    (
        "quoted message that only the channel knows",
        message_v1(quotedMessage={"type": "externalMessageId", "externalMessageId": "w"}),
        message_v2(quotedMessage={"type": "externalMessageId", "externalMessageId": "w"}),
        "message.quoted",
        Message(source=Source(original_message_id="w")),
    ),
    (
        "quoted nothing",
        message_v1(quotedMessage={}),
        message_v2(quotedMessage={}),
        "message.quoted",
        None,
    ),
    # Source
    (
        "originalMessageTimestamp is a date",
        message_v1(source={"originalMessageTimestamp": 1692796967}),
        message_v2(source={"originalMessageTimestamp": ISO}),
        "message.source.original_message_at",
        SOMETIME,
    ),
    # User
    ("userId -> externalId", user_v1(userId="e"), user_v2(externalId="e"), "user.external_id", "e"),
    ("a number as userId", user_v1(userId=42), user_v2(externalId=42), "user.external_id", "42"),
    (
        "properties -> metadata",
        user_v1(properties={"a": None}),
        user_v2(metadata={"a": None}),
        "user.metadata",
        {"a": None},
    ),
    *(
        (
            f"{old} -> profile",
            user_v1(**{old: "x"}),
            user_v2(profile={old: "x"}),
            f"user.{new}",
            "x",
        )
        for old, new in (
            ("givenName", "given_name"),
            ("surname", "surname"),
            ("avatarUrl", "avatar_url"),
            ("email", "email"),
            ("locale", "locale"),
        )
    ),
    (
        "signedUpAt is a date",
        user_v1(signedUpAt=ISO),
        user_v2(signedUpAt=ISO),
        "user.signed_up_at",
        SOMETIME,
    ),
    # Referral
    (
        "adId",
        v1_1("conversation:referral", referral={"details": {"adId": "1"}}),
        v2("conversation:referral", {"referral": {"details": {"adId": "1"}}}),
        "referral.ad_id",
        "1",
    ),
    (
        "ad_id",
        v1_1("conversation:referral", referral={"details": {"ad_id": 1}}),
        v2("conversation:referral", {"referral": {"details": {"ad_id": 1}}}),
        "referral.ad_id",
        "1",
    ),
    # Triggers
    (
        "client:block",
        v1_1("client:block", clients=[{"_id": "c"}]),
        v2("client:update", {"client": {"id": "c"}, "reason": "blocked"}),
        "reason",
        "blocked",
    ),
    (
        "link:match",
        v1_1("link:match", channel="x"),
        v2("client:update", {"client": {"type": "x"}, "reason": "matched"}),
        "reason",
        "matched",
    ),
    (
        "link:success",
        v1_1("link:success", channel="x"),
        v2("client:update", {"client": {"type": "x"}, "reason": "confirmed"}),
        "reason",
        "confirmed",
    ),
    (
        "link:failure",
        v1_1("link:failure", channel="x"),
        v2("client:remove", {"client": {"type": "x"}, "reason": "linkFailed"}),
        "reason",
        "linkFailed",
    ),
    (
        "channel -> client.type",
        v1_1("link:match", channel="fcm"),
        v2("client:update", {"client": {"type": "android"}}),
        "client.type",
        "android",
    ),
    (
        "typing",
        v1_1("typing:appUser", activity={"type": "typing:stop"}),
        v2("conversation:typing", {"activity": {"type": "typing:stop"}}),
        "state",
        "stop",
    ),
    (
        "discarded is an array, or an object",
        v1_1("merge:appUser", surviving={"_id": "s"}, discarded=[{"_id": "d"}]),
        v2("user:merge", {"mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}}}),
        "discarded.id",
        "d",
    ),
    (
        "discarded as an object",
        v1_1("merge:appUser", surviving={"_id": "s"}, discarded={"_id": "d"}),
        v2("user:merge", {"mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}}}),
        "discarded.id",
        "d",
    ),
    (
        "discardedProperties -> discardedMetadata",
        v1_1(
            "merge:appUser",
            surviving={"_id": "s"},
            discarded={"_id": "d"},
            discardedProperties={"a": 1},
        ),
        v2(
            "user:merge",
            {
                "mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}},
                "discardedMetadata": {"a": 1},
            },
        ),
        "metadata",
        {"a": 1},
    ),
    ("app._id -> app.id", place_v1(), place_v2(), "tenant_id", "app1"),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "expected"),
    [pytest.param(*row, id=name) for name, *row in RENAMES],
)
def test_rename_is_read_in_both_spellings(old, new, path, expected):
    assert path_of(read_one(old), path) == expected
    assert path_of(read_one(new), path) == expected


@pytest.mark.parametrize(
    "key", ["primary", "blocked", "active", "pushNotificationToken", "appVersion"]
)
def test_what_v2_removed_from_clients_is_ignored_there(key):
    assert read_one(client_v2(**{key: True})) == dataclasses.replace(
        read_one(client_v2()), raw=read_one(client_v2(**{key: True})).raw
    )


def test_primary_is_read_from_v1():
    assert read_one(client_v1(primary=True)).client.primary is True


def test_clients_of_a_v1_user_are_read_with_the_pending_ones():
    clients = {
        "clients": [
            {"_id": "a", "platform": "line", "active": True},
            {"id": "b", "platform": "ios"},
        ],
        "pendingClients": [{"_id": "c", "platform": "twilio"}, {"_id": "d", "status": "pending"}],
    }

    assert read_one(user_v1(**clients)).user.clients == (
        Client(id="a", type="line", status="active"),
        Client(type="sdk", device=Device(type="ios", guid="b")),
        Client(id="c", type="twilio", status="pending"),
        Client(id="d", status="pending"),
    )


def test_devices_is_the_old_word_for_clients():
    user = read_one(user_v1(devices=[{"id": "a", "platform": "line"}])).user

    assert user.clients == (Client(id="a", type="line"),)


def test_devices_repeats_clients_and_is_read_once():
    same = [{"id": "a", "platform": "line"}]

    assert len(read_one(user_v1(devices=same, clients=same)).user.clients) == 1


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"client": {"_id": "c"}}, id="client"),
        pytest.param({"clients": [{"_id": "c"}]}, id="clients"),
        pytest.param({"clients": {"_id": "c"}}, id="clients as an object"),
        pytest.param({"clients": [], "client": {"_id": "c"}}, id="no clients, and client"),
        pytest.param({"clients": [{"_id": "c"}], "client": {"_id": "x"}}, id="clients win"),
        pytest.param({"client": {"_id": "c"}, "channel": "line"}, id="client wins over channel"),
    ],
)
@pytest.mark.parametrize("trigger", ["client:add", "client:block", "client:remove", "link:success"])
def test_client_is_found_in_every_form(trigger, keys):
    assert read_one(v1_1(trigger, **keys)).client.id == "c"


@pytest.mark.parametrize("form", ["array", "object"])
def test_messages_may_be_an_array_or_an_object(form):
    message = v1_message()
    body = v1_1("message:appUser", messages=[message] if form == "array" else message)

    assert read_one(body).message.text == "hi"
