"""Webhooks of the legacy REST API, v1 and v2 alike; no body carries a secret.

A registration chooses which of ``chat``, ``visitor``, ``pre_chat_survey`` and ``ticket`` are
sent, so any of them may be absent.

A chat comes with its transcript, over and over, and its messages have no ids: they are a record
and not news, so they stay in ``raw``.
https://platform.text.com/docs/management/configuration-api/v2.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hookkit.core import event as events
from hookkit.core.body import Document, dig, dig_id, dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import EVENT_CLASSES, Event, EventParts, EventType, build_event
from hookkit.core.ids import hash_content, join_parts
from hookkit.core.parts import Author, AuthorType, Conversation, Participant, User
from hookkit.core.provider import PayloadVersion
from hookkit.providers.livechat.identity import LONG_REPEAT_AFTER_S, Path
from hookkit.providers.livechat.shapes import author_of
from hookkit.schemas import fields
from hookkit.schemas.shape import Attributes, Many, Part, Shape, problems

TYPES = {
    "chat_started": EventType.CONVERSATION_CREATE,
    "chat_ended": EventType.CONVERSATION_CLOSE,
    "chat_changed": EventType.CONVERSATION_TAG,  # "when tags are changed"; all of them are sent
    "visitor_queued": EventType.CONVERSATION_QUEUE,
    "ticket_created": EventType.OTHER,
    "canned_response_changed": EventType.OTHER,
}

#: event type -> the paths of a strong key's parts. chat_changed has none, since tags can be put
#: back, nor has visitor_queued, which names no chat.
STRONG: dict[str, tuple[Path, ...]] = {
    "chat_started": (("chat", "id"),),
    "chat_ended": (("chat", "id"), ("chat", "ended_timestamp")),
    "ticket_created": (("ticket", "id"),),
    "canned_response_changed": (
        ("canned_response", "id"),
        ("canned_response", "modification_date"),
    ),
}

#: event type -> the name of what it is about, and the path of its id.
SUBJECTS: dict[str, tuple[str, Path]] = {
    "chat_changed": ("tags", ("chat", "id")),
    "visitor_queued": ("waiting", ("visitor", "id")),
    "chat_started": ("waiting", ("visitor", "id")),
}

#: event type -> the path of its time in the attributes of the body.
OCCURRED_AT: dict[str, Path] = {
    "chat_started": ("chat", "started_at"),
    "chat_ended": ("chat", "ended_at"),
    "canned_response_changed": ("canned_response", "changed_at"),
}

#: Keys of a body that the model has no attribute for.
EXTRA = ("pre_chat_survey", "ticket", "canned_response")


class AgentShape(Shape):
    """An agent who took part in a chat."""

    user_id = fields.Id(data_key="login")
    name = fields.Text()


def _participant(**attributes: Any) -> Participant:
    return Participant(type=AuthorType.BUSINESS, **attributes)


class ChangeShape(Shape):
    """Something that happened to a chat; its text says in English who did it."""

    type = fields.Text()
    user_type = fields.Text()
    agent_id = fields.Id()
    author_name = fields.Text()


class ChatShape(Shape):
    """A chat with its transcript, which stays in ``raw``."""

    id = fields.Id()
    started_at = fields.Instant(data_key="started_timestamp")
    ended_at = fields.Instant(data_key="ended_timestamp")
    tags = Many(fields.Text())
    agents = Many(Part(_participant, AgentShape))
    groups = fields.Anything()
    changes = Many(Part(dict, ChangeShape), data_key="events")


class AnswerShape(Shape):
    """A question of a survey with its answer; the whole survey is in ``extra``."""

    type = fields.Text()
    answer = fields.Anything()


class VisitorShape(Shape):
    """A customer."""

    id = fields.Id()
    given_name = fields.Text(data_key="name")
    email = fields.Text()
    locale = fields.Text(data_key="language")
    variables = Many(fields.Object(), data_key="custom_variables")


def _visitor(variables: tuple[Mapping[str, Any], ...] = (), **attributes: Any) -> User:
    metadata = {
        str(each["key"]): each.get("value") for each in variables if each.get("key") is not None
    }
    return User(metadata=metadata, **attributes)


class RequesterShape(Shape):
    """The author of a ticket."""

    given_name = fields.Text(data_key="name")
    email = fields.Text(data_key="mail")


class TicketShape(Shape):
    """A ticket; the rest of it stays in ``raw``."""

    requester = Part(User, RequesterShape)


class CannedResponseShape(Shape):
    """A canned response."""

    changed_at = fields.Instant(data_key="modification_date")


class BodyShape(Shape):
    """A body, without what stays in ``raw``."""

    chat = Part(dict, ChatShape)
    visitor = Part(_visitor, VisitorShape)
    survey = Many(Part(dict, AnswerShape), data_key="pre_chat_survey")
    ticket = Part(dict, TicketShape)
    canned_response = Part(dict, CannedResponseShape)


_BODY = BodyShape()


def split(payload: Payload) -> Sequence[Item]:
    """Return the one item, without the secret token."""
    raw = {name: value for name, value in payload.document.items() if name != "token"}
    event_type = dig_text(raw, "event_type") or ""
    key = _strong_key(event_type, raw)
    is_strong = key is not None
    key = [hash_content(raw)] if key is None else key
    return (
        payload.item(
            raw=raw,
            vendor_type=event_type,
            event_id=f"legacy:{join_parts(dig_id(raw, 'license_id'), event_type, *key)}",
            repeat_after_s=None if is_strong else LONG_REPEAT_AFTER_S,
            lane=dig_id(raw, "chat", "id"),
        ).about(_subject(event_type, raw)),
    )


def _strong_key(event_type: str, raw: Document) -> list[str] | None:
    """Return what names one event for ever; None if nothing does.

    ``event_unique_id`` comes last: events that had a key before it was read keep it.
    """
    parts = [dig_id(raw, *path) for path in STRONG.get(event_type, ())]
    found = [part for part in parts if part is not None]
    if parts and len(found) == len(parts):
        return found
    unique_id = dig_id(raw, "event_unique_id")
    return None if unique_id is None else [unique_id]


def _subject(event_type: str, raw: Document) -> str | None:
    """Return what *raw* is about: the tags of a chat, or a visitor who waits and is then served."""
    if event_type not in SUBJECTS:
        return None
    name, path = SUBJECTS[event_type]
    return join_parts("legacy", dig_id(raw, "license_id"), name, dig_id(raw, *path))


def normalize(item: Item) -> Event:
    """Read a body."""
    body, faults = _BODY.read(item.raw)
    chat = body.get("chat", {})
    kind = TYPES.get(item.vendor_type, EventType.UNKNOWN)
    conversation = None
    if "id" in chat or EVENT_CLASSES[kind] is events.ConversationEvent:
        conversation = Conversation(id=chat.get("id"), participants=chat.get("agents", ()))
    user = _customer(body)
    happened = OCCURRED_AT.get(item.vendor_type)
    parts: EventParts = {
        "conversation": conversation,
        "user": user or body.get("ticket", {}).get("requester"),
        "actor": _who_closed(chat.get("changes", ()), user),
        "tenant_id": dig_id(item.raw, "license_id"),
        "occurred_at": None if happened is None else dig(body, *happened),
        "tags": chat.get("tags"),
        "access": {"group_ids": chat["groups"]} if chat.get("groups") else None,
        "extra": _extra(item.raw),
    }
    reasons = problems(faults)
    if kind is EventType.UNKNOWN:
        reasons = (*reasons, "event_type: not known")
    return build_event(item, kind, parts, reasons)


def _customer(body: Attributes) -> User | None:
    """Return the visitor, with the phone number that they gave before the chat, if any."""
    visitor: User | None = body.get("visitor")
    for question in body.get("survey", ()):
        phone = dig_text(question, "answer")
        if question.get("type") == "phone" and phone is not None:
            return replace(visitor or User(), phone=phone)
    return visitor


def _who_closed(changes: Sequence[Attributes], user: User | None) -> Author | None:
    """Return who closed the chat last; its id may be that of the visitor *user*."""
    closings = [each for each in changes if each.get("type") == "closed"]
    if not closings:
        return None
    last = closings[-1]
    author = author_of(last.get("agent_id"), said=last.get("user_type"))
    name = last.get("author_name")
    if author.type is AuthorType.USER and user is not None:
        return replace(author, user_id=user.id, display_name=name or user.given_name)
    return replace(author, display_name=name)


def _extra(raw: Document) -> dict[str, Any]:
    # A skipped survey is an empty array.
    return {name: raw[name] for name in EXTRA if raw.get(name) not in (None, [])}


LEGACY = PayloadVersion(
    split=split,
    normalize=normalize,
    types=TYPES,
    fresh_ids=("event_unique_id", "chat.id", "visitor.id", "ticket.id", "canned_response.id"),
    fresh_times=(
        "chat.started_timestamp",
        "chat.ended_timestamp",
        "canned_response.modification_date",
    ),
)
