"""Modes, facts and switches of a memory inbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock

from hookkit.core.delivery import Envelope
from hookkit.core.entry import State
from hookkit.core.facts import Report, decide, is_exact, is_near
from hookkit.core.modes import (
    Change,
    Mode,
    Modes,
    is_orphan,
    is_over,
    is_young,
    modes_after,
    runs_beside,
)
from hookkit.inbox.base import from_ms, to_ms
from hookkit.inbox.memory_due import Queue
from hookkit.inbox.memory_entries import StoredEntry, kept_entry
from hookkit.inbox.records import Kept, Switched


@dataclass(slots=True)
class _Switch:
    """A change, and whether every entry near it has had its time."""

    change: Change
    since_ms: int
    who: str
    is_over: bool


class MemoryVersions:
    """The ``VersionBook`` of a memory inbox.

    Args:
        lock: Returns the inbox's lock.
        entries: The inbox's own, by id.
        queue: What is due of them.
    """

    def __init__(
        self, lock: Callable[[], Lock], entries: dict[int, StoredEntry], queue: Queue
    ) -> None:
        self._lock = lock
        self._entries = entries
        self._queue = queue
        self._log: defaultdict[str, list[_Switch]] = defaultdict(list)
        self._owners: dict[tuple[str, str], StoredEntry] = {}
        #: endpoint -> what its settings declare, and that with what was switched
        self._modes: dict[str, tuple[Mapping[str, Mode], Modes]] = {}

    def modes_of(self, envelope: Envelope) -> Modes | None:
        """Return the modes of the envelope's endpoint; None where nobody names any."""
        if envelope.modes is None:
            return None
        known = self._modes.get(envelope.endpoint)
        if known is not None and known[0] is envelope.modes:
            return known[1]
        changes = [each.change for each in self._log[envelope.endpoint]]
        modes = modes_after(envelope.modes, changes)
        self._modes[envelope.endpoint] = envelope.modes, modes
        return modes

    def first_state(self, entry: StoredEntry, modes: Modes | None) -> State:
        """Return what a new entry is, after it took its fact if that is free; under the lock."""
        if modes is None:
            return State.PENDING
        state = modes.state_of(entry.version, entry.vendor_type)
        if state is not State.PENDING or not is_exact(entry.fact) or not modes.has_twins:
            return state
        owner = self._owners.setdefault((entry.endpoint, entry.fact), entry)
        return state if runs_beside(owner.version, entry.version) else State.TWIN

    def forget(self, gone: Iterable[StoredEntry]) -> None:
        """Free the facts of entries that are gone; under the lock."""
        for entry in gone:
            if entry.fact and self._owners.get((entry.endpoint, entry.fact)) is entry:
                del self._owners[entry.endpoint, entry.fact]

    def log(self, endpoint: str) -> Sequence[Switched]:
        """Return what was switched at *endpoint*, oldest first."""
        with self._lock():
            return [
                Switched(*each.change, from_ms(each.since_ms), each.who)
                for each in self._log[endpoint]
            ]

    def change(
        self, endpoint: str, changes: Sequence[Change], *, who: str, now: datetime, window_s: float
    ) -> list[int]:
        """Switch modes, and promote what the versions that are live now have missed."""
        now_ms, window_ms = to_ms(now), _ms(window_s)
        live = {each.version for each in changes if each.mode is Mode.LIVE and not each.vendor_type}
        with self._lock():
            self._log[endpoint] += [_Switch(each, now_ms, who, not live) for each in changes]
            self._modes.pop(endpoint, None)
            return self._promote(
                endpoint,
                [
                    entry
                    for entry in self._shadows(endpoint)
                    if entry.version in live
                    and is_young(entry.received_ms, now_ms=now_ms, window_ms=window_ms)
                ],
                now_ms=now_ms,
                window_ms=window_ms,
            )

    def promote_orphans(self, *, now: datetime, window_s: float) -> list[int]:
        """Promote shadow entries near a switch whose twins never came."""
        times = {"now_ms": to_ms(now), "window_ms": _ms(window_s)}
        promoted = []
        with self._lock():
            for endpoint, switches in self._log.items():
                for switch in [each for each in switches if not each.is_over]:
                    at_ms = switch.since_ms
                    orphans = [
                        entry
                        for entry in self._shadows(endpoint)
                        if is_orphan(entry.received_ms, switched_ms=at_ms, **times)
                    ]
                    promoted += self._promote(endpoint, orphans, **times)
                    switch.is_over = is_over(switched_ms=at_ms, **times)
        return promoted

    def kept(
        self, endpoint: str, *, below_id: int | None = None, limit: int = 200
    ) -> Sequence[Kept]:
        """Return entries of *endpoint* with their bytes, newest first."""
        with self._lock():
            newest = (
                each
                for each in reversed(self._entries.values())
                if each.endpoint == endpoint and (below_id is None or each.id < below_id)
            )
            return [kept_entry(each) for each in islice(newest, limit)]

    def _shadows(self, endpoint: str) -> list[StoredEntry]:
        return [
            entry
            for entry in self._entries.values()
            if entry.state is State.SHADOW and entry.endpoint == endpoint
        ]

    def _promote(
        self, endpoint: str, held: Sequence[StoredEntry], *, now_ms: int, window_ms: int
    ) -> list[int]:
        """Make those of *held* due that nothing else has run for; return their ids."""
        entries = self._entries.values()
        near = [
            (_report(each), each.state is not State.TWIN)
            for each in (entries if held else ())
            if each.endpoint == endpoint and is_near(each.fact) and each.state not in _NEVER_RAN
        ]
        owners = {
            fact: _report(owner)
            for (where, fact), owner in self._owners.items()
            if where == endpoint
        }
        reports = [_report(each) for each in held if each.fact]
        decision = decide(reports, near, owners, window_ms=window_ms)
        promoted = []
        for each in sorted(decision.to_run):
            entry = self._entries[each.entry_id]
            key = endpoint, each.fact
            if is_near(each.fact) or self._owners.setdefault(key, entry) is entry:
                self._queue.move(entry, State.PENDING, now_ms)
                promoted.append(entry.id)
        for each in decision.twins:
            self._queue.move(self._entries[each.entry_id], State.TWIN, None)
        return promoted


_NEVER_RAN = (State.SHADOW, State.IGNORED)


def _report(entry: StoredEntry) -> Report:
    return Report(entry.id, entry.version, entry.fact or "", entry.lane, entry.received_ms)


def _ms(seconds: float) -> int:
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)
