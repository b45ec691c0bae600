"""Looks through entries for people: each look is bounded, whatever is stored.

Rule 1: a look goes through ids in one direction, and never through more than it was told to.
Rule 2: what it leaves out begins at an id that it names; there is no OFFSET and no full count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    null,
    select,
)

from hookkit.core.entry import EVERYTHING, Filter, State
from hookkit.inbox.records import from_ms, to_ms
from hookkit.inbox.sights import Glimpse, Page
from hookkit.inbox.sql.claim import FIRST_DUE
from hookkit.inbox.sql.damage import whole_number
from hookkit.inbox.sql.find import HAS_BODY, conditions, is_at, is_in, records_of
from hookkit.inbox.sql.id_range import HIGHEST, LOWEST, OVERTAKING, Ids, id_at, received_from
from hookkit.inbox.sql.rows import Values
from hookkit.inbox.sql.tables import entries


class Span(NamedTuple):
    """What a look goes through, as ``Reading.find`` has it."""

    limit: int
    below_id: int | None
    above_id: int | None
    look_at: int

    @property
    def is_rising(self) -> bool:
        """Whether the look goes from low ids to high ones."""
        return self.above_id is not None


def look(connection: Connection, wanted: Filter, span: Span) -> Page:
    """Return the next entries that are *wanted*: newest first, or oldest first above an id."""
    if wanted.event_id is not None:
        wanted = with_ids(connection, wanted, wanted.event_id)
    within = ids_within(connection, wanted, span)
    if within.low > within.high:
        return Page([], None, None)
    looked = ids_looked_at(connection, wanted, within, span)
    in_order = entries.c.id.asc() if span.is_rising else entries.c.id.desc()
    rows = connection.execute(
        select(entries, HAS_BODY)
        .where(entries.c.id.between(*looked), *conditions(wanted, looked))
        .order_by(in_order)
        .limit(span.limit + 1)
    ).all()
    found = records_of(connection, rows[: span.limit])
    if len(rows) > span.limit:
        return Page(found, found[-1].id, found[-1].received_at)
    if looked == within:
        return Page(found, None, None)
    last_id = looked.high if span.is_rising else looked.low
    return Page(found, last_id, received_from(connection, last_id))


def with_ids(connection: Connection, wanted: Filter, event_id: str) -> Filter:
    """Return *wanted* with the ids of its event, found by its index: that needs endpoints."""
    at = [wanted.endpoint] if wanted.endpoint else _endpoints(connection)
    named = select(entries.c.id).where(entries.c.endpoint.in_(at), entries.c.event_id == event_id)
    ids = set(connection.execute(named).scalars())
    if wanted.entry_ids is not None:
        ids &= set(wanted.entry_ids)
    return replace(wanted, entry_ids=ids)


def _endpoints(connection: Connection) -> Sequence[str]:
    """Return the endpoints of all entries, each found by one step through an index."""
    names = select(func.min(entries.c.endpoint).label("name")).cte(recursive=True)
    following = select(func.min(entries.c.endpoint)).where(entries.c.endpoint > names.c.name)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None)))
    return connection.execute(select(names.c.name).where(names.c.name.is_not(None))).scalars().all()


def ids_within(connection: Connection, wanted: Filter, span: Span) -> Ids:
    """Return the ids between which everything lies that is *wanted*."""
    since, until = (
        null() if moment is None else id_at(to_ms(moment))
        for moment in (wanted.since, wanted.until)
    )
    low, high, since_id, until_id = connection.execute(select(LOWEST, HIGHEST, since, until)).one()
    if span.above_id is not None:
        low = max(low, span.above_id + 1)
    if span.below_id is not None:
        high = min(high, span.below_id - 1)
    if since_id is not None:
        low = max(low, since_id - OVERTAKING)
    if until_id is not None:
        high = min(high, until_id + OVERTAKING)
    return Ids(low, high)


def ids_looked_at(connection: Connection, wanted: Filter, within: Ids, span: Span) -> Ids:
    """Return those ids that one look may go through.

    Of entries with a state there is an index, so that only these count.
    """
    is_sieved = replace(wanted, state=None) != EVERYTHING
    if wanted.entry_ids is not None or not is_sieved:
        return within  # as many rows as ids, or as the limit
    if wanted.state is None:
        if span.is_rising:
            return Ids(within.low, min(within.high, within.low + span.look_at - 1))
        return Ids(max(within.low, within.high - span.look_at + 1), within.high)
    in_order = entries.c.id.asc() if span.is_rising else entries.c.id.desc()
    next_ids = (
        select(entries.c.id)
        .where(is_in(wanted.state), entries.c.id.between(*within))
        .order_by(in_order)
        .limit(span.look_at)
        .subquery()
    )
    count, lowest, highest = connection.execute(
        select(func.count(), func.min(next_ids.c.id), func.max(next_ids.c.id))
    ).one()
    if count < span.look_at:
        return within
    return Ids(within.low, highest) if span.is_rising else Ids(lowest, within.high)


def glimpses(connection: Connection, endpoint: str, limit: int, look_at: int) -> Sequence[Glimpse]:
    """Return what is stored of the newest entries of an endpoint, newest first."""
    newest = (
        select(
            entries.c.id,
            entries.c.version,
            entries.c.vendor_type,
            entries.c.fact,
            entries.c.lane,
            entries.c.received_at_ms,
        )
        .where(entries.c.id > HIGHEST - look_at, is_at(endpoint))
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    return [Glimpse(*row[:-1], whole_number(row[-1])) for row in connection.execute(newest)]


def capped_counts(connection: Connection, cap: int) -> dict[State, int]:
    """Return how many entries are in each state, one more than *cap* for all that is above it.

    An entry whose state was damaged counts as a dead letter.
    """
    return _added_up(connection.execute(select(*_counts(cap))).one(), cap)


def standing(
    connection: Connection, wanted: Values, cap: int
) -> tuple[dict[State, int], datetime | None]:
    """Return what ``capped_counts`` does, and when the first entry is due, by one statement.

    Args:
        wanted: As ``first_due`` takes it.
    """
    due = select(func.min(func.coalesce(FIRST_DUE.subquery().c.due_at_ms, 0)))
    row = connection.execute(select(*_counts(cap), due.scalar_subquery()), wanted).one()
    *counts, due_ms = row
    return _added_up(counts, cap), None if due_ms is None else from_ms(due_ms)


def _counts(cap: int) -> list[ColumnElement[int]]:
    return [_capped(condition, cap) for _, condition in _looked_for()]


def _added_up(counts: Sequence[int], cap: int) -> dict[State, int]:
    found = dict.fromkeys(State, 0)
    for (state, _), count in zip(_looked_for(), counts, strict=True):
        found[state] = min(found[state] + count, cap + 1)
    return found


def _looked_for() -> Iterator[tuple[State, ColumnElement[bool]]]:
    """Yield the conditions that are counted, and as which state."""
    for state in State:
        yield state, entries.c.state == state.value
    for condition in _damaged():
        yield State.DEAD, condition


def _capped(condition: ColumnElement[bool], cap: int) -> ColumnElement[int]:
    # In an order that the index of states has: PostgreSQL would rather read the table otherwise.
    rows = select(entries.c.id).where(condition).order_by(entries.c.state, entries.c.id)
    return select(func.count()).select_from(rows.limit(cap + 1).subquery()).scalar_subquery()


def _damaged() -> Iterator[ColumnElement[bool]]:
    """Yield conditions that a state fits that is none: between two words, or missing.

    Each is one step through the index of states.
    """
    words = sorted(state.value for state in State)
    state = entries.c.state
    yield state < words[0]
    for before, after in pairwise(words):
        yield and_(state > before, state < after)
    yield state > words[-1]
    yield state.is_(None)
