"""The objects in a payload of the APIs 3.0 to 3.7, key by key; all versions in one.

Where versions spell a key differently, both are read: no body has two spellings of one thing.
https://platform.text.com/docs/messaging/agent-chat-api/data-structures
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hookkit.core.parts import Message
from hookkit.providers.livechat.contents import CONTENT
from hookkit.providers.livechat.people import PersonShape, customer_of, person_of
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, Part, Shape

#: Event types that nobody has written.
SYSTEM_TYPES = frozenset({"system_message", "system"})

#: Keys of an event that the model has no place for, worth a name all the same.
EVENT_EXTRA = (
    "custom_id",
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


class EventShape(Shape):
    """Something said: ``timestamp`` and ``recipients`` are older than the words beside them."""

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
    """An event of a chat; its author and properties need more than itself to be read."""

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
        # "agents": a note among them that no customer sees.
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


class ChatShape(Shape):
    """A chat, with those who take part in it."""

    id = fields.Id()
    users = Many(Part(person_of, PersonShape))
    properties = fields.Object()
    access = fields.Object()
    thread = Part(dict, ThreadShape)


class PostbackShape(Shape):
    """A button that was pressed; what is more than its id came with 3.6."""

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
    """What a thread came to, in the words of a program."""

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
