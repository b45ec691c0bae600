"""What a type checker knows of ``HookKit.on``: which class of event each trigger hands over.

``tests/test_types.py`` holds these words against ``hookkit.core.event.EVENT_CLASSES``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from hookkit.core.attempts import RetryPolicy
from hookkit.core.event import (
    ActivityEvent,
    AgentEvent,
    ClientEvent,
    ControlEvent,
    ConversationEvent,
    DeliveryEvent,
    MergeEvent,
    MessageEvent,
    PostbackEvent,
    ReferralEvent,
    UserEvent,
)
from hookkit.core.handlers import AuthorWord
from hookkit.handling.dispatch import Run


class HandlerOptions(TypedDict, total=False):
    """The keywords of ``HookKit.on``, which describes them."""

    author: AuthorWord | None
    channel: str | None
    control: str | None
    provider: str | None
    endpoint: str | None
    version: str | None
    when: Callable[[Any], bool] | None
    name: str | None
    retry: RetryPolicy | None
    transactional: bool
    ordered: bool


MessageWord: TypeAlias = Literal[
    "conversation:message",
    "conversation:message:update",
    "conversation:message:remove",
]
DeliveryWord: TypeAlias = Literal[
    "conversation:message:delivery:channel",
    "conversation:message:delivery:user",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:*",
    "notification:delivery:channel",
    "notification:delivery:user",
    "notification:delivery:failure",
    "notification:delivery:*",
]
PostbackWord: TypeAlias = Literal["conversation:postback"]
ActivityWord: TypeAlias = Literal["conversation:read", "conversation:typing"]
ReferralWord: TypeAlias = Literal["conversation:referral"]
ConversationWord: TypeAlias = Literal[
    "conversation:create",
    "conversation:update",
    "conversation:properties",
    "conversation:tag",
    "conversation:untag",
    "conversation:access",
    "conversation:summary",
    "conversation:close",
    "conversation:remove",
    "conversation:queue",
    "conversation:transfer",
    "conversation:join",
    "conversation:leave",
]
ClientWord: TypeAlias = Literal["client:add", "client:update", "client:remove", "client:*"]
UserWord: TypeAlias = Literal["user:create", "user:update", "user:remove"]
MergeWord: TypeAlias = Literal["user:merge"]
AgentWord: TypeAlias = Literal[
    "agent:status", "agent:create", "agent:update", "agent:remove", "agent:*"
]
ControlWord: TypeAlias = Literal[
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
    "switchboard:*",
]

# A handler stays the function that it is, so that each family needs a variable of its own: the
# bound of one cannot depend on another.
MessageHandler = TypeVar(
    "MessageHandler",
    bound=Callable[[MessageEvent], object] | Callable[[MessageEvent, Run], object],
)
DeliveryHandler = TypeVar(
    "DeliveryHandler",
    bound=Callable[[DeliveryEvent], object] | Callable[[DeliveryEvent, Run], object],
)
PostbackHandler = TypeVar(
    "PostbackHandler",
    bound=Callable[[PostbackEvent], object] | Callable[[PostbackEvent, Run], object],
)
ActivityHandler = TypeVar(
    "ActivityHandler",
    bound=Callable[[ActivityEvent], object] | Callable[[ActivityEvent, Run], object],
)
ReferralHandler = TypeVar(
    "ReferralHandler",
    bound=Callable[[ReferralEvent], object] | Callable[[ReferralEvent, Run], object],
)
ConversationHandler = TypeVar(
    "ConversationHandler",
    bound=Callable[[ConversationEvent], object] | Callable[[ConversationEvent, Run], object],
)
ClientHandler = TypeVar(
    "ClientHandler",
    bound=Callable[[ClientEvent], object] | Callable[[ClientEvent, Run], object],
)
UserHandler = TypeVar(
    "UserHandler", bound=Callable[[UserEvent], object] | Callable[[UserEvent, Run], object]
)
MergeHandler = TypeVar(
    "MergeHandler", bound=Callable[[MergeEvent], object] | Callable[[MergeEvent, Run], object]
)
AgentHandler = TypeVar(
    "AgentHandler", bound=Callable[[AgentEvent], object] | Callable[[AgentEvent, Run], object]
)
ControlHandler = TypeVar(
    "ControlHandler", bound=Callable[[ControlEvent], object] | Callable[[ControlEvent, Run], object]
)
