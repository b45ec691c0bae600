"""Makes due what a switch of versions finds held back, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.sql.dml import Insert

from hookkit.core.facts import NEAR_MARK, Report, is_exact, is_near, names_in_doubt, rule
from hookkit.core.states import State
from hookkit.inbox.sql.owners import (
    BECOME_TWINS,
    Claim,
    take_facts,
)
from hookkit.inbox.sql.tables import (
    entries,
    facts,
)

# SQLite before 3.32 takes 999 parameters in a statement.
PAGE = 400

_REPORT = (
    entries.c.id,
    entries.c.version,
    entries.c.fact,
    entries.c.lane,
    entries.c.received_at_ms,
)
# Newest first: what is too old for a switch lies behind what is not.
_SHADOWS = (
    select(*_REPORT)
    .where(
        entries.c.state == State.SHADOW.value,
        entries.c.endpoint == bindparam("at"),
        entries.c.id < bindparam("below"),
    )
    .order_by(entries.c.id.desc())
    .limit(PAGE)
)
#: state -> whether an entry in it has run or will.
_HAS_RUN = {state.value: True for state in State} | {State.TWIN.value: False}
del _HAS_RUN[State.SHADOW.value], _HAS_RUN[State.IGNORED.value]
_NEAR = select(*_REPORT, entries.c.state).where(
    entries.c.id >= bindparam("since_id"),
    entries.c.endpoint == bindparam("at"),
    entries.c.fact.like(f"{NEAR_MARK}%"),
    entries.c.state.in_(list(_HAS_RUN)),
    entries.c.received_at_ms >= bindparam("since_ms"),
)
_NEXT = (
    select(entries.c.id, entries.c.received_at_ms)
    .where(entries.c.id >= bindparam("from_id"))
    .order_by(entries.c.id)
    .limit(1)
)
_OWNERS = (
    select(*_REPORT)
    .join(facts, facts.c.entry_id == entries.c.id)
    .where(
        facts.c.endpoint == bindparam("at"), facts.c.fact.in_(bindparam("named", expanding=True))
    )
)
_PROMOTE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(state=State.PENDING.value, due_at_ms=bindparam("now_ms"))
)
_HIGHEST_ID = 2**62
#: How close the search for a moment gets: so many entries are then looked at one by one.
_CLOSE = 1000


def shadows(connection: Connection, endpoint: str, since_ms: int) -> Iterator[Report]:
    """Yield reports of *endpoint* that are held back; of those before *since_ms* only some."""
    below = _HIGHEST_ID
    while page := connection.execute(_SHADOWS, {"at": endpoint, "below": below}).all():
        yield from (Report(*row) for row in page if row.fact)
        if all(row.received_at_ms < since_ms for row in page):
            return
        below = page[-1].id


def promote(
    connection: Connection,
    insert_fact: Insert,
    endpoint: str,
    held: Sequence[Report],
    *,
    now_ms: int,
    window_ms: int,
) -> list[int]:
    """Make those of *held* due that nothing else has run for; return their ids."""
    if not held:
        return []
    near = list(_near(connection, endpoint, min(each.received_ms for each in held) - window_ms))
    doubtful = names_in_doubt(held, [each for each, _ in near])
    owners = {each.fact: each for each in _owners(connection, endpoint, sorted(doubtful))}
    ruling = rule(held, near, owners, window_ms=window_ms)
    promoted = [each.entry_id for each in ruling.to_run if is_near(each.fact)]
    claims = sorted(
        Claim(each.fact, each.entry_id, each.version)
        for each in ruling.to_run
        if is_exact(each.fact)
    )
    for page in _pages(claims):
        taken = take_facts(connection, insert_fact, endpoint, page)
        promoted += [each.entry_id for each in page if taken[each.fact][0] == each.entry_id]
    for ids in _pages(sorted(promoted)):
        connection.execute(_PROMOTE, {"entry_ids": ids, "now_ms": now_ms})
    for ids in _pages(sorted(each.entry_id for each in ruling.twins)):
        connection.execute(BECOME_TWINS, {"entry_ids": ids})
    return sorted(promoted)


def _near(connection: Connection, endpoint: str, since_ms: int) -> Iterator[tuple[Report, bool]]:
    since = {"since_id": _first_since(connection, since_ms), "since_ms": since_ms}
    for row in connection.execute(_NEAR, {"at": endpoint, **since}):
        yield Report(*row[:-1]), _HAS_RUN[row.state]


def _first_since(connection: Connection, since_ms: int) -> int:
    """Return an id before which nothing was received since that moment, or next to nothing.

    Ids grow with time, but for requests that overtake each other on their way in; there is
    no index by time, which every event would have to pay for.
    """
    low, high = 0, connection.execute(select(func.max(entries.c.id))).scalar() or 0
    while high - low > _CLOSE:
        middle = (low + high) // 2
        row = connection.execute(_NEXT, {"from_id": middle}).one()
        if row.received_at_ms < since_ms:
            low = middle
        else:
            high = middle
    return max(0, low - _CLOSE)


def _owners(connection: Connection, endpoint: str, named: Sequence[str]) -> Iterator[Report]:
    for page in _pages(named):
        for row in connection.execute(_OWNERS, {"at": endpoint, "named": page}):
            yield Report(*row)


def _pages(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + PAGE] for start in range(0, len(values), PAGE))
