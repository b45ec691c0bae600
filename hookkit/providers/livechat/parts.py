"""From the attributes of a payload to the parts of the unified event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookkit.core import event as events
from hookkit.core.body import Document, dig, dig_id, dig_text
from hookkit.core.delivery import Item
from hookkit.core.event import EVENT_CLASSES, EventParts, EventType
from hookkit.core.parts import (
    Author,
    AuthorType,
    Conversation,
    Message,
    Participant,
    Postback,
    User,
)
from hookkit.providers.livechat.identity import is_access
from hookkit.providers.livechat.shapes import (
    AUTHOR_TYPES,
    EVENT_EXTRA,
    THREAD_EXTRA,
    PersonShape,
    Said,
    author_of,
    customer_of,
    person_of,
)
from hookkit.schemas import fields
from hookkit.schemas.shape import Attributes, Faults, Shape

#: Versions in which each property is an object with its value.
WRAPPED_IN = frozenset({"3.0", "3.1"})

#: The words in webhooks, with blanks -> the same words in the data of agents.
STATES = {
    "accepting chats": "accepting_chats",
    "not accepting chats": "not_accepting_chats",
}


class CreatedShape(Shape):
    """When a tag was made."""

    created_at = fields.Instant()


_PERSON = PersonShape()
_CREATED = CreatedShape()


def parts_of(
    kind: EventType | None, item: Item, body: Attributes, inner: Document
) -> tuple[EventParts, Faults]:
    """Return the parts of an event of *kind*, and the faults in *inner*.

    Args:
        kind: None if the action is not known.
        item: The item that is read.
        body: The attributes of its payload, by a ``PayloadShape``.
        inner: The payload itself.
    """
    parts = _common_parts(item, body, inner)
    more: EventParts = {}
    faults: Faults = {}
    match EVENT_CLASSES.get(kind) if kind is not None else None:
        case events.MessageEvent:
            more = _message_parts(item, body, inner, parts)
        case events.PostbackEvent:
            more = {"postback": _postback(body), "actor": _doer(item, body)}
        case events.ActivityEvent:
            seen = body.get("seen_up_to") or body.get("timestamp")
            more = {"read_at": seen, "occurred_at": seen, "actor": _doer(item, body)}
        case events.ConversationEvent:
            more = _conversation_parts(item, body, parts)
        case events.UserEvent:
            more, faults = _user_parts(item, body, inner)
        case events.AgentEvent:
            more, faults = _agent_parts(kind, body, inner)
        case events.OtherEvent if item.vendor_type == "tag_created":
            created, faults = _CREATED.read(inner)
            more = {"occurred_at": created.get("created_at")}
    parts |= more
    actor: Author | None = parts["actor"]
    if parts["user"] is None and actor is not None and actor.type is AuthorType.USER:
        parts["user"] = User(id=actor.user_id)
    return parts, faults


def _common_parts(item: Item, body: Attributes, inner: Document) -> EventParts:
    additional = dig(item.payload.document, "additional_data")
    requester = dig(item.raw, "requester")
    # The actor is the person who joined or left; who asked for it is in extra.
    actor_id = body.get("user_id") or body.get("requester_id") or dig_id(requester, "user_id")
    extra = {
        "requester": requester,
        "requester_id": body.get("requester_id"),
        "resource": body.get("resource"),
        "transferred_from": body.get("transferred_from"),
        "present": dig(inner, "user", "present"),
        "additional_data": additional if additional != {} else None,
        "thread": _thread_extra(dig(inner, "chat")),
    }
    return {
        "conversation": _conversation(item, body, additional),
        "user": None,
        "actor": None if actor_id is None else author_of(actor_id, said=body.get("user_type")),
        "extra": {name: value for name, value in extra.items() if value is not None},
    }


def _thread_extra(chat: Any) -> dict[str, Any] | None:
    """Return what the running thread of *chat* has that the model has no attribute for."""
    thread = dig(chat, "thread")
    extra = {name: dig(thread, name) for name in THREAD_EXTRA}
    if dig(chat, "access") not in (None, dig(thread, "access")):
        extra["access"] = dig(thread, "access")
    return {name: value for name, value in extra.items() if value is not None} or None


def _pinned(item: Item) -> AuthorType | None:
    """Return the author type that the settings give to this webhook, None without one."""
    registration = dig_id(item.payload.document, "webhook_id")
    return item.payload.options.authors.get(registration or "")


def _doer(item: Item, body: Attributes) -> Author | None:
    """Return the person who pressed or read something."""
    user_id = body.get("user_id")
    return None if user_id is None else author_of(user_id, pinned=_pinned(item))


def _conversation(item: Item, body: Attributes, additional: Any) -> Conversation | None:
    chat = body.get("chat", {})
    active = body.get("active_chat", {})
    chat_id = body.get("chat_id") or chat.get("id") or active.get("chat_id")
    thread_id = (
        body.get("thread_id")
        or chat.get("thread", {}).get("id")
        or active.get("thread_id")
        # 3.0 and 3.1, if the registration asked for it.
        or dig_id(additional, "thread_id")
    )
    if is_access(item.vendor_type):
        if body.get("resource") == "thread":
            thread_id = body.get("id")
        else:
            chat_id = body.get("id")
    if chat_id is None and thread_id is None:
        return None
    properties = chat.get("properties") or dig(additional, "chat_properties")
    return Conversation(id=chat_id, thread_id=thread_id, metadata=_flat(item, properties))


def _flat(item: Item, properties: Any) -> dict[str, Any]:
    """Return properties as 3.2 and later send them: ``{"rating": {"score": 1}}``.

    Before that it was ``{"rating": {"score": {"value": 1}}}`` by one page of 3.1. Another page
    shows it flat, so flat properties are left as they are.
    """
    if not isinstance(properties, dict):
        return {}
    if item.payload.version not in WRAPPED_IN:
        return properties
    return {
        namespace: {name: _unwrapped(value) for name, value in own.items()}
        if isinstance(own, dict)
        else own
        for namespace, own in properties.items()
    }


def _unwrapped(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value


def _message_parts(item: Item, body: Attributes, inner: Document, parts: EventParts) -> EventParts:
    conversation = parts["conversation"] or Conversation()
    said: Said | None = body.get("said")
    if said is None:
        return {"conversation": conversation, **_named_message(item, body, parts)}
    author = Author(type=AuthorType.SYSTEM)
    if not said.is_by_system:
        type_in_chat = _type_in_chat(item, said.author_id)
        author = author_of(said.author_id, said=type_in_chat, pinned=_pinned(item))
    event = inner["event"] if isinstance(inner["event"], dict) else {}
    extra = {name: event[name] for name in EVENT_EXTRA if event.get(name) is not None}
    properties = _flat(item, said.properties)
    return {
        "conversation": conversation,
        "message": replace(said.message, author=author, metadata=properties),
        "actor": author,
        "occurred_at": said.message.received_at,
        "extra": {**parts["extra"], **extra},
    }


def _type_in_chat(item: Item, author_id: str | None) -> str | None:
    """Return the vendor's word for *author_id* in the chat that an item came with, if any."""
    payload = dig(item.payload.document, "payload") or dig(item.payload.document, "data")
    users = dig(payload, "chat", "users")
    for user in users if isinstance(users, list) else (users,):
        if author_id is not None and dig_id(user, "id") == author_id:
            return dig_text(user, "type")
    return None


def _named_message(item: Item, body: Attributes, parts: EventParts) -> EventParts:
    """Return the message of an action that only names its id."""
    message_id = body.get("event_id")
    if message_id is None:
        return {"message": None}
    properties = _flat(item, body.get("properties"))
    is_update = item.vendor_type == "event_properties_updated"
    message = Message(
        id=message_id,
        deleted=item.vendor_type == "event_deleted",
        metadata=properties if is_update else {},
    )
    extra = {"properties": properties} if properties else {}
    return {"message": message, "extra": {**parts["extra"], **extra}}


def _postback(body: Attributes) -> Postback | None:
    pressed = body.get("postback")
    if pressed is None:
        return None
    metadata = {name: value for name, value in pressed.items() if name != "id"}
    return Postback(payload=pressed.get("id"), metadata=metadata, message_id=body.get("event_id"))


def _conversation_parts(item: Item, body: Attributes, parts: EventParts) -> EventParts:
    chat = body.get("chat", {})
    thread = chat.get("thread", {})
    summary = body.get("summary", {})
    more: EventParts = {
        "tags": thread.get("tags") or ((body["tag"],) if "tag" in body else None),
        "properties": _properties(item, body),
        "access": body.get("access") or chat.get("access") or thread.get("access"),
        "queue": _queue(body.get("queue") or thread.get("queue")),
        "transferred_to": body.get("transferred_to"),
        "summary": summary.get("text"),
        "state": summary.get("status"),
        "occurred_at": thread.get("created_at")
        or thread.get("timestamp")
        or summary.get("updated_at"),
    }
    return {**more, **_people(body, parts["conversation"] or Conversation())}


def _properties(item: Item, body: Attributes) -> dict[str, Any]:
    """Return the properties that were set or deleted, or those of a chat and its thread.

    Where both have one of the same name, it is the thread's: ``Conversation.metadata`` has the
    chat's.
    """
    if body.get("properties"):
        return _flat(item, body["properties"])
    chat = body.get("chat", {})
    merged = dict(_flat(item, chat.get("properties")))
    for namespace, own in _flat(item, chat.get("thread", {}).get("properties")).items():
        of_chat = merged.get(namespace)
        is_in_both = isinstance(of_chat, dict) and isinstance(own, dict)
        merged[namespace] = dict(of_chat or {}, **own) if is_in_both else own
    return merged


def _people(body: Attributes, conversation: Conversation) -> EventParts:
    """Return *conversation* with the people who take part, joined or left."""
    person = body.get("person")
    if person is not None:  # joined
        here = replace(conversation, participants=(person.participant,))
        return {"conversation": here, "user": person.user, "actor": person.author}
    users = body.get("chat", {}).get("users")
    if users:
        here = replace(conversation, participants=tuple(each.participant for each in users))
        customers = [each.user for each in users if each.user is not None]
        return {"conversation": here, "user": customers[0] if customers else None}
    if "user_id" in body:  # left, or closed the chat
        kind = AUTHOR_TYPES.get(body.get("user_type", ""))
        gone = (Participant(user_id=body["user_id"], type=kind),)
        return {"conversation": replace(conversation, participants=gone)}
    return {"conversation": conversation}


def _queue(queue: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return *queue* as 3.6 spells it; samples of 3.3 to 3.5 have ``queued_at_us``."""
    if queue is None or "queued_at_us" not in queue:
        return queue
    return {"queued_at" if name == "queued_at_us" else name: value for name, value in queue.items()}


def _user_parts(item: Item, body: Attributes, inner: Document) -> tuple[EventParts, Faults]:
    person, faults = body.get("customer"), Faults()
    if person is None and "id" in body:
        # On some pages the customer itself is the payload of customer_created.
        attributes, faults = _PERSON.read(inner)
        person = customer_of(**attributes)
    if person is None:
        return {}, faults
    is_new = item.vendor_type == "customer_created"
    return {"user": person.user, "occurred_at": person.created_at if is_new else None}, faults


def _agent_parts(
    kind: EventType | None, body: Attributes, inner: Document
) -> tuple[EventParts, Faults]:
    attributes, faults = _PERSON.read(inner)
    # 3.4 renamed agent_id to id in one of two actions.
    agent_id = body.get("agent_id") or body.get("id")
    if agent_id is None:
        return {}, faults
    # Bots have their own actions, but share the one about who accepts chats.
    said = None if kind is EventType.AGENT_STATUS else "agent"
    agent = person_of(**{**attributes, "id": agent_id, "type": said}).author
    status = body.get("status")
    return {"agent": agent, "state": STATES.get(status or "", status)}, faults
