"""Where every leaf of every sample is in the unified event: nothing is dropped unsaid.

A provider writes a table: the path of a leaf, with ``*`` for any element or key and ``**`` at the
end for all that follows, and the attribute that it is in, or why only ``raw`` has it. The first
path that fits counts. A leaf is in an attribute if the attribute changes when the leaf does.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hookkit.core.event import Event
from hookkit.core.provider import Provider
from tests.providers.reading import headers_of, provider_of, read

#: The event's id may hang on every leaf, and ``raw`` has every one.
LEFT_OUT = frozenset({"id", "raw", "received_at"})


class OnlyRaw(NamedTuple):
    """Why a leaf is in no attribute."""

    why: str


class OneOf(NamedTuple):
    """The attributes of which one has the leaf, by what happened."""

    attributes: tuple[str, ...]


class Sometimes(NamedTuple):
    """Where a leaf is, and why a change of it may change nothing."""

    place: str | OneOf
    why: str


class Body(NamedTuple):
    """What a vendor sends."""

    provider: Provider
    document: Mapping[str, Any]
    headers: Mapping[str, str] = MappingProxyType({})


def body_of(sample: Path) -> Body:
    return Body(provider_of(sample), json.loads(sample.read_bytes()), headers_of(sample))


Place = str | OnlyRaw | OneOf | Sometimes
Table = Mapping[str, Place]


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in *node* that is neither an object nor an array."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    elif node is not None:
        yield path


@cache
def steps_of(pattern: str) -> tuple[list[str], bool]:
    """Return the steps of *pattern*, and whether anything may follow them."""
    steps = pattern.split(".")
    return (steps[:-1], True) if steps[-1] == "**" else (steps, False)


def matches(words: Sequence[str], pattern: str) -> bool:
    steps, is_open = steps_of(pattern)
    if len(words) < len(steps) or (len(words) > len(steps) and not is_open):
        return False
    return all(step in ("*", word) for step, word in zip(steps, words, strict=False))


def pattern_of(path: tuple[str | int, ...], table: Table) -> str | None:
    """Return the first pattern in *table* that *path* matches."""
    words = [str(key) for key in path]
    return next((pattern for pattern in table if matches(words, pattern)), None)


def other(value: Any) -> Any:
    """Return another value of the same kind as *value*."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    try:
        moment = datetime.fromisoformat(value) + timedelta(days=1)
    except ValueError:
        return f"{value}x"
    return moment.isoformat()


def with_other(document: Any, path: tuple[str | int, ...]) -> Any:
    """Return *document* with another value at *path*."""
    made = copy.copy(document)
    node = made
    for key in path[:-1]:
        node[key] = copy.copy(node[key])
        node = node[key]
    node[path[-1]] = other(node[path[-1]])
    return made


def events_of(body: Body, document: Any) -> list[Event]:
    return read(body.provider, document, headers=body.headers)


def differences(one: Any, two: Any, path: str = "") -> set[str]:
    """Return the dotted paths at which *one* and *two* differ; an array is one place.

    The paths are those of what ``EventSchema`` dumps, which would take most of the time.
    """
    if is_dataclass(one) and is_dataclass(two):
        found = set() if type(one) is type(two) else {f"{path}.kind".lstrip(".")}
        return found | differences(attributes_of(one), attributes_of(two), path)
    if isinstance(one, dict) and isinstance(two, dict):
        return {
            each
            for key in one.keys() | two.keys()
            if path or key not in LEFT_OUT
            for each in differences(one.get(key), two.get(key), f"{path}.{key}".lstrip("."))
        }
    if isinstance(one, tuple | list) and isinstance(two, tuple | list) and len(one) == len(two):
        return {
            each
            for first, second in zip(one, two, strict=True)
            for each in differences(first, second, path)
        }
    return set() if one == two else {path}


def attributes_of(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in names_of(type(model))}


@cache
def names_of(kind: Any) -> list[str]:
    return [each.name for each in fields(kind)]


def changes_of(body: Body, path: tuple[str | int, ...], before: list[Event]) -> set[str]:
    """Return the attributes of the events that change with the leaf at *path*.

    Args:
        before: The events of *body* as it is.
    """
    after = events_of(body, with_other(body.document, path))
    if len(before) != len(after):
        return {"type", "vendor_type"}
    return {each for one, two in zip(before, after, strict=True) for each in differences(one, two)}


def dropped(body: Body, table: Table, *, renames: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for each leaf of *body* that is not where *table* says it is.

    Args:
        renames: Another name for the first step of a path.
    """
    lines = []
    before = events_of(body, body.document)
    for path in leaves(body.document):
        changes = changes_of(body, path, before)
        pattern = pattern_of(renamed(path, renames), table)
        if not (is_there(table[pattern], changes) if pattern is not None else False):
            place = "not in the table" if pattern is None else f"not in {table[pattern]}"
            lines.append(f"{'.'.join(map(str, path))}: {place}, changes {sorted(changes)}")
    return lines


def is_there(place: Place, changes: set[str]) -> bool:
    match place:
        case OnlyRaw():
            return not changes
        case Sometimes(wanted, _):
            return not changes or is_there(wanted, changes)
        case OneOf(attributes):
            return any(is_there(attribute, changes) for attribute in attributes)
    return any(f"{each}.".startswith(f"{place}.") for each in changes)


def renamed(path: tuple[str | int, ...], renames: Mapping[str, str] | None):
    first, *rest = path
    return ((renames or {}).get(str(first), first), *rest)


def unused(bodies, table: Table, *, renames: Mapping[str, str] | None = None) -> set[str]:
    """Return the patterns of *table* that no leaf of *bodies* needs."""
    used = {
        pattern_of(renamed(path, renames), table)
        for body in bodies
        for path in leaves(body.document)
    }
    return set(table) - used
