"""Screen two, when nobody waits: claim, normalize, dispatch, settle.

Strategy: the claim counts the attempt before anything runs, and the settlement is recorded
under the claim's lease token. Between the two a process may die at any point: the lease
runs out, and somebody else claims the entry and runs the handlers that have not succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime

from hookkit import crash_points
from hookkit.assignment import Assignment
from hookkit.core.errors import Unavailable
from hookkit.core.event import Event
from hookkit.core.outcome import Entry, Settlement
from hookkit.core.states import State
from hookkit.dispatch import Dispatcher
from hookkit.inbox.base import Inbox
from hookkit.journal import Journal
from hookkit.leases import Leases
from hookkit.reading import Reader

#: Seconds before each try to record a settlement that the store did not take.
SETTLE_PAUSES_S = (0.0, 0.1, 0.5, 2.0, 5.0)


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
        self._leases = Leases(self.inbox, self.clock, self.assignment.lease_s)
        self._dispatcher = Dispatcher(
            self.assignment,
            self._journal,
            inbox=self.inbox,
            clock=self.clock,
            jitter=self.jitter,
            latest=self._leases.latest,
        )

    def work(self, *, limit: int = 1, only: Collection[int] | None = None) -> dict[int, State]:
        """Claim up to *limit* due entries and run them; return the state of each after it.

        Args:
            only: Just these entries, whether their next attempt is due or not.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        entries = self.inbox().claim(
            now=(now := self.clock()),
            lease_s=self.assignment.lease_s,
            limit=limit,
            endpoints=self.assignment.providers.keys(),
            only=only,
            in_lanes=self.assignment.registry.any_ordered,
        )
        crash_points.reach("claimed")
        entries = self._leases.hold(entries, now)
        states = {}
        try:
            for entry in entries:
                # The entries before it may have taken longer than its lease.
                if self._leases.is_held(entry):
                    states[entry.id] = self.run(entry, at_once=only is not None)
        finally:
            self._leases.drop(entries)
        return states

    def run(self, entry: Entry, *, at_once: bool = False) -> State:
        """Normalize, dispatch and settle one claimed entry."""
        event = self._reader.read(entry)
        crash_points.reach("normalized")
        if entry.body is None:
            settlement: Settlement | None = self._dispatcher.unreadable(entry)
        else:
            settlement = self._dispatcher.dispatch(entry, event, at_once=at_once)
        if settlement is None:
            self._journal.fenced(entry)
        elif self._settle(entry, event, settlement):
            return settlement.state
        return State.RUNNING  # until its lease is over, or in another worker's hands

    @property
    def running_count(self) -> int:
        """How many entries this process has claimed and not settled yet."""
        return self._leases.count

    def renew_leases(self) -> None:
        """Extend the leases of what runs in this process."""
        self._leases.renew()

    def _settle(self, entry: Entry, event: Event, settlement: Settlement) -> bool:
        """Record *settlement*; a store that is away for a moment must not undo what was done."""
        for pause_s in SETTLE_PAUSES_S:
            time.sleep(pause_s)
            try:
                latest = self._leases.latest(entry)
                settled = self.inbox().settle(
                    latest,
                    settlement,
                    now=self.clock(),
                    in_lanes=self.assignment.registry.any_ordered,
                )
            except Unavailable as error:
                self._journal.settle_unavailable(entry, error)
                continue
            if not settled and self._leases.latest(entry) is not latest:
                continue  # a thread beside this one has just claimed it, for us
            if settled:
                crash_points.reach("settled")
                self._journal.settled(entry, event, settlement)
            else:
                self._journal.fenced(entry)
            return settled
        return False
