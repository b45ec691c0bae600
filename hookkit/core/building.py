"""Builds the event of an item from its parts; the same for every vendor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from hookkit.core.delivery import Item
from hookkit.core.event import EVENT_CLASSES, Event, EventType


def build_event(
    item: Item, kind: EventType, parts: Mapping[str, Any], problems: Sequence[str] = ()
) -> Event:
    """Return the event of *kind* that *parts* make, by the names of the event's attributes.

    Parts that the kind's class does not have are left out; without a part that it must
    have, the event is ``unknown`` and a problem names the part.
    """
    required, optional = _PARTS[EVENT_CLASSES[kind]]
    missing = [name for name in required if parts.get(name) is None]
    if missing:
        gaps = (f"{name}: missing, so this is no {kind.value}" for name in missing)
        return build_event(item, EventType.UNKNOWN, parts, (*problems, *gaps))
    return EVENT_CLASSES[kind](
        id=item.event_id,
        type=kind,
        provider=item.payload.provider,
        endpoint=item.payload.endpoint,
        version=item.payload.version,
        vendor_type=item.vendor_type,
        received_at=item.payload.received_at,
        problems=tuple(problems),
        raw=item.raw,
        **{name: parts[name] for name in optional if parts.get(name) is not None},
        **{name: parts[name] for name in required},
    )


def unknown_event(item: Item, *problems: str) -> Event:
    """Return the event of an item that is not understood."""
    reasons = problems if item.problem is None else (item.problem, *problems)
    return build_event(item, EventType.UNKNOWN, {}, reasons)


#: What ``build_event`` fills in from the item.
_FROM_ITEM = frozenset(
    [
        *("id", "type", "provider", "endpoint", "version", "vendor_type", "received_at"),
        *("problems", "raw"),
    ]
)


def _parts_of(event_class: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    attributes = [each for each in fields(event_class) if each.name not in _FROM_ITEM]
    required = {
        each.name
        for each in attributes
        if each.default is MISSING and each.default_factory is MISSING
    }
    return (
        tuple(each.name for each in attributes if each.name in required),
        tuple(each.name for each in attributes if each.name not in required),
    )


#: class -> the parts that it must have, and those that it may have
_PARTS = {event_class: _parts_of(event_class) for event_class in EVENT_CLASSES.values()}
