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
from hookkit.inbox.records import AttemptRecord, EntryRecord
from hookkit.providers import load_providers
from hookkit.schemas import EventSchema
from hookkit.testing import (
    Delivered,
    DeliveryClient,
    InboxView,
    MovableClock,
    PayloadMaker,
    ProviderContract,
    SamplePayload,
    assert_idempotent,
)

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


@hooks.on("conversation:message", author="agent")  # type: ignore[call-overload, untyped-decorator]
def nobody_is_an_agent(event: Event) -> None:
    pass


# A trigger hands over one class of event: another one is a mistake, its base is none.


@hooks.on("conversation:message")  # type: ignore[type-var]
def takes_another_class(event: PostbackEvent) -> None:
    pass


@hooks.on("conversation:message:delivery:*", "notification:delivery:failure")
def takes_the_class(event: DeliveryEvent, run: Run) -> int:
    return run.attempt


@hooks.on("switchboard:*", control="bot")  # type: ignore[type-var]
async def takes_another_class_later(event: MessageEvent, run: Run) -> None:
    pass


@hooks.on("conversation:message", "conversation:postback")
def takes_two_classes(event: MessageEvent | PostbackEvent) -> None:
    pass


def word() -> str:
    return "conversation:message"


@hooks.on(word())
def takes_what_nobody_knows(event: MessageEvent) -> None:
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
    seen: list[MessageEvent] = []
    hooks.on("conversation:message")(seen.append)
    hooks.on("conversation:message")(lambda event: event.message.text)


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
    app.wsgi_app = hooks.wsgi(app)  # type: ignore[method-assign]  # mypy says so of each middleware
    return app


def providers() -> Mapping[str, Provider]:
    return load_providers()


def schema(event: Event) -> object:
    return EventSchema().load(EventSchema().dump(event))


# A test that is annotated knows what its fixtures return.


def test_with_fixtures(
    hookkit_client: DeliveryClient,
    hookkit_sample: PayloadMaker,
    hookkit_inbox: InboxView,
    hookkit_clock: MovableClock,
) -> None:
    payload = hookkit_sample("sunshine", {"content.text": "Hi"}, version="v2", trigger=None)
    assert_type(payload, SamplePayload)
    assert_type(hookkit_sample("sunshine", **{"content.text": "Hi"}), SamplePayload)
    delivered = hookkit_client.deliver("support", payload)
    assert_type(delivered, Delivered)
    assert_type(delivered.status, int)
    assert_type(hookkit_client.deliver("support", {"type": "x"}), Delivered)
    hookkit_client.deliver(b"support")  # type: ignore[arg-type]
    assert_type(hookkit_inbox.entry, EntryRecord)
    assert_type(list(hookkit_inbox.attempts("greet")), list[AttemptRecord])
    assert_type(hookkit_clock.move(seconds=5), datetime)
    hookkit_clock.move("5s")  # type: ignore[call-arg,arg-type]
    seen: list[str] = []
    assert_idempotent(hookkit_client, lambda: hookkit_client.deliver("support"), effects=seen)


class TestShop(ProviderContract):
    settings = {"provider": "generic", "secrets": ["the-secret-of-the-shop"]}  # noqa: RUF012
    payloads = [{"id": 1}]  # noqa: RUF012
