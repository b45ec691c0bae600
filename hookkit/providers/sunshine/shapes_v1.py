"""The objects of Sunshine Conversations v1 and v1.1, key by key.

Messages are flat: author and content lie beside each other. Keys are ``_id``.
https://github.com/zendesk/sunshine-conversations-api-spec (branch v1-master)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from hookkit.core.content import Content, UnknownContent
from hookkit.core.parts import (
    Author,
    Conversation,
    Message,
    Participant,
    Postback,
    Source,
    User,
)
from hookkit.providers.sunshine.common import author_type
from hookkit.providers.sunshine.contents import CONTENT
from hookkit.providers.sunshine.people_v1 import REACHED, user_field
from hookkit.providers.sunshine.shapes import (
    DESTINATION,
    ERROR,
    REFERRAL,
    channel,
    external_ids,
)
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, Part, Shape


class ConversationShape(Shape):
    """A conversation; v1 does not send one."""

    id = fields.Id(data_key="_id")
    unread_count = fields.Whole(data_key="unreadCount")
    last_read = fields.Instant(data_key="lastRead")
    business_last_read = fields.Instant(data_key="appMakerLastRead")
    display_name = fields.Text(data_key="displayName")
    description = fields.Text()
    metadata = fields.Object()


class Place(NamedTuple):
    """A conversation, and the membership that v2 keeps in its participants."""

    conversation: Conversation
    unread_count: int | None
    last_read: Any


def _place(unread_count: int | None = None, last_read: Any = None, **attributes: Any) -> Place:
    return Place(Conversation(**attributes), unread_count, last_read)


PLACE = Part(_place, ConversationShape)


def conversation_of(place: Place | None, user: User | None) -> Conversation | None:
    """Return the conversation, its only participant being *user*."""
    if place is None or (place.unread_count is None and place.last_read is None):
        return place.conversation if place is not None else None
    member = Participant(
        user_id=user.id if user is not None else None,
        unread_count=place.unread_count,
        last_read=place.last_read,
    )
    return replace(place.conversation, participants=(member,))


class SourceShape(Shape):
    """The channel that something came through; its ``id`` is of no use outside the vendor."""

    type = channel()
    integration_id = fields.Id(data_key="integrationId")
    original_message_id = fields.Id(data_key="originalMessageId")
    original_message_at = fields.Instant(data_key="originalMessageTimestamp")


SOURCE = Part(Source, SourceShape)


class AuthorShape(Shape):
    """Who wrote a message: keys of the message itself."""

    role = fields.Text()
    user_id = fields.Id(data_key="authorId")
    display_name = fields.Text(data_key="name")
    avatar_url = fields.Text(data_key="avatarUrl")
    email = fields.Text()
    subtypes = Many(fields.Text(), data_key="subroles")


def _author(role: str | None = None, **attributes: Any) -> Author:
    return Author(type=author_type(role), **attributes)


class QuotedShape(Shape):
    """What a message answers to; v2 renamed ``content`` to ``message``."""

    content = Part(lambda **attributes: _message(**attributes), lambda: MessageShape())
    message = Part(lambda **attributes: _message(**attributes), lambda: MessageShape())
    external_id = fields.Id(data_key="externalMessageId")


def _quoted(
    content: Message | None = None,
    message: Message | None = None,
    external_id: str | None = None,
) -> Message | None:
    if content is None and message is None and external_id is not None:
        return Message(source=Source(original_message_id=external_id))
    return content or message


class MessageShape(Shape):
    """A message, flat."""

    id = fields.Id(data_key="_id")
    received_at = fields.Instant(data_key="received")
    role = fields.Text()
    author = Beside(Part(_author, AuthorShape))
    content = Beside(CONTENT)
    source = SOURCE
    destination = DESTINATION
    metadata = fields.Object()
    quoted = Part(_quoted, QuotedShape, data_key="quotedMessage")
    override = fields.Object()
    schema = fields.Text(data_key="messageSchema")
    deleted = fields.Truth()


def _message(
    role: str | None = None,
    author: Author | None = None,
    content: Content | None = None,
    **attributes: Any,
) -> Message:
    # A delivery report names a message by its id: nobody and nothing is said beside it.
    if role is None and author == Author():
        author = None
    if isinstance(content, UnknownContent) and content.body.keys() <= {"_id"}:
        content = None
    return Message(private=role == "whisper", author=author, content=content, **attributes)


MESSAGE = Part(_message, MessageShape)


class ActionShape(Shape):
    """The button of a postback."""

    text = fields.Text()
    payload = fields.Text()
    metadata = fields.Object()


class PostbackShape(Shape):
    """A pressed button; one in a persistent menu has no message."""

    message = MESSAGE
    action = Part(dict, ActionShape)


def _postback(message: Message | None = None, action: dict[str, Any] | None = None) -> Postback:
    return Postback(message_id=message.id if message is not None else None, **(action or {}))


class ActivityShape(Shape):
    """``typing:start`` or ``typing:stop``."""

    type = fields.Text()


class NotificationShape(Shape):
    """A message sent by the Notification API."""

    id = fields.Id(data_key="_id")


class MatchShape(Shape):
    """Whom a notification reached."""

    user = user_field(data_key="appUser")
    place = Part(_place, ConversationShape, data_key="conversation")


class BodyShape(Shape):
    """The body of any trigger: each has some of these keys; arrays hold one item by now."""

    user = user_field(data_key="appUser")
    place = Part(_place, ConversationShape, data_key="conversation")
    messages = Many(MESSAGE)
    message = MESSAGE
    postbacks = Many(Part(_postback, PostbackShape))
    payments = fields.Anything()
    source = SOURCE
    destination = DESTINATION
    timestamp = fields.Instant()
    is_final = fields.Truth(data_key="isFinalEvent")
    external_ids = external_ids()
    error = ERROR
    referral = REFERRAL
    activity = Part(dict, ActivityShape)
    clients = Many(REACHED)
    client = REACHED
    channel = channel()
    criteria = fields.Object()
    surviving = user_field()
    discarded = Many(user_field())
    discarded_metadata = fields.Object(data_key="discardedProperties")
    notification = Part(Message, NotificationShape)
    match = Part(dict, MatchShape, data_key="matchResult")
