"""What two payload versions reported of the same facts: is it safe to switch?

Only exact facts are compared: an event without one cannot be told from its neighbours, and is
counted alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple


class Sighting(NamedTuple):
    """An event that arrived.

    Attributes:
        kind: Its event type, or the vendor's word where that is not known.
    """

    version: str
    kind: str
    fact: str | None
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What arrived of one event type.

    Attributes:
        seen_old: Events of the version in use.
        seen_new: Events of the version to come.
        paired: Facts that both have reported.
        missing_old: Facts that only the new one has reported, in spite of the window.
        missing_new: Facts that only the old one has reported, in spite of the window.
        delay_s: The median of what twins of a fact arrived apart, None without any.
    """

    kind: str
    seen_old: int
    seen_new: int
    paired: int
    missing_old: int
    missing_new: int
    delay_s: float | None


class _Facts:
    """When each version has first reported each fact of a type."""

    def __init__(self) -> None:
        self.old: dict[str, int] = {}
        self.new: dict[str, int] = {}
        self.seen_old = self.seen_new = 0


def compare(
    sightings: Iterable[Sighting], *, old: str, new: str, now_ms: int, window_ms: int
) -> list[Row]:
    """Return a row per event type that either version has reported.

    A fact counts as missing when the other version was there already and had a window's time.
    """
    kinds: defaultdict[str, _Facts] = defaultdict(_Facts)
    first_ms: dict[str, int] = {}
    for one in sorted(sightings, key=lambda each: each.received_ms):
        if one.version not in (old, new):
            continue
        first_ms.setdefault(one.version, one.received_ms)
        of_kind = kinds[one.kind]
        is_old = one.version == old
        of_kind.seen_old += is_old
        of_kind.seen_new += not is_old
        if one.fact is not None:
            (of_kind.old if is_old else of_kind.new).setdefault(one.fact, one.received_ms)
    begin_ms = max(first_ms.values(), default=0) if len(first_ms) > 1 else now_ms
    return [_row(kind, kinds[kind], begin_ms, now_ms - window_ms) for kind in sorted(kinds)]


def _row(kind: str, facts: _Facts, begin_ms: int, until_ms: int) -> Row:
    pairs = facts.old.keys() & facts.new.keys()
    delays_ms = [abs(facts.old[fact] - facts.new[fact]) for fact in pairs]

    def missing(there: dict[str, int]) -> int:
        return sum(
            begin_ms <= received_ms <= until_ms
            for fact, received_ms in there.items()
            if fact not in pairs
        )

    return Row(
        kind=kind,
        seen_old=facts.seen_old,
        seen_new=facts.seen_new,
        paired=len(pairs),
        missing_old=missing(facts.new),
        missing_new=missing(facts.old),
        delay_s=median(delays_ms) / 1000 if delays_ms else None,
    )


def obstacles(rows: Sequence[Row], *, old: str, new: str) -> list[str]:
    """Return what is in the way of a switch from *old* to *new*, nothing when it is safe."""
    if not any(row.seen_new for row in rows):
        return [f"{new} has not been seen: create its webhook at the vendor, beside that of {old}"]
    lacking = [
        f"{row.kind}: {row.missing_new} reported by {old} and not by {new}"
        for row in rows
        if row.missing_new
    ]
    if not lacking and not any(row.paired for row in rows):
        return [f"nothing has been reported by both {old} and {new}: wait for more events"]
    return lacking
