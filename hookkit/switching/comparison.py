"""Compare what two payload versions reported: which facts, and how their events differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from statistics import median
from typing import Any, NamedTuple

from hookkit.core.event import Event
from hookkit.core.facts import Report, is_exact, pair_nearest, plain_name
from hookkit.core.masking import shown

#: Fields that belong to a report and not to what happened, and so may differ.
OF_THE_REPORT = frozenset(
    {"id", "endpoint", "version", "vendor_type", "webhook_id", "raw", "received_at"}
)


class Difference(NamedTuple):
    """A field that differs between two events.

    Attributes:
        path: The names of the attributes, with ``[]`` for each element of an array.
        old, new: What is shown of the values; None if the event does not have the field.
    """

    path: str
    old: str | None
    new: str | None


def differences(old: Event, new: Event) -> Iterator[Difference]:
    """Yield each field that differs between *old* and *new*."""
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
    elif _holds_parts(old) and _holds_parts(new) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _differences(one, other, f"{path}[]")
    elif is_carried(old) or is_carried(new):
        values = (shown(value, path) if is_carried(value) else None for value in (old, new))
        yield Difference(path, *values)


def _holds_parts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_dataclass, value))


def is_carried(value: Any) -> bool:
    """Tell whether *value* holds anything; None and an empty text, array or object do not."""
    if isinstance(value, Mapping | tuple | str):
        return len(value) > 0
    return value is not None


class Sighting(NamedTuple):
    """An event as one version reported it.

    Attributes:
        entry_id: The entry that holds it.
        kind: The event type, or the vendor's word if it has no type.
        received_ms: When it was received, in milliseconds since 1970 (UTC).
        event: The event that was read; None if its bytes were deleted.
    """

    entry_id: int
    version: str
    kind: str
    fact: str | None
    received_ms: int
    lane: str | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A field that differs, and the two entries; None is the value of a missing field."""

    old_entry_id: int
    new_entry_id: int
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that differs between twins.

    Attributes:
        path: As in ``Difference``.
        differing: The number of pairs in which both events have it, with other values.
        only_old, only_new: The number of pairs in which one event has it and the other has not.
        example: The newest of these pairs.
    """

    path: str
    differing: int
    only_old: int
    only_new: int
    example: Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What two versions reported of one event type.

    Attributes:
        seen_old: The number of events of the version in use.
        seen_new: The number of events of the version to come.
        paired: The number of facts that both have reported.
        missing_old: Facts that only the new version has reported, though the window is over.
        missing_new: Facts that only the old version has reported, though the window is over.
        lost_new: The exact facts in ``missing_new``. A near one may have paired with another.
        due_new: Events of the old version whose window is over, with a fact or without.
        delay_s: The median time between twins, in seconds; None without twins.
        longest_delay_s: The longest time between twins.
        compared: The number of pairs that were compared field by field: both bodies are kept.
        fields: The fields that differ in these pairs.
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

#: What tells in which fields the events of pairs differ, in their order; None of a pair of which
#: a body is gone.
Differ = Callable[[Sequence[Pair]], Sequence[Sequence[Difference] | None]]


def differ_by_events(pairs: Sequence[Pair]) -> Sequence[Sequence[Difference] | None]:
    """Return in which fields the events differ that the sightings themselves hold."""
    return [
        None
        if one.event is None or other.event is None
        else tuple(differences(one.event, other.event))
        for one, other in pairs
    ]


def compare(
    sightings: Iterable[Sighting],
    *,
    old: str,
    new: str,
    now_ms: int,
    window_ms: int,
    differ: Differ = differ_by_events,
) -> list[Row]:
    """Return a row for each event type that either version has reported.

    A fact is missing if the other version was already there and had a window's time to report it.

    Args:
        now_ms: The time now, in milliseconds since 1970 (UTC).
        window_ms: How long the twin of a fact may take to arrive.
        differ: Called once for each event type.
    """
    ordered = sorted(sightings, key=lambda each: (each.received_ms, each.entry_id))
    of_old = [each for each in ordered if each.version == old]
    of_new = [each for each in ordered if each.version == new]
    begin_ms = max(of_old[0].received_ms, of_new[0].received_ms) if of_old and of_new else now_ms
    due = range(begin_ms, now_ms - window_ms + 1)
    pairs = _pairs(of_old, of_new, window_ms)
    paired = {each.entry_id for pair in pairs for each in pair}
    unpaired_old, unpaired_new = (
        [each for each in _firsts(side) if each.entry_id not in paired and each.received_ms in due]
        for side in (of_old, of_new)
    )
    rows = []
    for kind in sorted({each.kind for each in (*of_old, *of_new)}):
        row = Row(
            kind=kind,
            seen_old=_count_of(of_old, kind),
            seen_new=_count_of(of_new, kind),
            paired=0,
            missing_old=_count_of(unpaired_new, kind),
            missing_new=_count_of(unpaired_old, kind),
            lost_new=_count_of([each for each in unpaired_old if is_exact(each.fact)], kind),
            due_new=_count_of([each for each in of_old if each.received_ms in due], kind),
        )
        rows.append(_with_pairs(row, [pair for pair in pairs if pair[0].kind == kind], differ))
    return rows


def _count_of(sightings: Iterable[Sighting], kind: str) -> int:
    return sum(each.kind == kind for each in sightings)


def _firsts(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return the sightings that may have a twin: the first of each exact fact, every near one."""
    exact: dict[str, Sighting] = {}
    near = []
    for each in sightings:
        if is_exact(each.fact):
            exact.setdefault(each.fact, each)
        elif each.fact is not None:
            near.append(each)
    return [*exact.values(), *near]


def _pairs(of_old: Sequence[Sighting], of_new: Sequence[Sighting], window_ms: int) -> list[Pair]:
    """Return the twins: first by their exact facts, then the rest by name and time."""
    exact_old, exact_new = (
        {each.fact: each for each in _firsts(side) if is_exact(each.fact)}
        for side in (of_old, of_new)
    )
    pairs = [(one, exact_new[fact]) for fact, one in exact_old.items() if fact in exact_new]
    paired = {each.entry_id for pair in pairs for each in pair}
    by_id: dict[int, Sighting] = {}
    by_name: defaultdict[str, tuple[list[Report], list[Report]]] = defaultdict(lambda: ([], []))
    for number, side in enumerate((of_old, of_new)):
        for each in _firsts(side):
            if each.entry_id not in paired and each.fact is not None:
                by_id[each.entry_id] = each
                by_name[plain_name(each.fact)][number].append(_report(each, each.fact))
    for ones, others in by_name.values():
        for one, other in pair_nearest(ones, others, window_ms=window_ms):
            pairs.append((by_id[one.entry_id], by_id[other.entry_id]))
    return pairs


def _report(sighting: Sighting, fact: str) -> Report:
    return Report(sighting.entry_id, sighting.version, fact, sighting.lane, sighting.received_ms)


def _with_pairs(row: Row, pairs: Sequence[Pair], differ: Differ) -> Row:
    delays_ms = [abs(one.received_ms - other.received_ms) for one, other in pairs]
    # A start may pair with a referral. Their events are of other types: not compared.
    alike = [(one, other) for one, other in pairs if one.kind == other.kind]
    compared = [
        (one, other, found)
        for (one, other), found in zip(alike, differ(alike), strict=True)
        if found is not None
    ]
    return replace(
        row,
        paired=len(pairs),
        delay_s=median(delays_ms) / 1000 if delays_ms else None,
        longest_delay_s=max(delays_ms) / 1000 if delays_ms else None,
        compared=len(compared),
        fields=_fields(compared),
    )


def _fields(
    compared: Iterable[tuple[Sighting, Sighting, Sequence[Difference]]],
) -> tuple[Field, ...]:
    found: defaultdict[str, list[Example]] = defaultdict(list)
    for one, other, of_pair in sorted(compared, key=lambda each: each[1].received_ms):
        by_path = {each.path: each for each in of_pair}  # the elements of an array share a path
        for path, each in by_path.items():
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
    """Return the reasons against a switch from *old* to *new*; none if it is safe.

    A near fact without a twin is no reason: another report may have taken its twin.

    Args:
        wanted: The event types that handlers wait for. If *new* never reports one of them,
            that is a reason.
    """
    if not any(row.seen_new for row in rows):
        return [f"{new} has not been seen: create its webhook at the vendor, beside that of {old}"]
    reasons = [
        f"{row.kind}: {row.lost_new} reported by {old} and not by {new}"
        for row in rows
        if row.lost_new
    ]
    reasons += [
        f"{row.kind}: {row.due_new} reported by {old} and none by {new}: tick its trigger there"
        for row in rows
        if row.kind in wanted and row.due_new and not (row.seen_new or row.lost_new or row.paired)
    ]
    if not reasons and not any(row.paired for row in rows):
        return [f"nothing has been reported by both {old} and {new}: wait for more events"]
    return reasons


def watched_s(sightings: Iterable[Sighting], now_ms: int) -> float:
    """Return for how many seconds every version of *sightings* has been seen."""
    first_ms: dict[str, int] = {}
    for each in sightings:
        first_ms[each.version] = min(each.received_ms, first_ms.get(each.version, now_ms))
    return 0.0 if len(first_ms) < 2 else (now_ms - max(first_ms.values())) / 1000
