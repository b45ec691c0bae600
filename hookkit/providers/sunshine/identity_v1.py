"""Event ids and facts for v1.x, which sends no ids of events.

A key is *strong* when it names the fact alone: a message's id does. Else it needs a time:
the body's timestamp where it has one. A postback has neither (its message's time is when
the button was shown), so the same tap counts as a redelivery until the vendor's retries
are over, and as a new event after that.
"""

from __future__ import annotations

from typing import NamedTuple

from hookkit.core.delivery import Document
from hookkit.core.ids import (
    join_parts,
)
from hookkit.providers.sunshine.facts import (
    client_near,
    delivery_fact,
    digest,
    merge_fact,
    message_fact,
    postback_near,
    read_near,
    removal_fact,
    start_fact,
)
from hookkit.schemas.dig import dig, dig_id, dig_text

#: "Attempted up to 5 times over a 15 minute window", and some minutes for a slow last one.
#: https://developer.zendesk.com/documentation/conversations/messaging-platform/webhooks/
REPEAT_AFTER_S = 20 * 60


class Identity(NamedTuple):
    """How an item is told from others; an event id of None asks for one by content."""

    event_id: str | None
    repeat_after_s: int | None
    fact: str | None
    near: str | None = None


def identify(version: str, trigger: str, body: Document, array: str | None) -> Identity:
    """Return the identity of a body that is narrowed to one element of *array*."""
    elements = dig(body, array) if array is not None else None
    element = elements[0] if isinstance(elements, list) and elements else elements
    fact = _fact(trigger, body, element)
    strong = fact or _strong(trigger, body, element)
    if strong is not None:
        return Identity(f"{version}:{strong}", None, fact)
    timestamp = dig_id(body, "timestamp")
    repeat_after_s = REPEAT_AFTER_S if timestamp is None else None
    # A conversation may be started again, so that this fact makes no event id.
    is_start = trigger == "conversation:start"
    fact = start_fact(dig_id(body, "conversation", "_id")) if is_start else None
    near = _near(trigger, body, element)
    detail = _detail(trigger, body, element)
    if detail is None:
        return Identity(None, repeat_after_s, fact, near)
    who = (dig_id(body, "conversation", "_id"), dig_id(body, "appUser", "_id"))
    key = join_parts(trigger, *who, *detail, timestamp)
    return Identity(f"{version}:{key}", repeat_after_s, fact, near)


def _fact(trigger: str, body: Document, element: object) -> str | None:
    """Return what happened, if v2 reports it too and both name it exactly."""
    match trigger.split(":"):
        case ["message"] | ["message", "appUser" | "appMaker"]:
            deleted = dig(element, "deleted") is True
            return message_fact(dig_id(element, "_id"), deleted=deleted)
        case ["message", "delivery", stage]:
            message_id = dig_id(body, "message", "_id")
            return delivery_fact(stage, message_id, dig(body, "destination"))
        case ["delivery", "success" | "failure" as outcome]:
            # v1: one report for several messages, and no words for the stages between.
            stage = "channel" if outcome == "success" else "failure"
            return delivery_fact(stage, dig_id(element, "_id"), dig(body, "destination"))
        case ["merge", "appUser"]:
            return merge_fact(dig_id(body, "surviving", "_id"), dig_id(element, "_id"))
        case ["appUser", "delete"]:
            return removal_fact(dig_id(body, "appUser", "_id"))
    return None


#: The trigger of v1.x -> what happened to a client, or came of a link.
_OF_CLIENTS = {
    "client:add": "add",
    "client:remove": "remove",
    "client:block": "block",
    "link:match": "matched",
    "link:success": "confirmed",
    "link:failure": "failed",
}


def _near(trigger: str, body: Document, element: object) -> str | None:
    """Return what happened, where v2's report of it is told by its time as well."""
    user_id = dig_id(body, "appUser", "_id")
    match trigger:
        case "conversation:read":
            return read_near(user_id)
        case "conversation:referral":
            return start_fact(dig_id(body, "conversation", "_id"))
        case "postback":
            return postback_near(user_id, dig_text(element, "action", "payload"))
    if trigger not in _OF_CLIENTS:
        return None
    channel = dig_text(element or dig(body, "client"), "platform") or dig_text(body, "channel")
    return client_near(_OF_CLIENTS[trigger], user_id, channel)


def _strong(trigger: str, body: Document, element: object) -> str | None:
    """Return a key that needs no time, of what only v1.x reports."""
    match trigger.split(":"):
        case ["notification", "delivery", stage]:
            notification_id = dig_id(body, "notification", "_id")
            destination = dig(body, "destination")
            if notification_id is None:
                return None
            return join_parts(
                "notification",
                stage,
                notification_id,
                dig_text(destination, "type"),
                dig_id(destination, "integrationId"),
                dig_id(destination, "destinationId"),
            )
        case ["payment", "success"]:
            charge_id = dig_id(element, "charge", "id")
            return None if charge_id is None else join_parts("payment", charge_id)
    return None


def _detail(trigger: str, body: Document, element: object) -> tuple[str | None, ...] | None:
    """Return what tells an event from its neighbours; None when only the whole body does."""
    match trigger.split(":"):
        case ["postback"]:
            action = dig(element, "action")
            return (
                dig_id(element, "message", "_id"),
                dig_id(action, "_id"),
                digest(dig_text(action, "payload")),
            )
        case ["conversation", "read" | "start"]:
            return ()
        case ["conversation", "referral"]:
            return (digest(dig_text(body, "referral", "code")),)
        case ["typing", "appUser"]:
            return (dig_text(body, "activity", "type"),)
        case ["client", _]:
            client = element or dig(body, "client")
            return (dig_id(client, "_id") or dig_id(client, "id"),)
        case ["link", _]:
            # Without a client's id, the criteria tell whom it was tried with.
            criteria = digest(dig(body, "criteria"))
            return (dig_text(body, "channel"), dig_id(body, "error", "code"), criteria)
    return None
