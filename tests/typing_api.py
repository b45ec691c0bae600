"""Uses of the public names that only a type checker reads; ``test_types.py`` has it read.

A line that must be an error says so with an ignore: the checker complains about one that is
not needed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_type

from flask import Blueprint, Flask

from hookkit import (
    ActivityEvent,
    Author,
    AuthorType,
    ClientEvent,
    Content,
    Conversation,
    ConversationEvent,
    DeliveryEvent,
    DeliveryReport,
    ErrorInfo,
    Event,
    EventType,
    HookKit,
    Image,
    MergeEvent,
    Message,
    MessageEvent,
    PostbackEvent,
    Referral,
    ReferralEvent,
    RetryPolicy,
    Run,
    Text,
    User,
    UserEvent,
)
from hookkit.core.provider import Provider
from hookkit.providers import load_providers
from hookkit.schemas import EventSchema

hooks = HookKit()


# A handler stays the function that it is.


@hooks.on("conversation:message", author="user")
def greet(event: MessageEvent) -> None:
    assert_type(event.conversation, Conversation)
    assert_type(event.message, Message)
    assert_type(event.message.text, str)
    assert_type(event.message.content, Content | None)
    assert_type(event.message.received_at, datetime | None)
    assert_type(event.user, User | None)
    assert_type(event.occurred_at, datetime | None)
    assert_type(event.received_at, datetime)


@hooks.on("message:appUser", "postback", retry=RetryPolicy(max_attempts=3), name="two")
def with_run(event: Event, run: Run) -> None:
    assert_type(run.attempt, int)
    assert_type(run.is_replay, bool)


@hooks.on("*", when=lambda event: event.endpoint == "support")
async def later(event: Event) -> None:
    assert_type(event.type, EventType)


@hooks.on("client:*")
def answers(event: Event) -> str:
    return "nobody takes what a handler returns"


@hooks.on("conversation:message", author="agent")  # type: ignore[arg-type]
def nobody_is_an_agent(event: Event) -> None:
    pass


@hooks.fallback
def rest(event: Event) -> None:
    pass


def uses_of_handlers(message: MessageEvent, event: Event, run: Run) -> None:
    assert_type(greet(message), None)
    assert_type(with_run(event, run), None)
    assert_type(rest(event), None)
    greet("hello")  # type: ignore[arg-type]
    greet(message, 5)  # type: ignore[call-arg]


# Every family has its own parts, and ``match`` tells them.


def by_class(event: Event) -> str | None:  # noqa: C901  # one case for each family
    match event:
        case MessageEvent(message=Message(content=Text(text=text))):
            return assert_type(text, str)
        case MessageEvent(message=Message(content=Image(media_url=url))):
            return assert_type(url, str | None)
        case MessageEvent():
            return event.conversation.id
        case DeliveryEvent(delivery=DeliveryReport(error=ErrorInfo(code=code))):
            return assert_type(code, str | None)
        case PostbackEvent(postback=postback):
            return assert_type(postback.payload, str | None)
        case ActivityEvent():
            return event.state
        case ConversationEvent():
            assert_type(event.referral, Referral | None)
            return event.conversation.id
        case ReferralEvent():
            return assert_type(event.referral, Referral).code
        case ClientEvent():
            return event.client.id
        case UserEvent():
            return assert_type(event.user, User).id
        case MergeEvent(surviving=surviving, discarded=discarded):
            return assert_type(surviving, User).id or assert_type(discarded, User).id
        case _:
            return event.reason


def by_author(author: Author) -> bool:
    return assert_type(author.type, AuthorType) is AuthorType.USER


def events_are_values(event: MessageEvent) -> None:
    event.id = "another"  # type: ignore[misc]
    event.postback  # type: ignore[attr-defined]  # noqa: B018
    MessageEvent(id="1")  # type: ignore[call-arg]


# The rest of the public names.


def application() -> Flask:
    app = Flask(__name__)
    hooks.init_app(app)
    app.register_blueprint(assert_type(hooks.blueprint, Blueprint))
    return app


def providers() -> Mapping[str, Provider]:
    return load_providers()


def schema(event: Event) -> object:
    return EventSchema().load(EventSchema().dump(event))
