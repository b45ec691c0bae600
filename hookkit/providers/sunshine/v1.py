"""Sunshine Conversations v1 and v1.1: a body has one trigger, and arrays of its objects.

v1.x has no event ids. They are derived, so that a redelivery has the same id.
https://developer.zendesk.com/api-reference/conversations/ ("API versioning")
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hookkit.core import event as events
from hookkit.core.body import Document, dig, dig_id, dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import EVENT_CLASSES, Event, EventParts, EventType, build_event
from hookkit.core.parts import Author, Client, Conversation, Referral, Source, User
from hookkit.core.provider import PayloadVersion, repeats_too_much, swollen_item, unknown_item
from hookkit.providers.sunshine import triggers
from hookkit.providers.sunshine.identity import element_of, keys_of, subject_of
from hookkit.providers.sunshine.shapes import (
    author_type,
    by_user,
    delivery_report,
    referral_of,
    typing_state,
)
from hookkit.providers.sunshine.shapes_v1 import BodyShape, Reached, conversation_of
from hookkit.schemas.shape import Attributes, problems

TYPES = {
    "message": EventType.MESSAGE,  # v1; the role of the message tells the direction
    "message:appUser": EventType.MESSAGE,
    "message:appMaker": EventType.MESSAGE,
    "message:delivery:channel": EventType.DELIVERY_CHANNEL,
    "message:delivery:user": EventType.DELIVERY_USER,
    "message:delivery:failure": EventType.DELIVERY_FAILURE,
    "delivery:success": EventType.DELIVERY_CHANNEL,  # v1
    "delivery:failure": EventType.DELIVERY_FAILURE,  # v1
    "notification:delivery:channel": EventType.NOTIFICATION_CHANNEL,
    "notification:delivery:user": EventType.NOTIFICATION_USER,
    "notification:delivery:failure": EventType.NOTIFICATION_FAILURE,
    "postback": EventType.POSTBACK,
    "conversation:read": EventType.READ,
    "conversation:start": EventType.CONVERSATION_CREATE,
    "conversation:referral": EventType.REFERRAL,
    "typing:appUser": EventType.TYPING,
    "client:add": EventType.CLIENT_ADD,
    "client:block": EventType.CLIENT_UPDATE,
    "client:remove": EventType.CLIENT_REMOVE,
    "link:match": EventType.CLIENT_UPDATE,
    "link:success": EventType.CLIENT_UPDATE,
    "link:failure": EventType.CLIENT_REMOVE,
    "merge:appUser": EventType.USER_MERGE,
    "appUser:delete": EventType.USER_REMOVE,
    "payment:success": EventType.OTHER,
    "request:success": EventType.OTHER,
    "request:failure": EventType.OTHER,
    "passthrough:apple:extension": EventType.OTHER,
    "passthrough:apple:interactive": EventType.OTHER,
}

#: The reason that v2 gives if it has one word for several triggers.
REASONS = {
    "client:block": "blocked",
    "link:match": "matched",
    "link:success": "confirmed",
    "link:failure": "linkFailed",
}

#: The array of each trigger whose elements are events of their own in v2.
ARRAYS = {
    "message": "messages",
    "message:appUser": "messages",
    "message:appMaker": "messages",
    "delivery:success": "messages",
    "delivery:failure": "messages",
    "postback": "postbacks",
    "payment:success": "payments",
    "merge:appUser": "discarded",
    "client:add": "clients",
    "client:block": "clients",
    "client:remove": "clients",
}

_BODY = BodyShape()


def split(payload: Payload) -> Iterable[Item]:
    """Return one item per element of the trigger's array."""
    body = payload.document
    trigger = dig_text(body, "trigger") or ""
    if is_pipeline_call(body):
        return (
            unknown_item(
                payload, "body: not a webhook but a call of the legacy middleware pipeline", trigger
            ),
        )
    array = ARRAYS.get(trigger)
    elements = body.get(array) if array is not None else None
    if array is None or not isinstance(elements, list) or len(elements) <= 1:
        return (_item(payload, trigger, body),)
    rest = {key: value for key, value in body.items() if key != array}
    if repeats_too_much(rest, len(elements)):
        return (swollen_item(payload, trigger),)
    return (_item(payload, trigger, {**body, array: [element]}) for element in elements)


def is_pipeline_call(body: Document) -> bool:
    """Tell whether *body* is a call of the v1 middleware pipeline, which looks like a message.

    https://github.com/zendesk/sunshine-conversations-bot-to-agent-handoff
    """
    return "nonce" in body and ("message" in body or "postback" in body)


def _item(payload: Payload, trigger: str, body: Document) -> Item:
    lane = (
        dig_id(body, "conversation", "_id")
        or dig_id(body, "matchResult", "conversation", "_id")
        or dig_id(body, "appUser", "_id")
    )
    array = ARRAYS.get(trigger)
    keys = keys_of(payload.version, trigger, body, array)
    item = payload.item(raw=body, vendor_type=trigger, lane=lane, **keys._asdict())
    return item.about(subject_of(payload.version, trigger, body, array))


def normalize(item: Item) -> Event:
    """Read a body that is narrowed to one item."""
    body, faults = _BODY.read(item.raw)
    parts = _parts(body)
    parts["tenant_id"] = dig_id(item.raw, "app", "_id")
    parts["reason"] = REASONS.get(item.vendor_type)
    reasons = problems(faults)
    kind = TYPES.get(item.vendor_type)
    if kind is None:
        return build_event(item, EventType.UNKNOWN, parts, (*reasons, "trigger: not known"))
    if kind is EventType.MESSAGE and parts["message"] is not None and parts["message"].deleted:
        kind = EventType.MESSAGE_REMOVE
    parts.update(_parts_of_kind(kind, body, parts))
    if EVENT_CLASSES[kind] is events.MessageEvent:
        parts.update(_inferred_author(item, parts))
    return build_event(item, kind, parts, reasons)


def _inferred_author(item: Item, parts: EventParts) -> EventParts:
    """Return the parts with the author that the trigger names, where the message names none."""
    message, role = parts["message"], item.vendor_type.partition(":")[2]
    own_role = dig(element_of(item.raw, ARRAYS[item.vendor_type]), "role")
    if message is None or not role or own_role is not None:
        return {}
    author = replace(message.author or Author(), type=author_type(role), inferred=True)
    return {"message": replace(message, author=author), "actor": author}


def _parts(body: Attributes) -> EventParts:
    """Return the parts that events of every kind may have."""
    match = body.get("match", {})
    user: User | None = body.get("user") or match.get("user")
    messages = body.get("messages", ())
    source = _through(body.get("client"), body.get("source"))
    return {
        "user": user,
        "conversation": conversation_of(body.get("place") or match.get("place"), user),
        "message": messages[0] if messages else body.get("message"),
        "referral": referral_of(body.get("referral"), source),
        "error": body.get("error"),
        "source": source,
        "occurred_at": body.get("timestamp"),
        "extra": {"criteria": body["criteria"]} if "criteria" in body else {},
    }


def _parts_of_kind(kind: EventType, body: Attributes, parts: EventParts) -> EventParts:
    """Return the parts that only events of *kind* have."""
    match EVENT_CLASSES[kind]:
        case events.MessageEvent:
            return _message_parts(body, parts)
        case events.DeliveryEvent:
            message = parts["message"] or body.get("notification")
            return {"message": message, "delivery": delivery_report(kind, body)}
        case events.PostbackEvent:
            postbacks = body.get("postbacks") or (None,)
            return {"actor": by_user(parts["user"]), "postback": postbacks[0]}
        case events.ActivityEvent:
            state = typing_state(body.get("activity", {}).get("type"))
            return {"actor": by_user(parts["user"]), "state": state}
        case events.ReferralEvent:
            referral = parts["referral"] or Referral()
            return {"actor": by_user(parts["user"]), "referral": referral}
        case events.ConversationEvent:
            return {"conversation": parts["conversation"] or Conversation()}
        case events.ClientEvent:
            return _client_parts(body)
        case events.MergeEvent:
            return _merge(body)
    return {}


def _message_parts(body: Attributes, parts: EventParts) -> EventParts:
    message = parts["message"]
    if message is None:
        return {}
    return {
        "message": replace(message, source=_through(body.get("client"), message.source)),
        "actor": message.author,
        "source": body.get("source"),
        "conversation": parts["conversation"] or Conversation(),
        # "message:* bodies have no timestamp of their own": the message says when.
        "occurred_at": parts["occurred_at"] or message.received_at,
    }


def _through(reached: Reached | None, source: Source | None) -> Source | None:
    """Return *source* with the body's client in it, where v2 has it."""
    if reached is None:
        return source
    return replace(source or Source(), client=reached.client, device=reached.device)


def _client_parts(body: Attributes) -> EventParts:
    """Return the client that the event is about; beside it, ``client`` is where it came from."""
    clients, client = body.get("clients", ()), body.get("client")
    about: Reached | None = clients[0] if clients else client
    source = _through(client if clients else None, body.get("source"))
    if about is None:
        # "client.type" of v2 is "channel" of v1.x's link:* triggers.
        linked = Client(type=body["channel"]) if "channel" in body else None
        return {"client": linked, "source": source}
    if about.device is not None:
        source = replace(source or Source(), device=about.device)
    return {"client": about.client, "source": source}


def _merge(body: Attributes) -> EventParts:
    discarded = body.get("discarded") or (None,)
    return {
        "surviving": body.get("surviving"),
        "discarded": discarded[0],
        "user": body.get("surviving"),
        "metadata": body.get("discarded_metadata"),
    }


V1 = PayloadVersion(
    split=split,
    normalize=normalize,
    types=TYPES,
    words=triggers.V1,
    fresh_ids=(
        "messages.*._id",
        "message._id",
        "postbacks.*.message._id",
        "postbacks.*.action._id",
        "payments.*.charge.id",
        "notification._id",
        "discarded.*._id",
        # Some triggers name nothing but the user, and a v1 body of them has no time.
        "appUser._id",
        "messages.*.authorId",
        "clients.*._id",
        "clients.*.id",
    ),
    fresh_times=("timestamp", "messages.*.received"),
)
V1_1 = replace(V1, words=triggers.V1_1)
