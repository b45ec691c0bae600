"""The APIs 3.0 to 3.7: which of them sent a body, and the actions of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hookkit.core.body import Document, dig, dig_text

NUMBERED = ("3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7")

#: version -> the first of those that have its envelope and look like it in most bodies.
FAMILIES = {"3.2": "3.2", "3.3": "3.2", **dict.fromkeys(NUMBERED[4:], "3.4")}

#: Actions by the version that added them.
ACTIONS_OF_3_3 = frozenset(
    {"incoming_customer", "chat_transferred", "customer_session_fields_updated"}
)
ACTIONS_OF_3_5 = frozenset({"auto_accesses_updated", "tag_created", "tag_updated", "tag_deleted"})
ACTIONS_OF_3_6 = frozenset({"event_deleted", "thread_summary_set"})

#: Types of chat events by the version that added them.
EVENT_OF_3_3 = "form"
EVENT_OF_3_6 = "system"

#: Keys of customers by the version that added them; 3.6 renamed "last_visit" to "visit".
#: https://platform.text.com/docs/messaging/agent-chat-api/changelog
CUSTOMER_OF_3_3 = frozenset({"email_verified", "followed", "online", "group_ids", "state"})
CUSTOMER_OF_3_6 = frozenset({"visit", "phone_number", "tickets", "carts", "omnichannel"})


def numbered_version(document: Document) -> str:
    """Return the lowest version that has all of *document*, which has an action."""
    payload = document.get("payload")
    if payload is None and document.get("data") is not None:
        return "3.0"  # "The data field in webhooks was renamed to payload" in 3.1
    if document.get("organization_id") is not None:
        return _from_3_4(document, payload)
    if document.get("license_id") is not None:
        return _from_3_2(document, payload)
    return "3.1"


def _from_3_2(document: Document, payload: Any) -> str:
    is_later = (
        document.get("action") in ACTIONS_OF_3_3
        or dig(document, "additional_data", "chat_presence_user_ids") is not None
        or dig_text(payload, "event", "type") == EVENT_OF_3_3
        or any(_has(customer, CUSTOMER_OF_3_3) for customer in _customers(payload))
        or any(_has(each, {"alternative_text", "target"}) for each in _parts_of_event(payload))
    )
    return "3.3" if is_later else "3.2"


def _from_3_4(document: Document, payload: Any) -> str:
    action = document.get("action")
    if (
        document.get("requester") is not None
        or action in ACTIONS_OF_3_6
        or dig_text(payload, "event", "type") == EVENT_OF_3_6
        or any(_has(customer, CUSTOMER_OF_3_6) for customer in _customers(payload))
        or dig(payload, "chat", "thread", "customer_visit") is not None
        or any(_has(each, {"ecommerce", "deleted"}) for each in _parts_of_event(payload))
        or _has(dig(payload, "postback"), {"button_type", "button_value", "ecommerce"})
    ):
        return "3.6"
    if (
        action in ACTIONS_OF_3_5
        # Samples on the vendor's pages have an array under the old name, auto_access_added.
        or isinstance(payload, list)
        or isinstance(dig(payload, "work_scheduler", "schedule"), list)
    ):
        return "3.5"
    return "3.4"


def _has(node: object, keys: Iterable[str]) -> bool:
    return any(dig(node, key) is not None for key in keys)


def _customers(payload: Any) -> Iterator[Any]:
    yield from _each(dig(payload, "chat", "users"))
    yield from (dig(payload, "user"), dig(payload, "customer"))


def _parts_of_event(payload: Any) -> Iterator[Any]:
    """Yield an event, and the elements, pictures and buttons of a rich message."""
    event = dig(payload, "event")
    yield event
    for element in _each(dig(event, "elements")):
        yield from (element, dig(element, "image"), *_each(dig(element, "buttons")))


def _each(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list) else ()


#: The first and the last version -> the actions that they have. Actions of the developer preview
#: of 3.2 are left out: nobody can register for them.
ACTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("3.0", "3.1"): (
        "incoming_chat_thread",
        "thread_closed",
        "access_granted",
        "access_revoked",
        "access_set",
        "chat_user_added",
        "chat_user_removed",
        "chat_thread_properties_updated",
        "chat_thread_properties_deleted",
        "chat_thread_tagged",
        "chat_thread_untagged",
        "agent_status_changed",
    ),
    ("3.2", "3.7"): (
        "incoming_chat",
        "chat_deactivated",
        "user_added_to_chat",
        "user_removed_from_chat",
        "thread_properties_updated",
        "thread_properties_deleted",
        "thread_tagged",
        "thread_untagged",
        "routing_status_set",
    ),
    ("3.2", "3.3"): (
        "chat_access_granted",
        "chat_access_revoked",
    ),
    ("3.4", "3.7"): (
        "chat_access_updated",
        "agent_created",
        "agent_approved",
        "agent_updated",
        "agent_suspended",
        "agent_unsuspended",
        "bot_created",
        "bot_updated",
        "bot_deleted",
        "group_created",
        "group_updated",
        "group_deleted",
    ),
    ("3.3", "3.7"): (
        "chat_transferred",
        "customer_session_fields_updated",
    ),
    ("3.0", "3.7"): (
        "incoming_event",
        "event_updated",
        "incoming_rich_message_postback",
        "chat_properties_updated",
        "chat_properties_deleted",
        "event_properties_updated",
        "event_properties_deleted",
        "agent_deleted",
    ),
    ("3.6", "3.7"): (
        "event_deleted",
        "thread_summary_set",
    ),
    ("3.0", "3.2"): ("customer_created",),
    ("3.3", "3.5"): ("incoming_customer",),
    ("3.0", "3.0"): ("last_seen_timestamp_updated",),
    ("3.1", "3.7"): ("events_marked_as_seen",),
    ("3.4", "3.4"): (
        "auto_access_added",
        "auto_access_updated",
        "auto_access_deleted",
    ),
    ("3.5", "3.7"): (
        "auto_accesses_updated",
        "tag_created",
        "tag_updated",
        "tag_deleted",
    ),
}


def actions_of(version: str) -> tuple[str, ...]:
    """Return the actions that a webhook of *version* can be registered for."""
    at = NUMBERED.index(version)
    return tuple(
        action
        for (first, last), actions in ACTIONS.items()
        if NUMBERED.index(first) <= at <= NUMBERED.index(last)
        for action in actions
    )


#: word -> its names in other versions, which it fires for as well.
#: https://platform.text.com/docs/management/changelog
RENAMES: dict[str, tuple[str, ...]] = {
    "incoming_chat_thread": ("incoming_chat",),
    "incoming_chat": ("incoming_chat_thread",),
    "thread_closed": ("chat_deactivated",),
    "chat_deactivated": ("thread_closed",),
    "chat_thread_tagged": ("thread_tagged",),
    "thread_tagged": ("chat_thread_tagged",),
    "chat_thread_untagged": ("thread_untagged",),
    "thread_untagged": ("chat_thread_untagged",),
    "chat_thread_properties_updated": ("thread_properties_updated",),
    "thread_properties_updated": ("chat_thread_properties_updated",),
    "chat_thread_properties_deleted": ("thread_properties_deleted",),
    "thread_properties_deleted": ("chat_thread_properties_deleted",),
    "chat_user_added": ("user_added_to_chat",),
    "user_added_to_chat": ("chat_user_added",),
    "chat_user_removed": ("user_removed_from_chat",),
    "user_removed_from_chat": ("chat_user_removed",),
    # 3.4 has one word for all three, and sends the whole new state.
    "access_granted": ("chat_access_granted", "chat_access_updated"),
    "chat_access_granted": ("access_granted", "chat_access_updated"),
    "access_revoked": ("chat_access_revoked", "chat_access_updated"),
    "chat_access_revoked": ("access_revoked", "chat_access_updated"),
    "access_set": ("chat_access_set", "chat_access_updated"),
    "chat_access_set": ("access_set", "chat_access_updated"),
    "chat_access_updated": (
        "access_granted",
        "access_revoked",
        "access_set",
        "chat_access_granted",
        "chat_access_revoked",
        "chat_access_set",
    ),
    "customer_created": ("incoming_customer",),
    "incoming_customer": ("customer_created",),
    "last_seen_timestamp_updated": ("events_marked_as_seen",),
    "events_marked_as_seen": ("last_seen_timestamp_updated",),
    # The changelog only says that the first was removed.
    "agent_status_changed": ("routing_status_set",),
    "routing_status_set": ("agent_status_changed",),
    # 3.5 has one word for all three, and a status in each element.
    "auto_access_added": ("auto_accesses_updated",),
    "auto_access_updated": ("auto_accesses_updated",),
    "auto_access_deleted": ("auto_accesses_updated",),
    "auto_accesses_updated": (
        "auto_access_added",
        "auto_access_updated",
        "auto_access_deleted",
    ),
}
