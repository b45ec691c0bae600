"""A body of any of the three versions -> the unified event.

https://developer.8x8.com/contactcenter/docs/webhook-events-reference (Chat API, v1.0 and v2.0)
https://developer.8x8.com/actions-events/docs/webhooks-events-reference (Chat Gateway v1.0)

The versions share words and keys, and the vendor's own pages mix their shapes. So a word is read
in the same way in every version. The bodies of v1.0 are no longer published; they are taken to be
those of v2.0, unsigned.
"""

from __future__ import annotations

import re
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

from hookkit.core.body import Document, Headers, dig
from hookkit.core.content import Cards, Content, File, Text
from hookkit.core.delivery import Item
from hookkit.core.event import Event, EventParts, EventType, build_event
from hookkit.core.parts import Author, AuthorType, Conversation, Message, Postback, User
from hookkit.providers.eight_by_eight.identity import conversation_id_of, is_signed
from hookkit.providers.eight_by_eight.shapes import (
    ActivityShape,
    BodyShape,
    ReceiptsShape,
    ReplyShape,
    author_type,
    postback,
)
from hookkit.providers.eight_by_eight.signature import CUSTOMER_ID, RETRY, TENANT_ID
from hookkit.schemas.shape import Attributes, problems

#: The words that always mean the same. The Chat API delivers "only agent messages": what the
#: customer writes is sent by your own code.
TYPES = {
    "QUEUED": EventType.CONVERSATION_QUEUE,
    "AGENT_JOINED": EventType.CONVERSATION_JOIN,
    "AGENT_LEFT": EventType.CONVERSATION_LEAVE,  # not the end: a TRANSFER may follow
    "TRANSFER": EventType.CONVERSATION_TRANSFER,
    "TEXT": EventType.MESSAGE,
    "MESSAGE": EventType.MESSAGE,
    "WEB_HOOK_VERIFY": EventType.TEST,
}

#: ``data.state`` of CONVERSATION_UPDATE; "active" and "idle" are updates, as may be new words.
STATES = {"created": EventType.CONVERSATION_CREATE}

#: ``data.change`` of MEMBERS_CHANGED.
CHANGES = {
    "joined": EventType.CONVERSATION_JOIN,
    "left": EventType.CONVERSATION_LEAVE,
}

#: ``data.name`` of ACTIVITY, up to its first slash: "quickReply/action", "interactive/reply".
ACTIVITIES = {
    "typing": EventType.TYPING,
    "read-receipts": EventType.READ,  # documented as "not supported yet"
    "quickReply": EventType.POSTBACK,
    "adaptiveCard": EventType.POSTBACK,
    "interactive": EventType.POSTBACK,  # of a CPaaS channel
}

#: What a customer of WhatsApp presses, chooses from a list, or sends with a form. "Name and value
#: vary by channel and provider", so the name of the activity does not tell them.
#: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
REPLIES = ("button_reply", "list_reply", "nfm_reply", "button")

_BODY = BodyShape()
_ACTIVITY = ActivityShape()
_RECEIPTS = ReceiptsShape()
_REPLY = ReplyShape()
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)


class Reading(NamedTuple):
    """What an event is, its parts, and what could not be read of it."""

    kind: EventType
    parts: EventParts
    problems: tuple[str, ...] = ()


def normalize(item: Item) -> Event:
    """Read the one event of a body."""
    body, faults = _BODY.read(item.raw)
    # Either shape is read; where a key is in both, ``data`` is the newer place for it.
    detail = {**body.get("flat", {}), **body.get("data", {})}
    reading = _reading(item.vendor_type, body, detail)
    headers = item.payload.headers
    parts: EventParts = {
        "conversation": Conversation(
            id=conversation_id_of(item.raw), channel=detail.get("channel")
        ),
        "occurred_at": body.get("timestamp"),
        "tenant_id": headers.get(TENANT_ID) if is_signed(headers) else None,
        **reading.parts,
    }
    extra = {**_extra(headers), **reading.parts.get("extra", {})}
    if "notification_version" in body:
        extra["notification_version"] = body["notification_version"]
    parts["extra"] = extra
    if reading.kind is EventType.TEST:  # it is about a webhook, not about a conversation
        parts["conversation"] = None
    return build_event(item, reading.kind, parts, (*problems(faults), *reading.problems))


def _extra(headers: Headers) -> dict[str, Any]:
    """Return what the signed headers say beside the event's id."""
    if not is_signed(headers):
        return {}
    named = {"customer_id": CUSTOMER_ID, "tenant_id": TENANT_ID}
    extra: dict[str, Any] = {key: headers[name] for key, name in named.items() if name in headers}
    retry = headers.get(RETRY, "")
    if _NUMBER.fullmatch(retry):
        extra["retry"] = int(retry)
    return extra


def _reading(word: str, body: Attributes, detail: Attributes) -> Reading:
    """Read the event that *word* names.

    Args:
        body: The attributes of a ``BodyShape``.
        detail: The attributes of its ``DetailShape``.
    """
    match word:
        case "CONVERSATION_UPDATE":
            return _conversation(detail)
        case "MEMBERS_CHANGED":
            return _member(detail)
        case "ACTIVITY":
            return _activity(detail)
        case "MESSAGE":
            return Reading(TYPES[word], _message(body, detail))
        case "TEXT":
            return Reading(TYPES[word], _text(body, detail))
        case "AGENT_JOINED" | "AGENT_LEFT":
            return Reading(TYPES[word], {"actor": _agent(detail)})
        case "QUEUED":
            queue = {"id": detail.get("queue_id"), "name": detail.get("queue_name")}
            named = {key: value for key, value in queue.items() if value is not None}
            return Reading(TYPES[word], {"actor": _system(body), "queue": named})
        case "TRANSFER" | "WEB_HOOK_VERIFY":
            return Reading(TYPES[word], {"actor": _system(body)})
    return Reading(EventType.UNKNOWN, {}, ("eventType: not known",))


def _system(body: Attributes) -> Author | None:
    # v2.0 says who speaks, SYSTEM or AGENT; the gateway says it of messages alone.
    is_system = body.get("message_type") == "SYSTEM"
    return Author(type=AuthorType.SYSTEM) if is_system else None


def _agent(detail: Attributes) -> Author | None:
    agent_id, name = detail.get("agent_id"), detail.get("agent_name")
    if agent_id is None and name is None:
        return None
    # The name is "First,Last" in the vendor's example.
    return Author(type=AuthorType.BUSINESS, user_id=agent_id, display_name=name)


def _text(body: Attributes, detail: Attributes) -> EventParts:
    author = _agent(detail) or detail.get("sender") or Author(type=AuthorType.BUSINESS)
    text = Text(text=detail.get("message") or detail.get("text") or "")
    message = Message(author=author, content=text, received_at=body.get("timestamp"))
    return {"actor": author, "message": message}


def _conversation(detail: Attributes) -> Reading:
    state = detail.get("state")
    kind = STATES.get(state or "", EventType.CONVERSATION_UPDATE)
    user: User | None = detail.get("user")
    msisdn = detail.get("msisdn")
    if msisdn is not None:  # the customer's number, where there is one
        user = user or User()
        user = replace(user, phone=user.phone or msisdn)
    extra = {key: detail[key] for key in ("assignment", "msisdn") if detail.get(key) is not None}
    return Reading(kind, {"state": state, "user": user, "extra": extra})


def _member(detail: Attributes) -> Reading:
    somebody = Author(type=author_type(detail.get("member_type")), user_id=detail.get("id"))
    parts: EventParts = {"actor": somebody, "user": _user(somebody)}
    kind = CHANGES.get(detail.get("change") or "")
    if kind is None:
        return Reading(EventType.UNKNOWN, parts, ("data.change: not known",))
    return Reading(kind, parts)


def _message(body: Attributes, detail: Attributes) -> EventParts:
    author = detail.get("sender")
    # The body names no id of the message.
    message = Message(author=author, content=_content(detail), received_at=body.get("timestamp"))
    # "isEcho: true for the bot's own message", which comes back to it.
    extra: dict[str, Any] = {"is_echo": detail["is_echo"]} if "is_echo" in detail else {}
    attachments: tuple[File, ...] = detail.get("attachments", ())
    if len(attachments) > (1 if isinstance(message.content, File) else 0):
        extra["attachments"] = [_described(each) for each in attachments]
    return {"actor": author, "user": _user(author), "message": message, "extra": extra}


def _content(detail: Attributes) -> Content:
    """Return the cards, else the first attachment, else the text alone."""
    text = detail.get("text") or ""
    attachments: tuple[File, ...] = detail.get("attachments", ())
    if detail.get("cards"):
        return Cards(text=text, cards=detail["cards"])
    if attachments:
        return replace(attachments[0], text=text)
    return Text(text=text)


def _described(attachment: File) -> dict[str, Any]:
    """Return an attachment of a message whose content does not show all of them."""
    described = {
        name: getattr(attachment, name) for name in ("attachment_id", "type", "name", "media_url")
    }
    return {name: value for name, value in described.items() if value is not None}


def _activity(detail: Attributes) -> Reading:
    name, value = detail.get("name") or "", detail.get("value")
    extra: dict[str, Any] = {"activity": name}
    kind = ACTIVITIES.get(name.partition("/")[0])
    if kind is None and not _is_reply(value):  # each channel has activities of its own
        return Reading(EventType.OTHER, {"extra": extra})
    if kind is EventType.READ:
        return _read_receipts(value, extra)
    found: tuple[str, ...] = ()
    if value is not None and not isinstance(value, dict):
        value, found = None, ("data.value: not an object",)
    if kind is EventType.TYPING:
        activity, faults = _ACTIVITY.read(value or {})
        users = activity.get("users", ())
        if len(users) > 1:
            extra["users"] = dig(value, "users")
        found += problems(faults, "data.value")
        return Reading(kind, {**_typing(users), "extra": extra}, found)
    pressed, faulty = _postback(name, value or {})
    # Only a customer presses what a bot shows.
    parts: EventParts = {"actor": Author(type=AuthorType.USER), "postback": pressed, "extra": extra}
    return Reading(EventType.POSTBACK, parts, found + faulty)


def _typing(users: tuple[Author, ...]) -> EventParts:
    # "An empty array when nobody types any more."
    actor = users[0] if users else None
    return {"state": "start" if users else "stop", "actor": actor, "user": _user(actor)}


def _read_receipts(value: object, extra: dict[str, Any]) -> Reading:
    """Read an array of receipts: the newest says up to when, and who."""
    read, faults = _RECEIPTS.read({"value": value or None})
    receipts = read.get("receipts", ())
    dated = sorted((each for each in receipts if "read_at" in each), key=itemgetter("read_at"))
    newest: Attributes = (dated or list(receipts) or [{}])[-1]
    readers = newest.get("users", ())
    if len(receipts) > 1 or len(readers) > 1:
        extra["receipts"] = value
    actor = readers[0] if readers else None
    parts: EventParts = {"read_at": newest.get("read_at"), "actor": actor, "user": _user(actor)}
    return Reading(EventType.READ, {**parts, "extra": extra}, problems(faults, "data"))


def _is_reply(value: object) -> bool:
    """Tell whether *value* is a reply in WhatsApp's words, whatever the activity is called."""
    if not isinstance(value, dict):
        return False
    said = _inner(value)
    kind = said.get("type")
    return kind in REPLIES and isinstance(said.get(kind), dict)


def _inner(value: Document) -> Document:
    inner = value.get("interactive")
    return inner if isinstance(inner, dict) else value


def _postback(name: str, value: Document) -> tuple[Postback, tuple[str, ...]]:
    """Return what was pressed, chosen or filled in, and what could not be read of it."""
    said = _inner(value)
    data = said.get("data")
    if name.startswith("adaptiveCard") and isinstance(data, dict):
        return Postback(metadata=data), ()
    keys = (said.get("type"), *REPLIES, "data")
    named = [key for key in keys if isinstance(key, str) and isinstance(said.get(key), dict)]
    if not named and data is not None:
        if isinstance(data, str):
            return Postback(payload=data), ()
        return Postback(), ("data.value.data: not an object",)
    # A reply may also lie in the value itself.
    reply, faults = _REPLY.read(said[named[0]] if named else said)
    return postback(**reply), problems(faults, ".".join(["data.value", *named[:1]]))


def _user(author: Author | None) -> User | None:
    """Return the customer, if it is a customer who did it."""
    if author is None or author.type is not AuthorType.USER or author.user_id is None:
        return None
    return User(id=author.user_id)
