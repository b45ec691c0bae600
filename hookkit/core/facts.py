"""What happened, by a name that payload versions share: exactly, or nearly.

Rule 1: an exact fact is one event wherever its name stands: it has an owner.
Rule 2: a near fact names who did what, and time decides the rest: each report pairs with the
        nearest report of another version, one to one. A near fact never has an owner.
Rule 3: a version that cannot be sure may report ``~x`` where another one reports ``x``.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeGuard

from hookkit.core.ids import bounded_id

#: The first character of a near fact's name; no exact fact's name begins with it.
NEAR_MARK = "~"


class Report(NamedTuple):
    """A version's report of a fact.

    Attributes:
        entry_id: The entry that holds the report.
        lane: Where it happened; it decides between reports that are equally near in time.
    """

    entry_id: int
    version: str
    fact: str
    lane: str | None
    received_ms: int


def near_fact(text: str) -> str:
    """Return *text* as the name of a near fact, fit to be stored."""
    name = bounded_id(f"{NEAR_MARK}{text}")
    return name if name.startswith(NEAR_MARK) else f"{NEAR_MARK}{name}"


def is_exact(fact: str | None) -> TypeGuard[str]:
    """Tell whether *fact* has an owner."""
    return fact is not None and not fact.startswith(NEAR_MARK)


def is_near(fact: str | None) -> TypeGuard[str]:
    """Tell whether *fact* is a near one, which time decides as well."""
    return fact is not None and fact.startswith(NEAR_MARK)


def plain_name(fact: str) -> str:
    """Return the name under which near and exact reports of one fact meet."""
    return fact.removeprefix(NEAR_MARK)


def pair_nearest(
    ones: Iterable[Report], others: Iterable[Report], *, window_ms: int
) -> list[tuple[Report, Report]]:
    """Return pairs of *ones* and *others*: the nearest first, each report in one pair at most.

    All reports are of one fact. Reports of the same lane pair first.
    """
    waiting, answering = set(ones), set(others)
    pairs = []
    lanes: defaultdict[str | None, tuple[list[Report], list[Report]]] = defaultdict(
        lambda: ([], [])
    )
    for side, reports in enumerate((waiting, answering)):
        for each in reports:
            lanes[each.lane][side].append(each)
    for of_lane in lanes.values():
        pairs += _nearest(*of_lane, window_ms)
    pairs += _nearest(
        waiting.difference(one for one, _ in pairs),
        answering.difference(other for _, other in pairs),
        window_ms,
    )
    return pairs


def _nearest(
    ones: Iterable[Report], others: Iterable[Report], window_ms: int
) -> list[tuple[Report, Report]]:
    """Pair by time alone.

    Strategy: nothing lies between the two reports of the nearest pair. So only neighbours are
    looked at, and those that become neighbours when a pair is taken out.
    """
    line = sorted([(each, 0) for each in ones] + [(each, 1) for each in others], key=_in_time)
    before = list(range(-1, len(line) - 1))
    after = [*range(1, len(line)), -1]

    def apart(left: int, right: int) -> tuple[int, int, int]:
        return line[right][0].received_ms - line[left][0].received_ms, left, right

    near = [apart(left, left + 1) for left in range(len(line) - 1)]
    near = [each for each in near if line[each[1]][1] != line[each[2]][1]]
    heapq.heapify(near)
    gone: set[int] = set()
    pairs = []
    while near:
        distance_ms, left, right = heapq.heappop(near)
        if distance_ms > window_ms:
            break
        if left in gone or right in gone:
            continue
        gone |= {left, right}
        one, other = sorted((line[left], line[right]), key=lambda each: each[1])
        pairs.append((one[0], other[0]))
        left, right = before[left], after[right]
        if left >= 0:
            after[left] = right
        if right >= 0:
            before[right] = left
        if left >= 0 and right >= 0 and line[left][1] != line[right][1]:
            heapq.heappush(near, apart(left, right))
    return pairs


def _in_time(each: tuple[Report, int]) -> tuple[tuple[int, int], int]:
    return _age(each[0]), each[1]


class Decision(NamedTuple):
    """What becomes of reports that were held back.

    Attributes:
        to_run: The reports that no other version has made.
        twins: The reports whose fact another version has reported, and run.
    """

    to_run: list[Report]
    twins: list[Report]


def decide_near(
    held: Sequence[Report], ran: Sequence[Report], suppressed: Sequence[Report], *, window_ms: int
) -> Decision:
    """Decide which of the near reports run that a switch finds *held* back.

    A report that has run is the twin of one report of each other version, and not of two.

    Args:
        ran: Reports that have run or will: near ones, and owners of exact facts.
        suppressed: Near reports that were already found to be twins.
    """
    decision = Decision([], [])
    taken, runners = _by_name(suppressed), _by_name(ran)
    for name, reports in _by_name(held).items():
        running = list(runners.get(name, ()))
        for version in dict.fromkeys(each.version for each in sorted(reports, key=_age)):
            ours = [each for each in reports if each.version == version]
            before = [each for each in taken.get(name, ()) if each.version == version]
            foreign = {each for each in running if each.version != version}
            foreign -= {other for _, other in pair_nearest(before, foreign, window_ms=window_ms)}
            twins = {one for one, _ in pair_nearest(ours, foreign, window_ms=window_ms)}
            decision.twins.extend(each for each in ours if each in twins)
            decision.to_run.extend(each for each in ours if each not in twins)
            running += [each for each in ours if each not in twins]
    return decision


def decide(
    held: Sequence[Report],
    near: Iterable[tuple[Report, bool]],
    owners: Mapping[str, Report],
    *,
    window_ms: int,
) -> Decision:
    """Decide which of the reports run that a switch finds *held* back, exact and near ones.

    Args:
        near: Near reports of about that time, each with whether it has run or will; the others
            were already found to be twins.
        owners: The owners of exact facts that a near report may mean, by the fact.

    Returns:
        The decision. An exact report in ``to_run`` still has to take its fact.
    """
    near = list(near)
    doubtful = names_in_doubt(held, [each for each, _ in near])
    certain = [
        each
        for each in held
        if is_exact(each.fact) and (each.fact not in doubtful or each.fact in owners)
    ]
    sure = set(certain)
    rest = [each for each in held if each not in sure]
    reporters: defaultdict[str, set[str]] = defaultdict(set)
    for each in certain:
        reporters[each.fact].add(each.version)
    ran = [each for each, has_run in near if has_run]
    # An owner with an exact twin is the twin of no near report.
    ran += [owner for fact, owner in owners.items() if not reporters[fact] - {owner.version}]
    suppressed = [each for each, has_run in near if not has_run]
    decision = decide_near(rest, ran, suppressed, window_ms=window_ms)
    return Decision([*certain, *decision.to_run], decision.twins)


def names_in_doubt(held: Iterable[Report], near: Iterable[Report]) -> set[str]:
    """Return the plain names of facts that a near report names."""
    return {plain_name(each.fact) for each in (*held, *near) if is_near(each.fact)}


def _age(report: Report) -> tuple[int, int]:
    return report.received_ms, report.entry_id


def _by_name(reports: Iterable[Report]) -> Mapping[str, Sequence[Report]]:
    named: defaultdict[str, list[Report]] = defaultdict(list)
    for each in reports:
        named[plain_name(each.fact)].append(each)
    return named
