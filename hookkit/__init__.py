"""Receive webhooks in Flask: prove the sender, keep every event, handle it once."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from hookkit.handling.dispatch import Run
    from hookkit.operating.operations import Stats
    from hookkit.operating.secret_use import SecretUse
    from hookkit.standalone import sign, verify
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


#: What needs Flask or SQLAlchemy, which ``verify`` and ``sign`` do without.
_OF_APPLICATIONS = ("HookKit", "Run", "SecretUse", "Stats")


def __getattr__(name: str) -> Any:
    """Return a public name; each half of them is imported when one of it is first used.

    pytest imports this package wherever it is installed, for ``hookkit.testing.plugin``.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    modules = _of_applications() if name in _OF_APPLICATIONS else _of_the_model()
    for module in modules:
        globals().update({each: vars(module)[each] for each in __all__ if each in vars(module)})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _of_the_model() -> tuple[ModuleType, ...]:
    from hookkit import standalone  # noqa: PLC0415
    from hookkit.core import (  # noqa: PLC0415
        attempts,
        content,
        delivery,
        entry,
        errors,
        event,
        parts,
    )

    return attempts, content, delivery, entry, errors, event, parts, standalone


def _of_applications() -> tuple[ModuleType, ...]:
    from hookkit.handling import dispatch  # noqa: PLC0415
    from hookkit.operating import operations, secret_use  # noqa: PLC0415
    from hookkit.web import extension  # noqa: PLC0415

    return dispatch, operations, secret_use, extension
