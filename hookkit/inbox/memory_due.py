"""What is due in a memory inbox, in order.

Strategy: one heap per endpoint and claimable state. An entry is pushed whenever it becomes due
at another time; what it left behind is dropped on the way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from hookkit.core.states import State
from hookkit.inbox.memory_entries import StoredEntry

_CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)


class Due(NamedTuple):
    """When an entry is due; ids grow in the payload's order, so they break ties."""

    due_ms: int
    entry_id: int


class DueHeaps:
    """The order of what is due among *entries*, which is the inbox's own list."""

    def __init__(self, entries: list[StoredEntry]) -> None:
        self._entries = entries
        self._heaps: dict[tuple[str, State], list[Due]] = {}

    def push(self, entry: StoredEntry, due_ms: int) -> None:
        """Note that *entry* is due at another time, in the state it has now."""
        heap = self._heaps.setdefault((entry.endpoint, entry.state), [])
        heappush(heap, Due(due_ms, entry.id))

    def heads(self, endpoints: Collection[str]) -> Iterator[tuple[Due, State]]:
        """Yield what is due first, by endpoint and state."""
        for endpoint in set(endpoints):
            for state in _CLAIMABLE:
                heap = self._heaps.get((endpoint, state), [])
                while heap:
                    entry = self._entries[heap[0].entry_id - 1]
                    if entry.state is state and entry.due_ms == heap[0].due_ms:
                        yield heap[0], state
                        break
                    heappop(heap)

    def in_order(self, now_ms: int, endpoints: Collection[str]) -> Iterator[StoredEntry]:
        """Yield due entries; the caller must claim each, or it comes again."""
        is_first = True
        while True:
            due = [
                head
                for head, state in self.heads(endpoints)
                if state is State.PENDING
                or (head.due_ms <= now_ms and (is_first or state is not State.RUNNING))
            ]
            if not due:
                return
            is_first = False
            yield self._entries[min(due).entry_id - 1]
