"""What is due in a memory inbox, in order, and whose turn it is in a lane.

Strategy: one heap per endpoint and claimable state. An entry is pushed whenever it becomes due
at another time; what it left behind is dropped on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from heapq import heappop, heappush
from operator import itemgetter
from typing import NamedTuple

from hookkit.core.states import State
from hookkit.inbox.memory_entries import StoredEntry

_CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)


class Due(NamedTuple):
    """When an entry is due; ids grow in the payload's order, so they break ties."""

    due_ms: int
    entry_id: int


class DueHeaps:
    """The order of what is due among *entries*, which are the inbox's own, by id."""

    def __init__(self, entries: Mapping[int, StoredEntry]) -> None:
        self._entries = entries
        self._heaps: dict[tuple[str, State], list[Due]] = {}

    def push(self, entry: StoredEntry, due_ms: int) -> None:
        """Note that *entry* is due at another time, in the state it has now."""
        heap = self._heaps.setdefault((entry.endpoint, entry.state), [])
        heappush(heap, Due(due_ms, entry.id))

    def pop(self, entry: StoredEntry) -> None:
        """Take *entry* out, which is the head of its heap, until it is pushed again."""
        heappop(self._heaps[entry.endpoint, entry.state])

    def heads(self, endpoints: Collection[str]) -> Iterator[tuple[Due, State]]:
        """Yield what is due first, by endpoint and state."""
        for endpoint in set(endpoints):
            for state in _CLAIMABLE:
                heap = self._heaps.get((endpoint, state), [])
                while heap:
                    entry = self._entries.get(heap[0].entry_id)
                    if entry and entry.state is state and entry.due_ms == heap[0].due_ms:
                        yield heap[0], state
                        break
                    heappop(heap)

    def first(
        self, now_ms: int, endpoints: Collection[str], *, with_expired: bool
    ) -> StoredEntry | None:
        """Return what has been due longest, None when nothing is.

        Args:
            with_expired: Whether an entry counts whose lease is over.
        """
        due = [
            head
            for head, state in self.heads(endpoints)
            if state is State.PENDING
            or (head.due_ms <= now_ms and (with_expired or state is not State.RUNNING))
        ]
        return self._entries[min(due).entry_id] if due else None


class Lanes:
    """The entries of each lane that are not settled yet."""

    def __init__(self) -> None:
        self._lanes: defaultdict[tuple[str, str], dict[int, StoredEntry]] = defaultdict(dict)

    def note(self, entry: StoredEntry) -> None:
        """Note that *entry* is in another state."""
        if entry.lane is None:
            return
        lane = self._lanes[entry.endpoint, entry.lane]
        if entry.state in _CLAIMABLE:
            lane[entry.id] = entry
        else:
            lane.pop(entry.id, None)

    def holds_up(self, entry: StoredEntry, now_ms: int) -> bool:
        """Tell whether *entry* has to wait for another of its lane."""
        if entry.lane is None:
            return False
        others = self._lanes[entry.endpoint, entry.lane].values()
        return any(_goes_first(other, entry, now_ms) for other in others if other is not entry)


def _goes_first(other: StoredEntry, entry: StoredEntry, now_ms: int) -> bool:
    """Tell whether *entry* has to wait for *other*, which is in the same lane."""
    is_earlier = other.id < entry.id
    if entry.state is not State.RUNNING:
        is_in_order = is_earlier and not other.replay + entry.replay
        return other.state is State.RUNNING or is_in_order
    # Some may have run side by side before there were lanes. Those whose leases are over go
    # first, one after the other: each would hold up what holds it up.
    is_held = other.due_ms is not None and other.due_ms > now_ms
    return other.state is State.RUNNING and (is_held or is_earlier)


class Queue:
    """What can be claimed of *entries*, which are the inbox's own, by id."""

    def __init__(self, entries: Mapping[int, StoredEntry]) -> None:
        self._entries = entries
        self._due = DueHeaps(entries)
        self._lanes = Lanes()

    def move(self, entry: StoredEntry, state: State, due_ms: int | None) -> None:
        """Bring *entry* to *state*, due at that time; None is never."""
        entry.state = state
        entry.due_ms = due_ms
        self._lanes.note(entry)
        if due_ms is not None:
            self._due.push(entry, due_ms)

    def heads(self, endpoints: Collection[str]) -> Iterator[tuple[Due, State]]:
        """Yield what is due first, by endpoint and state."""
        return self._due.heads(endpoints)

    def claimable(
        self,
        now_ms: int,
        endpoints: Collection[str],
        only: Collection[int] | None,
        *,
        in_lanes: bool,
    ) -> Iterator[StoredEntry]:
        """Yield what is due, oldest first; each must be claimed before the next is asked for."""
        if only is not None:
            these = self._by_id(now_ms, endpoints, only)
            yield from (
                one for one in these if not in_lanes or not self._lanes.holds_up(one, now_ms)
            )
            return
        held_up: list[StoredEntry] = []
        first = self._due.first(now_ms, endpoints, with_expired=True)
        while first is not None and in_lanes and self._lanes.holds_up(first, now_ms):
            self._due.pop(first)
            held_up.append(first)
            first = self._due.first(now_ms, endpoints, with_expired=True)
        for entry in held_up:
            self._due.push(entry, entry.due_ms or 0)
        while first is not None:
            yield first
            first = self._due.first(now_ms, endpoints, with_expired=False)

    def _by_id(
        self, now_ms: int, endpoints: Collection[str], only: Collection[int]
    ) -> list[StoredEntry]:
        entries = (self._entries.get(entry_id) for entry_id in set(only))
        due = [
            (Due(entry.due_ms, entry.id), entry)
            for entry in entries
            if entry is not None
            and entry.endpoint in endpoints
            and entry.due_ms is not None
            and (entry.state is not State.RUNNING or entry.due_ms <= now_ms)
        ]
        return [entry for _, entry in sorted(due, key=itemgetter(0))]
