"""Finds entries that somebody may want to replay, inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import Filter, State
from hookkit.inbox.records import STEP, from_ms
from hookkit.inbox.replay_records import Candidate
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.damage import state_of
from hookkit.inbox.sql.find import HAS_BODY, conditions
from hookkit.inbox.sql.id_range import Ids
from hookkit.inbox.sql.look import Span, ids_looked_at, ids_within, with_ids
from hookkit.inbox.sql.rows import chunks
from hookkit.inbox.sql.tables import attempts, entries

#: So many entries are found, or their attempts read, by one statement.
_AT_ONCE = 1500

_TRIED = (
    select(attempts.c.entry_id, attempts.c.handler, attempts.c.outcome)
    .join(entries, entries.c.id == attempts.c.entry_id)
    .where(
        attempts.c.entry_id.in_(bindparam("entry_ids", expanding=True)),
        attempts.c.generation == entries.c.generation,
    )
    .distinct()
)


def candidates(
    connection: Connection, wanted: Filter, below_id: int, limit: int, looks: int
) -> tuple[Sequence[Candidate], int | None]:
    """Return entries that *wanted* fits, newest first, and below which id there may be more.

    Args:
        looks: How many looks are made at most; each goes through ``STEP`` entries.
    """
    if wanted.event_id is not None:
        wanted = with_ids(connection, wanted, wanted.event_id)
    if wanted.entry_ids is None:
        found, next_id = _looked_for(connection, wanted, below_id, limit, looks)
    else:
        found, next_id = _named(connection, wanted, below_id, limit)
    tried = _tried(connection, [row.id for row in found])
    return [_candidate(row, tried[row.id]) for row in found], next_id


def _looked_for(
    connection: Connection, wanted: Filter, below_id: int, limit: int, looks: int
) -> tuple[list[Row[Any]], int | None]:
    span = Span(limit, below_id, None, STEP)
    low, high = ids_within(connection, wanted, span)
    found: list[Row[Any]] = []
    for _ in range(looks):
        if low > high:
            return found, None
        looked = ids_looked_at(connection, wanted, Ids(low, high), span)
        found += _rows(connection, wanted, looked, limit - len(found))
        if len(found) == limit:
            return found, found[-1].id
        high = looked.low - 1
    return found, high + 1 if low <= high else None


def _named(
    connection: Connection, wanted: Filter, below_id: int, limit: int
) -> tuple[list[Row[Any]], int | None]:
    """Return entries that are named: found by their ids, however far these lie apart."""
    named = sorted((each for each in wanted.entry_ids or () if each < below_id), reverse=True)
    found: list[Row[Any]] = []
    for ids in chunks(named[:limit], _AT_ONCE):
        of_these = replace(wanted, entry_ids=ids)
        found += _rows(connection, of_these, Ids(ids[-1], ids[0]), len(ids))
    return found, named[limit - 1] if len(named) > limit else None


def _rows(connection: Connection, wanted: Filter, ids: Ids, limit: int) -> Sequence[Row[Any]]:
    chosen = (
        select(
            entries.c.id,
            entries.c.endpoint,
            entries.c.state,
            entries.c.received_at_ms,
            HAS_BODY,
        )
        .where(entries.c.id.between(*ids), *conditions(wanted, ids))
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    return connection.execute(chosen).all()


def _tried(connection: Connection, entry_ids: Sequence[int]) -> dict[int, dict[str, bool]]:
    """Return by entry which handlers ran since it started over, and whether each is finished."""
    tried: dict[int, dict[str, bool]] = defaultdict(dict)
    for chunk in chunks(entry_ids, _AT_ONCE):
        for entry_id, handler, outcome in execute(connection, _TRIED, {"entry_ids": chunk}):
            of_entry = tried[entry_id]
            of_entry[handler] = of_entry.get(handler, False) or outcome in FINISHED
    return tried


def _candidate(row: Row[Any], tried: dict[str, bool]) -> Candidate:
    state = state_of(row.state)
    starts_over = state is State.DONE
    names = [name for name, is_finished in tried.items() if name]
    return Candidate(
        id=row.id,
        endpoint=row.endpoint,
        state=state,
        received_at=from_ms(row.received_at_ms),
        has_body=row.has_body,
        handlers=frozenset(name for name in names if starts_over or not tried[name]),
    )
