"""What the newest events of an endpoint show of its payload versions.

A body never changes. So each is read once in a process, however often a person looks: what its
event is, and how it differs from its twin, is remembered; the event itself is not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from threading import Lock

from hookkit.core.entry import Filter
from hookkit.core.event import Event, EventType
from hookkit.core.provider import Provider
from hookkit.handling.dispatch import Reader
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.sights import Glimpse
from hookkit.switching.comparison import Difference, Pair, Row, Sighting, compare, differences
from hookkit.switching.counterparts import kind_of

#: So many bodies are read by one statement.
_AT_ONCE = 2500


class Evidence:
    """The newest events of one endpoint, as far as they were read.

    Args:
        endpoint: The name.
        provider: The endpoint's.
        inbox: Returns the inbox; may raise ``Unavailable``.
    """

    def __init__(self, endpoint: str, provider: Provider, inbox: Callable[[], Inbox]) -> None:
        self._provider = provider
        self._inbox = inbox
        self._reader = Reader({endpoint: provider})
        # Two people who look have everything read once.
        self._lock = Lock()
        self._kinds: dict[int, str] = {}
        self._differences: dict[tuple[int, int], Sequence[Difference] | None] = {}
        # Those of the present look; None of a body that is gone.
        self._events: dict[int, Event | None] = {}

    def compare(
        self,
        seen: Sequence[tuple[Glimpse, str]],
        *,
        old: str,
        new: str,
        now_ms: int,
        window_ms: int,
    ) -> tuple[Sequence[Sighting], Sequence[Row]]:
        """Return events without their contents, and what ``comparison.compare`` makes of them.

        Args:
            seen: All that are compared, each with the version that it counts for.
        """
        with self._lock:
            try:
                sightings = self._sightings(seen)
                self._forget_all_but({each.entry_id for each in sightings})
                rows = compare(
                    sightings,
                    old=old,
                    new=new,
                    now_ms=now_ms,
                    window_ms=window_ms,
                    differ=self._differ,
                )
            finally:
                self._events = {}
        return sightings, rows

    def _sightings(self, seen: Sequence[tuple[Glimpse, str]]) -> Sequence[Sighting]:
        self._read([each.entry_id for each, _ in seen if each.entry_id not in self._kinds])
        for each, _ in seen:
            if each.entry_id not in self._kinds:
                self._kinds[each.entry_id] = self._kind(each)
        return [
            Sighting(
                entry_id=each.entry_id,
                version=version,
                kind=self._kinds[each.entry_id],
                fact=each.fact,
                received_ms=each.received_ms,
                lane=each.lane,
            )
            for each, version in seen
        ]

    def _kind(self, seen: Glimpse) -> str:
        event = self._events.get(seen.entry_id)
        if event is None or event.type in (EventType.OTHER, EventType.UNKNOWN):
            return kind_of(self._provider, seen.version, seen.vendor_type)
        return event.type.value

    def _forget_all_but(self, entry_ids: Collection[int]) -> None:
        self._kinds = {each: self._kinds[each] for each in entry_ids}
        self._differences = {
            (old_id, new_id): found
            for (old_id, new_id), found in self._differences.items()
            if old_id in entry_ids and new_id in entry_ids
        }

    def _differ(self, pairs: Sequence[Pair]) -> Sequence[Sequence[Difference] | None]:
        ids = [(one.entry_id, other.entry_id) for one, other in pairs]
        new = [pair for pair in ids if pair not in self._differences]
        self._read([each for pair in new for each in pair if each not in self._events])
        for old_id, new_id in new:
            old, other = self._events.get(old_id), self._events.get(new_id)
            self._differences[old_id, new_id] = (
                None if old is None or other is None else tuple(differences(old, other))
            )
        return [self._differences[pair] for pair in ids]

    def _read(self, entry_ids: Sequence[int]) -> None:
        """Read events into ``_events``."""
        for first in range(0, len(entry_ids), _AT_ONCE):
            these = entry_ids[first : first + _AT_ONCE]
            self._events.update(dict.fromkeys(these))
            for kept in self._inbox().kept(wanted=Filter(entry_ids=these), limit=len(these)):
                if kept.body is not None:
                    # The vendor's item is large, and it is not compared.
                    self._events[kept.id] = replace(self._reader.read(kept), raw={})
