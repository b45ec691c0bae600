"""Receive webhooks in Flask: prove the sender, keep every event, handle it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hookkit.core.attempts import Outcome, RetryPolicy
from hookkit.core.content import (
    Action,
    Card,
    Cards,
    Carousel,
    Choice,
    Content,
    Custom,
    File,
    Form,
    FormField,
    FormResponse,
    Image,
    ItemList,
    Location,
    MediaItem,
    RichMessage,
    Template,
    Text,
    UnknownContent,
)
from hookkit.core.delivery import VerifiedDelivery
from hookkit.core.entry import Filter, State
from hookkit.core.errors import (
    ConfigurationError,
    Discard,
    HookkitError,
    Rejected,
    ReplayRefused,
    RetryLater,
    Unavailable,
)
from hookkit.core.event import (
    ActivityEvent,
    AgentEvent,
    ClientEvent,
    ControlEvent,
    ConversationEvent,
    DeliveryEvent,
    Event,
    EventType,
    MergeEvent,
    MessageEvent,
    OtherEvent,
    PostbackEvent,
    ReferralEvent,
    TestEvent,
    UnknownEvent,
    UserEvent,
)
from hookkit.core.parts import (
    Author,
    AuthorType,
    Client,
    Control,
    Conversation,
    DeliveryReport,
    Destination,
    Device,
    ErrorInfo,
    Identity,
    Message,
    Participant,
    Postback,
    Referral,
    Source,
    User,
)
from hookkit.standalone import sign, verify

if TYPE_CHECKING:
    from hookkit.handling.dispatch import Run
    from hookkit.operating.operations import Stats
    from hookkit.operating.secret_use import SecretUse
    from hookkit.web.extension import HookKit

__all__ = [
    "Action",
    "ActivityEvent",
    "AgentEvent",
    "Author",
    "AuthorType",
    "Card",
    "Cards",
    "Carousel",
    "Choice",
    "Client",
    "ClientEvent",
    "ConfigurationError",
    "Content",
    "Control",
    "ControlEvent",
    "Conversation",
    "ConversationEvent",
    "Custom",
    "DeliveryEvent",
    "DeliveryReport",
    "Destination",
    "Device",
    "Discard",
    "ErrorInfo",
    "Event",
    "EventType",
    "File",
    "Filter",
    "Form",
    "FormField",
    "FormResponse",
    "HookKit",
    "HookkitError",
    "Identity",
    "Image",
    "ItemList",
    "Location",
    "MediaItem",
    "MergeEvent",
    "Message",
    "MessageEvent",
    "OtherEvent",
    "Outcome",
    "Participant",
    "Postback",
    "PostbackEvent",
    "Referral",
    "ReferralEvent",
    "Rejected",
    "ReplayRefused",
    "RetryLater",
    "RetryPolicy",
    "RichMessage",
    "Run",
    "SecretUse",
    "Source",
    "State",
    "Stats",
    "Template",
    "TestEvent",
    "Text",
    "Unavailable",
    "UnknownContent",
    "UnknownEvent",
    "User",
    "UserEvent",
    "VerifiedDelivery",
    "sign",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Return what needs Flask or SQLAlchemy, which ``verify`` and ``sign`` do without."""
    if name not in ("HookKit", "Run", "SecretUse", "Stats"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hookkit.handling.dispatch import Run  # noqa: PLC0415
    from hookkit.operating.operations import Stats  # noqa: PLC0415
    from hookkit.operating.secret_use import SecretUse  # noqa: PLC0415
    from hookkit.web.extension import HookKit  # noqa: PLC0415

    globals().update(HookKit=HookKit, Run=Run, SecretUse=SecretUse, Stats=Stats)
    return globals()[name]
