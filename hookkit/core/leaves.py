"""The single values of an event, each under the path that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

#: Fields of an event that do not depend on how its payload is read.
_GIVEN = frozenset({"raw", "received_at", "endpoint", "provider"})


def leaves(event: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and value of what *event* carries, in the order of its fields.

    A path consists of the names of attributes, with ``[0]`` for an element of an array of parts.
    An object or array of plain values is one leaf. What is empty is left out.
    """
    for each in fields(event):
        if each.name not in _GIVEN:
            yield from _leaves(getattr(event, each.name), each.name)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _leaves(getattr(value, each.name), f"{path}.{each.name}")
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}[{number}]")
    elif value is not None and not (isinstance(value, Mapping | tuple | str) and not value):
        yield path, value


def spelling(value: Any) -> str:
    """Return *value* of a leaf as text; equal values, and no others, are spelt alike."""
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else repr(value)
