"""A switch tried out on what was kept: into an inbox of its own, and without a handler."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hookkit.core.delivery import Envelope
from hookkit.core.entry import Settlement, State
from hookkit.core.errors import SwitchRefused
from hookkit.core.facts import Report, is_exact, is_near, pair_nearest, plain_name
from hookkit.core.modes import Mode, modes_after, switch_changes
from hookkit.core.provider import Provider, split
from hookkit.inbox.base import to_ms
from hookkit.inbox.memory import MemoryInbox
from hookkit.inbox.records import EntryRecord, Kept
from hookkit.switching.counterparts import kind_of, uncounted

_DONE = Settlement(state=State.DONE, retry_after_s=None, attempts=())
_WHO = "rehearsal"


class Played(NamedTuple):
    """What became of the events of a type.

    Attributes:
        from_old, from_new: How many would have been handled, by the version they came in.
        held_back: How many not, since the other version's was, or none asked for them.
    """

    kind: str
    from_old: int
    from_new: int
    held_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a switch amid the kept deliveries would have come to.

    Attributes:
        deliveries: How many were replayed, by version.
        switched_at: When among them the switch was.
        facts: How many exact facts were promised to be handled once.
        lost: Those of them that were not handled.
        doubled: Those that were handled in both versions.
        promoted: How many events ran since only the one version had reported them by then.
        near_twice: How many near facts were handled in both versions, as they may be.
        unasked: How many exact facts only the shadow reported, too far from the switch.
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


def rehearse(
    provider: Provider, kept: Iterable[Kept], *, live: Sequence[str], new: str, window_s: float
) -> Rehearsal:
    """Replay *kept* deliveries with a switch to *new* in the middle of what both sides sent.

    Args:
        live: The versions in use; the last one gives its name to all.

    Raises:
        SwitchRefused: There is nothing of one side.
    """
    deliveries = _deliveries(kept, (*live, new))
    counts = Counter(each.version for each in deliveries)
    lacking = [
        " or ".join(versions)
        for versions in (live, [new])
        if not any(counts[version] for version in versions)
    ]
    if lacking:
        raise SwitchRefused(*(f"no delivery of {version} is kept" for version in lacking))
    middle = _middle(deliveries, new)
    stage = _Stage(provider, live, new, window_s)
    for number, delivery in enumerate(deliveries):
        if number == middle:
            stage.switch(delivery.received_at)
        stage.deliver(delivery)
    stage.finish(deliveries[-1].received_at)
    switched_at = deliveries[middle].received_at
    facts = _Facts(stage, switched_at)
    return Rehearsal(
        old=live[-1],
        new=new,
        deliveries=dict(counts),
        switched_at=switched_at,
        rows=_rows(stage),
        facts=facts.promised,
        lost=facts.lost,
        doubled=facts.doubled,
        promoted=stage.promoted,
        near_twice=_near_twice(stage),
        unasked=facts.unasked,
    )


def _deliveries(kept: Iterable[Kept], versions: Sequence[str]) -> list[Kept]:
    """Return an entry of each delivery of *versions* whose bytes are kept, oldest first."""
    by_id = {
        each.delivery_id: each
        for each in kept
        if each.version in versions and each.body is not None
    }
    return sorted(by_id.values(), key=lambda each: (each.received_at, each.delivery_id))


def _middle(deliveries: Sequence[Kept], new: str) -> int:
    """Return the middle of the time in which both sides came."""
    first = {each.version == new: number for number, each in reversed([*enumerate(deliveries)])}
    return (max(first.values()) + len(deliveries)) // 2


class _Stage:
    """An inbox of the rehearsal's own, and what ran there."""

    def __init__(self, provider: Provider, live: Sequence[str], new: str, window_s: float) -> None:
        self.provider, self.live, self.new, self.window_s = provider, live, new, window_s
        self.inbox = MemoryInbox()
        self.modes = {**dict.fromkeys(live, Mode.LIVE), new: Mode.SHADOW}
        self.was_live: set[int] = set()
        self.ran: set[int] = set()
        self.promoted = 0

    def deliver(self, kept: Kept) -> None:
        """Admit a delivery, and run what became due."""
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
        staying = {each: uncounted(self.provider, each, self.new) for each in self.live}
        changes = switch_changes(self.new, modes_after(self.modes, ()), staying)
        promoted = self.inbox.versions.change(
            _WHO, changes, who=_WHO, now=at, window_s=self.window_s
        )
        self.promoted += len(promoted)
        self._run(at)

    def finish(self, last: datetime) -> None:
        """Run what is left beside the switch."""
        at = last + timedelta(seconds=self.window_s)
        self.promoted += len(self.inbox.versions.promote_orphans(now=at, window_s=self.window_s))
        self._run(at)

    def entries(self) -> Sequence[EntryRecord]:
        """Return all that was admitted."""
        return self.inbox.find(limit=sys.maxsize)

    def that_ran(self) -> list[EntryRecord]:
        """Return what would have been handled."""
        return [each for each in self.entries() if each.id in self.ran]

    def is_near(self, moment: datetime, switched_at: datetime) -> bool:
        """Tell whether *moment* is within a window of the switch."""
        return abs(moment - switched_at) <= timedelta(seconds=self.window_s)

    def _run(self, at: datetime) -> None:
        while due := self.inbox.claim(now=at, lease_s=60, limit=100, endpoints=[_WHO]):
            for entry in due:
                self.inbox.settle(entry, _DONE, now=at)
                self.ran.add(entry.id)


class _Facts:
    """What became of the exact facts, held against what is promised of them."""

    def __init__(self, stage: _Stage, switched_at: datetime) -> None:
        entries = stage.entries()
        told_near = {plain_name(each.fact) for each in stage.that_ran() if is_near(each.fact)}
        exact: defaultdict[str, list[EntryRecord]] = defaultdict(list)
        for each in entries:
            if is_exact(each.fact):
                exact[each.fact].append(each)
        self.promised = self.unasked = 0
        self.lost: list[str] = []
        self.doubled: list[str] = []
        for fact, reports in sorted(exact.items()):
            versions = {each.version for each in reports if each.id in stage.ran}
            if not any(
                each.id in stage.was_live or stage.is_near(each.received_at, switched_at)
                for each in reports
            ):
                self.unasked += 1
                continue
            self.promised += 1
            if not versions and fact not in told_near:
                self.lost.append(fact)
            if len(versions) > 1:
                self.doubled.append(fact)


def _rows(stage: _Stage) -> list[Played]:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in stage.entries():
        kind = kind_of(stage.provider, each.version, each.vendor_type)
        column = 2 if each.id not in stage.ran else int(each.version == stage.new)
        counts[kind][column] += 1
    return [Played(kind, *counts[kind]) for kind in sorted(counts)]


def _near_twice(stage: _Stage) -> int:
    named: defaultdict[str, tuple[list[Report], list[Report]]] = defaultdict(lambda: ([], []))
    for each in stage.that_ran():
        if is_near(each.fact):
            report = Report(each.id, each.version, each.fact, each.lane, to_ms(each.received_at))
            named[each.fact][each.version == stage.new].append(report)
    window_ms = round(stage.window_s * 1000)
    return sum(len(pair_nearest(*both, window_ms=window_ms)) for both in named.values())
