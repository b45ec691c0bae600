"""Sunshine Conversations v2: a body has several events, each with its own id.

https://github.com/zendesk/sunshine-conversations-api-spec (Webhooks, ``x-webhooks``)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hookkit.core import event as events
from hookkit.core.body import Document, dig_id, dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import EVENT_CLASSES, Event, EventParts, EventType, build_event
from hookkit.core.parts import Conversation, Referral
from hookkit.core.provider import PayloadVersion
from hookkit.providers.sunshine import triggers
from hookkit.providers.sunshine.identity import fact_of, near_of
from hookkit.providers.sunshine.shapes import (
    by_user,
    delivery_report,
    referral_of,
    typing_state,
)
from hookkit.providers.sunshine.shapes_v2 import EventShape, Said, Somebody, with_device
from hookkit.schemas.shape import Attributes, problems

TYPES = {
    "conversation:create": EventType.CONVERSATION_CREATE,
    "conversation:join": EventType.CONVERSATION_JOIN,
    "conversation:leave": EventType.CONVERSATION_LEAVE,
    "conversation:remove": EventType.CONVERSATION_REMOVE,
    "conversation:message": EventType.MESSAGE,  # with ``deleted`` it is a removal
    "conversation:message:delete": EventType.MESSAGE_REMOVE,  # seen, not documented
    "conversation:message:delivery:channel": EventType.DELIVERY_CHANNEL,
    "conversation:message:delivery:user": EventType.DELIVERY_USER,
    "conversation:message:delivery:failure": EventType.DELIVERY_FAILURE,
    "conversation:postback": EventType.POSTBACK,
    "conversation:read": EventType.READ,
    "conversation:typing": EventType.TYPING,
    "conversation:referral": EventType.REFERRAL,
    "client:add": EventType.CLIENT_ADD,
    "client:update": EventType.CLIENT_UPDATE,
    "client:remove": EventType.CLIENT_REMOVE,
    "user:merge": EventType.USER_MERGE,
    "user:update": EventType.USER_UPDATE,
    "user:remove": EventType.USER_REMOVE,
    "user:delete": EventType.USER_REMOVE,  # the API reference says so once
    "switchboard:acceptControl": EventType.ACCEPT_CONTROL,
    "switchboard:acceptControl:failure": EventType.ACCEPT_CONTROL_FAILURE,
    "switchboard:offerControl": EventType.OFFER_CONTROL,
    "switchboard:offerControl:failure": EventType.OFFER_CONTROL_FAILURE,
    "switchboard:passControl": EventType.PASS_CONTROL,
    "switchboard:passControl:failure": EventType.PASS_CONTROL_FAILURE,
    "switchboard:releaseControl": EventType.RELEASE_CONTROL,
    "passthrough:apple:extension": EventType.OTHER,
    "passthrough:apple:interactive": EventType.OTHER,
    "passthrough:messaging": EventType.OTHER,  # listed since 2025-10, without a schema
}

_EVENT = EventShape()


def split(payload: Payload) -> Iterable[Item]:
    """Yield one item for each element of ``events``; none if that is not an array."""
    events = payload.document.get("events")
    for index, event in enumerate(events if isinstance(events, list) else ()):
        if isinstance(event, dict):
            yield _item(payload, event)
        else:
            problem = f"events[{index}]: not an object"
            yield payload.item(
                raw={"events": [event]}, vendor_type="", event_id=None, problem=problem
            )


def _item(payload: Payload, event: Document) -> Item:
    vendor_type = dig_text(event, "type") or ""
    inner = event.get("payload")
    return payload.item(
        raw=event,
        vendor_type=vendor_type,
        # "May be used to ensure that an event is not processed twice": stable over retries.
        event_id=dig_id(event, "id"),
        lane=dig_id(inner, "conversation", "id"),
        fact=fact_of(vendor_type, inner),
        near=near_of(vendor_type, inner),
    )


def normalize(item: Item) -> Event:
    """Read one element of ``events``."""
    attributes, faults = _EVENT.read(item.raw)
    payload: Attributes = attributes.get("payload", {})
    parts = _parts(payload)
    parts["occurred_at"] = attributes.get("created_at")
    parts["webhook_id"] = dig_id(item.payload.document, "webhook", "id")
    parts["tenant_id"] = dig_id(item.payload.document, "app", "id")
    reasons = problems(faults)
    kind = TYPES.get(item.vendor_type)
    if kind is None:
        return build_event(item, EventType.UNKNOWN, parts, (*reasons, "type: not known"))
    if kind is EventType.MESSAGE and parts["message"] is not None and parts["message"].deleted:
        kind = EventType.MESSAGE_REMOVE
    parts.update(_parts_of_kind(kind, payload, parts))
    return build_event(item, kind, parts, reasons)


def _parts(payload: Attributes) -> EventParts:
    """Return the parts that events of every kind may have."""
    said: Said | None = payload.get("said")
    activity = payload.get("activity", {})
    somebody: Somebody | None = activity.get("somebody")
    message = said.message if said is not None else None
    author = message.author if message is not None else None
    source = payload.get("source") or activity.get("source")
    return {
        "conversation": payload.get("conversation"),
        "postback": payload.get("postback"),
        "client": with_device(payload.get("client"), source.device if source else None),
        "referral": referral_of(payload.get("referral"), source),
        "error": payload.get("error"),
        "metadata": payload.get("metadata"),
        "message": message,
        # The user is in one of three places, depending on the trigger.
        "user": payload.get("user") or (said and said.user) or (somebody and somebody.user),
        "actor": somebody.author if somebody is not None else author,
        "source": source,
        "reason": payload.get("reason") or payload.get("creation_reason"),
        "state": typing_state(activity.get("type")),
        "extra": _extra(payload, said),
    }


def _extra(payload: Attributes, said: Said | None) -> dict[str, Any]:
    extra = dict(said.extra) if said is not None else {}
    if payload.get("recent_notifications") is not None:
        extra["recent_notifications"] = payload["recent_notifications"]
    return extra


def _parts_of_kind(kind: EventType, payload: Attributes, parts: EventParts) -> EventParts:
    """Return the parts that only events of *kind* have."""
    match EVENT_CLASSES[kind]:
        case events.MessageEvent:
            return {"conversation": parts["conversation"] or Conversation()}
        case events.DeliveryEvent:
            return {"delivery": delivery_report(kind, payload)}
        case events.PostbackEvent:
            return {"actor": by_user(parts["user"])}
        case events.ReferralEvent:
            # "Triggered in the same cases as v1.x conversation:referral and conversation:start":
            # without a referral in it or in its client, it can only be the counterpart of a start.
            referral = parts["referral"] or Referral()
            start = {} if referral != Referral() else {"start": True}
            return {
                "actor": by_user(parts["user"]),
                "referral": referral,
                "extra": {**parts["extra"], **start},
            }
        case events.MergeEvent:
            return _merge(payload)
    return {}


def _merge(payload: Attributes) -> EventParts:
    users, conversations, clients = (
        payload.get(name, {}) for name in ("users", "conversations", "clients")
    )
    return {
        "surviving": users.get("surviving"),
        "discarded": users.get("discarded"),
        "surviving_conversation": conversations.get("surviving"),
        "discarded_conversation": conversations.get("discarded"),
        "surviving_client": clients.get("surviving"),
        "discarded_client": clients.get("discarded"),
        "user": users.get("surviving"),
        "metadata": payload.get("discarded_metadata"),
    }


V2 = PayloadVersion(
    split=split,
    normalize=normalize,
    types=TYPES,
    words=triggers.V2,
    fresh_ids=("events.*.id", "events.*.payload.message.id"),
    fresh_times=("events.*.createdAt", "events.*.payload.message.received"),
)
