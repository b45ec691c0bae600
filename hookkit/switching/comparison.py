"""What two payload versions reported of the same facts: is it safe to switch?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from statistics import median
from typing import Any, NamedTuple

from hookkit.core.event import Event
from hookkit.core.facts import Report, is_exact, pair_nearest, plain_name

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


class Sighting(NamedTuple):
    """An event that arrived, in an entry of its own.

    Attributes:
        kind: Its event type, or the vendor's word where that is not known.
        event: What it was read as; None once its bytes are gone.
    """

    entry_id: int
    version: str
    kind: str
    fact: str | None
    received_ms: int
    lane: str | None = None
    event: Event | None = None


class Example(NamedTuple):
    """A field of two entries that differs; None is what one does not carry."""

    old_entry_id: int
    new_entry_id: int
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that twins do not hold alike.

    Attributes:
        differing: In how many pairs both carry it, and not alike.
        only_old, only_new: In how many one alone carries it.
        example: The newest of these pairs.
    """

    path: str
    differing: int
    only_old: int
    only_new: int
    example: Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What arrived of one event type.

    Attributes:
        seen_old: Events of the version in use.
        seen_new: Events of the version to come.
        paired: Facts of the old one, or of the new one alone, that both have reported.
        missing_old: Facts that only the new one has reported, in spite of the window.
        missing_new: Facts that only the old one has reported, in spite of the window.
        lost_new: Those of them that are exact: no other reading is left.
        due_new: Events of the old one that the new one had time to report, with facts or not.
        delay_s: The median of what twins of a fact arrived apart, None without any.
        longest_delay_s: The longest of these.
        compared: How many pairs were compared field by field: their bytes are still kept.
        fields: What differed in them.
    """

    kind: str
    seen_old: int
    seen_new: int
    paired: int
    missing_old: int
    missing_new: int
    lost_new: int = 0
    due_new: int = 0
    delay_s: float | None = None
    longest_delay_s: float | None = None
    compared: int = 0
    fields: tuple[Field, ...] = ()


Pair = tuple[Sighting, Sighting]


def compare(
    sightings: Iterable[Sighting], *, old: str, new: str, now_ms: int, window_ms: int
) -> list[Row]:
    """Return a row per event type that either version has reported.

    A fact counts as missing when the other version was there already and had a window's time.
    """
    told = sorted(sightings, key=lambda each: (each.received_ms, each.entry_id))
    of_old = [each for each in told if each.version == old]
    of_new = [each for each in told if each.version == new]
    begin_ms = max(of_old[0].received_ms, of_new[0].received_ms) if of_old and of_new else now_ms
    pairs = _pairs(of_old, of_new, window_ms)
    paired = {each.entry_id for pair in pairs for each in pair}
    open_old, open_new = (
        [each for each in _firsts(told) if each.entry_id not in paired] for told in (of_old, of_new)
    )
    rows = []
    for kind in sorted({each.kind for each in (*of_old, *of_new)}):

        def due(told: Iterable[Sighting], kind: str = kind) -> list[Sighting]:
            return [
                each
                for each in told
                if each.kind == kind and begin_ms <= each.received_ms <= now_ms - window_ms
            ]

        row = Row(
            kind=kind,
            seen_old=sum(each.kind == kind for each in of_old),
            seen_new=sum(each.kind == kind for each in of_new),
            paired=0,
            missing_old=len(due(open_new)),
            missing_new=len(due(open_old)),
            lost_new=sum(is_exact(each.fact) for each in due(open_old)),
            due_new=len(due(of_old)),
        )
        rows.append(_with_pairs(row, [pair for pair in pairs if pair[0].kind == kind]))
    return rows


def _firsts(told: Iterable[Sighting]) -> list[Sighting]:
    """Return what may have a twin: each near report, and the first of each exact fact."""
    exact: dict[str, Sighting] = {}
    near = []
    for each in told:
        if is_exact(each.fact):
            exact.setdefault(each.fact, each)
        elif each.fact is not None:
            near.append(each)
    return [*exact.values(), *near]


def _pairs(of_old: Sequence[Sighting], of_new: Sequence[Sighting], window_ms: int) -> list[Pair]:
    """Return the twins: by their exact facts, and of the rest by name and time."""
    named = [
        {each.fact: each for each in _firsts(told) if is_exact(each.fact)}
        for told in (of_old, of_new)
    ]
    pairs = [(one, named[1][fact]) for fact, one in named[0].items() if fact in named[1]]
    gone = {each.entry_id for pair in pairs for each in pair}
    by_id: dict[int, Sighting] = {}
    near: defaultdict[str, tuple[list[Report], list[Report]]] = defaultdict(lambda: ([], []))
    for side, told in enumerate((of_old, of_new)):
        for each in _firsts(told):
            if each.entry_id not in gone and each.fact is not None:
                by_id[each.entry_id] = each
                near[plain_name(each.fact)][side].append(_report(each, each.fact))
    for ones, others in near.values():
        for one, other in pair_nearest(ones, others, window_ms=window_ms):
            pairs.append((by_id[one.entry_id], by_id[other.entry_id]))
    return pairs


def _report(told: Sighting, fact: str) -> Report:
    return Report(told.entry_id, told.version, fact, told.lane, told.received_ms)


def _with_pairs(row: Row, pairs: Sequence[Pair]) -> Row:
    delays_ms = [abs(one.received_ms - other.received_ms) for one, other in pairs]
    compared = [
        (one, other, one.event, other.event)
        for one, other in pairs
        # A start that is a referral in the other version is read as two things.
        if one.event is not None and other.event is not None and one.kind == other.kind
    ]
    return replace(
        row,
        paired=len(pairs),
        delay_s=median(delays_ms) / 1000 if delays_ms else None,
        longest_delay_s=max(delays_ms) / 1000 if delays_ms else None,
        compared=len(compared),
        fields=_fields(compared),
    )


def _fields(compared: Iterable[tuple[Sighting, Sighting, Event, Event]]) -> tuple[Field, ...]:
    found: defaultdict[str, list[Example]] = defaultdict(list)
    for one, other, old, new in sorted(compared, key=lambda each: each[1].received_ms):
        told = {each.path: each for each in differences(old, new)}
        for path, each in told.items():
            found[path].append(Example(one.entry_id, other.entry_id, each.old, each.new))
    return tuple(
        Field(
            path=path,
            differing=sum(None not in (each.old, each.new) for each in examples),
            only_old=sum(each.new is None for each in examples),
            only_new=sum(each.old is None for each in examples),
            example=examples[-1],
        )
        for path, examples in sorted(found.items())
    )


def obstacles(
    rows: Sequence[Row], *, old: str, new: str, wanted: Collection[str] = ()
) -> list[str]:
    """Return what is in the way of a switch from *old* to *new*, nothing when it is safe.

    A near fact that found no twin may have had one: it is in nobody's way alone. An event
    type that the new version never reports is, if it is *wanted*.
    """
    if not any(row.seen_new for row in rows):
        return [f"{new} has not been seen: create its webhook at the vendor, beside that of {old}"]
    lacking = [
        f"{row.kind}: {row.lost_new} reported by {old} and not by {new}"
        for row in rows
        if row.lost_new
    ]
    lacking += [
        f"{row.kind}: {row.due_new} reported by {old} and none by {new}: tick its trigger there"
        for row in rows
        if row.kind in wanted and row.due_new and not (row.seen_new or row.lost_new or row.paired)
    ]
    if not lacking and not any(row.paired for row in rows):
        return [f"nothing has been reported by both {old} and {new}: wait for more events"]
    return lacking
