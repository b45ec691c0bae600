"""In which minutes an endpoint had deliveries: the counts by minutes, read for its silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select, union_all

from hookkit.inbox.sql.tables import minutes
from hookkit.inbox.sql.transactions import Transactions

#: The codes under which deliveries are counted whose sender was proven.
PROVEN = ("new", "duplicate", "conflict")

_Minutes = TypeVar("_Minutes", int, ColumnElement[int])

_IS_PROVEN = minutes.c.code.in_(PROVEN)


class Heard(NamedTuple):
    """When an endpoint had deliveries, in whole minutes since the epoch.

    Attributes:
        first: The first minute that is known.
        last: The last minute.
        usual: By period: how many minutes with deliveries there were ``earlier_by`` so much, of
            as many minutes as have gone by since the last one.
    """

    first: int
    last: int
    usual: Mapping[int, int]


def earlier_by(length: _Minutes, period: int) -> _Minutes:
    """Return how many minutes earlier so many minutes are looked at: whole periods."""
    # Those of more than a period are compared with what was before they began.
    return (length + period - 1) // period * period


class Rhythm:
    """When proven deliveries came, in whole minutes since the epoch."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def last(self, endpoints: Iterable[str], since: int) -> Mapping[str, int]:
        """Return the last minute with a delivery to each of *endpoints*, none before *since*."""
        last = [select(_last(each, since)) for each in endpoints]
        if not last:
            return {}
        with self._transactions.read() as connection:
            return {row.endpoint: row.minute for row in connection.execute(union_all(*last))}

    def heard(
        self, endpoints: Iterable[str], since: int, until: int, periods: Sequence[int]
    ) -> Mapping[str, Heard]:
        """Return when each of *endpoints* was heard that had a delivery since a minute.

        Args:
            until: The minute that it is now.
            periods: In minutes; see ``Heard.usual``.
        """
        looks = [_heard(_last(each, since), until, periods) for each in endpoints]
        if not looks:
            return {}
        with self._transactions.read() as connection:
            return {
                endpoint: Heard(first, last, dict(zip(periods, usual, strict=True)))
                for endpoint, last, first, *usual in connection.execute(union_all(*looks))
            }


def _last(endpoint: str, since: int) -> Subquery:
    """Return what finds the last minute of one endpoint by one step through the index."""
    return (
        select(minutes.c.endpoint, minutes.c.minute)
        .where(minutes.c.endpoint == endpoint, minutes.c.minute >= since, _IS_PROVEN)
        .order_by(minutes.c.minute.desc())
        .limit(1)
        .subquery()
    )


def _heard(last: Subquery, until: int, periods: Sequence[int]) -> Select[Any]:
    is_its = and_(minutes.c.endpoint == last.c.endpoint, _IS_PROVEN)
    first = select(minutes.c.minute).where(is_its).order_by(minutes.c.minute).limit(1)
    since = last.c.minute + 1
    usual = []
    for period in periods:
        earlier = earlier_by(until - since, period)
        in_these = minutes.c.minute.between(since - earlier, until - earlier - 1)
        busy = select(func.count(minutes.c.minute.distinct())).where(is_its, in_these)
        usual.append(busy.scalar_subquery())
    return select(last, first.scalar_subquery(), *usual)
