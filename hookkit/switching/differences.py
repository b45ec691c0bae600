"""Where the events of two versions differ that tell of the same fact.

Rule 1: what must differ is left out: ids, the vendor's word, when it came, the vendor's item.
Rule 2: a value is shown only where it is a word or an id of the vendor's, a time, a whole
        number or a truth. Of anything else, which people may have written, only its size is:
        a report is read over shoulders and pasted into tickets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from hookkit.core.event import Event

#: What tells the two reports apart, and not what happened.
OF_THE_REPORT = frozenset(
    {"id", "endpoint", "version", "vendor_type", "webhook_id", "raw", "received_at"}
)

#: Names of fields that hold a word or an id of the vendor's. Not among them: a client's
#: external id and a destination's, which are telephone numbers where the channel has them.
_SHOWN = frozenset(
    {
        *("id", "user_id", "client_id", "integration_id", "thread_id", "message_id"),
        *("original_message_id", "campaign_id", "ad_id", "tenant_id"),
        *("type", "status", "state", "stage", "reason", "schema", "media_type", "channel"),
        *("integration_type", "subtypes"),
    }
)
_WORD = re.compile(r"[A-Za-z0-9_:./+-]{1,64}")


class Difference(NamedTuple):
    """A field that two events do not hold alike; None is what one does not carry at all.

    Attributes:
        path: Its attributes, with ``[]`` for each element of an array.
    """

    path: str
    old: str | None
    new: str | None


def differences(old: Event, new: Event) -> Iterator[Difference]:
    """Yield each field that *old* and *new* do not hold alike, with values that may be shown."""
    for each in fields(old):
        if each.name not in OF_THE_REPORT:
            yield from _differences(
                getattr(old, each.name), getattr(new, each.name, None), each.name
            )


def _differences(old: Any, new: Any, path: str) -> Iterator[Difference]:
    if old == new:
        return
    if is_dataclass(old) and type(old) is type(new):
        for each in fields(old):
            inner = f"{path}.{each.name}"
            yield from _differences(getattr(old, each.name), getattr(new, each.name), inner)
    elif _are_parts(old) and _are_parts(new) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _differences(one, other, f"{path}[]")
    elif is_carried(old) or is_carried(new):
        yield Difference(path, _told(old, path), _told(new, path))


def _are_parts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_dataclass, value))


def is_carried(value: Any) -> bool:
    """Tell whether *value* says anything: an empty text, array or object does not."""
    if isinstance(value, Mapping | tuple | str):
        return len(value) > 0
    return value is not None


def _told(value: Any, path: str) -> str | None:
    return shown(value, path) if is_carried(value) else None


def shown(value: Any, path: str) -> str:
    """Return what a report shows of the *value* at *path*."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, str):
        name = path.rpartition(".")[2].removesuffix("[]")
        if name in _SHOWN and _WORD.fullmatch(value):
            return value
        return f"text of {_count(len(value), 'character')}"
    if isinstance(value, tuple):
        return f"array of {_count(len(value), 'element')}"
    if isinstance(value, Mapping):
        return f"object of {_count(len(value), 'key')}"
    return f"a {type(value).__name__}"


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
