"""Bodies with every field that the vendors document, also those that no sample has.

They say nothing that happened: a field is there because a page, a specification or a receiver
names it. https://github.com/zendesk/sunshine-conversations-api-spec,
https://developer.8x8.com/actions-events/docs/webhooks-events-reference
"""

import json
from pathlib import Path

from hookkit.providers import load_providers
from tests.providers.completeness import Body
from tests.providers.sunshine_bodies import v1, v1_1, v2

#: Bodies that were once read wrongly, as their senders wrote them, with invented people.
CASES = Path(__file__).parent / "cases"

INSTANT = "2023-08-23T13:22:47.000Z"
LATER = "2023-08-23T13:22:48.000Z"
SECONDS = 1692796967.555

# Sunshine Conversations v1 and v1.1

_CLIENT_V1 = {
    "_id": "c1",
    "id": "c2",
    "status": "active",
    "active": True,
    "blocked": False,
    "primary": True,
    "integrationId": "i1",
    "externalId": "+15145550123",
    "displayName": "Ana",
    "avatarUrl": "https://example.com/ana.png",
    "lastSeen": INSTANT,
    "linkedAt": LATER,
    "deviceId": "guid1",
    "pushNotificationToken": "token1",
    "appVersion": "3.1",
    "info": {"city": "Montreal", "os": "iOS"},
    "raw": {"profile": {"name": "Ana"}},
}
CHANNEL_V1 = {**_CLIENT_V1, "platform": "whatsapp"}
SDK_V1 = {**_CLIENT_V1, "platform": "ios"}

USER_V1 = {
    "_id": "u1",
    "userId": "customer-1",
    "conversationStarted": True,
    "credentialRequired": False,
    "hasPaymentInfo": False,
    "givenName": "Ana",
    "surname": "Rivera",
    "email": "ana@example.com",
    "avatarUrl": "https://example.com/ana.png",
    "locale": "en-CA",
    "signedUpAt": INSTANT,
    "properties": {"plan": "gold"},
    "clients": [CHANNEL_V1, SDK_V1],
    "pendingClients": [CHANNEL_V1],
}

CONVERSATION_V1 = {
    "_id": "k1",
    "unreadCount": 2,
    "lastRead": SECONDS,
    "appMakerLastRead": SECONDS,
    "displayName": "Support",
    "description": "Orders",
    "metadata": {"lang": "en"},
}

_ACTION = {
    "metadata": {"a": "b"},
    "text": "Press",
    "payload": "PRESSED",
    "iconUrl": "https://example.com/icon.png",
    "uri": "https://example.com/page",
    "fallback": "https://example.com/fallback",
    "default": True,
    "size": "compact",
    "openOnReceive": True,
    "amount": 500,
    "currency": "usd",
    "extraChannelOptions": {"messenger": {"webview_share_button": "hide"}},
}
ACTION_V2 = {**_ACTION, "type": "webview"}
ACTION_V1 = {**_ACTION, "_id": "a1", "type": "buy", "state": "offered"}

_ITEM = {
    "title": "Shoes",
    "description": "Red",
    "mediaUrl": "https://example.com/shoes.png",
    "mediaType": "image/png",
    "altText": "Red shoes",
    "size": "large",
    "metadata": {"sku": "1"},
}

_FIELD = {
    "type": "select",
    "name": "size",
    "label": "Size",
    "placeholder": "Choose",
    "minSize": 1,
    "maxSize": 30,
    "selectSize": 1,
    "format": "integer",
}


def _contents(action, identified):
    """Return each kind of content; *identified* adds what only v1.x gives its parts."""
    item = identified({**_ITEM, "actions": [action]})
    options = [identified({"name": "m", "label": "M"})]
    answers = [
        identified({**_FIELD, "type": "text", "text": "Ana"}),
        identified({"type": "email", "name": "mail", "email": "ana@example.com"}),
        identified({"type": "select", "name": "size", "select": options}),
    ]
    file = {
        "text": "Look",
        "mediaUrl": "https://example.com/f",
        "mediaType": "image/png",
        "mediaSize": 10,
        "altText": "A file",
        "attachmentId": "att1",
        "actions": [action],
    }
    return {
        "text": {"text": "Hi", "payload": "p", "actions": [action]},
        "image": file,
        "file": file,
        "location": {
            "text": "Here",
            "coordinates": identified({"lat": 45.5, "long": -73.5}),
            "location": {"name": "Shop", "address": "1 Main Street"},
        },
        "carousel": {
            "text": "Shoes",
            "items": [item],
            "displaySettings": {"imageAspectRatio": "square"},
        },
        "list": {"text": "Shoes", "items": [item], "actions": [action]},
        "form": {
            "text": "Tell us",
            "fields": [identified({**_FIELD, "options": options})],
            "submitted": False,
            "blockChatInput": True,
        },
        "formResponse": {"fields": answers, "textFallback": "Name: Ana"},
    }


CONTENTS_V1 = _contents(ACTION_V1, lambda part: {"_id": "p1", **part})
CONTENTS_V2 = {
    **_contents(ACTION_V2, lambda part: part),
    "template": {"template": {"name": "order", "language": {"code": "en"}}},
}
CONTENTS_V2["text"] = {**CONTENTS_V2["text"], "htmlText": "<b>Hi</b>", "blockChatInput": True}
CONTENTS_V2["image"] = {**CONTENTS_V2["image"], "htmlText": "<b>Look</b>"}

SOURCE_V1 = {
    "id": "internal1",
    "type": "whatsapp",
    "integrationId": "i1",
    "originalMessageId": "o1",
    "originalMessageTimestamp": SECONDS,
}
DESTINATION = {"type": "whatsapp", "integrationId": "i1", "destinationId": "+15145550123"}
ERROR = {
    "code": "unauthorized",
    "message": "Not allowed",
    "underlyingError": {"errors": [{"code": 470, "title": "Outside of the window"}]},
}


def message_v1(kind, **keys):
    return {
        "_id": "m1",
        "type": kind,
        "role": "appUser",
        "authorId": "u1",
        "name": "Ana",
        "email": "ana@example.com",
        "avatarUrl": "https://example.com/ana.png",
        "subroles": ["agent"],
        "received": SECONDS,
        "source": SOURCE_V1,
        "metadata": {"order": "77"},
        "override": {"whatsapp": {"payload": {"type": "text"}}},
        "messageSchema": "whatsapp",
        **CONTENTS_V1[kind],
        **keys,
    }


FULL_V1 = {"appUser": USER_V1, "conversation": CONVERSATION_V1}
QUOTED_V1 = {"type": "message", "content": message_v1("text")}

SUNSHINE_V1 = {
    **{
        f"message.{kind}": v1_1(
            "message:appUser",
            **FULL_V1,
            client=CHANNEL_V1,
            messages=[message_v1(kind)],
        )
        for kind in CONTENTS_V1
    },
    "message.sdk": v1_1("message:appUser", client=SDK_V1, messages=[message_v1("text")]),
    "message.quoted": v1_1(
        "message:appUser", messages=[message_v1("text", quotedMessage=QUOTED_V1)]
    ),
    "message.quoted-elsewhere": v1_1(
        "message:appUser",
        messages=[
            message_v1(
                "text", quotedMessage={"type": "externalMessageId", "externalMessageId": "x1"}
            )
        ],
    ),
    "message.deleted": v1_1("message:appMaker", messages=[message_v1("text", deleted=True)]),
    "message.whisper": v1("message", **FULL_V1, messages=[message_v1("text", role="whisper")]),
    "delivery": v1_1(
        "message:delivery:failure",
        **FULL_V1,
        client=SDK_V1,
        message={"_id": "m1"},
        destination=DESTINATION,
        externalMessages=[{"id": "x1"}, {"id": "x2"}],
        isFinalEvent=True,
        error=ERROR,
        timestamp=SECONDS,
    ),
    "delivery.v1": v1(
        "delivery:failure",
        messages=[message_v1("text")],
        destination=DESTINATION,
        error=ERROR,
        timestamp=SECONDS,
    ),
    "notification": v1_1(
        "notification:delivery:user",
        appUser=None,
        conversation=None,
        notification={"_id": "n1"},
        matchResult={"appUser": USER_V1, "conversation": {"_id": "k1"}},
        destination=DESTINATION,
        externalMessages=[{"id": "x1"}],
        isFinalEvent=False,
        timestamp=SECONDS,
    ),
    "postback": v1_1(
        "postback",
        **FULL_V1,
        client=CHANNEL_V1,
        postbacks=[{"message": message_v1("text"), "action": ACTION_V1}],
    ),
    "start": v1_1(
        "conversation:start",
        **FULL_V1,
        client=SDK_V1,
        source=SOURCE_V1,
        referral={
            "code": "spring",
            "details": {"source": "ADS", "type": "OPEN_THREAD", "adId": "ad1"},
        },
        timestamp=SECONDS,
    ),
    "typing": v1_1(
        "typing:appUser", **FULL_V1, activity={"type": "typing:start"}, timestamp=SECONDS
    ),
    "client.channel": v1_1("client:add", **FULL_V1, client=CHANNEL_V1, source=SOURCE_V1),
    "client.sdk": v1_1("client:remove", **FULL_V1, client=SDK_V1, source=SOURCE_V1),
    "clients.channel": v1_1("client:add", **FULL_V1, clients=[CHANNEL_V1]),
    "clients.sdk": v1_1("client:block", **FULL_V1, clients=[SDK_V1]),
    "link": v1_1(
        "link:failure",
        **FULL_V1,
        channel="twilio",
        criteria={"phoneNumber": "+15145550123", "givenName": "Ana"},
        error=ERROR,
    ),
    "merge": v1_1(
        "merge:appUser",
        appUser=None,
        surviving=USER_V1,
        discarded=[{"_id": "u2", "userId": "customer-2"}],
        discardedProperties={"plan": "gold"},
        timestamp=SECONDS,
    ),
}

# Sunshine Conversations v2

USER_V2 = {
    "id": "u1",
    "externalId": "customer-1",
    "zendeskId": "30045042290001",
    "brandId": "9477922990001",
    "authenticated": True,
    "signedUpAt": INSTANT,
    "toBeRetained": True,
    "profile": {
        "givenName": "Ana",
        "surname": "Rivera",
        "email": "ana@example.com",
        "avatarUrl": "https://example.com/ana.png",
        "locale": "en-CA",
    },
    "metadata": {"plan": "gold"},
    "identities": [{"type": "email", "value": "ana@example.com", "verification": "verified"}],
}
CONTROL = {"id": "s1", "name": "bot", "integrationId": "i1", "integrationType": "custom"}
CONVERSATION_V2 = {
    "id": "k1",
    "type": "personal",
    "brandId": "7053819900001",
    "displayName": "Support",
    "description": "Orders",
    "metadata": {"lang": "en"},
    "lastUpdatedAt": INSTANT,
    "businessLastRead": INSTANT,
    "participants": [
        {
            "id": "p1",
            "userId": "u1",
            "userExternalId": "customer-1",
            "unreadCount": 2,
            "lastRead": INSTANT,
            "clientAssociations": [{"type": "sdk", "clientId": "c1"}],
        }
    ],
    "activeSwitchboardIntegration": CONTROL,
    "pendingSwitchboardIntegration": CONTROL,
}
CLIENT_V2 = {
    "id": "c1",
    "type": "sdk",
    "status": "active",
    "integrationId": "i1",
    "externalId": "+15145550123",
    "displayName": "Ana",
    "avatarUrl": "https://example.com/ana.png",
    "lastSeen": INSTANT,
    "linkedAt": INSTANT,
    "info": {"city": "Montreal"},
    "raw": {"profile": {"name": "Ana"}},
}
DEVICE_V2 = {
    "id": "d1",
    "type": "ios",
    "guid": "guid1",
    "clientId": "c1",
    "status": "active",
    "integrationId": "i1",
    "lastSeen": INSTANT,
    "pushNotificationToken": "token1",
    "appVersion": "3.1",
    "info": {"os": "iOS"},
}
SOURCE_V2 = {
    "type": "ios",
    "integrationId": "i1",
    "originalMessageId": "o1",
    "originalMessageTimestamp": INSTANT,
    "campaign": {"id": "campaign1"},
    "client": CLIENT_V2,
    "device": DEVICE_V2,
}
AUTHOR_V2 = {
    "type": "user",
    "userId": "u1",
    "displayName": "Ana",
    "avatarUrl": "https://example.com/ana.png",
    "subtypes": ["agent"],
    "user": USER_V2,
}


def message_v2(kind, **keys):
    return {
        "id": "m1",
        "received": INSTANT,
        "author": AUTHOR_V2,
        "content": {"type": kind, **CONTENTS_V2[kind]},
        "source": SOURCE_V2,
        "destination": {**DESTINATION, "integrationType": "whatsapp"},
        "metadata": {"order": "77"},
        "override": {"whatsapp": {"payload": {"type": "text"}}},
        "schema": "whatsapp",
        **keys,
    }


def full_v2(kind, **payload):
    return v2(kind, {"conversation": CONVERSATION_V2, **payload})


REFERRAL_V2 = {
    "code": "spring",
    "details": {"source": "ADS", "type": "OPEN_THREAD", "adId": "ad1"},
}
ACTIVITY_V2 = {"author": AUTHOR_V2, "source": SOURCE_V2}

SUNSHINE_V2 = {
    **{
        f"message.{kind}": full_v2("conversation:message", message=message_v2(kind))
        for kind in CONTENTS_V2
    },
    "message.quoted": full_v2(
        "conversation:message",
        message=message_v2(
            "text", quotedMessage={"type": "message", "message": message_v2("text")}
        ),
        recentNotifications=[message_v2("text")],
    ),
    "message.quoted-elsewhere": full_v2(
        "conversation:message",
        message=message_v2(
            "text", quotedMessage={"type": "externalMessageId", "externalMessageId": "x1"}
        ),
    ),
    "message.deleted": full_v2("conversation:message", message=message_v2("text", deleted=True)),
    "message.activity": full_v2(
        "conversation:message",
        message=message_v2(
            "text",
            activity={"type": "conversation:endedByUser"},
            references=[{"type": "article", "id": "r1"}],
        ),
    ),
    "delivery": full_v2(
        "conversation:message:delivery:failure",
        user=USER_V2,
        message={"id": "m1"},
        destination=DESTINATION,
        externalMessages=[{"id": "x1"}, {"id": "x2"}],
        isFinalEvent=True,
        error=ERROR,
    ),
    "create": full_v2(
        "conversation:create",
        user=USER_V2,
        source=SOURCE_V2,
        referral=REFERRAL_V2,
        creationReason="message",
    ),
    "join": full_v2("conversation:join", user=USER_V2),
    "postback": full_v2(
        "conversation:postback",
        user=USER_V2,
        source=SOURCE_V2,
        postback={"payload": "PRESSED", "metadata": {"a": "b"}},
    ),
    "read": full_v2("conversation:read", activity={"type": "conversation:read", **ACTIVITY_V2}),
    "typing": full_v2("conversation:typing", activity={"type": "typing:start", **ACTIVITY_V2}),
    "referral": full_v2(
        "conversation:referral", user=USER_V2, source=SOURCE_V2, referral=REFERRAL_V2
    ),
    "client-remove": full_v2(
        "client:remove",
        user=USER_V2,
        client=CLIENT_V2,
        source=SOURCE_V2,
        reason="linkFailed",
        error=ERROR,
    ),
    "user-update": full_v2("user:update", user=USER_V2, source=SOURCE_V2, reason="localeDetection"),
    "user-merge": full_v2(
        "user:merge",
        mergedUsers={"surviving": USER_V2, "discarded": USER_V2},
        mergedConversations={"surviving": CONVERSATION_V2, "discarded": CONVERSATION_V2},
        mergedClients={"surviving": CLIENT_V2, "discarded": CLIENT_V2},
        discardedMetadata={"plan": "gold"},
        reason="channelLinking",
    ),
    "control": full_v2("switchboard:passControl", metadata={"a": "b"}, reason="ticketClosed"),
    "control-failure": full_v2(
        "switchboard:acceptControl:failure", metadata={"a": "b"}, error=ERROR
    ),
}

# 8x8 Chat Gateway v1.0


def gateway(word, **data):
    return {"eventType": word, "conversationId": "k1", "timestamp": 1713100000000, "data": data}


ATTACHMENT = {
    "id": "att1",
    "type": "image",
    "preSignedUrl": "https://example.com/att1?signature=abc",
    "fileName": "shoes.png",
}

EIGHT_BY_EIGHT = {
    "CONVERSATION_UPDATE": gateway(
        "CONVERSATION_UPDATE",
        state="active",
        assignment={"type": "agent", "id": "a1", "resourceId": "r1"},
        user={
            "name": "Ana Rivera",
            "userId": "u1",
            "email": "ana@example.com",
            "phone": "+15145550123",
            "company": "Example",
            "caseId": "case1",
            "language": "en",
            "ipaddress": "192.0.2.1",
            "timezoneOffset": -300,
            "additionalProperties": [{"key": "department", "value": "support", "id": "ap1"}],
        },
        msisdn="+15145550124",
        channel="WhatsApp",
    ),
    "MESSAGE": gateway(
        "MESSAGE",
        isEcho=False,
        sender={"id": "a1", "type": "agent"},
        text="Hello",
        attachments=[ATTACHMENT, ATTACHMENT],
        cards=[{"contentType": "application/vnd.microsoft.card.adaptive", "content": {"x": "y"}}],
    ),
    "MESSAGE.attachment": gateway(
        "MESSAGE", sender={"id": "u1", "type": "user"}, text="Look", attachments=[ATTACHMENT]
    ),
    "ACTIVITY.typing": gateway(
        "ACTIVITY",
        name="typing",
        value={"users": [{"id": "a1", "type": "agent"}, {"id": "u1", "type": "user"}]},
    ),
    "ACTIVITY.receipts": gateway(
        "ACTIVITY",
        name="read-receipts",
        value=[
            {"timestamp": 1713100000000, "users": [{"id": "a1", "type": "agent"}]},
            {"timestamp": 1713100001000, "users": [{"id": "u1", "type": "user"}]},
        ],
    ),
    "ACTIVITY.row": gateway(
        "ACTIVITY",
        name="interactive/reply",
        value={
            "type": "list_reply",
            "list_reply": {"id": "row1", "title": "Friday", "description": "at ten"},
        },
    ),
    "ACTIVITY.form": gateway(
        "ACTIVITY",
        name="interactive/reply",
        value={
            "type": "nfm_reply",
            "nfm_reply": {"name": "flow", "body": "Sent", "response_json": {"size": "M"}},
        },
    ),
    "ACTIVITY.template-button": gateway(
        "ACTIVITY",
        name="interactive/reply",
        value={"type": "button", "button": {"payload": "YES", "text": "Yes"}},
    ),
}


# Parts that bodies have in common become parts of their own.
def _body(provider, document):
    return Body(load_providers()[provider], json.loads(json.dumps(document)))


#: name -> all of these, and the cases
BODIES = {
    **{
        f"case/{each.stem}": _body(
            "8x8" if each.stem.startswith("8x8") else "sunshine", json.loads(each.read_bytes())
        )
        for each in sorted(CASES.glob("*.json"))
    },
    **{f"documented/v1/{name}": _body("sunshine", body) for name, body in SUNSHINE_V1.items()},
    **{f"documented/v2/{name}": _body("sunshine", body) for name, body in SUNSHINE_V2.items()},
    **{f"documented/gateway/{name}": _body("8x8", body) for name, body in EIGHT_BY_EIGHT.items()},
}
