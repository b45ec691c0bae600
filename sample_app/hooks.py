"""The handlers: what this application does when something happens at the vendor.

hookkit calls a handler after the vendor has heard its 200, in an application context of its
own, until it has succeeded once. It may be called again for the same event if the process
dies at the wrong moment: make handlers so that this does no harm.
"""

from __future__ import annotations

from hookkit import (
    ActivityEvent,
    DeliveryEvent,
    Event,
    HookKit,
    MessageEvent,
    PostbackEvent,
    RetryPolicy,
    Run,
    UserEvent,
)
from sample_app.store import note

hooks = HookKit()


class FlakyServiceError(Exception):
    """Some service of ours did not answer."""


@hooks.on("conversation:message", author="user")
def answer_customer(event: MessageEvent, run: Run) -> None:
    """Run for a customer's message, in any payload version."""
    name = (event.actor and event.actor.display_name) or "a customer"
    kind = type(event.message.content).__name__.lower()
    said = event.message.text or f"({kind} without text)"
    note(event, run, "answer_customer", f"{name} says: {said}")


@hooks.on(
    "conversation:message",
    author="user",
    when=lambda event: event.message.text.startswith("flaky"),
)
def look_up_order(event: MessageEvent, run: Run) -> None:
    """Fail the first time: hookkit tries again, and only this handler."""
    if run.attempt == 1:
        raise FlakyServiceError("the order service is away")
    note(event, run, "look_up_order", "found the order")


@hooks.on(
    "conversation:message",
    author="user",
    when=lambda event: event.message.text.startswith("return"),
    retry=RetryPolicy(max_attempts=1),
)
def book_return(event: MessageEvent, run: Run) -> None:
    """Fail until somebody replays the event: until then it is a dead letter."""
    if not run.is_replay:
        raise FlakyServiceError("the returns desk knows no such order")
    note(event, run, "book_return", "booked the return")


@hooks.on(
    "conversation:message",
    author="user",
    when=lambda event: event.message.text.startswith("later"),
    retry=RetryPolicy(first_delay_s=1800),
)
def remind_agent(event: MessageEvent, run: Run) -> None:
    """Fail the first time, and wait for half an hour."""
    if run.attempt == 1:
        raise FlakyServiceError("the calendar is away")
    note(event, run, "remind_agent", "reminded an agent")


@hooks.on("conversation:message", author="business")
def note_answer(event: MessageEvent, run: Run) -> None:
    note(event, run, "note_answer", f"we said: {event.message.text}")


@hooks.on("conversation:message:delivery:*", "notification:delivery:*")
def follow_delivery(event: DeliveryEvent, run: Run) -> None:
    stage = event.delivery.stage
    error = event.delivery.error
    why = f" because of {error.code}" if error is not None else ""
    note(event, run, "follow_delivery", f"message {event.message.id} got to: {stage}{why}")


@hooks.on("conversation:postback")
def press_button(event: PostbackEvent, run: Run) -> None:
    note(event, run, "press_button", f"a button was pressed: {event.postback.payload}")


@hooks.on("conversation:read", "conversation:typing")
def follow_activity(event: ActivityEvent, run: Run) -> None:
    what = event.type.value.removeprefix("conversation:")
    note(event, run, "follow_activity", f"the customer's {what} {event.state or ''}".rstrip())


# A vendor's own word works too, and continues to work in the vendor's next version:
# v2 calls this user:remove.
@hooks.on("appUser:delete")
def forget_user(event: UserEvent, run: Run) -> None:
    note(event, run, "forget_user", f"user {event.user.id} is gone")


@hooks.fallback
def ignore(event: Event, run: Run) -> None:
    """Run for events that no other handler wants, even those that hookkit does not understand."""
    if event.vendor_type:
        what = f"nobody handles {event.vendor_type}"
    else:
        what = f"nobody can read this: {'; '.join(event.problems)}"
    note(event, run, "ignore", what)
