"""Finds the fields of a payload that nothing reads: a vendor has added them, or spells them anew.

No list of known fields is kept for this. The payload is read once more, and its objects note which
of their keys are asked for. That is slower than reading it as usual, so only some payloads are
read like this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hookkit.core.delivery import Item
from hookkit.core.event import Event
from hookkit.core.provider import PayloadVersion

#: A name of a field that is shown. Other keys are data, such as ids of people.
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_:.$-]{0,63}")
_NUMBERS = re.compile(r"\d{4}")

#: How many events of one body are looked through for the one that is meant.
MAX_ITEMS = 100

_DEEPEST = 50


class _Notes:
    """What was asked for, by the path of its key.

    Attributes:
        whole: The paths of the objects of which every key was taken.
        is_splitting: Whether the payload is being taken apart, where whole objects are hashed.
    """

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.whole: set[str] = set()
        self.is_splitting = True


class _Noting(dict[str, Any]):
    """An object of a payload that notes which of its keys are asked for."""

    def __init__(self, content: Mapping[str, Any], path: str, notes: _Notes) -> None:
        super().__init__(content)
        self.path = path
        self.notes = notes

    def _note(self, key: object) -> None:
        self.notes.asked.add(f"{self.path}.{key}")

    def _note_whole(self) -> None:
        if not self.notes.is_splitting:
            self.notes.whole.add(self.path)

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def items(self) -> Any:
        self._note_whole()
        return super().items()

    def values(self) -> Any:
        self._note_whole()
        return super().values()


def unread_fields(version: PayloadVersion, item: Item) -> frozenset[str]:
    """Return the paths of the fields of *item* that its version does not read.

    Args:
        version: The payload version that reads it.
        item: An item that can be read; ``[]`` in a path stands for any element of an array.
    """
    notes = _Notes()
    document = _noting(item.payload.document, "", notes)
    payload = replace(item.payload, document=document)
    found = _same(version, payload, item)
    if found is None:
        return frozenset()
    raw = found.raw if isinstance(found.raw, _Noting) else _Noting(found.raw, "", notes)
    notes.is_splitting = False
    event = version.normalize(replace(found, raw=raw))
    notes.whole.update(_kept_whole(event))
    beside = {f".{key}" for key in document if _NAME.fullmatch(key)} - notes.asked
    beside = beside if raw.path else set()
    return frozenset(path.lstrip(".") for path in (*_unread(raw, notes, 0), *beside))


def _same(version: PayloadVersion, payload: Any, item: Item) -> Item | None:
    for number, each in enumerate(version.split(payload)):
        if each.event_id == item.event_id or number >= MAX_ITEMS:
            return each if each.event_id == item.event_id else None
    return None


def _noting(value: Any, path: str, notes: _Notes, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return value
    if isinstance(value, Mapping):
        inner = {
            key: _noting(each, f"{path}.{key}", notes, depth + 1) for key, each in value.items()
        }
        return _Noting(inner, path, notes)
    if isinstance(value, list):
        return [_noting(each, f"{path}[]", notes, depth + 1) for each in value]
    return value


def _kept_whole(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the paths of the objects that the event holds as they are."""
    if depth > _DEEPEST:
        return
    if isinstance(value, _Noting):
        yield value.path
    elif is_dataclass(value):
        for each in fields(value):
            if not (isinstance(value, Event) and each.name == "raw"):
                yield from _kept_whole(getattr(value, each.name), depth + 1)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _kept_whole(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _kept_whole(inner, depth + 1)


def _unread(value: Any, notes: _Notes, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _unread(each, notes, depth + 1)
    if not isinstance(value, _Noting) or value.path in notes.whole:
        return
    for key, inner in dict.items(value):
        path = f"{value.path}.{key}"
        if path in notes.asked:
            yield from _unread(inner, notes, depth + 1)
        elif inner not in (None, [], {}):
            is_name = _NAME.fullmatch(key) and not _NUMBERS.search(key)
            yield path if is_name else f"{value.path}.*"
