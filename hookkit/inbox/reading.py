"""Looks into an inbox for people: each look costs the same, however much is stored.

Rule 1: a look goes through at most so many ids and says where it stopped.
Rule 2: a look never writes, nor waits for what writes.
Rule 3: counts are capped: above that, people need to know that there are many, not how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hookkit.core.entry import EVERYTHING, Filter, State
from hookkit.inbox.records import STEP, EntryRecord, IdSpan, Kept, Proofs
from hookkit.inbox.sights import (
    DeadGroup,
    Detail,
    Glimpse,
    Mark,
    Neighbours,
    Page,
    Run,
    Runs,
)
from hookkit.inbox.sql.changes import changes, newest
from hookkit.inbox.sql.dead import dead_groups
from hookkit.inbox.sql.detail import detail, neighbours, twin
from hookkit.inbox.sql.find import proofs
from hookkit.inbox.sql.look import Span, capped_counts, glimpses, look
from hookkit.inbox.sql.rows import BodyCipher
from hookkit.inbox.sql.runs import handler_runs, runs
from hookkit.inbox.sql.transactions import Transactions

#: The most that is counted of a state.
CAP = 1000
#: How many dead letters are grouped at most.
MAX_GROUPED = 10_000
#: How many entries are looked at for those of one endpoint, at most.
MAX_GLIMPSED = 100_000
#: How many attempts are looked at, at most.
MAX_RUNS = 10_000


class Reading:
    """Looks into an inbox; ``Inbox.reading`` is one.

    Every method may raise ``Unavailable``.
    """

    def __init__(self, transactions: Transactions, cipher: BodyCipher) -> None:
        self._transactions = transactions
        self._cipher = cipher

    def find(
        self,
        wanted: Filter = EVERYTHING,
        *,
        limit: int = 20,
        below_id: int | None = None,
        above_id: int | None = None,
        look_at: int = STEP,
    ) -> Page:
        """Return the next entries that are *wanted*, newest first.

        Entries of a state, of an event id and of given ids are found by an index. Whatever else
        is wanted of them is looked for among the next *look_at*.

        Args:
            limit: How many entries, at least 1.
            below_id: Only entries with a lower id: the ``next_id`` of the page before.
            above_id: Only entries with a higher id; these come oldest first, and ``next_id`` is
                the ``above_id`` of the next page.
            look_at: How many entries are looked at, at least 1.
        """
        span = Span(limit, below_id, above_id, look_at)
        with self._transactions.read() as connection:
            return look(connection, wanted, span)

    def read(self, entry_id: int) -> Detail | None:
        """Return all that is kept of an entry, None if there is none of this id."""
        with self._transactions.read() as connection:
            return detail(connection, entry_id, self._cipher)

    def counts(self, cap: int = CAP) -> Mapping[State, int]:
        """Return how many entries are in each state; every state is there.

        Args:
            cap: The most that is counted; one more stands for all that is above it.
        """
        with self._transactions.read() as connection:
            return capped_counts(connection, cap)

    def twin(self, record: EntryRecord, *, window_s: float, look_at: int = STEP) -> Kept | None:
        """Return the nearest entry of another version that reports the same fact, None without.

        Args:
            window_s: How many seconds a twin may take to come.
            look_at: How many ids before the entry and after it are looked at, at most.
        """
        with self._transactions.read() as connection:
            return twin(connection, record, window_s, look_at, self._cipher)

    def neighbours(self, record: EntryRecord, *, limit: int = 5, look_at: int = STEP) -> Neighbours:
        """Return the entries around one: of its lane before and after it, and of its delivery.

        Args:
            limit: How many of each, at most.
            look_at: How many ids before the entry and after it are looked at.
        """
        with self._transactions.read() as connection:
            return neighbours(connection, record, limit, look_at)

    def glimpses(
        self, endpoint: str, *, limit: int, look_at: int = MAX_GLIMPSED
    ) -> Sequence[Glimpse]:
        """Return what is stored of the newest entries of an endpoint, newest first.

        Args:
            limit: How many entries, at most.
            look_at: How many of the newest ids are looked at, those of other endpoints included.
        """
        with self._transactions.read() as connection:
            return glimpses(connection, endpoint, limit, look_at)

    def dead_groups(self, look_at: int = MAX_GROUPED) -> Sequence[DeadGroup]:
        """Return the newest dead letters in groups by handler and error, the largest first.

        A dead letter that several handlers have left is in a group of each.

        Args:
            look_at: How many dead letters are looked at.
        """
        with self._transactions.read() as connection:
            return dead_groups(connection, look_at)

    def runs(
        self, since: datetime, *, endpoint: str | None = None, look_at: int = MAX_RUNS
    ) -> Sequence[Run]:
        """Return the newest attempts that ended at a moment or later, newest first.

        Args:
            endpoint: Only attempts for events of this endpoint; None is all.
            look_at: How many attempts are looked at.
        """
        with self._transactions.read() as connection:
            return runs(connection, since, endpoint, look_at)

    def handler_runs(self, since: datetime, *, look_at: int = STEP) -> Runs:
        """Return how often each handler ran since a moment, and how often it failed.

        Args:
            look_at: How many of the newest attempts are looked at.
        """
        with self._transactions.read() as connection:
            return handler_runs(connection, since, look_at)

    def proofs(self, *spans: IdSpan, limit: int = STEP) -> list[Proofs]:
        """Return which secrets proved the newest of the kept deliveries, for each of *spans*.

        Args:
            limit: How many ids of each are looked through at most, whatever is stored.
        """
        with self._transactions.read() as connection:
            return proofs(connection, spans, limit)

    def mark(self) -> Mark:
        """Return the mark of somebody who has seen all that is there."""
        with self._transactions.read() as connection:
            return newest(connection)

    def changes(self, since: Mark, *, limit: int = 500) -> tuple[Sequence[EntryRecord], Mark]:
        """Return entries that are new or were tried since a mark, and the next mark.

        Args:
            limit: How many new entries and how many new attempts are looked at; what is left out
                comes next.

        Returns:
            The entries, lowest id first, as they are by now.
        """
        with self._transactions.read() as connection:
            return changes(connection, since, limit)
