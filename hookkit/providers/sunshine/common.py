"""What every payload version of Sunshine says alike once it is read: authors, facts, reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookkit.core.event import EventType
from hookkit.core.identity import join_parts
from hookkit.core.parts import Author, AuthorType, DeliveryReport, User
from hookkit.providers.sunshine.shapes import CHANNEL_RENAMES
from hookkit.schemas.dig import dig_id, dig_text

#: "appUser role has been renamed to user, appMaker role has been renamed to business";
#: v1 also has whisper, an automatic message by the business that the user does not see.
_AUTHOR_TYPES = {
    "user": AuthorType.USER,
    "business": AuthorType.BUSINESS,
    "appUser": AuthorType.USER,
    "appMaker": AuthorType.BUSINESS,
    "whisper": AuthorType.BUSINESS,
}


def author_type(word: str | None) -> AuthorType:
    """Return who wrote it, by a role of v1.x or an author type of v2."""
    return _AUTHOR_TYPES.get(word or "", AuthorType.UNKNOWN)


def by_user(user: User | None) -> Author:
    """Return the author of what only a user does: press a button, follow a link, read."""
    return Author(type=AuthorType.USER, user_id=user.id if user is not None else None)


def typing_state(activity_type: str | None) -> str | None:
    """Return ``start`` or ``stop``, None for an activity that is not typing."""
    family, _, state = (activity_type or "").partition(":")
    return state if family == "typing" and state else None


def delivery_report(kind: EventType, payload: Mapping[str, Any]) -> DeliveryReport:
    """Return the report of a delivery event of *kind*."""
    return DeliveryReport(
        stage=kind.rpartition(":")[2],
        destination=payload.get("destination"),
        external_ids=tuple(each for each in payload.get("external_ids", ()) if each),
        is_final=payload.get("is_final"),
        error=payload.get("error"),
    )


def message_fact(message_id: str | None, *, deleted: bool = False) -> str | None:
    """Return the fact that a message was said, or taken back."""
    if message_id is None:
        return None
    return (
        join_parts("message", message_id, "deleted")
        if deleted
        else join_parts("message", message_id)
    )


def delivery_fact(stage: str, message_id: str | None, destination: object) -> str | None:
    """Return the fact that a message got to *stage* on its way to *destination*."""
    if message_id is None:
        return None
    channel = dig_text(destination, "type") or dig_text(destination, "integrationType")
    return join_parts(
        "delivery",
        stage,
        message_id,
        CHANNEL_RENAMES.get(channel or "", channel),
        dig_id(destination, "integrationId"),
    )


def merge_fact(surviving_id: str | None, discarded_id: str | None) -> str | None:
    """Return the fact that two users became one."""
    if surviving_id is None or discarded_id is None:
        return None
    return join_parts("merge", surviving_id, discarded_id)


def removal_fact(user_id: str | None) -> str | None:
    """Return the fact that a user is gone."""
    return None if user_id is None else join_parts("user", user_id, "removed")
