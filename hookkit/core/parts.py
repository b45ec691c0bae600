"""Who and where: the parts that events of every kind are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hookkit.core.constructors import quickly_made
from hookkit.core.content import Content


class AuthorType(StrEnum):
    """Who did it."""

    #: The customer.
    USER = "user"
    #: Somebody or something that speaks for the business; Sunshine does not tell them apart.
    BUSINESS = "business"
    #: A program that speaks for the business, where the vendor says so.
    BOT = "bot"
    #: The vendor's platform.
    SYSTEM = "system"
    #: Not said, or a word from the future.
    UNKNOWN = "unknown"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who did something.

    Attributes:
        inferred: True when the type was concluded from the shape of an id.
        subtypes: The vendor's own finer words.
    """

    type: AuthorType = AuthorType.UNKNOWN
    inferred: bool = False
    user_id: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    email: str | None = None
    subtypes: tuple[str, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A channel through which a user can be reached.

    Attributes:
        status: ``active``, ``blocked``, ``inactive``, ``pending`` or a newer word.
        external_id: The user's id on that channel.
        primary: Sunshine v1.x only.
        info: What the vendor found out, by its own names.
        raw: What the channel itself says of the user, in its own words: a profile, or the ad that
            was clicked.
        device: The browser or phone behind a client of type ``sdk``, where the body says it.
    """

    id: str | None = None
    type: str | None = None
    status: str | None = None
    integration_id: str | None = None
    external_id: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    last_seen: datetime | None = None
    linked_at: datetime | None = None
    primary: bool | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    device: Device | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A browser or phone behind a client of type ``sdk``."""

    id: str | None = None
    type: str | None = None
    guid: str | None = None
    client_id: str | None = None
    status: str | None = None
    integration_id: str | None = None
    last_seen: datetime | None = None
    push_token: str | None = None
    app_version: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A proven or claimed address of a user."""

    type: str | None = None
    value: str | None = None
    verification: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The customer.

    Attributes:
        id: The vendor's id.
        external_id: Your own id, where you gave the vendor one.
        clients: Only where the version puts them here; pending ones included.
        zendesk_id: The user's id in Zendesk Support.
        brand_id: The brand that the user belongs to, in Zendesk.
    """

    id: str | None = None
    external_id: str | None = None
    zendesk_id: str | None = None
    brand_id: str | None = None
    given_name: str | None = None
    surname: str | None = None
    email: str | None = None
    avatar_url: str | None = None
    locale: str | None = None
    phone: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    signed_up_at: datetime | None = None
    authenticated: bool | None = None
    identities: tuple[Identity, ...] = ()
    clients: tuple[Client, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody's membership in a conversation.

    Attributes:
        type: Who that is, where the vendor says it.
        name: Their display name, where the vendor says it.
    """

    user_id: str | None = None
    type: AuthorType | None = None
    name: str | None = None
    unread_count: int | None = None
    last_read: datetime | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An integration that has, or is offered, control over a conversation."""

    id: str | None = None
    name: str | None = None
    integration_id: str | None = None
    integration_type: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Where it happened.

    Attributes:
        id: None in Sunshine v1, which does not say.
        brand_id: The brand that it belongs to, in Zendesk.
    """

    id: str | None = None
    type: str | None = None
    display_name: str | None = None
    description: str | None = None
    brand_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    thread_id: str | None = None
    last_updated_at: datetime | None = None
    business_last_read: datetime | None = None
    channel: str | None = None
    participants: tuple[Participant, ...] = ()
    active_control: Control | None = None
    pending_control: Control | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The channel that something came through.

    Attributes:
        type: ``whatsapp``, ``web``, ``api:conversations``, ...
        original_message_id: The channel's own id of the message.
        campaign_id: The campaign that caused it.
    """

    type: str | None = None
    integration_id: str | None = None
    original_message_id: str | None = None
    original_message_at: datetime | None = None
    campaign_id: str | None = None
    client: Client | None = None
    device: Device | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The channel that something was sent to; ``destination_id`` is the address on it."""

    type: str | None = None
    integration_id: str | None = None
    destination_id: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something said in a conversation.

    Attributes:
        received_at: When the vendor got it.
        quoted: The message it answers to.
        override: Channel-specific bodies that the sender gave, by channel.
        schema: The vendor's word for how ``override`` is to be read.
        deleted: True for the placeholder of a message that is gone.
        private: Only for the business's own people.
    """

    id: str | None = None
    received_at: datetime | None = None
    author: Author | None = None
    content: Content | None = None
    source: Source | None = None
    destination: Destination | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    quoted: Message | None = None
    override: Mapping[str, Any] = field(default_factory=dict)
    schema: str | None = None
    deleted: bool = False
    private: bool = False

    @property
    def text(self) -> str:
        """The content's readable text, ``""`` when it has none."""
        return self.content.text if self.content is not None else ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """What went wrong at the vendor: act on ``code``, show ``message``.

    Attributes:
        underlying: What the channel said, in its own words.
        raw: The error as it was sent.
    """

    code: str | None = None
    message: str | None = None
    underlying: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """How far a message got on its way to the user.

    Attributes:
        stage: ``channel``, ``user`` or ``failure``.
        external_ids: The channel's ids; one message may become several.
        is_final: Whether a further report about the same destination is to be expected.
    """

    stage: str | None = None
    destination: Destination | None = None
    external_ids: tuple[str, ...] = ()
    is_final: bool | None = None
    error: ErrorInfo | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Postback:
    """A button that was pressed.

    Attributes:
        text: What the button says, where the version tells.
        message_id: The message it stands in, where the version tells.
        message: That message, where the version sends it.
    """

    payload: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    message_id: str | None = None
    message: Message | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """How a user found the conversation.

    Attributes:
        details: All that was sent of it, by the vendor's or the channel's names.
    """

    code: str | None = None
    source: str | None = None
    type: str | None = None
    ad_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
