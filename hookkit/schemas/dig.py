"""Reach into an object whose shape nobody has checked yet."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from hookkit.schemas.fields import Id

_ID = Id()


def dig(document: Any, *path: str) -> Any:
    """Return what lies at *path*, None where there is nothing or no object on the way."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def dig_text(document: Any, *path: str) -> str | None:
    """Return the text at *path*; None for anything else, the empty text included."""
    value = dig(document, *path)
    return value if isinstance(value, str) and value else None


def dig_id(document: Any, *path: str) -> str | None:
    """Return the id at *path* as text; None for what is no id, the empty text included."""
    value = dig(document, *path)
    if isinstance(value, str):
        return value or None
    try:
        return None if value is None else _ID.deserialize(value)
    except ValidationError:
        return None
