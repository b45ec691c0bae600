"""What a payload may look like one day, or in the hands of a stranger."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from hookkit.testing.payloads import SamplePayload

_UNKNOWN_FIELD = "x-hookkit-unknown"
_UNKNOWN_TYPE = "hookkit.unheard-of"

#: What may stand where a vendor has something else.
HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 1e300, 2**70, "", "\x00\ud800", "2026-99-99", "9" * 400),
    *([], {}, [[]], {"": None}),
)

#: Bodies that no vendor sends, and strangers do.
HOSTILE_BODIES = (
    *(b"", b" ", b"null", b"0", b"[]", b"{}", b'"text"', b"{", b'{"a": 1, "a": 2}', b"\xff\xfe"),
    *(b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 5_000, b'{"a":' * 5_000, b"a=1&a=2&%zz"),
)

#: The keys and the indexes that lead to a value.
Path: TypeAlias = tuple[str | int, ...]


def add_unknown(node: Any, *, everywhere: bool) -> None:
    """Add an unknown field to *node*, and to every object in it."""
    if isinstance(node, dict):
        inner = list(node.values()) if everywhere else []
        node[_UNKNOWN_FIELD] = {"added": [1, None]} if everywhere else "1"
    else:
        inner = node if isinstance(node, list) else []
    for each in inner:
        add_unknown(each, everywhere=everywhere)


def renamed(payload: SamplePayload, vendor_type: str) -> SamplePayload | None:
    """Return *payload* with another word in place of its type; None if it does not show it."""
    if not vendor_type:
        return None
    document = copy.deepcopy(payload.document)
    places = [path for path, value in values_in(document) if value == vendor_type]
    headers = {
        name: _UNKNOWN_TYPE if value == vendor_type else value
        for name, value in payload.headers.items()
    }
    for path in places:
        document = changed_at(document, path, _UNKNOWN_TYPE)
    if not places and headers == payload.headers:
        return None
    return replace(payload, document=document, headers=headers, given=None)


def values_in(node: Any, before: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path of every value in *node*, and the value."""
    pairs: Any = ()
    if isinstance(node, dict):
        pairs = node.items()
    elif isinstance(node, list):
        pairs = enumerate(node)
    for key, value in pairs:
        yield (*before, key), value
        yield from values_in(value, (*before, key))


def changed_at(node: Any, path: Path, value: Any) -> Any:
    """Return *node* with *value* at *path*; what does not lead there is shared."""
    if not path:
        return value
    changed = copy.copy(node)
    changed[path[0]] = changed_at(node[path[0]], path[1:], value)
    return changed
