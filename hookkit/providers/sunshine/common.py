"""What every payload version of Sunshine says alike once it is read: authors and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookkit.core.event import EventType
from hookkit.core.parts import Author, AuthorType, DeliveryReport, User

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
