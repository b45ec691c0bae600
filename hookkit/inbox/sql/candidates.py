"""Finds entries that somebody may want to replay, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, select

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import Filter, State
from hookkit.inbox.records import from_ms
from hookkit.inbox.replay_records import Candidate
from hookkit.inbox.sql.damage import state_of
from hookkit.inbox.sql.find import HAS_BODY, conditions
from hookkit.inbox.sql.id_range import Ids
from hookkit.inbox.sql.look import Span, ids_looked_at, ids_within, with_ids
from hookkit.inbox.sql.rows import chunks
from hookkit.inbox.sql.tables import attempts, entries
from hookkit.inbox.sql.with_attempts import with_attempts

#: So many entries that are named are found by one statement: for many more, PostgreSQL would
#: rather read the whole table.
_AT_ONCE = 2500


def candidates(
    connection: Connection, wanted: Filter, below_id: int, limit: int, look_at: int
) -> tuple[Sequence[Candidate], int | None]:
    """Return entries that *wanted* fits, newest first, and below which id there may be more.

    Args:
        look_at: How many entries are looked at, unless these are named.
    """
    if wanted.event_id is not None:
        wanted = with_ids(connection, wanted, wanted.event_id)
    if wanted.entry_ids is not None:
        return _named(connection, wanted, below_id, limit)
    span = Span(limit, below_id, None, look_at)
    within = ids_within(connection, wanted, span)
    if within.low > within.high:
        return [], None
    looked = ids_looked_at(connection, wanted, within, span)
    found = _found(connection, wanted, looked, limit)
    if len(found) == limit:
        return found, found[-1].id
    return found, looked.low if looked.low > within.low else None


def _named(
    connection: Connection, wanted: Filter, below_id: int, limit: int
) -> tuple[list[Candidate], int | None]:
    """Return entries that are named: found by their ids, however far these lie apart."""
    named = sorted((each for each in wanted.entry_ids or () if each < below_id), reverse=True)
    found: list[Candidate] = []
    for ids in chunks(named[:limit], _AT_ONCE):
        of_these = replace(wanted, entry_ids=ids)
        found += _found(connection, of_these, Ids(ids[-1], ids[0]), len(ids))
    return found, named[limit - 1] if len(named) > limit else None


def _found(connection: Connection, wanted: Filter, ids: Ids, limit: int) -> Sequence[Candidate]:
    chosen = (
        select(
            entries.c.id,
            entries.c.endpoint,
            entries.c.state,
            entries.c.received_at_ms,
            entries.c.generation,
            HAS_BODY,
        )
        .where(entries.c.id.between(*ids), *conditions(wanted, ids))
        .order_by(entries.c.id.desc())
        .limit(limit)
        .subquery()
    )
    has_counted = attempts.c.generation == chosen.c.generation
    columns = [attempts.c.handler, attempts.c.outcome]
    found = connection.execute(with_attempts(connection, chosen, has_counted, columns=columns))
    return [_candidate(list(rows)) for _, rows in groupby(found, key=itemgetter(0))]


def _candidate(rows: Sequence[Row[Any]]) -> Candidate:
    """Return an entry as somebody may want to replay it.

    Args:
        rows: One for each of its attempts since it started over.
    """
    entry, state = rows[0], state_of(rows[0].state)
    tried = {row.handler for row in rows if row.handler}
    finished = {row.handler for row in rows if row.outcome in FINISHED}
    return Candidate(
        id=entry.id,
        endpoint=entry.endpoint,
        state=state,
        received_at=from_ms(entry.received_at_ms),
        has_body=entry.has_body,
        handlers=frozenset(tried if state is State.DONE else tried - finished),
    )
