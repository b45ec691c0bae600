"""The way of entries to the threads of a process, and of their settlements to the inbox.

A commit for each event would take longer than most handlers. So the threads of a process claim
a group of entries, settle what they have finished together, and do both by one commit.

Who writes: there is no thread for it. A thread that has finished an entry leaves the settlement
and goes on. It writes all that were left when 48 are there or the oldest is 25 ms old, and the
last thread that has nothing to do waits as long for deliveries and writes before it rests. The
others go on meanwhile. The thread that renews the leases writes what nobody has written for
100 ms.

Who is quicker: while there is no backlog, a delivery stores its events as claimed by its own
process and hands them over, so that nothing has to be looked for or read again.

Who waits: a thread whose handler took more than 5 ms waits until its settlement is written, and
so does one that handled a suspect. A process that is killed therefore has to repeat one event
for each thread, and at most 64 of quick handlers.

What kills: a group is claimed without counting an attempt, since most of it will not have begun
if the process dies. After that its entries are suspects. Each is claimed alone and counted, and
a second loss charges the first one too. An event that kills its process is thus a dead letter
after exactly as many runs as it has attempts, and the others of its group have spent none.
Whatever has too few attempts left for this is claimed alone from the beginning.

While the store is away, nothing is begun, and what was finished is kept and tried again.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Condition, Lock
from threading import Event as Flag

from hookkit import crash_points
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import GROUP, Entry, Lease, Receipt
from hookkit.core.errors import Unavailable
from hookkit.handling.dispatch import Assignment
from hookkit.handling.journal import Journal
from hookkit.handling.leases import Leases
from hookkit.handling.settlements import Finished, Settlements, first_of
from hookkit.inbox.records import FEWEST_IN_GROUP, Terms, from_ms, to_ms

#: The most entries of a group, and settlements that wait to be written.
MAX_GROUP = 64

#: So many finished entries are written: the threads go on with up to ``MAX_GROUP`` meanwhile.
ENOUGH = MAX_GROUP * 3 // 4

#: The next group is claimed when this share of the last one has not begun: the threads handle it
#: during the commit.
SHARE_LEFT = 1 - ENOUGH / MAX_GROUP

#: A group is what the process usually handles in so many seconds. Other processes get what
#: lies behind a slow handler only when it is given back.
AHEAD_S = 0.1

#: A handler that took longer waits for its settlement.
QUICK_S = 0.005

#: What quick handlers have finished is written when the oldest is so old. A commit costs as much
#: as twelve settlements, so that at 1,000 events a second five of them would double the work.
AGE_S = 0.025

#: The same where the next event of a lane waits for it.
AGE_IN_LANES_S = 0.005

#: What was not written for so long is written by the thread that renews the leases.
LEFT_S = 0.1

#: Seconds before each further try to write what the caller of a delivery waits for.
WRITE_PAUSES_S = (0.1, 0.5, 2.0, 5.0)

#: The most entries that are handed over by deliveries and not begun.
MAX_HANDED_OVER = MAX_GROUP


class Pipeline:
    """Hands out claimed entries, and takes back what they came to; threads share it.

    Args:
        only: The ids of the only entries to claim, once; None is whatever is due.
    """

    def __init__(
        self,
        assignment: Assignment,
        leases: Leases,
        journal: Journal,
        *,
        only: Collection[int] | None = None,
    ) -> None:
        self._assignment = assignment
        self._leases = leases
        self._journal = journal
        self._only = only
        # That of all deliveries to this process: none of their entries had another token before.
        self._offered = Lease(f"{GROUP}{secrets.token_hex(15)}", assignment.lease_s)
        self._ready = deque[Entry]()
        # What was read of those that were handed over.
        self._items: dict[int, Item] = {}
        self._settlements = Settlements(assignment, leases, journal)
        # Held by the one thread that writes.
        self._turn = Lock()
        lock = Lock()
        # Something was finished, for the thread that renews the leases.
        self._changed = Condition(lock)
        # Something is to be handled, for the one idle thread that waits for it.
        self._arrived = Condition(lock)
        self._is_lingering = False
        # Whether it is to look into the inbox.
        self._is_stirred = False
        self._age_s = AGE_IN_LANES_S if assignment.registry.any_ordered else AGE_S
        self._busy_count = 0
        self._usual_s = AHEAD_S
        self._may_claim = True
        self._is_closed = False
        #: Whether the last claim found something, so that the next one probably will.
        self._has_backlog = False
        #: Whether the last look found something due, and the claim after it nothing.
        self.is_held_up: bool = False

    @property
    def group_size(self) -> int:
        """How many entries the threads usually handle in ``AHEAD_S``, at least one."""
        if self._only is not None:
            return min(MAX_GROUP, len(self._only))
        return max(1, min(MAX_GROUP, int(max(1, self._busy_count) * AHEAD_S / self._usual_s)))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count the thread that handles entries in the block, and write what it leaves.

        Raises:
            Unavailable: It cannot be written now; it is kept, and will be.
        """
        with self._changed:
            self._busy_count += 1
        try:
            yield
            if not self._is_lingering:  # who lingers writes
                self.flush()
        finally:
            with self._changed:
                self._busy_count -= 1
            if self._only is not None:
                self.leave()
                self._leases.drop(self._ready)
                self._settlements.forget()

    def leave(self) -> None:
        """Give back what has not begun, and write what was finished, if that is possible soon.

        For a process whose threads may not come back.
        """
        self.give_back()
        for pause_s in WRITE_PAUSES_S:
            if not self._settlements.is_any_waiting:
                return
            time.sleep(pause_s)
            with suppress(Unavailable):
                self.flush()

    def next(self) -> Entry | None:
        """Return the next entry to handle, which has begun; None when there is none.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        while True:
            if self._settlements.is_stuck:
                self.flush()
            if self._is_closed:
                return None
            entry = first_of(self._ready)
            if entry is not None:
                begun = self._leases.begin(entry)
                if begun is not None:
                    return begun
                self._items.pop(entry.id, None)
            elif self._is_lingering or not self._may_claim:
                return None
            elif not self._lingers():
                alone, is_over = self._claim()
                if alone is not None or is_over:
                    return alone

    def settle(self, finished: Finished, took_s: float) -> None:
        """Take what an entry came to; return at once, or when it is written.

        Args:
            took_s: How many seconds the handlers took.

        Raises:
            Unavailable: It cannot be written now; it is kept, and will be.
        """
        self._usual_s += (took_s - self._usual_s) / 8
        with self._changed:
            if self._settlements.add(finished):
                self._changed.notify_all()
        if took_s > QUICK_S or finished.entry.is_suspect:
            with self._turn:
                while not finished.outcome.is_written:
                    self._write()
        elif self._settlements.count >= MAX_GROUP:
            # Whoever writes makes room; what is left then need not be written by itself.
            with self._turn:
                while self._settlements.count >= MAX_GROUP:
                    self._write()
        elif self._is_time_to_write and self._turn.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._turn.release()
        self._settlements.report()

    def flush(self) -> None:
        """Write what is finished.

        Raises:
            Unavailable: It cannot be written now; it is kept.
        """
        with self._turn:
            while self._settlements.is_any_waiting:
                self._settlements.exchange(None)
        self._settlements.report()

    def wait_for_unwritten(self, done: Flag, timeout_s: float) -> bool:
        """Return whether something is finished and not written, as soon as it is.

        Args:
            done: Ends the wait too, once it is set and ``stir`` was called.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._settlements.is_any_waiting or done.is_set(), timeout_s
            )
        return self._settlements.is_any_waiting

    def offer(self) -> Lease | None:
        """Return the lease under which a delivery may hand its events to this process.

        None while there is a backlog, which comes first, and while nothing may begin.
        """
        assignment = self._assignment
        if (
            self._has_backlog
            or self._settlements.is_stuck
            or self._is_closed
            or not self._may_claim
            or len(self._ready) >= MAX_HANDED_OVER
            or assignment.registry.any_ordered
            or assignment.fewest_attempts < FEWEST_IN_GROUP
        ):
            return None
        return self._offered

    def take(self, envelope: Envelope, receipt: Receipt, lease: Lease) -> int:
        """Have the events handled that a delivery has stored under *lease*.

        Returns:
            How many of them no thread waits for.
        """
        received_at = from_ms(to_ms(envelope.received_at))  # as it is stored
        new = []
        for position, (admitted, item) in enumerate(
            zip(receipt.admitted, envelope.items, strict=True)
        ):
            if not admitted.is_new:
                continue
            entry = Entry(
                id=admitted.entry_id,
                endpoint=envelope.endpoint,
                event_id=admitted.event_id,
                position=position,
                claim_count=1,
                lease_token=lease.token,
                received_at=received_at,
                body=envelope.body,
                headers=envelope.headers,
                lane=item.lane,
            )
            is_same = item.event_id == admitted.event_id
            self._items[entry.id] = item if is_same else replace(item, event_id=admitted.event_id)
            new.append(entry)
        self._ready.extend(self._leases.hold(new))
        with self._arrived:
            is_awaited = self._is_lingering and bool(new)
            self._arrived.notify()
        if self._is_closed:
            self.give_back()
        return len(new) - is_awaited

    def item_of(self, entry: Entry) -> Item | None:
        """Return what was read of *entry* when it arrived, if it was handed over; only once."""
        return self._items.pop(entry.id, None)

    def stir(self) -> None:
        """Have all who wait look again, into the inbox as well."""
        with self._changed:
            self._is_stirred = True
            self._changed.notify_all()
            self._arrived.notify_all()

    def flush_left(self) -> None:
        """Write what nobody has written for ``LEFT_S``.

        Another thread reports it: receivers of signals must not keep leases from being renewed.

        Raises:
            Unavailable: It cannot be written now; it is kept.
        """
        with self._turn:
            if self._settlements.is_old(LEFT_S):
                self._settlements.exchange(None)

    def close(self) -> None:
        """Claim nothing more, and give back what has not begun."""
        self._is_closed, self._may_claim = True, False
        self.stir()
        self.give_back()

    def end(self) -> None:
        """Write and give back what is left after ``close``, when the threads have ended."""
        with suppress(Unavailable):  # reported already; it is claimed again
            self.flush()
        self.give_back()

    def give_back(self, *, idle_for_s: float = 0.0) -> None:
        """Let other processes have at once what was claimed here and has not begun.

        Args:
            idle_for_s: Only what was claimed so many seconds ago.
        """
        taken = []
        while entry := first_of(self._ready):
            taken.append(entry)
        idle = self._leases.idle(taken, idle_for_s)
        self._ready.extendleft(reversed([entry for entry in taken if entry not in idle]))
        if not idle:
            return
        self._leases.drop(idle)
        for entry in idle:
            self._items.pop(entry.id, None)
        try:
            self._assignment.inbox().give_back(idle, now=self._assignment.clock())
        except Unavailable as error:
            self._journal.give_back_unavailable(len(idle), error)

    @property
    def _is_time_to_write(self) -> bool:
        return self._settlements.count >= ENOUGH or self._settlements.is_old(self._age_s)

    def _lingers(self) -> bool:
        """Wait for what deliveries hand over, as long as what is finished may still wait.

        Returns:
            Whether something is ready.
        """
        wait_s = self._settlements.left_s(self._age_s)
        if wait_s <= 0 or self._has_backlog or self._only is not None:
            return False
        with self._arrived:
            self._is_lingering = True
            self._arrived.wait_for(
                lambda: self._ready or self._is_stirred or not self._may_claim, wait_s
            )
            self._is_lingering = self._is_stirred = False
        return bool(self._ready)

    def _claim(self) -> tuple[Entry | None, bool]:
        """Claim what is due, and write what is finished by the same commit.

        Returns:
            An entry that is handled alone, which has begun; and whether nothing is left.
        """
        with self._turn:
            if self._ready or not self._may_claim:
                return None, False
            if not self._settlements.is_any_waiting and not self._is_any_due():
                self.is_held_up = False
                return None, True
            with self._leases.slot() as slot:
                claimed = self._settlements.exchange(self._terms(takes_lost=slot.is_ours))
                self._has_backlog = bool(claimed)
                crash_points.reach("claimed")
                new = self._leases.hold(claimed)
                is_alone = bool(new) and not new[0].is_of_group
                alone = self._leases.begin(new[0]) if is_alone else None
                if alone is not None and alone.is_suspect:
                    slot.keep(alone)
                    self._journal.claimed_again(alone)
            if not is_alone:
                self._ready.extend(new)
            if self._only is not None:
                self._may_claim = False
            self.is_held_up = not claimed
        self._settlements.report()
        return alone, not claimed

    def _write(self) -> None:
        """Write what is finished, and claim by the same commit what the threads need meanwhile."""
        terms, ready_count = None, len(self._ready)
        is_needed = ready_count <= self.group_size * SHARE_LEFT
        if is_needed and self._has_backlog and self._may_claim and self._only is None:
            terms = self._terms(takes_lost=False)
            terms = replace(terms, takes_alone=False, limit=max(1, terms.limit - ready_count))
        claimed = self._settlements.exchange(terms)
        if terms is not None:
            self._has_backlog = bool(claimed)
        self._ready.extend(self._leases.hold(claimed))

    def _is_any_due(self) -> bool:
        """Look before the claim, which is a write and keeps deliveries waiting."""
        if self._has_backlog or self._only is not None:
            return True
        assignment = self._assignment
        endpoints = assignment.providers.keys()
        return assignment.inbox().has_due(endpoints, now=assignment.clock())

    def _terms(self, *, takes_lost: bool) -> Terms:
        assignment = self._assignment
        return Terms(
            endpoints=assignment.providers.keys(),
            lease_s=assignment.lease_s,
            limit=self.group_size,
            only=self._only,
            in_lanes=assignment.registry.any_ordered,
            max_attempts=assignment.fewest_attempts,
            takes_lost=takes_lost,
        )
