"""Screen two, when nobody waits: claim, normalize, dispatch, settle.

Strategy: the claim counts the attempt before anything runs, and the settlement is recorded
under the claim's lease token. Between the two a process may die at any point: the lease
runs out, and somebody else claims the entry and runs the handlers that have not succeeded.

A claim is a commit, so several entries are claimed at once. Only the first has begun, though:
each of the others begins by the commit that settles the one before it, and one that kills its
worker spends no attempt of those that were set aside.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime

from hookkit import crash_points
from hookkit.core.entry import Entry, Settlement, State
from hookkit.core.errors import Unavailable
from hookkit.core.event import Event
from hookkit.handling.dispatch import Dispatcher
from hookkit.handling.journal import Journal
from hookkit.handling.leases import Leases
from hookkit.handling.reading import Reader
from hookkit.handling.run import Assignment
from hookkit.inbox.inbox import Inbox

#: Seconds before each try to record a settlement that the store did not take.
SETTLE_PAUSES_S = (0.0, 0.1, 0.5, 2.0, 5.0)

#: A thread claims no more than it usually handles in so many seconds, and no more than so many:
#: what it has set aside behind a slow handler, other processes get when the lease is over.
AHEAD_S = 0.1
MAX_COUNT = 32


class Worker:
    """Claims entries and runs their handlers; any number of threads may share one.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        jitter: Returns a random number in [-1, 1].
    """

    def __init__(
        self,
        assignment: Assignment,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self.assignment = assignment
        self.inbox = inbox
        self.clock = clock
        self.jitter = jitter
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: what runs in the parent is the parent's."""
        self._journal = Journal(self.assignment.sender)
        self._reader = Reader(self.assignment.providers)
        self._aside = deque[Entry]()
        self._usual_s = AHEAD_S
        self._leases = Leases(self.inbox, self.clock, self.assignment.lease_s)
        self._dispatcher = Dispatcher(
            self.assignment,
            self._journal,
            inbox=self.inbox,
            clock=self.clock,
            jitter=self.jitter,
            latest=self._leases.latest,
        )

    @property
    def usual_count(self) -> int:
        """How many entries one thread usually handles in ``AHEAD_S``, at least one."""
        return max(1, min(MAX_COUNT, int(AHEAD_S / self._usual_s)))

    @property
    def has_set_aside(self) -> bool:
        """Whether entries are claimed in this process that no thread has begun."""
        return bool(self._aside)

    @property
    def running_count(self) -> int:
        """How many entries this process has begun and not settled yet."""
        return self._leases.count

    def work(self, *, limit: int = 1, only: Collection[int] | None = None) -> dict[int, State]:
        """Claim up to *limit* due entries and run them; return the state of each after it.

        What another thread has claimed and not begun comes first. One entry is begun at a
        time: the others are set aside for whichever thread is free.

        Args:
            only: Just these entries, whether their next attempt is due or not.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        # What is claimed by name is for whoever waits for it, not for the thread beside it.
        aside = self._aside if only is None else deque[Entry]()
        states = {}
        entry = self._next(aside) or self._claim(aside, limit, only)
        while entry is not None:
            states[entry.id], following = self.run(entry, aside, at_once=only is not None)
            entry = following or self._next(aside)
        return states

    def run(
        self, entry: Entry, aside: deque[Entry] | None = None, *, at_once: bool = False
    ) -> tuple[State, Entry | None]:
        """Normalize, dispatch and settle one entry that has begun.

        Returns:
            Its state, and what was begun of *aside* by the commit that settled it.
        """
        began_at = time.monotonic()
        try:
            event = self._reader.read(entry)
            crash_points.reach("normalized")
            if entry.body is None:
                settlement: Settlement | None = self._dispatcher.unreadable(entry)
            else:
                settlement = self._dispatcher.dispatch(entry, event, at_once=at_once)
            if settlement is None:
                self._journal.fenced(entry)
                return State.RUNNING, None  # in another worker's hands
            return self._settle(entry, event, settlement, aside)
        finally:
            self._leases.drop(entry)
            self._usual_s += (time.monotonic() - began_at - self._usual_s) / 8

    def renew_leases(self) -> None:
        """Extend the leases of what runs in this process."""
        self._leases.renew()

    def give_back(self) -> None:
        """Let others have at once what was claimed in this process and not begun."""
        set_aside = list(iter(lambda: _first_of(self._aside), None))
        try:
            self.inbox().give_back(set_aside, now=self.clock())
        except Unavailable as error:
            # They are due when the lease is over.
            self._journal.give_back_unavailable(len(set_aside), error)

    def _claim(self, aside: deque[Entry], limit: int, only: Collection[int] | None) -> Entry | None:
        """Claim up to *limit* entries; return the first, which has begun, if it is to run."""
        claimed = self.inbox().claim(
            now=self.clock(),
            lease_s=self.assignment.lease_s,
            limit=1,
            ahead=limit - 1,
            endpoints=self.assignment.providers.keys(),
            only=only,
            in_lanes=self.assignment.registry.any_ordered,
        )
        crash_points.reach("claimed")
        aside.extend(claimed[1:])
        return claimed[0] if claimed and self._leases.hold(claimed[0]) else None

    def _next(self, aside: deque[Entry]) -> Entry | None:
        """Begin the first of *aside* that is still ours, None when there is none."""
        while entry := _first_of(aside):
            lease_s = self.assignment.lease_s
            try:
                is_ours = self.inbox().begin(entry, now=self.clock(), lease_s=lease_s)
            except Unavailable:
                aside.appendleft(entry)
                raise
            if is_ours and self._leases.hold(entry):
                return entry
        return None

    def _settle(
        self, entry: Entry, event: Event, settlement: Settlement, aside: deque[Entry] | None
    ) -> tuple[State, Entry | None]:
        """Record *settlement*; a store that is away for a moment must not undo what was done."""
        following, begun = _first_of(aside), None
        for pause_s in SETTLE_PAUSES_S:
            if pause_s:
                time.sleep(pause_s)
            latest = self._leases.latest(entry)
            try:
                settled, is_to_run = self._record(latest, settlement, following)
            except Unavailable as error:
                self._journal.settle_unavailable(entry, error)
                continue
            # It begins once, however often the settlement is tried.
            following, begun = None, following if is_to_run else begun
            if not settled and self._leases.latest(entry) is not latest:
                continue  # a thread beside this one has just claimed it, for us
            if settled:
                crash_points.reach("settled")
                self._journal.settled(entry, event, settlement)
            else:
                self._journal.fenced(entry)
            return settlement.state if settled else State.RUNNING, begun
        if aside is not None and following is not None:
            aside.appendleft(following)
        return State.RUNNING, begun  # until its lease is over

    def _record(
        self, entry: Entry, settlement: Settlement, following: Entry | None
    ) -> tuple[bool, bool]:
        """Return whether *entry* was settled, and whether *following* is to run here now."""
        now = self.clock()
        if following is None:
            in_lanes = self.assignment.registry.any_ordered
            return self.inbox().settle(entry, settlement, now=now, in_lanes=in_lanes), False
        settled, begun = self.inbox().settle_and_begin(
            entry, settlement, following, now=now, lease_s=self.assignment.lease_s
        )
        return settled, begun and self._leases.hold(following)


def _first_of(aside: deque[Entry] | None) -> Entry | None:
    """Take the first of *aside*, which other threads may take from as well."""
    try:
        return aside.popleft() if aside else None
    except IndexError:
        return None
