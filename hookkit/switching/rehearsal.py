"""A switch that is tried on kept deliveries, in a separate inbox and without handlers."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from hookkit.core.delivery import Envelope
from hookkit.core.entry import Settlement, State
from hookkit.core.errors import SwitchRefused
from hookkit.core.facts import Report, is_exact, is_near, pair_nearest, plain_name
from hookkit.core.modes import Mode, modes_after, switch_changes
from hookkit.core.provider import Provider, split
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.inbox.records import EntryRecord, Kept, seconds_to_ms, to_ms
from hookkit.switching.counterparts import kind_of, words_without_counterpart

_DONE = Settlement(state=State.DONE, retry_after_s=None, attempts=())
_WHO = "rehearsal"


@dataclass(frozen=True, slots=True)
class Played:
    """What became of the events of one type.

    Attributes:
        kind: The event type, or the vendor's word if it has no type.
        from_old, from_new: The number of events that would have been handled, by version.
        held_back: The number of events that would not: a twin was handled, or they were in
            shadow.
    """

    kind: str
    from_old: int
    from_new: int
    held_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The result of a switch in the middle of the kept deliveries.

    Attributes:
        old, new: The version in use, and the version to come.
        deliveries: The number of deliveries that were replayed, by version.
        switched_at: The time in them at which the switch was made.
        rows: One for each event type.
        facts: The number of exact facts that are promised to be handled once.
        lost: The promised facts that were not handled.
        doubled: The promised facts that were handled in both versions.
        promoted: The number of events that the switch, or the promotion after it, ran because
            only one version had reported them.
        near_twice: The number of near facts that were handled in both versions, which may happen.
        unasked: Exact facts that only the shadow reported, outside the twin window.
    """

    old: str
    new: str
    deliveries: Mapping[str, int]
    switched_at: datetime
    rows: Sequence[Played]
    facts: int
    lost: Sequence[str]
    doubled: Sequence[str]
    promoted: int
    near_twice: int
    unasked: int

    @property
    def is_clean(self) -> bool:
        """Whether every promised fact was handled once."""
        return not self.lost and not self.doubled


def never() -> bool:
    """Tell that there is time."""
    return False


def rehearse(  # a switch has no fewer sides
    provider: Provider,
    kept: Iterable[Kept],
    *,
    live: Sequence[str],
    new: str,
    window_s: float,
    is_over: Callable[[], bool] = never,
) -> Rehearsal:
    """Replay *kept* deliveries, with a switch to *new* in the middle.

    Args:
        live: The versions in use. The report calls them all by the name of the last one.
        window_s: How long the twin of a fact may take to arrive.
        is_over: Tells whether the time for it is over.

    Raises:
        SwitchRefused: No delivery of *live*, or none of *new*, is kept; or the time is over.
    """
    deliveries = _deliveries(_in_time(kept, is_over), (*live, new))
    counts = Counter(each.version for each in deliveries)
    lacking = [
        " or ".join(versions)
        for versions in (live, [new])
        if not any(counts[version] for version in versions)
    ]
    if lacking:
        raise SwitchRefused(*(f"no delivery of {version} is kept" for version in lacking))
    middle = _middle(deliveries, new)
    switched_at = deliveries[middle].received_at
    stage = _Stage(provider, live, new, window_s)
    with closing(stage.inbox):
        for delivery in _in_time(deliveries[:middle], is_over):
            stage.deliver(delivery)
        stage.switch(switched_at)
        for delivery in _in_time(deliveries[middle:], is_over):
            stage.deliver(delivery)
        stage.finish(deliveries[-1].received_at)
        return _result(stage, dict(counts), switched_at)


def _in_time(kept: Iterable[Kept], is_over: Callable[[], bool]) -> Iterator[Kept]:
    for each in kept:
        if is_over():
            raise SwitchRefused("the rehearsal took longer than it may, and was given up")
        yield each


def _deliveries(kept: Iterable[Kept], versions: Sequence[str]) -> list[Kept]:
    """Return one entry of each delivery of *versions* whose body is kept, oldest first."""
    by_id = {
        each.delivery_id: each
        for each in kept
        if each.version in versions and each.body is not None
    }
    return sorted(by_id.values(), key=lambda each: (each.received_at, each.delivery_id))


def _middle(deliveries: Sequence[Kept], new: str) -> int:
    """Return the position of the switch: the middle of the part in which both sides come."""
    are_new = [each.version == new for each in deliveries]
    both_from = max(are_new.index(True), are_new.index(False))
    return (both_from + len(deliveries)) // 2


class _Stage:
    """The inbox of the rehearsal, and the ids of the entries that ran in it."""

    def __init__(self, provider: Provider, live: Sequence[str], new: str, window_s: float) -> None:
        self.provider, self.live, self.new, self.window_s = provider, live, new, window_s
        self.inbox = open_inbox(MEMORY)
        self.modes = {**dict.fromkeys(live, Mode.LIVE), new: Mode.SHADOW}
        self.was_live: set[int] = set()
        self.ran: set[int] = set()
        self.promoted = 0

    def deliver(self, kept: Kept) -> None:
        """Admit a delivery, and run what is due."""
        items = split(
            self.provider,
            endpoint=_WHO,
            body=kept.body or b"",
            headers=kept.headers,
            received_at=kept.received_at,
        )
        receipt = self.inbox.admit(
            Envelope(
                endpoint=_WHO,
                provider=self.provider.name,
                version=kept.version,
                received_at=kept.received_at,
                body=kept.body or b"",
                headers=kept.headers,
                secret_index=None,
                items=items,
                modes=self.modes,
            )
        )
        self.was_live |= {
            each.entry_id
            for each in receipt.admitted
            if each.is_new and each.state in (State.PENDING, State.TWIN)
        }
        self._run(kept.received_at)

    def switch(self, at: datetime) -> None:
        """Make the new version live."""
        staying = {
            each: words_without_counterpart(self.provider, each, self.new) for each in self.live
        }
        changes = switch_changes(self.new, modes_after(self.modes, ()), staying)
        promoted = self.inbox.switches.change(
            _WHO, changes, who=_WHO, now=at, window_s=self.window_s
        )
        self.promoted += len(promoted)
        self._run(at)

    def finish(self, last: datetime) -> None:
        """Promote and run what the switch held back, after the time of the *last* delivery."""
        at = last + timedelta(seconds=self.window_s)
        self.promoted += len(self.inbox.switches.promote_orphans(now=at, window_s=self.window_s))
        self._run(at)

    def promises(self, reports: Iterable[EntryRecord], switched_at: datetime) -> bool:
        """Tell whether the exact fact of *reports* is promised to be handled once."""
        return any(
            each.id in self.was_live
            or abs(each.received_at - switched_at) <= timedelta(seconds=self.window_s)
            for each in reports
        )

    def _run(self, at: datetime) -> None:
        while due := self.inbox.claim(now=at, lease_s=60, limit=100, endpoints=[_WHO]):
            for entry in due:
                self.inbox.settle(entry, _DONE, now=at)
                self.ran.add(entry.id)


def _result(stage: _Stage, deliveries: Mapping[str, int], switched_at: datetime) -> Rehearsal:
    entries = stage.inbox.find(limit=sys.maxsize)
    ran = [each for each in entries if each.id in stage.ran]
    ran_near = {plain_name(each.fact) for each in ran if is_near(each.fact)}
    reports: defaultdict[str, list[EntryRecord]] = defaultdict(list)
    for each in entries:
        if is_exact(each.fact):
            reports[each.fact].append(each)
    handled_in = {
        fact: {each.version for each in of_fact if each.id in stage.ran}
        for fact, of_fact in sorted(reports.items())
        if stage.promises(of_fact, switched_at)
    }
    return Rehearsal(
        old=stage.live[-1],
        new=stage.new,
        deliveries=deliveries,
        switched_at=switched_at,
        rows=_rows(stage, entries),
        facts=len(handled_in),
        lost=[fact for fact, of in handled_in.items() if not of and fact not in ran_near],
        doubled=[fact for fact, of in handled_in.items() if len(of) > 1],
        promoted=stage.promoted,
        near_twice=_near_twice(stage, ran),
        unasked=len(reports) - len(handled_in),
    )


def _rows(stage: _Stage, entries: Iterable[EntryRecord]) -> list[Played]:
    by_kind: defaultdict[str, list[EntryRecord]] = defaultdict(list)
    for each in entries:
        by_kind[kind_of(stage.provider, each.version, each.vendor_type)].append(each)
    rows = []
    for kind, of_kind in sorted(by_kind.items()):
        are_new = [each.version == stage.new for each in of_kind if each.id in stage.ran]
        held_back = len(of_kind) - len(are_new)
        rows.append(Played(kind, are_new.count(False), are_new.count(True), held_back))
    return rows


def _near_twice(stage: _Stage, ran: Iterable[EntryRecord]) -> int:
    """Return how many near facts were handled in both versions."""
    of_old: defaultdict[str, list[Report]] = defaultdict(list)
    of_new: defaultdict[str, list[Report]] = defaultdict(list)
    for each in ran:
        if is_near(each.fact):
            report = Report(each.id, each.version, each.fact, each.lane, to_ms(each.received_at))
            (of_new if each.version == stage.new else of_old)[each.fact].append(report)
    window_ms = seconds_to_ms(stage.window_s)
    return sum(
        len(pair_nearest(reports, of_new[fact], window_ms=window_ms))
        for fact, reports in of_old.items()
    )
