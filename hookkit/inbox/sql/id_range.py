"""Turns times into ids: ids grow with time, and only they have an index in every inbox.

An index by time would be simpler, and every event would have to pay for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    bindparam,
    case,
    func,
    select,
)

from hookkit.inbox.records import from_ms
from hookkit.inbox.sql.tables import entries

#: So many requests may overtake one on its way in: an id is given before its transaction commits.
OVERTAKING = 1000

# What a disk has damaged is no number, or none that a clock could have shown.
_LATEST_MS = 1 << 48

# Apart from each other: SQLite would read the whole table for both at once.
#: The lowest id of all entries, and the highest, which is less if there is no entry.
LOWEST = func.coalesce(select(func.min(entries.c.id)).scalar_subquery(), 1)
HIGHEST = func.coalesce(select(func.max(entries.c.id)).scalar_subquery(), 0)


class Ids(NamedTuple):
    """Ids from one to another, both included; there are none if the first is higher."""

    low: int
    high: int


def id_at(moment_ms: int) -> ScalarSelect[int]:
    """Return what finds about the first id that was received at a moment or later.

    Up to ``OVERTAKING`` entries below it may have been received later, and as many above it
    earlier. It is part of a statement: the database halves the ids again and again, which would
    take 20 statements otherwise.
    """
    search = select(LOWEST.label("low"), (HIGHEST + 1).label("high")).cte(recursive=True)
    middle = search.c.low + (search.c.high - search.c.low) // 2
    is_before = _received_ms(middle) < moment_ms
    halves = select(
        case((is_before, middle + 1), else_=search.c.low),
        case((is_before, search.c.high), else_=middle),
    ).where(search.c.low < search.c.high)
    found = search.union_all(halves)
    return select(found.c.low).where(found.c.low >= found.c.high).scalar_subquery()


def received_from(connection: Connection, entry_id: int) -> datetime | None:
    """Return when the first entry was received that has this id or a higher one, if any."""
    found = connection.execute(_RECEIVED, {"from_id": entry_id}).scalar()
    return None if found is None else from_ms(int(found))


def _received_ms(entry_id: ColumnElement[int]) -> ScalarSelect[int]:
    """Return when the first entry was received that has this id or a higher one."""
    return (
        select(entries.c.received_at_ms)
        .where(entries.c.id >= entry_id, entries.c.received_at_ms.between(0, _LATEST_MS))
        .order_by(entries.c.id)
        .limit(1)
        .scalar_subquery()
    )


_RECEIVED = select(_received_ms(bindparam("from_id")))
