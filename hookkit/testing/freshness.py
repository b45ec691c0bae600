"""Makes a new event of a sample, and changes single values in it."""

from __future__ import annotations

import copy
import secrets
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hookkit.core.errors import HookkitError
from hookkit.core.provider import PayloadVersion

_HEX = "0123456789abcdef"

#: Ids that are numbers stay exact in every language that reads JSON.
_MAX_NUMBER = 1 << 53


def freshen(
    document: Mapping[str, Any], version: PayloadVersion, *, now: datetime | None = None
) -> dict[str, Any]:
    """Return a copy of *document* that is a new event: new ids, and times of now.

    The copy's ids look like those of the original (numbers become larger ones), equal ids stay
    equal to each other, and its times are in the original's form. Paths that the document does
    not have are left out.

    Args:
        document: The payload.
        version: Its version, which says where ids and times are.
        now: An aware moment; None is the moment of the call.
    """
    fresh: dict[str, Any] = copy.deepcopy(dict(document))
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    new_ids: dict[str | int, str | int] = {}

    def new_id(old: Any) -> Any:
        if isinstance(old, int) and not isinstance(old, bool):
            return new_ids.setdefault(old, secrets.randbelow(_MAX_NUMBER))
        if not isinstance(old, str) or not old:
            return old
        return new_ids.setdefault(old, _similar_id(old))

    for path in version.fresh_ids:
        _replace(fresh, path.split("."), new_id)
    for path in version.fresh_times:
        _replace(fresh, path.split("."), lambda old: _same_form(old, moment))
    return fresh


def set_path(document: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* at *path* of *document*: ``events.0.payload.message.content.text``.

    Objects that are missing on the way are made; elements of an array must be there.

    Raises:
        HookkitError: The path leads through something that is neither object nor array, or
            to an element that is not there.
    """
    node: Any = document
    steps = path.split(".")
    for depth, step in enumerate(steps):
        is_last = depth == len(steps) - 1
        place = ".".join(steps[: depth + 1])
        if isinstance(node, dict):
            if is_last:
                node[step] = value
            else:
                node = node.setdefault(step, {})
        elif isinstance(node, list):
            index = _index(step, node, place)
            if is_last:
                node[index] = value
            else:
                node = node[index]
        else:
            raise HookkitError(f"path {path!r}: nothing can be put at {place!r}")


def _index(step: str, array: Sequence[Any], place: str) -> int:
    if not step.isascii() or not step.isdigit() or int(step) >= len(array):
        there = f"elements 0 to {len(array) - 1}" if array else "no elements"
        raise HookkitError(f"path {place!r}: the array has {there}")
    return int(step)


def _replace(node: Any, steps: Sequence[str], make: Callable[[Any], Any]) -> None:
    """Replace what is at the end of *steps*; ``*`` stands for every element of an array."""
    step, *rest = steps
    keys: list[Any] = []
    if step == "*" and isinstance(node, list):
        keys = list(range(len(node)))
    elif isinstance(node, dict) and step in node:
        keys = [step]
    for key in keys:
        if rest:
            _replace(node[key], rest, make)
        else:
            node[key] = make(node[key])


def _similar_id(old: str) -> str:
    """Return a random id of the same look: UUID, hexadecimal, or letters and digits."""
    try:
        if str(uuid.UUID(old)) == old.lower():
            fresh = str(uuid.uuid4())
            return fresh if old.islower() else fresh.upper()
    except ValueError:
        pass
    kinds = [_HEX] if set(old) <= set(_HEX) and not old.isdigit() else []
    kinds += [string.digits, string.ascii_lowercase, string.ascii_uppercase]
    return "".join(
        next((secrets.choice(kind) for kind in kinds if character in kind), character)
        for character in old
    )


def _same_form(old: Any, moment: datetime) -> Any:
    """Return *moment* as the vendor wrote *old*: unix seconds, or an ISO text."""
    if isinstance(old, str):
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(old, int | float) and not isinstance(old, bool):
        return round(moment.timestamp(), 3)
    return old
