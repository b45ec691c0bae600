"""The objects in payloads of the APIs 3.0 to 3.7, key by key, for all versions together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hookkit.core.parts import Author, AuthorType, Message, Participant, User
from hookkit.providers.livechat.contents import CONTENT
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, Part, Shape

AUTHOR_TYPES = {
    "customer": AuthorType.USER,
    "visitor": AuthorType.USER,  # legacy
    "agent": AuthorType.BUSINESS,
    "supervisor": AuthorType.BUSINESS,
    "bot": AuthorType.BOT,
}

#: The forms of ids in every documented body; no page promises them.
ID_SHAPES = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE), AuthorType.USER),
    (re.compile(r"[0-9a-f]{32}", re.IGNORECASE), AuthorType.BOT),
    (re.compile(r"[^@\s]+@[^@\s]+"), AuthorType.BUSINESS),
)

#: "1970-01-01T01:00:00.000000Z" or 0 mean: has never seen anything.
_NEVER_SEEN_BEFORE = datetime(1971, 1, 1, tzinfo=UTC)


def author_of(
    user_id: str | None, *, said: str | None = None, pinned: AuthorType | None = None
) -> Author:
    """Return the author *user_id*.

    Args:
        user_id: The vendor's id.
        said: The vendor's word for the type, if the body has one.
        pinned: The type that the settings give to every author in this webhook.
    """
    known = AUTHOR_TYPES.get(said or "") or pinned
    if known is not None:
        return Author(type=known, user_id=user_id)
    for shape, kind in ID_SHAPES:
        if shape.fullmatch(user_id or ""):
            return Author(type=kind, inferred=True, user_id=user_id)
    return Author(user_id=user_id)


class Person(NamedTuple):
    """A person as a body describes them.

    Attributes:
        user: The same person as a customer; None if they are none.
    """

    author: Author
    user: User | None
    participant: Participant
    created_at: datetime | None


class PersonShape(Shape):
    """A user of a chat; 3.2 renamed ``fields`` to ``session_fields`` and made it an array."""

    id = fields.Id()
    type = fields.Text()
    name = fields.Text()
    email = fields.Text()
    avatar = fields.Text()
    phone_number = fields.Text()
    created_at = fields.Instant()
    session_fields = Many(fields.Object())
    old_fields = fields.Object(data_key="fields")
    seen_up_to = fields.Instant(data_key="events_seen_up_to")
    last_seen = fields.Instant(data_key="last_seen_timestamp")


def person_of(
    id: str | None = None,  # noqa: A002  # the payload's word
    type: str | None = None,  # noqa: A002  # the payload's word
    name: str | None = None,
    email: str | None = None,
    avatar: str | None = None,
    seen_up_to: datetime | None = None,
    last_seen: datetime | None = None,
    **customer: Any,
) -> Person:
    """Return the person whom the attributes of a ``PersonShape`` describe."""
    author = author_of(id, said=type)
    seen = seen_up_to or last_seen
    return Person(
        author=Author(
            type=author.type,
            inferred=author.inferred,
            user_id=id,
            display_name=name,
            avatar_url=avatar,
            email=email,
        ),
        user=_user(id, name, email, avatar, customer) if author.type is AuthorType.USER else None,
        participant=Participant(
            user_id=id,
            type=AUTHOR_TYPES.get(type or ""),
            name=name,
            last_read=seen if seen and seen > _NEVER_SEEN_BEFORE else None,
        ),
        created_at=customer.get("created_at"),
    )


def customer_of(**attributes: Any) -> Person:
    """Return the person of a webhook that only reports customers."""
    return person_of(**{**attributes, "type": "customer"})


def _user(
    user_id: str | None,
    name: str | None,
    email: str | None,
    avatar: str | None,
    customer: Mapping[str, Any],
) -> User:
    return User(
        id=user_id,
        given_name=name,  # LiveChat has one name for the whole of it
        email=email,
        avatar_url=avatar,
        phone=customer.get("phone_number"),
        signed_up_at=customer.get("created_at"),
        metadata=merged(customer.get("session_fields", ())) or customer.get("old_fields", {}),
    )


def merged(session_fields: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return ``[{"plan": "pro"}, {"cart": "120"}]`` as one mapping, as 3.1 sent it."""
    return {name: value for each in session_fields for name, value in each.items()}


#: Types of events that no person has written.
SYSTEM_TYPES = frozenset({"system_message", "system"})

#: Keys of an event that the model has no attribute for; they go into ``extra``.
EVENT_EXTRA = (
    "custom_id",
    "postback",
    "system_message_type",
    "text_vars",
    "annotation_type",
    "form_id",
    "form_type",
    "thumbnail_url",
    "thumbnail2x_url",
    "width",
    "height",
)


#: Keys of a thread that the model has no attribute for; they go into ``extra["thread"]``.
THREAD_EXTRA = (
    "active",
    "user_ids",
    "order",
    "previous_thread_id",
    "next_thread_id",
    "restricted_access",
    "queues_duration",
    "customer_visit",
)


class EventShape(Shape):
    """A chat event; ``timestamp`` and ``recipients`` are older names of the keys beside them."""

    id = fields.Id()
    type = fields.Text()
    author_id = fields.Id()
    created_at = fields.Instant()
    timestamp = fields.Instant()
    recipients = fields.Text()
    visibility = fields.Text()
    properties = fields.Object()
    deleted = fields.Truth()
    content = Beside(CONTENT)


class Said(NamedTuple):
    """A chat event whose author and properties are still to be read, with the item's help."""

    message: Message
    author_id: str | None
    is_by_system: bool
    properties: Mapping[str, Any]


def _said(
    type: str | None = None,  # noqa: A002  # the payload's word
    author_id: str | None = None,
    created_at: datetime | None = None,
    timestamp: datetime | None = None,
    recipients: str | None = None,
    visibility: str | None = None,
    properties: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> Said:
    message = Message(
        received_at=created_at or timestamp,
        # "agents": a note that no customer sees.
        private=(visibility or recipients) == "agents",
        **attributes,
    )
    return Said(message, author_id, type in SYSTEM_TYPES, properties or {})


class ThreadShape(Shape):
    """The running thread of a chat."""

    id = fields.Id()
    created_at = fields.Instant()
    timestamp = fields.Instant()
    tags = Many(fields.Text())
    queue = fields.Object()
    properties = fields.Object()
    access = fields.Object()


class ChatShape(Shape):
    """A chat, with the people who take part in it."""

    id = fields.Id()
    users = Many(Part(person_of, PersonShape))
    properties = fields.Object()
    access = fields.Object()
    thread = Part(dict, ThreadShape)


class PostbackShape(Shape):
    """A pressed button; 3.6 added all keys but its id."""

    id = fields.Id()
    toggled = fields.Anything()
    button_type = fields.Anything()
    button_value = fields.Anything()
    ecommerce = fields.Anything()


class ActiveChatShape(Shape):
    """The chat that a customer is in."""

    chat_id = fields.Id()
    thread_id = fields.Id()


class SummaryShape(Shape):
    """A summary of a thread, written by a program."""

    status = fields.Text()
    text = fields.Text()
    updated_at = fields.Instant()


class PayloadShape(Shape):
    """The payload of any action: each has some of these keys."""

    id = fields.Id()
    chat_id = fields.Id()
    thread_id = fields.Id()
    event_id = fields.Id()
    user_id = fields.Id()
    user_type = fields.Text()
    requester_id = fields.Id()
    agent_id = fields.Id()
    reason = fields.Text()
    resource = fields.Text()
    status = fields.Text()
    tag = fields.Text()
    timestamp = fields.Instant()
    seen_up_to = fields.Instant()
    chat = Part(dict, ChatShape)
    said = Part(_said, EventShape, data_key="event")
    postback = Part(dict, PostbackShape)
    person = Part(person_of, PersonShape, data_key="user")
    customer = Part(customer_of, PersonShape)
    active_chat = Part(dict, ActiveChatShape)
    access = fields.Object()
    properties = fields.Object()
    transferred_to = fields.Object()
    transferred_from = fields.Object()
    queue = fields.Object()
    summary = Part(dict, SummaryShape)
