"""Where every leaf of every sample is in the unified event: nothing is dropped unsaid.

A provider writes a table: the path of a leaf, with ``*`` for any element or key and ``**`` at the
end for all that follows, and the attribute that it is in, or why only ``raw`` has it. The first
path that fits counts. A leaf is in an attribute if the attribute changes when the leaf does.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hookkit.core.provider import Provider
from tests.providers.reading import SCHEMA, headers_of, provider_of, read

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


def matches(path: tuple[str | int, ...], pattern: str) -> bool:
    steps = pattern.split(".")
    if steps[-1] == "**":
        steps, path = steps[:-1], path[: len(steps) - 1]
    return len(steps) == len(path) and all(
        step in ("*", str(key)) for step, key in zip(steps, path, strict=True)
    )


def pattern_of(path: tuple[str | int, ...], table: Table) -> str | None:
    """Return the first pattern in *table* that *path* matches."""
    return next((pattern for pattern in table if matches(path, pattern)), None)


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


def dumps(body: Body, document) -> list[dict[str, Any]]:
    return [SCHEMA.dump(event) for event in read(body.provider, document, headers=body.headers)]


def differences(one: Any, two: Any, path: str = "") -> set[str]:
    """Return the dotted paths at which *one* and *two* differ; an array is one place."""
    if isinstance(one, dict) and isinstance(two, dict):
        found: set[str] = set()
        for key in one.keys() | two.keys():
            if path or key not in LEFT_OUT:
                found |= differences(one.get(key), two.get(key), f"{path}.{key}".lstrip("."))
        return found
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return {
            each
            for first, second in zip(one, two, strict=True)
            for each in differences(first, second, path)
        }
    return set() if one == two else {path}


def changes_of(body: Body, path: tuple[str | int, ...], before: list[dict[str, Any]]) -> set[str]:
    """Return the attributes of the events that change with the leaf at *path*.

    Args:
        before: The events of *body* as it is.
    """
    after = dumps(body, with_other(body.document, path))
    if len(before) != len(after):
        return {"type", "vendor_type"}
    return {each for one, two in zip(before, after, strict=True) for each in differences(one, two)}


def dropped(body: Body, table: Table, *, renames: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for each leaf of *body* that is not where *table* says it is.

    Args:
        renames: Another name for the first step of a path.
    """
    lines = []
    before = dumps(body, body.document)
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
