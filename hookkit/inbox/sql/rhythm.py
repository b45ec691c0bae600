"""In which minutes an endpoint had deliveries: the counts by minutes, read for its silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, bindparam, func, select, union_all

from hookkit.inbox.sql.tables import minutes
from hookkit.inbox.sql.transactions import Transactions

#: The codes under which deliveries are counted whose sender was proven.
PROVEN = ("new", "duplicate", "conflict")

_IS_PROVEN = minutes.c.code.in_(PROVEN)
_FIRST = (
    select(minutes.c.minute)
    .where(minutes.c.endpoint == bindparam("of_endpoint"), _IS_PROVEN)
    .order_by(minutes.c.minute)
    .limit(1)
)
_BUSY = select(func.count(minutes.c.minute.distinct())).where(
    minutes.c.minute >= bindparam("since"),
    minutes.c.minute < bindparam("until"),
    minutes.c.endpoint == bindparam("of_endpoint"),
    _IS_PROVEN,
)


def _last(endpoint: str, since: int) -> Select[Any]:
    """Return what finds the last minute of one endpoint by one step through the index."""
    last = (
        select(minutes.c.endpoint, minutes.c.minute)
        .where(minutes.c.endpoint == endpoint, minutes.c.minute >= since, _IS_PROVEN)
        .order_by(minutes.c.minute.desc())
        .limit(1)
    )
    return select(last.subquery())


class Rhythm:
    """When proven deliveries came, in whole minutes since the epoch."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def last(self, endpoints: Iterable[str], since: int) -> Mapping[str, int]:
        """Return the last minute with a delivery to each of *endpoints*, none before *since*."""
        last = [_last(each, since) for each in endpoints]
        if not last:
            return {}
        with self._transactions.read() as connection:
            return {row.endpoint: row.minute for row in connection.execute(union_all(*last))}

    def first(self, endpoint: str) -> int | None:
        """Return the first minute with a delivery that is known; None without one."""
        with self._transactions.read() as connection:
            minute: int | None = connection.scalar(_FIRST, {"of_endpoint": endpoint})
        return minute

    def busy(self, endpoint: str, since: int, until: int) -> int:
        """Return in how many minutes there were deliveries, from *since* to before *until*."""
        wanted = {"of_endpoint": endpoint, "since": since, "until": until}
        with self._transactions.read() as connection:
            return connection.scalar(_BUSY, wanted) or 0
