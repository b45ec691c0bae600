"""Small bodies of Sunshine Conversations, in the spelling of each version."""

from datetime import UTC, datetime

from hookkit.providers.sunshine import PROVIDER
from tests.providers.reading import read, split_body

USER_ID = "7f3a9c1e"
CONVERSATION_ID = "9d8c7b6a"
MESSAGE_ID = "64e5f607"
AT = 1692797055.555
AT_ISO = "2023-08-23T13:24:15.555Z"
SOMETIME = datetime(2023, 8, 23, 13, 22, 47, tzinfo=UTC)
ISO = "2023-08-23T13:22:47.000Z"


def v1(trigger, **keys):
    """Return a body of v1; None leaves a key out."""
    body = {"trigger": trigger, "app": {"_id": "app1"}, "appUser": {"_id": USER_ID}, **keys}
    return {key: value for key, value in body.items() if value is not None}


def v1_1(trigger, **keys):
    return v1(trigger, **{"version": "v1.1", "conversation": {"_id": CONVERSATION_ID}, **keys})


def v2(kind, payload, **keys):
    """Return a body of v2 with one event."""
    return v2_batch(v2_event(kind, payload, **keys))


def v2_event(kind, payload, **keys):
    whole = {"conversation": {"id": CONVERSATION_ID}, **payload}
    event = {"id": "event1", "createdAt": AT_ISO, "type": kind, "payload": whole, **keys}
    return {key: value for key, value in event.items() if value is not None}


def v2_batch(*events):
    return {
        "app": {"id": "app1"},
        "webhook": {"id": "webhook1", "version": "v2"},
        "events": list(events),
    }


def v1_message(**keys):
    """Return a message of v1.x."""
    return {"_id": MESSAGE_ID, "type": "text", "role": "appUser", "text": "hi", **keys}


def v2_message(content=None, **keys):
    """Return a message of v2."""
    return {
        "id": MESSAGE_ID,
        "author": {"type": "user", "userId": USER_ID},
        "content": content or {"type": "text", "text": "hi"},
        **keys,
    }


def read_events(body, **how):
    return read(PROVIDER, body, **how)


def read_one(body, **how):
    """Return the only event of *body*, which must be without problems."""
    (event,) = read_events(body, **how)
    assert event.problems == ()
    return event


def items_of(body, **how):
    return split_body(PROVIDER, body, **how)


def item_of(body, **how):
    (item,) = items_of(body, **how)
    return item


def said_in(version, *, message=None, content=None):
    """Return the message event in which *version* says *content*, with *message*'s keys."""
    if version == "v2":
        return read_one(
            v2("conversation:message", {"message": v2_message(content, **message or {})})
        )
    flat = v1_message(**{**(content or {}), **(message or {})})
    body = v1 if version == "v1" else v1_1
    return read_one(body("message:appUser", messages=[flat]))


# Bodies about one thing, in v1.1 and in v2


def client_v1(**keys):
    return v1_1("client:add", clients=[{"_id": "c", "platform": "whatsapp", **keys}])


def client_v2(**keys):
    return v2("client:add", {"client": {"id": "c", "type": "whatsapp", **keys}})


def sdk_v1(**keys):
    client = {"_id": "d", "platform": "web", **keys}
    message = v1_message(source={"type": "web"})
    return v1_1("message:appUser", client=client, messages=[message])


def sdk_v2(*, client=None, **device):
    source = {"type": "web", "client": {"type": "sdk", **(client or {})}}
    source["device"] = {"id": "d", "type": "web", **device}
    return v2("conversation:message", {"message": v2_message(source=source)})


def user_v1(**keys):
    return v1_1("conversation:read", appUser={"_id": "u", **keys})


def user_v2(**keys):
    return v2("conversation:postback", {"user": {"id": "u", **keys}, "postback": {"payload": "x"}})


def message_v1(**keys):
    return v1_1("message:appUser", messages=[v1_message(**keys)])


def message_v2(**keys):
    return v2("conversation:message", {"message": v2_message(**keys)})


def place_v1(**keys):
    return v1_1("conversation:read", conversation={"_id": "c", **keys})


def place_v2(**keys):
    return v2("conversation:read", {"conversation": {"id": "c", **keys}})
