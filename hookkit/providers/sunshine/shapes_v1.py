"""The objects of Sunshine Conversations v1 and v1.1, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from hookkit.core.content import Content
from hookkit.core.parts import (
    Author,
    Client,
    Conversation,
    Device,
    Message,
    Participant,
    Postback,
    Source,
    User,
)
from hookkit.providers.sunshine.contents import CONTENT
from hookkit.providers.sunshine.shapes import (
    DESTINATION,
    ERROR,
    REFERRAL,
    SDK_PLATFORMS,
    author_type,
    channel,
    external_ids,
)
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, OneOf, Part, Shape


class ClientShape(Shape):
    """A client, and the device that v2 makes an object of its own."""

    id = fields.Id(data_key="_id")
    device_guid = fields.Id(data_key="id")
    platform = channel()
    status = fields.Text()
    active = fields.Truth()
    blocked = fields.Truth()
    integration_id = fields.Id(data_key="integrationId")
    external_id = fields.Id(data_key="externalId")
    display_name = fields.Text(data_key="displayName")
    avatar_url = fields.Text(data_key="avatarUrl")
    last_seen = fields.Instant(data_key="lastSeen")
    linked_at = fields.Instant(data_key="linkedAt")
    primary = fields.Truth()
    info = fields.Object()
    raw = fields.Object()
    device_id = fields.Id(data_key="deviceId")
    push_token = fields.Text(data_key="pushNotificationToken")
    app_version = fields.Text(data_key="appVersion")


class Reached(NamedTuple):
    """A client, and the device behind it when it is of a kind that has one."""

    client: Client
    device: Device | None


def _reached(
    *,
    id: str | None = None,  # noqa: A002  # the payload's word
    device_guid: str | None = None,
    platform: str | None = None,
    device_id: str | None = None,
    push_token: str | None = None,
    app_version: str | None = None,
    active: bool | None = None,
    blocked: bool | None = None,
    **attributes: Any,
) -> Reached:
    attributes["status"] = attributes.get("status") or _status(active=active, blocked=blocked)
    if platform not in SDK_PLATFORMS:
        # A client of a channel repeats its id as ``id``; old bodies only have that one.
        return Reached(Client(id=id or device_guid, type=platform, **attributes), None)
    # In v2 the unified sdk client has another id, and its device has this one.
    moved = {
        name: attributes.pop(name) for name in ("info", "integration_id") if name in attributes
    }
    device = Device(
        id=id or device_id,
        type=platform,
        guid=device_guid or device_id,
        last_seen=attributes.get("last_seen"),
        push_token=push_token,
        app_version=app_version,
        **moved,
    )
    return Reached(Client(type="sdk", device=device, **attributes), device)


def _status(*, active: bool | None, blocked: bool | None) -> str | None:
    """Return v2's status for "blocked and active, which were marked as deprecated in v1.1"."""
    if blocked:
        return "blocked"
    return None if active is None else ("active" if active else "inactive")


REACHED = Part(_reached, ClientShape)


class UserShape(Shape):
    """An appUser: full or truncated, by trigger and by the webhook's options."""

    id = fields.Id(data_key="_id")
    external_id = fields.Id(data_key="userId")
    given_name = fields.Text(data_key="givenName")
    surname = fields.Text()
    email = fields.Text()
    avatar_url = fields.Text(data_key="avatarUrl")
    locale = fields.Text()
    metadata = fields.Object(data_key="properties")
    signed_up_at = fields.Instant(data_key="signedUpAt")
    clients = Many(REACHED)
    devices = Many(REACHED)  # "renamed to clients long ago and kept for compatibility only"
    pending_clients = Many(REACHED, data_key="pendingClients")


def _user(
    clients: tuple[Reached, ...] = (),
    devices: tuple[Reached, ...] = (),
    pending_clients: tuple[Reached, ...] = (),
    **attributes: Any,
) -> User:
    linked = tuple(reached.client for reached in clients or devices)
    pending = tuple(_pending(reached.client) for reached in pending_clients)
    return User(clients=linked + pending, **attributes)


def _pending(client: Client) -> Client:
    """Return *client* with the status that v2 has for "previously called pendingClients"."""
    return client if client.status == "pending" else replace(client, status="pending")


def user_field(**kwargs: Any) -> Part:
    """Return a field for an appUser."""
    return Part(_user, UserShape, **kwargs)


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
    """The channel that something came through, without its ``id``, which only the vendor uses."""

    type = channel()
    integration_id = fields.Id(data_key="integrationId")
    original_message_id = fields.Id(data_key="originalMessageId")
    original_message_at = fields.Instant(data_key="originalMessageTimestamp")


SOURCE = Part(Source, SourceShape)


class AuthorShape(Shape):
    """The author of a message: keys of the message itself."""

    role = fields.Text()
    user_id = fields.Id(data_key="authorId")
    display_name = fields.Text(data_key="name")
    avatar_url = fields.Text(data_key="avatarUrl")
    email = fields.Text()
    subtypes = Many(fields.Text(), data_key="subroles")


def _author(role: str | None = None, **attributes: Any) -> Author:
    return Author(type=author_type(role), **attributes)


class QuotedShape(Shape):
    """The message that a message replies to; v2 renamed ``content`` to ``message``."""

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


def _kind_of(message: Mapping[str, Any]) -> str | None:
    """Return the type of the content of a *message* that names none: v1 did not require it.

    A body that has what only newer contents have is of a type that nobody knows.
    """
    if isinstance(message.get("mediaUrl"), str):
        is_image = str(message.get("mediaType", "")).startswith("image/")
        return "image" if is_image else "file"
    if isinstance(message.get("coordinates"), dict):
        return "location"
    if message.get("items") or message.get("fields"):
        return ""
    return "text" if message.get("text") is not None or message.get("actions") else None


_CONTENT = OneOf(CONTENT.parts, CONTENT.otherwise, kind_of=_kind_of)


class MessageShape(Shape):
    """A message, flat."""

    id = fields.Id(data_key="_id")
    received_at = fields.Instant(data_key="received")
    role = fields.Text()
    author = Beside(Part(_author, AuthorShape))
    content = Beside(_CONTENT)
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
    # A delivery report names a message's id, and says nothing of its author and its content.
    if role is None and author == Author():
        author = None
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
    message_id = message.id if message is not None else None
    return Postback(message_id=message_id, message=message, **(action or {}))


class ActivityShape(Shape):
    """``typing:start`` or ``typing:stop``."""

    type = fields.Text()


class NotificationShape(Shape):
    """A message sent by the Notification API."""

    id = fields.Id(data_key="_id")


class MatchShape(Shape):
    """The user whom a notification reached."""

    user = user_field(data_key="appUser")
    place = Part(_place, ConversationShape, data_key="conversation")


class BodyShape(Shape):
    """The body of any trigger: each has some of these keys. Arrays are narrowed to one item."""

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
