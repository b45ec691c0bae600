"""Screen two, when nobody waits: claim, normalize, dispatch, settle.

The claim counts the attempt before anything runs, and the settlement is recorded under the
claim's lease token. A process may die at any point between the two: the lease runs out, and
another worker claims the entry and runs the handlers that have not succeeded.

A claim is a commit, so a thread claims several entries at once. Only the first has begun. Each
of the others begins in the commit that settles the one before it. An entry that kills its
worker therefore spends no attempt of those that were claimed ahead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from threading import Lock

from hookkit import crash_points
from hookkit.core.entry import Entry, Settlement, State
from hookkit.core.errors import Unavailable
from hookkit.core.event import Event
from hookkit.handling.dispatch import Assignment, Dispatcher, Reader
from hookkit.handling.journal import Journal

#: Seconds before each try to record a settlement that the store did not take.
SETTLE_PAUSES_S = (0.0, 0.1, 0.5, 2.0, 5.0)

#: A thread claims what it usually handles in so many seconds, and at most so many entries.
#: Other processes get what it claimed behind a slow handler only when the lease is over.
AHEAD_S = 0.1
MAX_BATCH_SIZE = 32


class Worker:
    """Claims entries and runs their handlers; any number of threads may share one.

    Attributes:
        leases: What this process has begun and not settled yet.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: what runs in the parent belongs to the parent."""
        self.leases = Leases(self.assignment)
        self._journal = Journal(self.assignment.sender)
        self._reader = Reader(self.assignment.providers)
        self._dispatcher = Dispatcher(self.assignment, self._journal, self.leases.latest)
        self._claimed_ahead = deque[Entry]()
        self._usual_s = AHEAD_S

    @property
    def batch_size(self) -> int:
        """How many entries one thread usually handles in ``AHEAD_S``, at least one."""
        return max(1, min(MAX_BATCH_SIZE, int(AHEAD_S / self._usual_s)))

    @property
    def has_claimed_ahead(self) -> bool:
        """Whether this process has claimed entries that no thread has begun."""
        return bool(self._claimed_ahead)

    def work(self, *, limit: int = 1, only: Collection[int] | None = None) -> dict[int, State]:
        """Claim up to *limit* due entries and run them; return the state of each afterwards.

        Entries that another thread has claimed ahead come first. A thread begins one entry at
        a time and leaves the others to whichever thread is free.

        Args:
            only: The ids of the only entries to run, whether their next attempt is due or not.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        # Entries claimed by id are for the caller, who waits for them, not for other threads.
        ahead = self._claimed_ahead if only is None else deque[Entry]()
        states = {}
        entry = self._next(ahead) or self._claim(ahead, limit, only)
        while entry is not None:
            states[entry.id], following = self._run(entry, ahead, at_once=only is not None)
            entry = following or self._next(ahead)
        return states

    def give_back(self) -> None:
        """Let other processes have at once what was claimed here and not begun."""
        entries = []
        while entry := _first_of(self._claimed_ahead):
            entries.append(entry)
        try:
            self.assignment.inbox().give_back(entries, now=self.assignment.clock())
        except Unavailable as error:
            self._journal.give_back_unavailable(len(entries), error)

    def _claim(self, ahead: deque[Entry], limit: int, only: Collection[int] | None) -> Entry | None:
        """Claim up to *limit* entries; return the first, which has begun, if it is to run."""
        assignment = self.assignment
        claimed = assignment.inbox().claim(
            now=assignment.clock(),
            lease_s=assignment.lease_s,
            limit=1,
            ahead=limit - 1,
            endpoints=assignment.providers.keys(),
            only=only,
            in_lanes=assignment.registry.any_ordered,
        )
        crash_points.reach("claimed")
        ahead.extend(claimed[1:])
        return claimed[0] if claimed and self.leases.hold(claimed[0]) else None

    def _next(self, ahead: deque[Entry]) -> Entry | None:
        """Begin the first of *ahead* that is still ours; return None if there is none."""
        assignment, lease_s = self.assignment, self.assignment.lease_s
        while entry := _first_of(ahead):
            try:
                is_ours = assignment.inbox().begin(entry, now=assignment.clock(), lease_s=lease_s)
            except Unavailable:
                ahead.appendleft(entry)
                raise
            if is_ours and self.leases.hold(entry):
                return entry
        return None

    def _run(
        self, entry: Entry, ahead: deque[Entry], *, at_once: bool
    ) -> tuple[State, Entry | None]:
        """Normalize, dispatch and settle *entry*, which has begun.

        Returns:
            Its state, and the entry of *ahead* that has begun in the commit that settled it.
        """
        began_at = time.monotonic()
        try:
            event = self._reader.read(entry)
            crash_points.reach("normalized")
            settlement = self._dispatcher.dispatch(entry, event, at_once=at_once)
            if settlement is None:
                self._journal.fenced(entry)
                return State.RUNNING, None  # by another worker
            return self._settle(entry, event, settlement, ahead)
        finally:
            self.leases.drop(entry)
            self._usual_s += (time.monotonic() - began_at - self._usual_s) / 8

    def _settle(
        self, entry: Entry, event: Event, settlement: Settlement, ahead: deque[Entry]
    ) -> tuple[State, Entry | None]:
        """Record *settlement*; a store that is away for a moment must not undo what was done."""
        following, begun = _first_of(ahead), None
        for pause_s in SETTLE_PAUSES_S:
            if pause_s:
                time.sleep(pause_s)
            latest = self.leases.latest(entry)
            try:
                is_settled, is_to_run = self._record(latest, settlement, following)
            except Unavailable as error:
                self._journal.settle_unavailable(entry, error)
                continue
            # It begins once, however often the settlement is tried.
            following, begun = None, following if is_to_run else begun
            if is_settled:
                crash_points.reach("settled")
                self._journal.settled(
                    entry, event, settlement, in_order=self.assignment.registry.any_ordered
                )
                return settlement.state, begun
            if self.leases.latest(entry) is latest:
                self._journal.fenced(entry)
                return State.RUNNING, begun
            # Another thread of this process has just claimed it again, under a newer token.
        if following is not None:
            ahead.appendleft(following)
        return State.RUNNING, begun  # until its lease is over

    def _record(
        self, entry: Entry, settlement: Settlement, following: Entry | None
    ) -> tuple[bool, bool]:
        """Return whether *entry* was settled, and whether *following* is to run here now."""
        inbox, now = self.assignment.inbox(), self.assignment.clock()
        if following is None:
            in_lanes = self.assignment.registry.any_ordered
            return inbox.settle(entry, settlement, now=now, in_lanes=in_lanes), False
        is_settled, has_begun = inbox.settle_and_begin(
            entry, settlement, following, now=now, lease_s=self.assignment.lease_s
        )
        return is_settled, has_begun and self.leases.hold(following)


def _first_of(ahead: deque[Entry]) -> Entry | None:
    """Take the first of *ahead*, which other threads may take from as well."""
    try:
        return ahead.popleft()
    except IndexError:
        return None


class Leases:
    """The entries that this process has begun and not settled, each as it was claimed last."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._held: dict[int, Entry] = {}
        self._lock = Lock()

    def hold(self, entry: Entry) -> bool:
        """Note that *entry* has begun; return False if it runs in this process already.

        When the clock is set forward, leases seem over that are not, and one thread claims
        what another one runs. The other one goes on, under the new lease.
        """
        with self._lock:
            is_new = entry.id not in self._held
            self._held[entry.id] = entry
        return is_new

    def drop(self, entry: Entry) -> None:
        """Forget *entry*: it is settled, or belongs to another worker."""
        with self._lock:
            self._held.pop(entry.id, None)

    def latest(self, entry: Entry) -> Entry:
        """Return *entry* as this process has claimed it last."""
        with self._lock:
            return self._held.get(entry.id, entry)

    @property
    def count(self) -> int:
        """How many entries have begun and are not settled."""
        with self._lock:
            return len(self._held)

    def renew(self) -> None:
        """Extend all leases; forget entries that belong to another claim by now.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        with self._lock:
            held = list(self._held.values())
        for entry in held:
            now, lease_s = self._assignment.clock(), self._assignment.lease_s
            is_ours = self._assignment.inbox().renew(entry, now=now, lease_s=lease_s)
            with self._lock:
                # One that was claimed again since the list was made stays.
                if not is_ours and self._held.get(entry.id) is entry:
                    del self._held[entry.id]
