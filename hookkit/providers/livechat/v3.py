"""The APIs 3.0 to 3.7: one action in each body, about one chat or one piece of configuration.

The versions differ in names and spellings, and one reader reads them all.
https://platform.text.com/docs/management/webhooks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from hookkit.core.body import Document, dig, dig_id, dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import Event, EventType, build_event
from hookkit.core.provider import PayloadVersion, repeats_too_much, swollen_item
from hookkit.providers.livechat.identity import keys_of, lane_of, subject_of
from hookkit.providers.livechat.parts import parts_of
from hookkit.providers.livechat.shapes import PayloadShape
from hookkit.providers.livechat.versions import numbered_version
from hookkit.schemas.shape import problems

TYPES = {
    "incoming_chat_thread": EventType.CONVERSATION_CREATE,  # 3.0, 3.1
    "incoming_chat": EventType.CONVERSATION_CREATE,
    "thread_closed": EventType.CONVERSATION_CLOSE,  # 3.0, 3.1
    "chat_deactivated": EventType.CONVERSATION_CLOSE,
    "access_granted": EventType.CONVERSATION_ACCESS,  # 3.0, 3.1
    "access_revoked": EventType.CONVERSATION_ACCESS,  # 3.0, 3.1
    "access_set": EventType.CONVERSATION_ACCESS,  # 3.0, 3.1
    "chat_access_granted": EventType.CONVERSATION_ACCESS,  # 3.2, 3.3
    "chat_access_revoked": EventType.CONVERSATION_ACCESS,  # 3.2, 3.3
    "chat_access_set": EventType.CONVERSATION_ACCESS,  # developer preview of 3.2
    "chat_access_updated": EventType.CONVERSATION_ACCESS,
    "chat_transferred": EventType.CONVERSATION_TRANSFER,
    "chat_user_added": EventType.CONVERSATION_JOIN,  # 3.0, 3.1
    "chat_user_removed": EventType.CONVERSATION_LEAVE,  # 3.0, 3.1
    "user_added_to_chat": EventType.CONVERSATION_JOIN,
    "user_removed_from_chat": EventType.CONVERSATION_LEAVE,
    "incoming_event": EventType.MESSAGE,
    "event_updated": EventType.MESSAGE_UPDATE,
    "event_deleted": EventType.MESSAGE_REMOVE,
    "incoming_rich_message_postback": EventType.POSTBACK,
    "chat_properties_updated": EventType.CONVERSATION_PROPERTIES,
    "chat_properties_deleted": EventType.CONVERSATION_PROPERTIES,
    "chat_thread_properties_updated": EventType.CONVERSATION_PROPERTIES,  # 3.0, 3.1
    "chat_thread_properties_deleted": EventType.CONVERSATION_PROPERTIES,  # 3.0, 3.1
    "thread_properties_updated": EventType.CONVERSATION_PROPERTIES,
    "thread_properties_deleted": EventType.CONVERSATION_PROPERTIES,
    "event_properties_updated": EventType.MESSAGE_UPDATE,
    "event_properties_deleted": EventType.MESSAGE_UPDATE,
    "chat_thread_tagged": EventType.CONVERSATION_TAG,  # 3.0, 3.1
    "chat_thread_untagged": EventType.CONVERSATION_UNTAG,  # 3.0, 3.1
    "thread_tagged": EventType.CONVERSATION_TAG,
    "thread_untagged": EventType.CONVERSATION_UNTAG,
    "thread_summary_set": EventType.CONVERSATION_SUMMARY,
    "last_seen_timestamp_updated": EventType.READ,  # 3.0
    "events_marked_as_seen": EventType.READ,
    "customer_created": EventType.USER_CREATE,  # until 3.2
    "incoming_customer": EventType.USER_CREATE,  # 3.3 to 3.5
    "customer_session_fields_updated": EventType.USER_UPDATE,
    "agent_status_changed": EventType.AGENT_STATUS,  # 3.0, 3.1
    "routing_status_set": EventType.AGENT_STATUS,  # of agents and bots
    "agent_created": EventType.AGENT_CREATE,
    "agent_approved": EventType.AGENT_CREATE,
    "agent_updated": EventType.AGENT_UPDATE,
    "agent_suspended": EventType.AGENT_UPDATE,
    "agent_unsuspended": EventType.AGENT_UPDATE,
    "agent_deleted": EventType.AGENT_REMOVE,
    "auto_access_added": EventType.OTHER,  # 3.4
    "auto_access_updated": EventType.OTHER,  # 3.4
    "auto_access_deleted": EventType.OTHER,  # 3.4
    "auto_accesses_updated": EventType.OTHER,
    "bot_created": EventType.OTHER,
    "bot_updated": EventType.OTHER,
    "bot_deleted": EventType.OTHER,
    "group_created": EventType.OTHER,
    "group_updated": EventType.OTHER,
    "group_deleted": EventType.OTHER,
    "tag_created": EventType.OTHER,
    "tag_updated": EventType.OTHER,
    "tag_deleted": EventType.OTHER,
}

#: The reason of actions that share a type, if the body gives none.
REASONS = {
    "access_granted": "granted",
    "access_revoked": "revoked",
    "access_set": "set",
    "chat_access_granted": "granted",
    "chat_access_revoked": "revoked",
    "chat_access_set": "set",
    "chat_access_updated": "updated",
    "chat_properties_updated": "updated",
    "chat_properties_deleted": "deleted",
    "chat_thread_properties_updated": "updated",
    "chat_thread_properties_deleted": "deleted",
    "thread_properties_updated": "updated",
    "thread_properties_deleted": "deleted",
    "event_properties_updated": "properties_updated",
    "event_properties_deleted": "properties_deleted",
    "agent_approved": "approved",
    "agent_suspended": "suspended",
    "agent_unsuspended": "unsuspended",
    "auto_access_added": "added",
    "auto_access_updated": "updated",
    "auto_access_deleted": "deleted",
}

#: Keys that belong to the registration that delivers an item, not to what happened.
OF_THE_REGISTRATION = frozenset({"webhook_id", "secret_key", "additional_data"})

#: The action that delivers one event of a chat.
SAID_ALONE = "incoming_event"

_PAYLOAD = PayloadShape()


def split(payload: Payload) -> Iterable[Item]:
    """Return the items of a body; most bodies have one.

    An array, as in ``auto_accesses_updated``, has one for each element. A chat comes with what
    was said in its running thread: one for the chat, and one for each of these events.
    """
    document = payload.document
    action = dig_text(document, "action") or ""
    key = _key_of(document)
    raw = {name: value for name, value in document.items() if name not in OF_THE_REGISTRATION}
    inner = document.get(key)
    rest = {name: value for name, value in raw.items() if name != key}
    if isinstance(inner, list):
        if repeats_too_much(rest, len(inner)):
            return (swollen_item(payload, action),)
        return (_item(payload, action, key, {**raw, key: [element]}) for element in inner)
    item = _item(payload, action, key, raw)
    if TYPES.get(action) is not EventType.CONVERSATION_CREATE:
        return (item,)
    return chain((item,), _said_before(payload, key, dig(inner, "chat"), rest))


def _said_before(payload: Payload, key: str, chat: Any, rest: Document) -> Iterator[Item]:
    """Yield what *chat* comes with, as ``incoming_event`` would deliver it.

    That action may be registered as well, so each item gets the version that its own body
    would show: the id is then the same, whichever of the two arrives first.
    """
    where = {"chat_id": dig(chat, "id"), "thread_id": dig(chat, "thread", "id")}
    events = dig(chat, "thread", "events")
    events = events if isinstance(events, list) else [events]
    if repeats_too_much({**rest, **where}, len(events)):
        yield swollen_item(payload, SAID_ALONE)
        return
    additional = {"additional_data": dig(payload.document, "additional_data")}
    pinned = payload.options.version_for(dig_id(payload.document, "webhook_id"))
    for event in events:
        if event is None:
            continue
        body = {**rest, key: {**where, "event": event}}
        body["action"] = SAID_ALONE
        version = pinned or numbered_version({**body, **additional})
        yield _item(replace(payload, version=version), SAID_ALONE, key, body)


def _key_of(document: Document) -> str:
    return "data" if document.get("payload") is None and "data" in document else "payload"


def _inner(raw: Document, key: str) -> Any:
    inner = raw.get(key)
    return inner[0] if isinstance(inner, list) else inner


def _item(payload: Payload, action: str, key: str, raw: Document) -> Item:
    body = _inner(raw, key)
    if not isinstance(body, dict):
        return payload.item(
            raw=raw, vendor_type=action, event_id=None, problem=f"{key}: not an object"
        )
    tenant_id = tenant_of(raw)
    keys = keys_of(payload.version, action, tenant_id, body)
    lane = lane_of(action, body)
    item = payload.item(raw=raw, vendor_type=action, lane=lane, **keys._asdict())
    return item.about(subject_of(payload, action, tenant_id, body))


def tenant_of(document: Document) -> str | None:
    """Return the account's id; 3.4 changed the kind of id, and 3.1 has none."""
    return dig_id(document, "organization_id") or dig_id(document, "license_id")


def normalize(item: Item) -> Event:
    """Read a body that is narrowed to one item."""
    key = _key_of(item.raw)
    inner = _inner(item.raw, key)
    body, faults = _PAYLOAD.read(inner)
    kind = TYPES.get(item.vendor_type)
    parts, more = parts_of(kind, item, body, inner)
    parts["webhook_id"] = dig_id(item.payload.document, "webhook_id")
    parts["tenant_id"] = tenant_of(item.raw)
    parts["reason"] = _reason(item.vendor_type, body)
    reasons = problems({**faults, **more}, key)
    if kind is None:
        return build_event(item, EventType.UNKNOWN, parts, (*reasons, "action: not known"))
    return build_event(item, kind, parts, reasons)


def _reason(action: str, body: dict[str, Any]) -> str | None:
    reason: str | None = body.get("reason")
    if action.startswith("auto_access"):
        # auto_accesses_updated has a status in each element.
        reason = body.get("status")
    return reason or REASONS.get(action)


V3 = PayloadVersion(
    split=split,
    normalize=normalize,
    types=TYPES,
    fresh_ids=tuple(
        f"{key}.{path}"
        for key in ("payload", "data")
        for path in (
            "id",
            "*.id",
            "chat_id",
            "thread_id",
            "event_id",
            "agent_id",
            "name",
            "event.id",
            "chat.id",
            "chat.thread.id",
            "chat.thread.events.*.id",
            "customer.id",
        )
    ),
    fresh_times=tuple(
        f"{key}.{path}"
        for key in ("payload", "data")
        for path in (
            "timestamp",
            "seen_up_to",
            "created_at",
            "event.created_at",
            "event.timestamp",
            "chat.thread.created_at",
            "chat.thread.timestamp",
            "chat.thread.events.*.created_at",
            "chat.thread.events.*.timestamp",
            "summary.updated_at",
            "queue.queued_at",
        )
    ),
)
