"""The objects of Sunshine Conversations v2, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from hookkit.core.parts import (
    Author,
    AuthorType,
    Client,
    Control,
    Conversation,
    Device,
    Identity,
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
    author_type,
    channel,
    external_ids,
)
from hookkit.schemas import fields
from hookkit.schemas.shape import Many, Part, Shape


class ProfileShape(Shape):
    """The person behind a user; sent with ``includeFullUser``."""

    given_name = fields.Text(data_key="givenName")
    surname = fields.Text()
    email = fields.Text()
    avatar_url = fields.Text(data_key="avatarUrl")
    locale = fields.Text()


class IdentityShape(Shape):
    """An address of a user."""

    type = fields.Text()
    value = fields.Text()
    verification = fields.Text()


class UserShape(Shape):
    """A user; official examples send ``externalId`` as a number too."""

    id = fields.Id()
    external_id = fields.Id(data_key="externalId")
    authenticated = fields.Truth()
    signed_up_at = fields.Instant(data_key="signedUpAt")
    profile = Part(dict, ProfileShape)
    zendesk_id = fields.Id(data_key="zendeskId")
    brand_id = fields.Id(data_key="brandId")
    metadata = fields.Object()
    identities = Many(Part(Identity, IdentityShape))


def _user(profile: Mapping[str, Any] | None = None, **attributes: Any) -> User:
    return User(**attributes, **profile) if profile is not None else User(**attributes)


USER = Part(_user, UserShape)


class ClientShape(Shape):
    """A channel of a user."""

    id = fields.Id()
    type = channel()
    status = fields.Text()
    integration_id = fields.Id(data_key="integrationId")
    external_id = fields.Id(data_key="externalId")
    display_name = fields.Text(data_key="displayName")
    avatar_url = fields.Text(data_key="avatarUrl")
    last_seen = fields.Instant(data_key="lastSeen")
    linked_at = fields.Instant(data_key="linkedAt")
    info = fields.Object()
    raw = fields.Object()


CLIENT = Part(Client, ClientShape)


class DeviceShape(Shape):
    """A device behind an ``sdk`` client; sent with ``includeFullSource``."""

    id = fields.Id()
    type = channel()
    guid = fields.Id()
    client_id = fields.Id(data_key="clientId")
    status = fields.Text()
    integration_id = fields.Id(data_key="integrationId")
    last_seen = fields.Instant(data_key="lastSeen")
    push_token = fields.Text(data_key="pushNotificationToken")
    app_version = fields.Text(data_key="appVersion")
    info = fields.Object()


DEVICE = Part(Device, DeviceShape)


class ControlShape(Shape):
    """An integration of the switchboard."""

    id = fields.Id()
    name = fields.Text()
    integration_id = fields.Id(data_key="integrationId")
    integration_type = channel(data_key="integrationType")


class ParticipantShape(Shape):
    """A user's membership."""

    user_id = fields.Id(data_key="userId")
    unread_count = fields.Whole(data_key="unreadCount")
    last_read = fields.Instant(data_key="lastRead")


class ConversationShape(Shape):
    """A conversation, truncated in most bodies."""

    id = fields.Id()
    type = fields.Text()
    display_name = fields.Text(data_key="displayName")
    description = fields.Text()
    brand_id = fields.Id(data_key="brandId")
    metadata = fields.Object()
    last_updated_at = fields.Instant(data_key="lastUpdatedAt")
    business_last_read = fields.Instant(data_key="businessLastRead")
    participants = Many(Part(Participant, ParticipantShape))
    active_control = Part(Control, ControlShape, data_key="activeSwitchboardIntegration")
    pending_control = Part(Control, ControlShape, data_key="pendingSwitchboardIntegration")


CONVERSATION = Part(Conversation, ConversationShape)


class CampaignShape(Shape):
    """A campaign."""

    id = fields.Id()


def with_device(client: Client | None, device: Device | None) -> Client | None:
    """Return *client* with *device*, if it is the one behind it."""
    if client is None or device is None or client.type != "sdk":
        return client
    return replace(client, device=device) if device.client_id in (None, client.id) else client


class SourceShape(Shape):
    """The channel that something came through."""

    type = channel()
    integration_id = fields.Id(data_key="integrationId")
    original_message_id = fields.Id(data_key="originalMessageId")
    original_message_at = fields.Instant(data_key="originalMessageTimestamp")
    campaign_id = Part(lambda id=None: id, CampaignShape, data_key="campaign")  # noqa: A006
    client = CLIENT
    device = DEVICE


def _source(
    client: Client | None = None, device: Device | None = None, **attributes: Any
) -> Source:
    return Source(client=with_device(client, device), device=device, **attributes)


SOURCE = Part(_source, SourceShape)


class AuthorShape(Shape):
    """The author of something, with the whole user."""

    type = fields.Text()
    user_id = fields.Id(data_key="userId")
    display_name = fields.Text(data_key="displayName")
    avatar_url = fields.Text(data_key="avatarUrl")
    subtypes = Many(fields.Text())
    user = USER


class Somebody(NamedTuple):
    """An author, and the user that the author is."""

    author: Author
    user: User | None


def _somebody(
    type: str | None = None,  # noqa: A002  # the payload's word
    user: User | None = None,
    **attributes: Any,
) -> Somebody:
    # "userId: only for authors of type user", should the type be missing.
    is_user = type is None and (user is not None or "user_id" in attributes)
    kind = AuthorType.USER if is_user else author_type(type)
    return Somebody(Author(type=kind, inferred=is_user, **attributes), user)


SOMEBODY_FIELD = Part(_somebody, AuthorShape, data_key="author")


class QuotedShape(Shape):
    """The message that a message replies to, or only its id on the channel."""

    said = Part(
        lambda **attributes: _said(**attributes), lambda: MessageShape(), data_key="message"
    )
    external_id = fields.Id(data_key="externalMessageId")


def _quoted(said: Said | None = None, external_id: str | None = None) -> Message | None:
    if said is None and external_id is not None:
        return Message(source=Source(original_message_id=external_id))
    return said.message if said is not None else None


class MessageShape(Shape):
    """A message, or in a delivery report only its id."""

    id = fields.Id()
    received_at = fields.Instant(data_key="received")
    somebody = SOMEBODY_FIELD
    content = CONTENT
    source = SOURCE
    destination = DESTINATION
    metadata = fields.Object()
    quoted = Part(_quoted, QuotedShape, data_key="quotedMessage")
    override = fields.Object()
    schema = fields.Text()
    deleted = fields.Truth()
    activity = fields.Object()
    references = fields.Anything()


class Said(NamedTuple):
    """A message, its author as a user, and keys that the model has no attribute for."""

    message: Message
    user: User | None
    extra: dict[str, Any]


def _said(
    somebody: Somebody | None = None,
    activity: Mapping[str, Any] | None = None,
    references: object = None,
    **attributes: Any,
) -> Said:
    extra: dict[str, Any] = {}
    if activity is not None:
        extra["activity"] = activity
    if references is not None:
        extra["references"] = references
    author, user = somebody if somebody is not None else (None, None)
    return Said(Message(author=author, **attributes), user, extra)


class ActivityShape(Shape):
    """Reading or typing."""

    type = fields.Text()
    somebody = SOMEBODY_FIELD
    source = SOURCE


class PostbackShape(Shape):
    """A pressed button: "the message and action [...] are no longer included"."""

    payload = fields.Text()
    metadata = fields.Object()


class PairShape(Shape):
    """Two users who became one."""

    surviving = USER
    discarded = USER


class ConversationPairShape(Shape):
    """Their conversations."""

    surviving = CONVERSATION
    discarded = CONVERSATION


class ClientPairShape(Shape):
    """Their clients."""

    surviving = CLIENT
    discarded = CLIENT


class PayloadShape(Shape):
    """The payload of any event: each has some of these keys."""

    conversation = CONVERSATION
    user = USER
    said = Part(_said, MessageShape, data_key="message")
    recent_notifications = fields.Anything(data_key="recentNotifications")
    postback = Part(Postback, PostbackShape)
    activity = Part(dict, ActivityShape)
    client = CLIENT
    reason = fields.Text()
    creation_reason = fields.Text(data_key="creationReason")
    source = SOURCE
    referral = REFERRAL
    destination = DESTINATION
    external_ids = external_ids()
    is_final = fields.Truth(data_key="isFinalEvent")
    error = ERROR
    metadata = fields.Object()
    users = Part(dict, PairShape, data_key="mergedUsers")
    conversations = Part(dict, ConversationPairShape, data_key="mergedConversations")
    clients = Part(dict, ClientPairShape, data_key="mergedClients")
    discarded_metadata = fields.Object(data_key="discardedMetadata")


class EventShape(Shape):
    """One element of ``events``."""

    created_at = fields.Instant(data_key="createdAt")
    payload = Part(dict, PayloadShape)
