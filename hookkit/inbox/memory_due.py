"""What is due in a memory inbox, in order, and whose turn it is in a lane.

Strategy: one heap per endpoint and claimable state. An entry is pushed whenever it becomes due
at another time; what it left behind is dropped on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from heapq import heappop, heappush
from operator import attrgetter, itemgetter
from typing import NamedTuple

from hookkit.core.entry import State
from hookkit.inbox.base import HELD_UP_S
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

    def held_until_ms(self, entry: StoredEntry, now_ms: int) -> int | None:
        """Return when what holds up *entry* is due, None when nothing does."""
        if entry.lane is None:
            return None
        others = self._lanes[entry.endpoint, entry.lane].values()
        running = [
            other.due_ms or 0
            for other in others
            if other is not entry
            and other.state is State.RUNNING
            # Some may have run side by side before there were lanes. Those whose leases are
            # over go first, one after the other: each would hold up what holds it up.
            and (
                entry.state is not State.RUNNING
                or (other.due_ms or 0) > now_ms
                or other.id < entry.id
            )
        ]
        if running or entry.state is State.RUNNING:
            return max(running, default=None)
        before = [one for one in others if one.id < entry.id and one.replay == entry.replay == 0]
        first = min(before, key=attrgetter("id"), default=None)
        return None if first is None else first.due_ms

    def first_held_up(self, entry: StoredEntry) -> StoredEntry | None:
        """Return the first of the lane of *entry* that is WAITING.

        That may be for its next attempt. Its handlers know when they are due.
        """
        if entry.lane is None:
            return None
        others = self._lanes[entry.endpoint, entry.lane].values()
        held_up = [one for one in others if one.state is State.WAITING]
        return min(held_up, key=attrgetter("id"), default=None)


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
            yield from (one for one in these if not in_lanes or self._is_free(one, now_ms))
            return
        if in_lanes:
            yield from self._first_free(now_ms, endpoints)
            return
        is_first = True
        while entry := self._due.first(now_ms, endpoints, with_expired=is_first):
            is_first = False
            yield entry

    def _first_free(self, now_ms: int, endpoints: Collection[str]) -> list[StoredEntry]:
        """Return what nothing holds up in its lane, putting off what it meets before that."""
        expired: list[StoredEntry] = []
        while entry := self._due.first(now_ms, endpoints, with_expired=True):
            held_until_ms = self._lanes.held_until_ms(entry, now_ms)
            if held_until_ms is None:
                break
            if entry.state is State.RUNNING:
                # A lease that is over is left as it is: its holder may still come back.
                self._due.pop(entry)
                expired.append(entry)
            else:
                later_ms = now_ms + round(HELD_UP_S * 1000)
                self.move(entry, State.WAITING, max(held_until_ms, later_ms))
        for each in expired:
            self._due.push(each, each.due_ms or 0)
        return [] if entry is None else [entry]

    def release(self, entry: StoredEntry, now_ms: int) -> None:
        """Make due what was held up by *entry*, which is settled or has lost its place."""
        held_up = self._lanes.first_held_up(entry)
        if held_up is not None:
            self.move(held_up, State.WAITING, now_ms)

    def _is_free(self, entry: StoredEntry, now_ms: int) -> bool:
        return self._lanes.held_until_ms(entry, now_ms) is None

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
