"""The unified event: one thing that happened, whoever sent it in whatever version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from hookkit.core.constructors import quickly_made
from hookkit.core.delivery import Item
from hookkit.core.parts import (
    Author,
    Client,
    Conversation,
    DeliveryReport,
    ErrorInfo,
    Message,
    Postback,
    Referral,
    Source,
    User,
)


class EventType(StrEnum):
    """What happened, in hookkit's words: Sunshine Conversations v2's, and more in its grammar."""

    CONVERSATION_CREATE = "conversation:create"
    CONVERSATION_UPDATE = "conversation:update"
    CONVERSATION_PROPERTIES = "conversation:properties"
    CONVERSATION_TAG = "conversation:tag"
    CONVERSATION_UNTAG = "conversation:untag"
    CONVERSATION_ACCESS = "conversation:access"
    CONVERSATION_SUMMARY = "conversation:summary"
    CONVERSATION_CLOSE = "conversation:close"
    CONVERSATION_REMOVE = "conversation:remove"
    CONVERSATION_QUEUE = "conversation:queue"
    CONVERSATION_TRANSFER = "conversation:transfer"
    CONVERSATION_JOIN = "conversation:join"
    CONVERSATION_LEAVE = "conversation:leave"
    MESSAGE = "conversation:message"
    MESSAGE_UPDATE = "conversation:message:update"
    MESSAGE_REMOVE = "conversation:message:remove"
    DELIVERY_CHANNEL = "conversation:message:delivery:channel"
    DELIVERY_USER = "conversation:message:delivery:user"
    DELIVERY_FAILURE = "conversation:message:delivery:failure"
    POSTBACK = "conversation:postback"
    READ = "conversation:read"
    TYPING = "conversation:typing"
    REFERRAL = "conversation:referral"
    CLIENT_ADD = "client:add"
    CLIENT_UPDATE = "client:update"
    CLIENT_REMOVE = "client:remove"
    USER_CREATE = "user:create"
    USER_UPDATE = "user:update"
    USER_MERGE = "user:merge"
    USER_REMOVE = "user:remove"
    AGENT_STATUS = "agent:status"
    AGENT_CREATE = "agent:create"
    AGENT_UPDATE = "agent:update"
    AGENT_REMOVE = "agent:remove"
    NOTIFICATION_CHANNEL = "notification:delivery:channel"
    NOTIFICATION_USER = "notification:delivery:user"
    NOTIFICATION_FAILURE = "notification:delivery:failure"
    ACCEPT_CONTROL = "switchboard:acceptControl"
    ACCEPT_CONTROL_FAILURE = "switchboard:acceptControl:failure"
    OFFER_CONTROL = "switchboard:offerControl"
    OFFER_CONTROL_FAILURE = "switchboard:offerControl:failure"
    PASS_CONTROL = "switchboard:passControl"
    PASS_CONTROL_FAILURE = "switchboard:passControl:failure"
    RELEASE_CONTROL = "switchboard:releaseControl"
    #: A vendor's test ping.
    TEST = "test"
    #: Known, documented, and without a counterpart in this model: read ``raw``.
    OTHER = "other"
    #: Not understood: read ``problems`` and ``raw``.
    UNKNOWN = "unknown"

    # An equal text is found by it, and ``Enum`` has a slower one, written in Python.
    __hash__ = str.__hash__


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event:
    """What every event has.

    Attributes:
        id: Identifies it across redeliveries; the vendor's, or derived where it has none.
        type: What happened.
        provider: Which vendor's words were read.
        endpoint: Which endpoint received it.
        version: The payload version it was read from.
        vendor_type: The vendor's word, as sent.
        webhook_id: The vendor's id of the registered webhook, where it says.
        tenant_id: The vendor's id of the account or app, where it says.
        occurred_at: By the vendor's clock; None when it does not say.
        received_at: When the delivery arrived here.
        conversation: Where it happened.
        user: The customer concerned.
        actor: Who did it; for a message, its author.
        source: The channel it came through, for events that are not a message.
        reason: Why, in the vendor's word.
        extra: Further fields worth a name.
        problems: What could not be read, one line each; the rest was read all the same.
        raw: The vendor's own item, without the vendor's secret.
    """

    id: str
    type: EventType
    provider: str
    endpoint: str
    version: str
    vendor_type: str
    received_at: datetime
    webhook_id: str | None = None
    tenant_id: str | None = None
    occurred_at: datetime | None = None
    conversation: Conversation | None = None
    user: User | None = None
    actor: Author | None = None
    source: Source | None = None
    reason: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        # What people wrote to each other has no place in a log, and a log is where reprs go.
        return (
            f"<{type(self).__name__} {self.type.value} {self.id!r}"
            f" from {self.provider} {self.version}>"
        )


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MessageEvent(Event):
    """Somebody said something, changed it or took it back."""

    conversation: Conversation
    message: Message


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeliveryEvent(Event):
    """A message got one stage further, or failed to.

    Attributes:
        message: Its id, and more where the version repeats the message; for
            ``notification:delivery:*`` the id of the notification.
        delivery: Which stage, where to, and the error.
    """

    message: Message
    delivery: DeliveryReport


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PostbackEvent(Event):
    """Somebody pressed a button."""

    postback: Postback


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActivityEvent(Event):
    """Somebody read or types.

    Attributes:
        state: Of typing: ``start`` or ``stop``.
        read_at: Up to when the conversation is read.
    """

    state: str | None = None
    read_at: datetime | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConversationEvent(Event):
    """Something happened to a conversation as a whole."""

    conversation: Conversation
    referral: Referral | None = None
    tags: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    access: Mapping[str, Any] = field(default_factory=dict)
    queue: Mapping[str, Any] = field(default_factory=dict)
    summary: str | None = None
    transferred_to: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReferralEvent(Event):
    """A user came to a conversation by a link, a code or an ad."""

    referral: Referral


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClientEvent(Event):
    """A user's channel was added, changed or removed."""

    client: Client
    error: ErrorInfo | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UserEvent(Event):
    """Something happened to a user."""

    user: User


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MergeEvent(Event):
    """Two users turned out to be one; several discarded users are several events.

    Attributes:
        metadata: Of the discarded user, as far as it is lost.
    """

    surviving: User
    discarded: User
    surviving_conversation: Conversation | None = None
    discarded_conversation: Conversation | None = None
    surviving_client: Client | None = None
    discarded_client: Client | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AgentEvent(Event):
    """Something happened to an agent.

    Attributes:
        state: ``accepting_chats``, ``not_accepting_chats`` or ``offline``.
    """

    agent: Author
    state: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ControlEvent(Event):
    """Control over a conversation passed, or failed to pass, between integrations."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorInfo | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TestEvent(Event):
    """The vendor tries whether somebody answers."""

    __test__ = False  # pytest would collect it by its name


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OtherEvent(Event):
    """Documented, without a counterpart in this model: read ``raw``."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnknownEvent(Event):
    """Not understood: read ``problems`` and ``raw``."""


def _class_of(event_type: EventType) -> type[Event]:
    family, _, word = event_type.value.partition(":")
    match family, word:
        case "conversation", "message" | "message:update" | "message:remove":
            return MessageEvent
        case (("conversation" | "notification"), _) if "delivery:" in word:
            return DeliveryEvent
        case "conversation", "read" | "typing":
            return ActivityEvent
        case "user", "merge":
            return MergeEvent
    special: dict[EventType, type[Event]] = {
        EventType.POSTBACK: PostbackEvent,
        EventType.REFERRAL: ReferralEvent,
        EventType.TEST: TestEvent,
        EventType.OTHER: OtherEvent,
        EventType.UNKNOWN: UnknownEvent,
    }
    families: dict[str, type[Event]] = {
        "conversation": ConversationEvent,
        "client": ClientEvent,
        "user": UserEvent,
        "agent": AgentEvent,
        "switchboard": ControlEvent,
    }
    return special.get(event_type) or families[family]


#: The class that every event of a type has.
EVENT_CLASSES: Mapping[EventType, type[Event]] = {kind: _class_of(kind) for kind in EventType}


class EventParts(TypedDict, total=False):
    """What a provider has read of an event, by the names of the attributes; None says nothing."""

    webhook_id: str | None
    tenant_id: str | None
    occurred_at: datetime | None
    conversation: Conversation | None
    user: User | None
    actor: Author | None
    source: Source | None
    reason: str | None
    extra: Mapping[str, Any]
    message: Message | None
    delivery: DeliveryReport | None
    postback: Postback | None
    state: str | None
    read_at: datetime | None
    referral: Referral | None
    tags: tuple[str, ...] | None
    properties: Mapping[str, Any] | None
    access: Mapping[str, Any] | None
    queue: Mapping[str, Any] | None
    summary: str | None
    transferred_to: Mapping[str, Any] | None
    client: Client | None
    error: ErrorInfo | None
    surviving: User | None
    discarded: User | None
    surviving_conversation: Conversation | None
    discarded_conversation: Conversation | None
    surviving_client: Client | None
    discarded_client: Client | None
    metadata: Mapping[str, Any] | None
    agent: Author | None


def build_event(
    item: Item, kind: EventType, parts: EventParts, problems: Sequence[str] = ()
) -> Event:
    """Return the event of *kind* that *parts* make.

    Parts that the kind's class does not have are left out; without a part that it must
    have, the event is ``unknown`` and a problem names the part.
    """
    event_class = EVENT_CLASSES[kind]
    names, required = _PARTS[event_class]
    given: dict[str, Any] = {
        name: part for name, part in parts.items() if part is not None and name in names
    }
    if not required <= given.keys():
        missing = [name for name in names if name in required and name not in given]
        gaps = (f"{name}: missing, so this is no {kind.value}" for name in missing)
        return build_event(item, EventType.UNKNOWN, parts, (*problems, *gaps))
    payload = item.payload
    return event_class(
        id=item.event_id,
        type=kind,
        provider=payload.provider,
        endpoint=payload.endpoint,
        version=payload.version,
        vendor_type=item.vendor_type,
        received_at=payload.received_at,
        problems=tuple(problems),
        raw=item.raw,
        **given,
    )


def unknown_event(item: Item, *problems: str) -> Event:
    """Return the event of an item that is not understood."""
    reasons = problems if item.problem is None else (item.problem, *problems)
    return build_event(item, EventType.UNKNOWN, {}, reasons)


#: What ``build_event`` fills in from the item.
_FROM_ITEM = frozenset(
    [
        *("id", "type", "provider", "endpoint", "version", "vendor_type", "received_at"),
        *("problems", "raw"),
    ]
)


def _parts_of(event_class: type[Event]) -> tuple[dict[str, None], frozenset[str]]:
    attributes = [each for each in fields(event_class) if each.name not in _FROM_ITEM]
    required = (
        each.name
        for each in attributes
        if each.default is MISSING and each.default_factory is MISSING
    )
    return dict.fromkeys(each.name for each in attributes), frozenset(required)


#: class -> the parts that it may have, in their order; and those that it must have
_PARTS = {event_class: _parts_of(event_class) for event_class in EVENT_CLASSES.values()}
