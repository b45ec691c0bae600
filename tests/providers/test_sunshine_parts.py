"""Sunshine Conversations: every part of an event, in full."""

import pytest

from hookkit.core.content import Text
from hookkit.core.event import EventType
from hookkit.core.parts import (
    Author,
    AuthorType,
    Client,
    Control,
    Conversation,
    DeliveryReport,
    Destination,
    Device,
    ErrorInfo,
    Identity,
    Message,
    Participant,
    Postback,
    Referral,
    Source,
    User,
)
from tests.providers.sunshine_bodies import (
    CONVERSATION_ID,
    ISO,
    SOMETIME,
    USER_ID,
    message_v1,
    message_v2,
    place_v1,
    place_v2,
    read_events,
    read_one,
    user_v2,
    v1,
    v1_1,
    v1_message,
    v2,
    v2_message,
)


def test_v1_client_is_read_in_full():
    client = {
        "_id": "c",
        "id": "c",
        "platform": "twilio",
        "integrationId": "i",
        "status": "active",
        "externalId": "+1",
        "displayName": "Ana",
        "avatarUrl": "https://a",
        "lastSeen": ISO,
        "linkedAt": ISO,
        "primary": False,
        "info": {"phoneNumber": "+1"},
        "raw": {"From": "+1"},
    }

    assert read_one(v1_1("client:add", client=client)).client == Client(
        id="c",
        type="twilio",
        integration_id="i",
        status="active",
        external_id="+1",
        display_name="Ana",
        avatar_url="https://a",
        last_seen=SOMETIME,
        linked_at=SOMETIME,
        primary=False,
        info={"phoneNumber": "+1"},
        raw={"From": "+1"},
    )


def test_v2_client_is_read_in_full():
    client = {
        "id": "c",
        "type": "twilio",
        "integrationId": "i",
        "status": "active",
        "externalId": "+1",
        "displayName": "Ana",
        "avatarUrl": "https://a",
        "lastSeen": ISO,
        "linkedAt": ISO,
        "info": {"phoneNumber": "+1"},
        "raw": {"From": "+1"},
    }

    assert read_one(v2("client:add", {"client": client})).client == Client(
        id="c",
        type="twilio",
        integration_id="i",
        status="active",
        external_id="+1",
        display_name="Ana",
        avatar_url="https://a",
        last_seen=SOMETIME,
        linked_at=SOMETIME,
        info={"phoneNumber": "+1"},
        raw={"From": "+1"},
    )


@pytest.mark.parametrize("platform", ["web", "ios", "android"])
def test_v1_sdk_client_becomes_a_client_and_its_device(platform):
    client = {
        "_id": "d",
        "id": "guid",
        "platform": platform,
        "integrationId": "i",
        "status": "active",
        "lastSeen": ISO,
        "displayName": "Ana",
        "primary": True,
        "info": {"sdkVersion": "5"},
        "pushNotificationToken": "t",
        "appVersion": "1.2",
    }

    source = read_one(
        v1_1("message:appUser", client=client, messages=[v1_message(source={"type": platform})])
    ).message.source

    assert source.type == platform
    # The id of v2's unified client is one that v1.x does not know.
    assert source.client.id is None
    assert source.client.type == "sdk"
    assert source.client.status == "active"
    assert source.client.primary is True
    assert source.client.info == {}
    assert source.device == Device(
        id="d",
        type=platform,
        guid="guid",
        integration_id="i",
        last_seen=SOMETIME,
        push_token="t",
        app_version="1.2",
        info={"sdkVersion": "5"},
    )


def test_v2_device_is_read_in_full():
    device = {
        "id": "d",
        "type": "web",
        "guid": "guid",
        "clientId": "c",
        "status": "inactive",
        "integrationId": "i",
        "lastSeen": ISO,
        "pushNotificationToken": "t",
        "appVersion": "1.2",
        "info": {"sdkVersion": "5"},
    }

    assert read_one(message_v2(source={"device": device})).message.source.device == Device(
        id="d",
        type="web",
        guid="guid",
        client_id="c",
        status="inactive",
        integration_id="i",
        last_seen=SOMETIME,
        push_token="t",
        app_version="1.2",
        info={"sdkVersion": "5"},
    )


def test_client_of_a_v1_message_without_a_source_is_its_source():
    event = read_one(v1_1("message:appUser", client={"_id": "c"}, messages=[v1_message()]))

    assert event.message.source == Source(client=Client(id="c"))


@pytest.mark.parametrize(
    ("trigger", "kind", "old", "new"),
    [
        ("postback", "conversation:postback", {"postbacks": [{}]}, {"postback": {}}),
        ("conversation:start", "conversation:create", {}, {}),
        ("conversation:referral", "conversation:referral", {}, {}),
        ("conversation:read", "conversation:read", {}, {}),
        ("typing:appUser", "conversation:typing", {}, {}),
    ],
)
def test_client_of_a_v1_body_is_in_the_source(trigger, kind, old, new):
    client, source = {"_id": "c", "platform": "line"}, {"type": "line"}
    of_v2 = {**source, "client": {"id": "c", "type": "line"}}

    before = read_one(v1_1(trigger, client=client, source=source, **old))
    after = read_one(v2(kind, {"source": of_v2, **new}))

    assert before.source == after.source == Source(type="line", client=Client(id="c", type="line"))


def test_client_of_a_client_event_is_no_source():
    assert read_one(v1_1("client:add", client={"_id": "c"})).source is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            message_v1(
                source={
                    "type": "whatsapp",
                    "id": "internal",
                    "integrationId": "i",
                    "originalMessageId": "w",
                    "originalMessageTimestamp": 1692796967,
                }
            ),
            Source(
                type="whatsapp",
                integration_id="i",
                original_message_id="w",
                original_message_at=SOMETIME,
            ),
            id="v1.1",
        ),
        pytest.param(
            message_v2(
                source={
                    "type": "whatsapp",
                    "integrationId": "i",
                    "originalMessageId": "w",
                    "originalMessageTimestamp": ISO,
                    "campaign": {"id": "k"},
                }
            ),
            Source(
                type="whatsapp",
                integration_id="i",
                original_message_id="w",
                original_message_at=SOMETIME,
                campaign_id="k",
            ),
            id="v2",
        ),
        pytest.param(message_v2(source={"campaign": {}}), Source(), id="v2 empty campaign"),
    ],
)
def test_source_is_read_in_full(source, expected):
    assert read_one(source).message.source == expected


@pytest.mark.parametrize("place", ["user", "message.author.user", "activity.author.user"])
def test_v2_user_is_found_in_each_of_its_places(place):
    user = {"id": "u", "externalId": "e"}
    bodies = {
        "user": user_v2(externalId="e"),
        "message.author.user": message_v2(author={"type": "user", "user": user}),
        "activity.author.user": v2(
            "conversation:read", {"activity": {"author": {"type": "user", "user": user}}}
        ),
    }

    assert read_one(bodies[place]).user == User(id="u", external_id="e")


def test_v2_user_is_read_in_full():
    user = {
        "id": "u",
        "externalId": "e",
        "authenticated": True,
        "signedUpAt": ISO,
        "toBeRetained": False,
        "profile": {
            "givenName": "Ana",
            "surname": "Rivera",
            "email": "ana@example.com",
            "avatarUrl": None,
            "locale": "en-CA",
        },
        "metadata": {"plan": None},
        "identities": [
            {"type": "email", "value": "ana@example.com", "verification": "embed"},
            None,
        ],
    }

    assert read_one(v2("user:update", {"user": user})).user == User(
        id="u",
        external_id="e",
        authenticated=True,
        signed_up_at=SOMETIME,
        given_name="Ana",
        surname="Rivera",
        email="ana@example.com",
        locale="en-CA",
        metadata={"plan": None},
        identities=(Identity(type="email", value="ana@example.com", verification="embed"),),
    )


def test_v2_conversation_is_read_in_full():
    control = {"id": "s", "name": "bot", "integrationId": "i", "integrationType": "fcm"}
    conversation = {
        "id": "c",
        "type": "personal",
        "displayName": "Tacos",
        "description": "About tacos",
        "metadata": {"lang": None},
        "lastUpdatedAt": ISO,
        "businessLastRead": ISO,
        "participants": [{"id": "p", "userId": "u", "unreadCount": 1, "lastRead": ISO}],
        "activeSwitchboardIntegration": control,
        "pendingSwitchboardIntegration": {"id": "t"},
        "brandId": "b",
    }

    assert read_one(place_v2(**conversation)).conversation == Conversation(
        id="c",
        type="personal",
        display_name="Tacos",
        brand_id="b",
        description="About tacos",
        metadata={"lang": None},
        last_updated_at=SOMETIME,
        business_last_read=SOMETIME,
        participants=(Participant(user_id="u", unread_count=1, last_read=SOMETIME),),
        active_control=Control(id="s", name="bot", integration_id="i", integration_type="android"),
        pending_control=Control(id="t"),
    )


def test_participant_of_a_v1_conversation_is_its_user():
    member = read_one(place_v1(unreadCount=2)).conversation.participants[0]
    nobodys = read_one(
        v1_1("conversation:read", appUser=None, conversation={"unreadCount": 2})
    ).conversation.participants[0]

    assert member == Participant(user_id=USER_ID, unread_count=2)
    assert nobodys == Participant(unread_count=2)


def test_v1_has_no_conversation():
    assert read_one(v1("conversation:read")).conversation is None
    assert read_one(v1("message:appUser", messages=[v1_message()])).conversation == Conversation()
    assert read_one(v1("conversation:start")).conversation == Conversation()


def test_v2_message_outside_a_conversation_is_a_message_all_the_same():
    event = read_one(v2("conversation:message", {"message": v2_message(), "conversation": None}))

    assert event.conversation == Conversation()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            v1_1(
                "message:delivery:failure",
                message={"_id": "m"},
                destination={"type": "line", "integrationId": "i"},
                isFinalEvent=True,
                externalMessages=[{"id": "x"}, {"id": 2}, {}, {"id": ""}],
                error={
                    "code": "unauthorized",
                    "message": "no",
                    "underlyingError": {"errors": [{"code": 470}]},
                },
            ),
            DeliveryReport(
                stage="failure",
                destination=Destination(type="line", integration_id="i"),
                external_ids=("x", "2"),
                is_final=True,
                error=ErrorInfo(
                    code="unauthorized",
                    message="no",
                    underlying={"errors": [{"code": 470}]},
                    raw={
                        "code": "unauthorized",
                        "message": "no",
                        "underlyingError": {"errors": [{"code": 470}]},
                    },
                ),
            ),
            id="v1.1 in full",
        ),
        pytest.param(
            v2(
                "conversation:message:delivery:failure",
                {
                    "message": {"id": "m"},
                    "destination": {"type": "line", "integrationId": "i"},
                    "isFinalEvent": True,
                    "externalMessages": [{"id": "x"}, {"id": 2}, {}, {"id": ""}],
                    "error": {"code": 470, "message": "no"},
                },
            ),
            DeliveryReport(
                stage="failure",
                destination=Destination(type="line", integration_id="i"),
                external_ids=("x", "2"),
                is_final=True,
                error=ErrorInfo(code="470", message="no", raw={"code": 470, "message": "no"}),
            ),
            id="v2 in full",
        ),
        pytest.param(
            v1_1("message:delivery:channel", message={"_id": "m"}),
            DeliveryReport(stage="channel"),
            id="v1.1 bare",
        ),
        pytest.param(
            v2("conversation:message:delivery:user", {"message": {"id": "m"}}),
            DeliveryReport(stage="user"),
            id="v2 bare",
        ),
        pytest.param(
            v1(
                "delivery:success",
                messages=[v1_message(_id="m")],
                destination={"type": "notifications"},
            ),
            DeliveryReport(stage="channel", destination=Destination(type="api:notifications")),
            id="v1 success",
        ),
        pytest.param(
            v1("delivery:failure", messages=[v1_message(_id="m")], error={"code": "x"}),
            DeliveryReport(stage="failure", error=ErrorInfo(code="x", raw={"code": "x"})),
            id="v1 failure",
        ),
        pytest.param(
            v1_1(
                "notification:delivery:failure",
                notification={"_id": "m"},
                destination={"type": "line", "integrationId": "i", "destinationId": "+1"},
                isFinalEvent=False,
            ),
            DeliveryReport(
                stage="failure",
                destination=Destination(type="line", integration_id="i", destination_id="+1"),
                is_final=False,
            ),
            id="notification",
        ),
    ],
)
def test_delivery_is_read_in_full(body, expected):
    event = read_one(body)

    assert event.delivery == expected
    assert event.message.id == "m"


def test_delivery_report_says_nothing_of_its_message_but_the_id():
    old = read_one(v1_1("message:delivery:user", message={"_id": "m"}))
    new = read_one(v2("conversation:message:delivery:user", {"message": {"id": "m"}}))

    assert old.message == new.message == Message(id="m")


def test_notification_names_whom_it_reached():
    event = read_one(
        v1_1(
            "notification:delivery:user",
            appUser=None,
            conversation=None,
            notification={"_id": "n"},
            matchResult={"appUser": {"_id": "u"}, "conversation": {"_id": "c"}},
        )
    )

    assert event.type is EventType.NOTIFICATION_USER
    assert event.user == User(id="u")
    assert event.conversation == Conversation(id="c")


@pytest.mark.parametrize("body", [v1_1, v2], ids=["v1.1", "v2"])
@pytest.mark.parametrize("kind", ["conversation:referral", "conversation:create"])
def test_referral_is_read_in_full(body, kind):
    referral = {
        "code": "r",
        "details": {"source": "ADS", "type": "OPEN_THREAD", "adId": "1", "ad_id": "2"},
    }
    if body is v1_1:
        trigger = kind.replace(":create", ":start")
        event = read_one(v1_1(trigger, referral=referral))
    else:
        event = read_one(v2(kind, {"referral": referral, "user": {"id": USER_ID}}))

    assert event.type == kind
    assert event.referral == Referral(
        code="r", source="ADS", type="OPEN_THREAD", ad_id="1", details=referral["details"]
    )
    assert event.extra == {}


@pytest.mark.parametrize("referral", [None, {}, {"details": {}}], ids=repr)
def test_v2_referral_without_a_referral_is_the_counterpart_of_a_start(referral):
    event = read_one(v2("conversation:referral", {"referral": referral}))

    assert event.type is EventType.REFERRAL
    assert event.referral == Referral()
    assert event.extra == {"start": True}


@pytest.mark.parametrize("referral", [None, {}], ids=repr)
def test_v1_referral_without_a_referral_is_no_start(referral):
    event = read_one(v1_1("conversation:referral", referral=referral))

    assert event.referral == Referral()
    assert event.extra == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            v1_1(
                "postback",
                postbacks=[
                    {
                        "message": v1_message(_id="m"),
                        "action": {"text": "Yes", "payload": "YES", "metadata": {"step": 2}},
                    }
                ],
            ),
            Postback(
                payload="YES",
                metadata={"step": 2},
                text="Yes",
                message_id="m",
                message=Message(
                    id="m", author=Author(type=AuthorType.USER), content=Text(text="hi")
                ),
            ),
            id="v1.1",
        ),
        pytest.param(
            v1_1("postback", postbacks=[{"action": {"payload": "HELP"}}]),
            Postback(payload="HELP"),
            id="v1.1 persistent menu",
        ),
        pytest.param(
            v1("postback", postbacks={"action": {"payload": "A"}}), Postback(payload="A"), id="v1"
        ),
        pytest.param(v1_1("postback", postbacks=[{}]), Postback(), id="v1.1 nothing said"),
        pytest.param(
            v2("conversation:postback", {"postback": {"payload": "YES", "metadata": {"step": 2}}}),
            Postback(payload="YES", metadata={"step": 2}),
            id="v2",
        ),
    ],
)
def test_postback_is_read_in_full(body, expected):
    assert read_one(body).postback == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(v1_1("postback", postbacks=[{}]), id="v1.1 postback"),
        pytest.param(v1_1("conversation:read"), id="v1.1 read"),
        pytest.param(v1_1("typing:appUser"), id="v1.1 typing"),
        pytest.param(v1_1("conversation:referral"), id="v1.1 referral"),
        pytest.param(
            v2("conversation:postback", {"postback": {}, "user": {"id": USER_ID}}), id="v2 postback"
        ),
        pytest.param(v2("conversation:referral", {"user": {"id": USER_ID}}), id="v2 referral"),
        pytest.param(
            v2("conversation:read", {"activity": {"author": {"type": "user", "userId": USER_ID}}}),
            id="v2 read",
        ),
    ],
)
def test_what_only_users_do_is_done_by_the_user(body):
    assert read_one(body).actor == Author(type=AuthorType.USER, user_id=USER_ID)


def test_unnamed_user_did_it_all_the_same():
    assert read_one(v1_1("conversation:read", appUser=None)).actor == Author(type=AuthorType.USER)


def test_v2_activity_without_an_author_was_done_by_nobody():
    assert read_one(v2("conversation:read", {})).actor is None
    assert read_one(message_v2(author=None)).actor is None


@pytest.mark.parametrize(
    ("trigger", "said_by"),
    [("message:appUser", AuthorType.USER), ("message:appMaker", AuthorType.BUSINESS)],
)
def test_trigger_says_who_wrote_a_message_without_a_role(trigger, said_by):
    event = read_one(v1_1(trigger, messages=[v1_message(role=None)]))
    named = read_one(v1_1(trigger, messages=[v1_message(role=None, name="Ana")]))

    assert event.actor == event.message.author == Author(type=said_by, inferred=True)
    assert named.actor == Author(type=said_by, inferred=True, display_name="Ana")


def test_message_of_v1_without_a_role_was_said_by_nobody_known():
    event = read_one(v1("message", messages=[v1_message(role=None)]))

    assert event.actor is None


@pytest.mark.parametrize(
    ("activity_type", "state"),
    [
        ("typing:start", "start"),
        ("typing:stop", "stop"),
        ("typing:pause", "pause"),
        ("typing:", None),
        ("typing", None),
        ("conversation:read", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("version", ["v1.1", "v2"])
def test_state_of_typing(version, activity_type, state):
    activity = {"type": activity_type}
    body = (
        v1_1("typing:appUser", activity=activity)
        if version == "v1.1"
        else v2("conversation:typing", {"activity": activity})
    )

    assert read_one(body).state == state


def test_merge_is_read_in_full_from_v2():
    event = read_one(
        v2(
            "user:merge",
            {
                "conversation": None,
                "mergedUsers": {"surviving": {"id": "s"}, "discarded": {"id": "d"}},
                "mergedConversations": {"surviving": {"id": "cs"}, "discarded": {"id": "cd"}},
                "mergedClients": {"surviving": {"id": "ls"}, "discarded": {"id": "ld"}},
                "discardedMetadata": {"plan": "trial"},
                "reason": "channelLinking",
            },
        )
    )

    assert event.user == event.surviving == User(id="s")
    assert event.discarded == User(id="d")
    assert event.surviving_conversation == Conversation(id="cs")
    assert event.discarded_conversation == Conversation(id="cd")
    assert event.surviving_client == Client(id="ls")
    assert event.discarded_client == Client(id="ld")
    assert event.metadata == {"plan": "trial"}
    assert event.reason == "channelLinking"


def test_each_user_that_v1_discards_is_an_event():
    body = v1_1("merge:appUser", surviving={"_id": "s"}, discarded=[{"_id": "a"}, {"_id": "b"}])

    events = read_events(body)

    assert [event.discarded.id for event in events] == ["a", "b"]
    assert [event.surviving.id for event in events] == ["s", "s"]


def test_link_keeps_its_criteria_and_its_error():
    body = v1_1("link:failure", channel="x", criteria={"phoneNumber": "+1"}, error={"code": "e"})

    event = read_one(body)

    assert event.extra == {"criteria": {"phoneNumber": "+1"}}
    assert event.error == ErrorInfo(code="e", raw={"code": "e"})
    assert event.client == Client(type="x")


def test_reason_of_v2_is_kept_in_the_vendors_word():
    created = read_one(v2("conversation:create", {"creationReason": "proactiveMessaging"}))
    removed = read_one(v2("client:remove", {"client": {"id": "c"}, "reason": "theft"}))

    assert created.reason == "proactiveMessaging"
    assert removed.reason == "theft"


def test_what_the_model_has_no_place_for_is_extra():
    event = read_one(
        v2(
            "conversation:message",
            {
                "message": v2_message(activity={"type": "ticket:closed"}, references=[1]),
                "recentNotifications": [{"id": "n"}],
            },
        )
    )

    assert event.extra == {
        "activity": {"type": "ticket:closed"},
        "references": [1],
        "recent_notifications": [{"id": "n"}],
    }


@pytest.mark.parametrize(
    "action", ["acceptControl", "offerControl", "passControl", "releaseControl"]
)
def test_switchboard_event_keeps_metadata_and_reason(action):
    event = read_one(v2(f"switchboard:{action}", {"metadata": {"a": 1}, "reason": "ticketClosed"}))

    assert event.type == f"switchboard:{action}"
    assert event.metadata == {"a": 1}
    assert event.reason == "ticketClosed"
    assert event.conversation == Conversation(id=CONVERSATION_ID)


@pytest.mark.parametrize("action", ["acceptControl", "offerControl", "passControl"])
def test_switchboard_failure_keeps_its_error(action):
    event = read_one(v2(f"switchboard:{action}:failure", {"error": {"code": "x", "message": "y"}}))

    assert event.type == f"switchboard:{action}:failure"
    assert event.error == ErrorInfo(code="x", message="y", raw={"code": "x", "message": "y"})


def test_webhook_is_named_where_the_version_names_it():
    assert read_one(place_v2()).webhook_id == "webhook1"
    assert read_one(place_v1()).webhook_id is None
