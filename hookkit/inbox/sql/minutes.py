"""What endpoints were sent, counted by minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from hookkit.inbox.records import to_ms
from hookkit.inbox.sql.tables import minutes
from hookkit.inbox.sql.transactions import Transactions

#: Milliseconds of a minute.
MINUTE_MS = 60_000

_SUMS = (
    select(minutes.c.endpoint, minutes.c.code, func.sum(minutes.c.count).label("total"))
    .where(minutes.c.minute >= bindparam("first"), minutes.c.minute < bindparam("end"))
    .group_by(minutes.c.endpoint, minutes.c.code)
)
_PRUNE = delete(minutes).where(minutes.c.minute < bindparam("first"))


class Minutes:
    """The counts of an inbox; ``Inbox.minutes`` is one. Every method may raise ``Unavailable``.

    A code is ``new``, ``duplicate`` or ``conflict``, of which events are counted; or the code of
    a refusal or of an answer 503, of which deliveries are counted.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._add = transactions.insert_or_add(minutes.c.count)

    def add(self, counts: Mapping[tuple[int, str, str], int]) -> None:
        """Add to what is counted already.

        Args:
            counts: By minute since the epoch, endpoint and code.
        """
        # In one order, so that processes that do this at once do not wait for each other forever.
        rows = [
            {"minute": minute, "endpoint": endpoint, "code": code, "count": count}
            for (minute, endpoint, code), count in sorted(counts.items())
        ]
        if rows:
            self._transactions.write_shared(lambda connection: connection.execute(self._add, rows))

    def sums(self, since: datetime, until: datetime) -> Mapping[tuple[str, str], int]:
        """Return what was counted between two moments, by endpoint and code.

        A minute counts as a whole, if any part of it lies between them.
        """
        span = {"first": to_ms(since) // MINUTE_MS, "end": -(-to_ms(until) // MINUTE_MS)}
        with self._transactions.read() as connection:
            # PostgreSQL adds up to a decimal.
            return {
                (row.endpoint, row.code): int(row.total) for row in connection.execute(_SUMS, span)
            }

    def series(
        self, first: int, end: int, step: int, *, endpoint: str | None = None
    ) -> Mapping[tuple[int, str], int]:
        """Return what was counted, by steps and codes.

        Args:
            first: The first minute since the epoch.
            end: The minute after the last.
            step: How many minutes a step has, at least 1.
            endpoint: Only what this endpoint was sent; None is all.

        Returns:
            The counts, by the number of the step, of which the first is 0, and the code.
        """
        number = ((minutes.c.minute - first) // step).label("number")
        chosen = (
            select(number, minutes.c.code, func.sum(minutes.c.count).label("total"))
            .where(minutes.c.minute >= first, minutes.c.minute < end)
            .group_by(number, minutes.c.code)
        )
        if endpoint is not None:
            chosen = chosen.where(minutes.c.endpoint == endpoint)
        with self._transactions.read() as connection:
            return {
                (int(row.number), row.code): int(row.total) for row in connection.execute(chosen)
            }

    def prune(self, before: datetime) -> None:
        """Delete what was counted before a moment."""
        first = {"first": to_ms(before) // MINUTE_MS}
        self._transactions.write_shared(lambda connection: connection.execute(_PRUNE, first))
