"""What this process has claimed and not settled, and the one place for entries under suspicion."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock, RLock

from hookkit.core.entry import Entry
from hookkit.handling.dispatch import Assignment


@dataclass(slots=True)
class _Held:
    """A claimed entry.

    Attributes:
        entry: As it was claimed last.
        claimed_at: A moment of ``time.monotonic``.
        leased_at: The same; when it was claimed or renewed last.
        has_begun: Whether a thread has begun to handle it.
    """

    entry: Entry
    claimed_at: float
    leased_at: float
    has_begun: bool = False


class Slot:
    """The place of the one suspect that a process handles at a time.

    Attributes:
        is_ours: Whether it was free.
        entry_id: Who has it; None until that is known.
    """

    def __init__(self) -> None:
        self.is_ours = False
        self.entry_id: int | None = None

    def keep(self, entry: Entry) -> None:
        """Keep it until *entry* is dropped from the leases."""
        self.entry_id = entry.id


class Leases:
    """The entries that this process has claimed and not settled."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._held: dict[int, _Held] = {}
        self._lock = Lock()
        self._slot: Slot | None = None
        # Held by a claim that may take lost entries, until they are held.
        self._claiming = RLock()

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Take the place of the one suspect that a process handles at a time, if it is free.

        An entry whose lease was over may have killed its worker. With two of them at a time, an
        innocent one would be taken for guilty when both are lost.
        """
        mine = Slot()
        with self._lock:
            mine.is_ours = self._slot is None
            if mine.is_ours:
                self._slot = mine
        try:
            with self._claiming if mine.is_ours else nullcontext():
                yield mine
        finally:
            if mine.is_ours and mine.entry_id is None:
                self._slot = None

    def hold(self, entries: Collection[Entry]) -> list[Entry]:
        """Note that *entries* were claimed; return those that were not held already.

        When the clock is set forward, leases seem over that are not, and a thread claims what
        this process holds. Whoever handles it goes on, under the new lease.
        """
        now = time.monotonic()
        new = []
        with self._lock:
            for entry in entries:
                before = self._held.get(entry.id)
                if before is None:
                    new.append(entry)
                    self._held[entry.id] = _Held(entry, now, now)
                else:
                    before.entry, before.leased_at = entry, now
        return new

    def begin(self, entry: Entry) -> Entry | None:
        """Note that *entry* is being handled; return it as it was claimed last.

        None means that it is not ours any more, or may not be: this process did not run for so
        long that the lease is over.
        """
        too_early = time.monotonic() - self._assignment.lease_s
        with self._lock:
            held = self._held.get(entry.id)
            if held is None or held.has_begun:
                return None
            if held.leased_at <= too_early:
                del self._held[entry.id]
                return None
            held.has_begun = True
            return held.entry

    def drop(self, entries: Collection[Entry]) -> None:
        """Forget *entries*: they are settled, given back, or belong to another worker."""
        with self._lock:
            for entry in entries:
                self._held.pop(entry.id, None)
                if self._slot is not None and self._slot.entry_id == entry.id:
                    self._slot = None

    def latest(self, entry: Entry) -> Entry:
        """Return *entry* as this process has claimed it last."""
        return self.latest_of([entry])[0]

    def latest_of(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return *entries* as this process has claimed each of them last."""
        with self._lock:
            held = [(entry, self._held.get(entry.id)) for entry in entries]
        return [entry if found is None else found.entry for entry, found in held]

    def is_claimed_again(self, entry: Entry) -> bool:
        """Tell whether this process has claimed *entry* once more, under another token."""
        # Another thread may have written its claim, and not held what it has claimed.
        with self._claiming:
            return self.latest(entry) is not entry

    @property
    def count(self) -> int:
        """How many entries have begun and are not settled."""
        with self._lock:
            return sum(held.has_begun for held in self._held.values())

    def idle(self, entries: Collection[Entry], for_s: float) -> list[Entry]:
        """Return those of *entries* that are ours, of a group, and were claimed *for_s* ago."""
        before = time.monotonic() - for_s
        with self._lock:
            held = [self._held[entry.id] for entry in entries if entry.id in self._held]
        return [each.entry for each in held if each.claimed_at <= before and each.entry.is_of_group]

    def renew(self) -> None:
        """Extend all leases; forget entries that belong to another claim by now.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        with self._lock:
            held = [each.entry for each in self._held.values()]
        if not held:
            return
        began_at = time.monotonic()
        now, lease_s = self._assignment.clock(), self._assignment.lease_s
        ours = self._assignment.inbox().renew(held, now=now, lease_s=lease_s)
        with self._lock:
            for entry in held:
                # One that was claimed again since the list was made stays.
                current = self._held.get(entry.id)
                if current is None or current.entry is not entry:
                    continue
                if entry.id in ours:
                    current.leased_at = began_at
                else:
                    del self._held[entry.id]
