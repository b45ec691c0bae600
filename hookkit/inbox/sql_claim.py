"""Finds what is due, and reads what a worker needs of it, inside the caller's transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select, true

from hookkit.core.outcome import FINISHED, Entry, Result
from hookkit.core.states import State
from hookkit.inbox.base import from_ms
from hookkit.inbox.sql_admit import chunks
from hookkit.inbox.tables import attempts, deliveries, entries

#: The states that a claim may start from.
CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)

# Due longest first; what arrived in one delivery, in the payload's order.
_OLDEST_FIRST = (entries.c.due_at_ms, entries.c.delivery_id, entries.c.position)


# Statements are built once: putting one together takes longer than SQLite does to run it.
_AT_ENDPOINTS = entries.c.endpoint.in_(bindparam("endpoints", expanding=True))
_IS_DUE = entries.c.due_at_ms <= bindparam("now_ms")
_CLAIMABLE = (
    select(
        entries.c.id,
        entries.c.endpoint,
        entries.c.event_id,
        entries.c.delivery_id,
        entries.c.position,
        entries.c.received_at_ms,
        entries.c.state,
        entries.c.due_at_ms,
        entries.c.attempt_count,
        entries.c.replay_count,
    )
    # An entry whose bytes are gone cannot be read: it must not hold up those behind it.
    .join(deliveries, deliveries.c.id == entries.c.delivery_id)
    .where(_AT_ENDPOINTS)
    .with_for_update(skip_locked=True, of=entries)
)
_DUE: dict[State, Select[Any]] = {
    state: _CLAIMABLE.where(
        entries.c.state == state.value,
        # A PENDING entry is due whatever the clock says: it may have been set back since.
        true() if state is State.PENDING else _IS_DUE,
    )
    .order_by(*_OLDEST_FIRST)
    .limit(bindparam("row_limit"))
    for state in CLAIMABLE
}
_DUE_OF_THESE: Select[Any] = _CLAIMABLE.where(
    entries.c.id.in_(bindparam("entry_ids", expanding=True)),
    or_(
        entries.c.state.in_([State.PENDING.value, State.WAITING.value]),
        and_(entries.c.state == State.RUNNING.value, _IS_DUE),
    ),
)
_FIRST_DUE = {
    state: select(entries.c.due_at_ms)
    .where(entries.c.state == state.value, _AT_ENDPOINTS)
    .order_by(*_OLDEST_FIRST)
    .limit(1)
    for state in CLAIMABLE
}
_BODIES = select(deliveries.c.id, deliveries.c.body, deliveries.c.headers).where(
    deliveries.c.id.in_(bindparam("delivery_ids", expanding=True))
)
_SETTLED_HANDLERS = (
    select(attempts.c.entry_id, attempts.c.handler, attempts.c.result)
    .join(entries, entries.c.id == attempts.c.entry_id)
    .where(
        attempts.c.entry_id.in_(bindparam("entry_ids", expanding=True)),
        or_(
            and_(
                attempts.c.result.in_([result.value for result in FINISHED]),
                attempts.c.generation == entries.c.generation,
            ),
            and_(
                attempts.c.result == Result.GAVE_UP.value,
                attempts.c.replay_count == entries.c.replay_count,
            ),
        ),
    )
)


def due_entries(
    connection: Connection,
    now_ms: int,
    limit: int,
    endpoints: Collection[str],
    only: Collection[int] | None,
) -> list[Row[Any]]:
    """Return rows that can be claimed, locked where the database locks rows."""
    values = {"endpoints": list(endpoints), "now_ms": now_ms, "row_limit": limit}
    if only is None:
        found = [connection.execute(_DUE[state], values) for state in CLAIMABLE]
    else:
        found = [
            connection.execute(_DUE_OF_THESE, values | {"entry_ids": chunk})
            for chunk in chunks(set(only))
        ]
    return [row for rows in found for row in rows]


def pick(due: Sequence[Row[Any]], limit: int) -> list[Row[Any]]:
    """Choose what to claim: an entry whose lease is over alone, or a batch without any."""
    oldest_first = sorted(due, key=lambda row: (row.due_at_ms, row.delivery_id, row.position))
    if oldest_first and oldest_first[0].state == State.RUNNING.value:
        return oldest_first[:1]
    return [row for row in oldest_first if row.state != State.RUNNING.value][:limit]


def claimed_entries(
    connection: Connection, rows: Sequence[Row[Any]], lease_token: str
) -> list[Entry]:
    """Return *rows*, read before their claim, as the worker gets them after it."""
    # Many items may share a delivery; its bytes are read once.
    stored = {}
    for chunk in chunks({row.delivery_id for row in rows}):
        for delivery in connection.execute(_BODIES, {"delivery_ids": chunk}):
            stored[delivery.id] = delivery.body, json.loads(delivery.headers)
    succeeded, gave_up = _settled_handlers(connection, rows)
    return [
        Entry(
            id=row.id,
            endpoint=row.endpoint,
            event_id=row.event_id,
            position=row.position,
            attempts=row.attempt_count + 1,
            lease_token=lease_token,
            succeeded=frozenset(succeeded[row.id]),
            is_replay=row.replay_count > 0,
            received_at=from_ms(row.received_at_ms),
            body=stored[row.delivery_id][0],
            headers=stored[row.delivery_id][1],
            gave_up=frozenset(gave_up[row.id]),
            is_takeover=row.state == State.RUNNING.value,
        )
        for row in rows
    ]


def first_due(connection: Connection, state: State, endpoints: Collection[str]) -> int | None:
    """Return when the first entry of *state* is due, in milliseconds since the epoch."""
    return connection.execute(_FIRST_DUE[state], {"endpoints": list(endpoints)}).scalar()


def _settled_handlers(
    connection: Connection, rows: Sequence[Row[Any]]
) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """Return by entry the handlers that need not run again, and those that gave up."""
    succeeded: dict[int, set[str]] = defaultdict(set)
    gave_up: dict[int, set[str]] = defaultdict(set)
    # A first claim has no attempts to look for.
    tried = [row.id for row in rows if row.attempt_count or row.replay_count]
    for chunk in chunks(tried):
        for found in connection.execute(_SETTLED_HANDLERS, {"entry_ids": chunk}):
            handlers = gave_up if found.result == Result.GAVE_UP.value else succeeded
            handlers[found.entry_id].add(found.handler)
    return succeeded, gave_up
