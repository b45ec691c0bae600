"""Which of the APIs 3.0 to 3.7 sent a body: none says so, and some look alike.

Rule 1: the envelope tells a family: 3.0, 3.1, 3.2 to 3.3, or 3.4 to 3.7.
Rule 2: within a family, what only a later version sends tells it.
Rule 3: else it is the family's lowest; the setting ``version`` knows better.

https://platform.text.com/docs/management/changelog
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hookkit.core.delivery import Document
from hookkit.schemas.dig import dig, dig_text

NUMBERED = ("3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7")

#: Actions by the version that brought them, within a family.
ACTIONS_OF_3_3 = frozenset({"incoming_customer", "chat_transferred"})
ACTIONS_OF_3_3 |= {"customer_session_fields_updated"}
ACTIONS_OF_3_5 = frozenset({"auto_accesses_updated", "tag_created", "tag_updated", "tag_deleted"})
ACTIONS_OF_3_6 = frozenset({"event_deleted", "thread_summary_set"})

#: Types of chat events by the version that brought them.
EVENT_OF_3_3 = "form"
EVENT_OF_3_6 = "system"


def numbered_version(document: Document) -> str:
    """Return the lowest version that *document*, which has an action, can be of."""
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
    )
    return "3.3" if is_later else "3.2"


def _from_3_4(document: Document, payload: Any) -> str:
    action = document.get("action")
    if (
        document.get("requester") is not None
        or action in ACTIONS_OF_3_6
        or dig_text(payload, "event", "type") == EVENT_OF_3_6
        # "last_visit" was renamed; postbacks got the button they come from.
        or any(customer.get("visit") is not None for customer in _customers(payload))
        or dig(payload, "postback", "button_type") is not None
    ):
        return "3.6"
    if (
        action in ACTIONS_OF_3_5
        # Samples in the documents have an array under the old name, auto_access_added.
        or isinstance(payload, list)
        or isinstance(dig(payload, "work_scheduler", "schedule"), list)
    ):
        return "3.5"
    return "3.4"


def _customers(payload: Any) -> Iterator[Document]:
    users = dig(payload, "chat", "users")
    found = [*(users if isinstance(users, list) else ()), dig(payload, "user")]
    yield from (user for user in found if isinstance(user, dict))
