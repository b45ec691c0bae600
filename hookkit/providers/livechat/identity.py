"""Event ids, facts and lanes: LiveChat sends no id of a delivery, and mostly no time.

A key is *strong* if it can name only one fact, as a message's id does. Other states can flip back,
so that the same body rightly comes again: tagged, untagged, tagged. There the same content is a
redelivery if nothing else was said about its *subject* in between, and only until the vendor's
retries are over.

No key includes the registration's id or its secret: two webhooks for one action deliver the same
fact twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookkit.core.body import Document, dig, dig_id
from hookkit.core.delivery import ItemKeys, Payload
from hookkit.core.ids import hash_content, join_parts
from hookkit.providers.livechat.versions import FAMILIES

#: "Up to 3 times within a minute", and half a minute more for slow answers. Before March 2023 it
#: was "up to 10 times within 6 hours": the setting repeat_window_s is for that.
#: https://platform.text.com/docs/getting-started/guides/webhook-apps
REPEAT_AFTER_S = 90

#: The whole minute and no more: customers press a button again when nothing happens.
PRESSED_AGAIN_AFTER_S = 60

#: Of bodies with a time of their own, so that only a redelivery equals them; and of the legacy
#: API, whose pages still say "up to 10 times within 6 hours".
LONG_REPEAT_AFTER_S = 5 * 60

#: Part of every derived id without a strong key.
REPEAT_SLOT_S = 5 * 60

Path = tuple[str, ...]

_CHAT_ID: Path = ("chat_id",)
_THREAD_ID: Path = ("thread_id",)

#: action -> the beginning of its key, and the paths of the key's parts. Two that have an id are
#: left out: an agent's is an e-mail address, which may be deleted and created again, and
#: incoming_customer may report a customer who was there before.
STRONG: dict[str, tuple[str, tuple[Path, ...]]] = {
    "incoming_event": ("message", (_CHAT_ID, _THREAD_ID, ("event", "id"))),
    "event_deleted": ("message-deleted", (_CHAT_ID, _THREAD_ID, ("event_id",))),
    # A resumed chat is a new thread of the same chat: the chat's id alone names nothing.
    "incoming_chat_thread": ("thread", (("chat", "id"), ("chat", "thread", "id"))),
    "incoming_chat": ("thread", (("chat", "id"), ("chat", "thread", "id"))),
    "thread_closed": ("thread-closed", (_CHAT_ID, _THREAD_ID)),
    "chat_deactivated": ("thread-closed", (_CHAT_ID, _THREAD_ID)),
    "last_seen_timestamp_updated": ("seen", (_CHAT_ID, ("user_id",), ("timestamp",))),
    "events_marked_as_seen": ("seen", (_CHAT_ID, ("user_id",), ("seen_up_to",))),
    "thread_summary_set": ("summary", (_THREAD_ID, ("summary", "updated_at"))),
    "bot_created": ("bot", (("id",),)),
    "group_created": ("group", (("id",),)),
    # A tag has no id, and its name may be given again.
    "tag_created": ("tag", (("name",), ("created_at",))),
}

#: The beginnings of keys that are facts: every version names them by the same parts.
FACTS = frozenset({"message", "message-deleted", "thread", "thread-closed", "customer"})


_EVENT_ID: Path = ("event_id",)
_USER_ID: Path = ("user_id",)

_TAGGED: tuple[Path, ...] = (_CHAT_ID, _THREAD_ID, ("tag",))

#: action -> the near fact's name and the paths of its parts, for actions that no id or time names
#: exactly in every version. A time counts as none if versions send it with different precision.
NEAR: dict[str, tuple[str, tuple[Path, ...]]] = {
    "last_seen_timestamp_updated": ("seen", (_CHAT_ID, _USER_ID)),
    "events_marked_as_seen": ("seen", (_CHAT_ID, _USER_ID)),
    "incoming_rich_message_postback": (
        "postback",
        (_CHAT_ID, _USER_ID, _EVENT_ID, ("postback", "id")),
    ),
    "chat_user_added": ("joined", (_CHAT_ID, ("user", "id"))),
    "user_added_to_chat": ("joined", (_CHAT_ID, ("user", "id"))),
    "chat_user_removed": ("left", (_CHAT_ID, _USER_ID)),
    "user_removed_from_chat": ("left", (_CHAT_ID, _USER_ID)),
    "chat_transferred": ("transferred", (_CHAT_ID,)),
    "chat_thread_tagged": ("tagged", _TAGGED),
    "thread_tagged": ("tagged", _TAGGED),
    "chat_thread_untagged": ("untagged", _TAGGED),
    "thread_untagged": ("untagged", _TAGGED),
    "event_updated": ("updated", (_CHAT_ID, ("event", "id"))),
    "agent_status_changed": ("agent-status", (("agent_id",),)),
    "routing_status_set": ("agent-status", (("agent_id",),)),
    # customer_created names it exactly, but this may be a customer who was there before.
    "incoming_customer": ("customer", (("customer", "id"),)),
}


_ID: Path = ("id",)
_JOINED: Path = ("user", "id")

#: action -> the name of what it is about, and the paths of its parts. All that is said about one
#: subject is about the same state. tag_created has a strong key: a tag may be deleted again.
SUBJECTS: dict[str, tuple[str, tuple[Path, ...]]] = {
    "incoming_chat_thread": ("arrival", (("chat", "id"),)),  # if it was transferred
    "incoming_chat": ("arrival", (("chat", "id"),)),
    "access_granted": ("access", (_ID,)),
    "access_revoked": ("access", (_ID,)),
    "access_set": ("access", (_ID,)),
    "chat_access_granted": ("access", (_ID,)),
    "chat_access_revoked": ("access", (_ID,)),
    "chat_access_set": ("access", (_ID,)),
    "chat_access_updated": ("access", (_ID,)),
    "chat_transferred": ("transfer", (_CHAT_ID,)),
    "chat_user_added": ("member", (_CHAT_ID, _JOINED)),
    "chat_user_removed": ("member", (_CHAT_ID, _USER_ID)),
    "user_added_to_chat": ("member", (_CHAT_ID, _JOINED)),
    "user_removed_from_chat": ("member", (_CHAT_ID, _USER_ID)),
    "event_updated": ("message", (_CHAT_ID, ("event", "id"))),
    "incoming_rich_message_postback": ("pressed", (_CHAT_ID, _USER_ID)),
    "chat_properties_updated": ("chat-properties", (_CHAT_ID,)),
    "chat_properties_deleted": ("chat-properties", (_CHAT_ID,)),
    "chat_thread_properties_updated": ("thread-properties", (_CHAT_ID, _THREAD_ID)),
    "chat_thread_properties_deleted": ("thread-properties", (_CHAT_ID, _THREAD_ID)),
    "thread_properties_updated": ("thread-properties", (_CHAT_ID, _THREAD_ID)),
    "thread_properties_deleted": ("thread-properties", (_CHAT_ID, _THREAD_ID)),
    "event_properties_updated": ("event-properties", (_CHAT_ID, _EVENT_ID)),
    "event_properties_deleted": ("event-properties", (_CHAT_ID, _EVENT_ID)),
    "chat_thread_tagged": ("tag-of-thread", _TAGGED),
    "chat_thread_untagged": ("tag-of-thread", _TAGGED),
    "thread_tagged": ("tag-of-thread", _TAGGED),
    "thread_untagged": ("tag-of-thread", _TAGGED),
    "incoming_customer": ("customer", (("customer", "id"),)),
    "customer_session_fields_updated": ("fields", (_ID, ("active_chat", "chat_id"))),
    "agent_status_changed": ("agent-status", (("agent_id",),)),
    "routing_status_set": ("agent-status", (("agent_id",),)),
    "agent_created": ("agent", (_ID,)),
    "agent_approved": ("agent", (_ID,)),
    "agent_updated": ("agent", (_ID,)),
    "agent_suspended": ("agent", (_ID,)),
    "agent_unsuspended": ("agent", (_ID,)),
    "agent_deleted": ("agent", (_ID,)),
    "auto_access_added": ("auto-access", (_ID,)),
    "auto_access_updated": ("auto-access", (_ID,)),
    "auto_access_deleted": ("auto-access", (_ID,)),
    "auto_accesses_updated": ("auto-access", (_ID,)),
    "bot_updated": ("bot", (_ID,)),
    "bot_deleted": ("bot", (_ID,)),
    "group_updated": ("group", (_ID,)),
    "group_deleted": ("group", (_ID,)),
    "tag_created": ("tag", (("name",),)),
    "tag_updated": ("tag", (("name",),)),
    "tag_deleted": ("tag", (("name",),)),
}


def keys_of(version: str, action: str, tenant_id: str | None, body: Document) -> ItemKeys:
    """Return the keys of the item that says that *action* happened to *body*."""
    key = _strong_key(action, body)
    named = _named(NEAR, action, body)
    near = None if named is None else join_parts(*named)
    if key is None:
        event_id = _event_id(version, tenant_id, (action, hash_content(body)))
        return ItemKeys(event_id, repeat_after_s=_repeat_after_s(action, body), near=near)
    fact = join_parts(*key) if key[0] in FACTS else None
    return ItemKeys(_event_id(version, tenant_id, key), fact=fact, near=near)


def _repeat_after_s(action: str, body: Document) -> float:
    if action == "incoming_rich_message_postback":
        return PRESSED_AGAIN_AFTER_S
    return LONG_REPEAT_AFTER_S if _has_own_time(body) else REPEAT_AFTER_S


def _has_own_time(body: Document) -> bool:
    """Tell whether *body* says since when a chat waits, so that only a redelivery equals it."""
    queue = dig(body, "queue")
    return dig_id(queue, "queued_at") is not None or dig_id(queue, "queued_at_us") is not None


def subject_of(payload: Payload, action: str, tenant_id: str | None, body: Document) -> str | None:
    """Return what *body* is about; None is its own content. A missing part is left empty.

    Of the versions that look alike, the body of one action may show another than the body that
    takes it back. Versions that are told apart by the settings report side by side.
    """
    is_strong = _strong_key(action, body) is not None and action != "tag_created"
    if action not in SUBJECTS or is_strong or _has_own_time(body):
        return None
    name, paths = SUBJECTS[action]
    pinned = payload.options.version_for(dig_id(payload.document, "webhook_id"))
    version = pinned or FAMILIES.get(payload.version, payload.version)
    return join_parts(version, tenant_id, name, *(dig_id(body, *path) for path in paths))


def lane_of(action: str, body: Document) -> str | None:
    """Return the id of the chat that *body* is about."""
    if is_access(action):
        return dig_id(body, "id") if dig(body, "resource") != "thread" else None
    return (
        dig_id(body, "chat_id")
        or dig_id(body, "chat", "id")
        or dig_id(body, "active_chat", "chat_id")
    )


def is_access(action: str) -> bool:
    """Tell whether *action* says who may see a chat; its ``id`` is then the chat's."""
    return action.removeprefix("chat_").startswith("access_")


def _event_id(version: str, tenant_id: str | None, key: tuple[str, ...]) -> str:
    return f"{version}:{join_parts(tenant_id, *key)}"


def _strong_key(action: str, body: Document) -> tuple[str, ...] | None:
    if action == "customer_created":
        # On some pages the customer itself is the payload.
        customer_id = dig_id(body, "customer", "id") or dig_id(body, "id")
        return None if customer_id is None else ("customer", customer_id)
    # A transferred chat comes again with each transfer.
    if dig(body, "transferred_from") is not None:
        return None
    return _named(STRONG, action, body)


def _named(
    names: Mapping[str, tuple[str, tuple[Path, ...]]], action: str, body: Document
) -> tuple[str, ...] | None:
    """Return the name and its parts; None if *body* lacks one of them."""
    if action not in names:
        return None
    name, paths = names[action]
    parts = [dig_id(body, *path) for path in paths]
    found = [part for part in parts if part is not None]
    return (name, *found) if len(found) == len(parts) else None
