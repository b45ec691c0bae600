"""The events of Chat Gateway v1.0, the Chat API's successor: what happened is in ``data``.

https://developer.8x8.com/actions-events/docs/webhooks-events-reference

QUEUED, TRANSFER and WEB_HOOK_VERIFY are spelt as in the Chat API and read by ``chat``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from hookkit.core.content import Cards, Content, File, Text
from hookkit.core.event import EventType
from hookkit.core.parts import Author, AuthorType, Message, Postback, User
from hookkit.providers.eight_by_eight.shapes import ActivityShape, QuickReplyShape, author_type
from hookkit.schemas.shape import problems

#: ``data.state``; "active" and "idle" are updates, and so is what may follow.
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

WORDS = ("CONVERSATION_UPDATE", "MEMBERS_CHANGED", "MESSAGE", "ACTIVITY")

_ACTIVITY = ActivityShape()
_QUICK_REPLY = QuickReplyShape()


class Reading(NamedTuple):
    """What an event is, its parts, and what could not be read of it."""

    kind: EventType
    parts: dict[str, Any]
    problems: tuple[str, ...] = ()


def read(word: str, body: dict[str, Any], detail: dict[str, Any]) -> Reading:
    """Return what the event is that *word*, one of ``WORDS``, names."""
    match word:
        case "CONVERSATION_UPDATE":
            return _conversation(detail)
        case "MEMBERS_CHANGED":
            return _member(detail)
        case "MESSAGE":
            return _message(body, detail)
    return _activity(detail)


def _conversation(detail: dict[str, Any]) -> Reading:
    state = detail.get("state")
    kind = STATES.get(state or "", EventType.CONVERSATION_UPDATE)
    user = detail.get("user")
    msisdn = detail.get("msisdn")
    if msisdn is not None:  # the customer's number, where there is one
        user = user or User()
        user = replace(user, phone=user.phone or msisdn)
    extra = {key: detail[key] for key in ("assignment", "msisdn") if detail.get(key) is not None}
    return Reading(kind, {"state": state, "user": user, "extra": extra})


def _member(detail: dict[str, Any]) -> Reading:
    somebody = Author(type=author_type(detail.get("member_type")), user_id=detail.get("id"))
    parts = {"actor": somebody, "user": _user(somebody)}
    kind = CHANGES.get(detail.get("change") or "")
    if kind is None:
        return Reading(EventType.UNKNOWN, parts, ("data.change: not known",))
    return Reading(kind, parts)


def _message(body: dict[str, Any], detail: dict[str, Any]) -> Reading:
    author = detail.get("sender")
    message = Message(
        # There is no id of the message in it.
        author=author,
        content=_content(detail),
        received_at=body.get("timestamp"),
    )
    # "isEcho: true for the bot's own message", which comes back to it.
    extra: dict[str, Any] = {"is_echo": detail["is_echo"]} if "is_echo" in detail else {}
    attachments: tuple[File, ...] = detail.get("attachments", ())
    if len(attachments) > (1 if isinstance(message.content, File) else 0):
        extra["attachments"] = [_described(each) for each in attachments]
    return Reading(
        EventType.MESSAGE,
        {"actor": author, "user": _user(author), "message": message, "extra": extra},
    )


def _content(detail: dict[str, Any]) -> Content:
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


def _activity(detail: dict[str, Any]) -> Reading:
    name = detail.get("name") or ""
    kind = ACTIVITIES.get(name.partition("/")[0])
    extra = {"activity": name}
    if kind is None:
        return Reading(EventType.UNKNOWN, {"extra": extra}, ("data.name: not known",))
    value = detail.get("value")
    if kind is EventType.READ:  # an array of what no page describes
        return Reading(kind, {"extra": extra})
    if value is not None and not isinstance(value, dict):
        parts = {**_parts(kind, name, {}), "extra": extra}
        return Reading(kind, parts, ("data.value: not an object",))
    activity, faults = _ACTIVITY.read(value or {})
    parts = _parts(kind, name, activity)
    return Reading(kind, {**parts, "extra": extra}, problems(faults, "data.value"))


def _parts(kind: EventType, name: str, activity: dict[str, Any]) -> dict[str, Any]:
    if kind is EventType.TYPING:
        users: tuple[Author, ...] = activity.get("users", ())
        actor = users[0] if users else None
        # "An empty array when nobody types any more."
        return {"state": "start" if users else "stop", "actor": actor, "user": _user(actor)}
    # Only a customer presses what a bot shows.
    return {"actor": Author(type=AuthorType.USER), "postback": _postback(name, activity)}


def _postback(name: str, activity: dict[str, Any]) -> Postback:
    data = activity.get("data")
    if isinstance(data, str):
        return Postback(payload=data)
    if not isinstance(data, dict):
        return Postback()
    if name.startswith("quickReply"):
        pressed, _ = _QUICK_REPLY.read(data)
        return Postback(payload=pressed.get("payload"), text=pressed.get("title"))
    return Postback(metadata=data)


def _user(author: Author | None) -> User | None:
    """Return the customer, if it is a customer who did it."""
    if author is None or author.type is not AuthorType.USER or author.user_id is None:
        return None
    return User(id=author.user_id)
