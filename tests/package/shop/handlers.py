"""Handlers of every kind of trigger, as an application writes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import assert_type

from hookkit import (
    ActivityEvent,
    AgentEvent,
    ClientEvent,
    ControlEvent,
    ConversationEvent,
    DeliveryEvent,
    Event,
    Filter,
    HookKit,
    Image,
    MergeEvent,
    Message,
    MessageEvent,
    OtherEvent,
    PostbackEvent,
    ReferralEvent,
    RetryLater,
    RetryPolicy,
    Run,
    State,
    Text,
    UserEvent,
)

hooks = HookKit()
seen: list[str] = []


# One of each class of events.


@hooks.on("conversation:message", author="user", name="answer")
def answer(event: MessageEvent) -> None:
    match event.message:
        case Message(content=Text(text=text)):
            seen.append(assert_type(text, str))
        case Message(content=Image(media_url=url)):
            seen.append(assert_type(url, str | None) or "no address")
        case message:
            seen.append(message.text)


@hooks.on("conversation:message:delivery:*")
def track(event: DeliveryEvent) -> None:
    error = event.delivery.error
    seen.append("delivered" if error is None else error.code or "failed")


@hooks.on("conversation:postback", retry=RetryPolicy(max_attempts=3))
def press(event: PostbackEvent, run: Run) -> None:
    if run.attempt == 1 and event.postback.payload is None:
        raise RetryLater(timedelta(minutes=1))


@hooks.on("conversation:read", "conversation:typing")
def watch(event: ActivityEvent) -> str | None:
    return event.state


@hooks.on("conversation:referral")
def refer(event: ReferralEvent) -> str | None:
    return event.referral.code


@hooks.on("conversation:create", "conversation:close")
def keep(event: ConversationEvent) -> str | None:
    return event.conversation.id


@hooks.on("client:*")
def note_client(event: ClientEvent) -> str | None:
    return event.client.id


@hooks.on("user:create", "user:update", "user:remove")
async def note_user(event: UserEvent, run: Run) -> None:
    seen.append(f"{event.user.id} {run.attempt}")


@hooks.on("user:merge")
def merge(event: MergeEvent) -> None:
    seen.append(f"{event.discarded.id} is {event.surviving.id}")


@hooks.on("agent:*")
def note_agent(event: AgentEvent) -> None:
    seen.append(event.type)


@hooks.on("switchboard:*", control="bot")
def take_control(event: ControlEvent) -> None:
    seen.append(event.type)


# A vendor's own word, one word exactly as sent, and every event.


@hooks.on("message:appUser", "postback", channel="whatsapp", version="v1.1", provider="sunshine")
def old_words(event: MessageEvent | PostbackEvent) -> None:
    conversation = event.conversation
    seen.append("" if conversation is None else conversation.id or "")


@hooks.on("generic/order.created", endpoint="orders", when=lambda event: event.raw != {})
def order(event: OtherEvent) -> None:
    seen.append(str(event.raw))


@hooks.on("*", transactional=True)
def count(event: Event, run: Run) -> None:
    run.connection.exec_driver_sql("SELECT 1")
    seen.append(event.endpoint)


@hooks.fallback
def rest(event: Event) -> None:
    seen.append("nobody wanted it")


# A handler stays the function that it is, and a type checker finds mistakes.


def uses(event: MessageEvent, run: Run) -> None:
    plain: Callable[[MessageEvent], None] = answer
    plain(event)
    answer(event, run)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    register = hooks.on("conversation:message")
    register(press)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


def dead(endpoint: str) -> Filter:
    return Filter(state=State.DEAD, endpoint=endpoint)
