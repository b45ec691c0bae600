"""What threads have finished: it waits to be written, then to be reported."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from hookkit import crash_points
from hookkit.core.constructors import quickly_made
from hookkit.core.entry import Entry, Settlement, State
from hookkit.core.errors import StoreRefused, Unavailable
from hookkit.core.event import Event
from hookkit.handling.dispatch import Assignment
from hookkit.handling.journal import Journal
from hookkit.handling.leases import Leases
from hookkit.inbox.records import Terms

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Outcome:
    """What a claimed entry came to.

    Attributes:
        state: RUNNING until its settlement is written, and when it belongs to another worker
            by then.
    """

    entry_id: int
    state: State = State.RUNNING
    is_written: bool = False


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """An entry whose handlers have run.

    Attributes:
        at: When they had, a moment of ``time.monotonic``.
    """

    entry: Entry
    event: Event
    settlement: Settlement
    at: float
    outcome: Outcome


class Settlements:
    """The settlements of one pipeline; one thread at a time writes them.

    Attributes:
        is_stuck: Whether some could not be written when that was tried last.
    """

    def __init__(self, assignment: Assignment, leases: Leases, journal: Journal) -> None:
        self._assignment = assignment
        self._leases = leases
        self._journal = journal
        self._waiting = deque[Finished]()
        # How many the thread that writes has taken.
        self._in_flight = 0
        self.is_stuck: bool = False
        # What was written and is still to be reported.
        self._written = deque[Finished]()

    @property
    def count(self) -> int:
        """How many are not written, those included that are just being written."""
        return len(self._waiting) + self._in_flight

    @property
    def is_any_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting)

    def add(self, finished: Finished) -> bool:
        """Leave *finished* to whoever writes next; return whether it is the first."""
        is_first = not self._waiting
        self._waiting.append(finished)
        return is_first

    def forget(self) -> None:
        """Leave what waits to the leases of its entries: nobody will write it."""
        self._leases.drop([each.entry for each in self._waiting])

    def exchange(self, terms: Terms | None) -> list[Entry]:
        """Settle what is finished, and claim by *terms*, by one commit.

        Raises:
            Unavailable: The inbox cannot be reached; what is finished is kept.
        """
        batch = deque[Finished]()
        while finished := first_of(self._waiting):
            batch.append(finished)
        self._in_flight = len(batch)
        try:
            claimed = self._record(batch, terms)
            batch.clear()
        except Exception as error:
            if not _is_outage(error):
                self._record_each(batch)
            elif batch:
                self._journal.settle_unavailable(len(batch), error)
            raise
        finally:
            # Whatever has happened, what is not written is kept.
            self.is_stuck = bool(batch)
            self._waiting.extendleft(reversed(batch))
            self._in_flight = 0
        return claimed

    def _record_each(self, batch: deque[Finished]) -> None:
        """Settle each of *batch* by itself: the store refuses one of them, or a bug is in its way.

        That one is left to its lease, so that it holds up no other.
        """
        while batch:
            try:
                self._record([batch[0]], None)
            except Exception as error:
                if _is_outage(error):
                    raise
                self._journal.settle_refused(batch[0].entry, error)
                self._leases.drop([batch[0].entry])
                batch[0].outcome.is_written = True
            batch.popleft()

    def _record(self, batch: Collection[Finished], terms: Terms | None) -> list[Entry]:
        held = self._leases.latest_of([each.entry for each in batch])
        settled, claimed = self._assignment.inbox().settle_and_claim(
            [(entry, each.settlement) for entry, each in zip(held, batch, strict=True)],
            terms,
            now=self._assignment.clock(),
            in_lanes=self._assignment.registry.any_ordered,
        )
        left = []
        for entry, each in zip(held, batch, strict=True):
            is_settled = entry.id in settled
            if not is_settled and self._leases.is_claimed_again(entry):
                # This process has just claimed it again: it is settled under the new token.
                self._waiting.append(each)
                continue
            left.append(entry)
            if is_settled:
                each.outcome.state = each.settlement.state
            each.outcome.is_written = True
            self._written.append(each)
        self._leases.drop(left)
        return claimed

    def report(self) -> None:
        """Report what was written, outside the turn: receivers of signals are the user's code."""
        while each := first_of(self._written):
            if each.outcome.state is State.RUNNING:
                self._journal.fenced(each.entry)
                continue
            crash_points.reach("settled")
            self._journal.settled(
                each.entry,
                each.event,
                each.settlement,
                in_order=self._assignment.registry.any_ordered,
            )

    def is_old(self, seconds: float) -> bool:
        """Tell whether the first of those that wait was finished so many seconds ago."""
        return self.is_any_waiting and self.left_s(seconds) <= 0

    def left_s(self, seconds: float) -> float:
        """Return how long it takes until that is so; 0 if none waits."""
        try:
            return max(0.0, self._waiting[0].at + seconds - time.monotonic())
        except IndexError:
            return 0.0


def first_of(queue: deque[_T]) -> _T | None:
    """Take the first of *queue*, which other threads may take from as well."""
    try:
        return queue.popleft()
    except IndexError:
        return None


def _is_outage(error: Exception) -> bool:
    """Tell whether the store may take later what it has not taken now."""
    return isinstance(error, Unavailable) and not isinstance(error, StoreRefused)
