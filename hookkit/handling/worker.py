"""Screen two, when nobody waits: claim, normalize, dispatch, settle.

Nothing is forgotten: an entry is leased when it is claimed, and its settlement is recorded under
the token of the lease. A process may die at any point between the two: the lease runs out, and
another worker claims the entry and runs the handlers that have not succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from hookkit import crash_points
from hookkit.core.entry import Entry, State
from hookkit.handling.dispatch import Assignment, Dispatcher, Reader
from hookkit.handling.journal import Journal
from hookkit.handling.leases import Leases
from hookkit.handling.pipeline import Pipeline
from hookkit.handling.settlements import Finished, Outcome


class Worker:
    """Claims entries and runs their handlers; any number of threads may share one.

    Attributes:
        leases: What this process has claimed and not settled yet.
        pipeline: Where its threads get entries, and leave what these came to.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: what runs in the parent belongs to the parent."""
        self.leases: Leases = Leases(self.assignment)
        self._journal = Journal(self.assignment.sender)
        self._reader = Reader(self.assignment.providers)
        self._dispatcher = Dispatcher(self.assignment, self._journal, self.leases.latest)
        self.pipeline: Pipeline = Pipeline(self.assignment, self.leases, self._journal)

    def work(
        self, *, limit: int | None = None, only: Collection[int] | None = None
    ) -> dict[int, State]:
        """Handle what is due until nothing is left; return the state of each entry afterwards.

        Args:
            limit: Return after so many entries.
            only: The ids of the only entries to claim, whether their next attempt is due or
                not, and whether other threads are free or not: the caller waits for them.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        pipeline = self.pipeline
        if only is not None:
            pipeline = Pipeline(self.assignment, self.leases, self._journal, only=only)
        worked: list[Outcome] = []
        with pipeline.at_work():
            while limit is None or len(worked) < limit:
                entry = pipeline.next()
                if entry is None:
                    break
                worked.append(self._handle(entry, pipeline, at_once=only is not None))
        return {each.entry_id: each.state for each in worked}

    def _handle(self, entry: Entry, pipeline: Pipeline, *, at_once: bool) -> Outcome:
        """Normalize and dispatch *entry*, which has begun; leave what it comes to."""
        began_at = time.monotonic()
        outcome, settlement = Outcome(entry.id), None
        try:
            event = self._reader.read(entry, pipeline.item_of(entry))
            crash_points.reach("normalized")
            settlement = self._dispatcher.dispatch(entry, event, at_once=at_once)
        finally:
            if settlement is None:
                self.leases.drop([entry])
        if settlement is None:
            self._journal.fenced(entry)
        else:
            ended_at = time.monotonic()
            finished = Finished(
                entry=entry, event=event, settlement=settlement, at=ended_at, outcome=outcome
            )
            pipeline.settle(finished, took_s=ended_at - began_at)
            if self.assignment.observe is not None:
                provider = self.assignment.providers[entry.endpoint]
                self.assignment.observe(provider, entry, event)
        return outcome
