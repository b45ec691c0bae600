"""Finds what is due, and reads what a worker needs of it, inside the caller's transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, or_, select, text, true

from hookkit.core.ledger import Outcome, Recorded, tries_of
from hookkit.core.outcome import Entry
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
_OTHER = entries.alias("other")
# By delivery and position, not by id: on PostgreSQL the ids of one delivery are in any order.
_OTHER_IS_EARLIER = or_(
    _OTHER.c.delivery_id < entries.c.delivery_id,
    and_(_OTHER.c.delivery_id == entries.c.delivery_id, _OTHER.c.position < entries.c.position),
)
_IS_HELD_UP = exists().where(
    _OTHER.c.endpoint == entries.c.endpoint,
    _OTHER.c.lane == entries.c.lane,
    # In the words of the index ``hookkit_entries_lane``, or it is not used.
    text("other.state IN ('pending', 'waiting', 'running')"),
    _OTHER.c.id != entries.c.id,
    or_(
        and_(entries.c.state != State.RUNNING.value, _OTHER.c.state == State.RUNNING.value),
        and_(
            entries.c.state != State.RUNNING.value,
            _OTHER.c.replay_count + entries.c.replay_count == 0,
            _OTHER_IS_EARLIER,
        ),
        # Some may have run side by side before there were lanes. Those whose leases are over
        # go first, one after the other: each would hold up what holds it up.
        and_(
            entries.c.state == State.RUNNING.value,
            _OTHER.c.state == State.RUNNING.value,
            or_(_OTHER.c.due_at_ms > bindparam("now_ms"), _OTHER_IS_EARLIER),
        ),
    ),
)
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
        entries.c.lost_claim_count,
        entries.c.replay_count,
        entries.c.chosen_handlers,
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
_DUE_IN_LANES = {state: due.where(~_IS_HELD_UP) for state, due in _DUE.items()}
_DUE_OF_THESE: Select[Any] = _CLAIMABLE.where(
    entries.c.id.in_(bindparam("entry_ids", expanding=True)),
    or_(
        entries.c.state.in_([State.PENDING.value, State.WAITING.value]),
        and_(entries.c.state == State.RUNNING.value, _IS_DUE),
    ),
)
_DUE_OF_THESE_IN_LANES = _DUE_OF_THESE.where(~_IS_HELD_UP)
_FIRST_DUE = {
    state: select(entries.c.due_at_ms)
    .where(entries.c.state == state.value, _AT_ENDPOINTS)
    .order_by(*_OLDEST_FIRST)
    .limit(1)
    for state in CLAIMABLE
}
_BODIES = select(
    deliveries.c.id, deliveries.c.body, deliveries.c.headers, deliveries.c.is_encrypted
).where(deliveries.c.id.in_(bindparam("delivery_ids", expanding=True)))
_RECORDED = (
    select(
        attempts.c.entry_id,
        attempts.c.handler,
        attempts.c.outcome,
        attempts.c.replay_count,
        attempts.c.retry_at_ms,
    )
    .join(entries, entries.c.id == attempts.c.entry_id)
    .where(
        attempts.c.entry_id.in_(bindparam("entry_ids", expanding=True)),
        attempts.c.generation == entries.c.generation,
    )
    .order_by(attempts.c.id)
)


def due_entries(
    connection: Connection,
    now_ms: int,
    limit: int,
    endpoints: Collection[str],
    only: Collection[int] | None,
    *,
    in_lanes: bool,
) -> list[Row[Any]]:
    """Return rows that can be claimed, locked where the database locks rows."""
    values = {"endpoints": list(endpoints), "now_ms": now_ms, "row_limit": limit}
    if only is None:
        due = _DUE_IN_LANES if in_lanes else _DUE
        found = [connection.execute(due[state], values) for state in CLAIMABLE]
    else:
        due_of_these = _DUE_OF_THESE_IN_LANES if in_lanes else _DUE_OF_THESE
        found = [
            connection.execute(due_of_these, values | {"entry_ids": chunk})
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
    connection: Connection,
    rows: Sequence[Row[Any]],
    lease_token: str,
    decrypted: Callable[[bytes], bytes | None],
) -> list[Entry]:
    """Return *rows*, read before their claim, as the worker gets them after it.

    Args:
        decrypted: Returns what an encrypted body was, None when no key fits.
    """
    # Many items may share a delivery; its bytes are read once.
    stored = {}
    for chunk in chunks({row.delivery_id for row in rows}):
        for delivery in connection.execute(_BODIES, {"delivery_ids": chunk}):
            body = decrypted(delivery.body) if delivery.is_encrypted else delivery.body
            stored[delivery.id] = body, json.loads(delivery.headers)
    recorded = _recorded(connection, rows)
    claimed = []
    for row in rows:
        chosen = None if row.chosen_handlers is None else frozenset(json.loads(row.chosen_handlers))
        entry = Entry(
            id=row.id,
            endpoint=row.endpoint,
            event_id=row.event_id,
            position=row.position,
            claims=row.attempt_count + 1,
            lost_claims=row.lost_claim_count + (row.state == State.RUNNING.value),
            lease_token=lease_token,
            tries=tries_of(recorded[row.id], replay=row.replay_count, chosen=chosen),
            replay=row.replay_count,
            chosen=chosen,
            received_at=from_ms(row.received_at_ms),
            body=stored[row.delivery_id][0],
            headers=stored[row.delivery_id][1],
        )
        claimed.append(entry)
    return claimed


def first_due(connection: Connection, state: State, endpoints: Collection[str]) -> int | None:
    """Return when the first entry of *state* is due, in milliseconds since the epoch."""
    return connection.execute(_FIRST_DUE[state], {"endpoints": list(endpoints)}).scalar()


def _recorded(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, list[Recorded]]:
    """Return by entry what its handlers have tried since it started over."""
    recorded: dict[int, list[Recorded]] = defaultdict(list)
    # A first claim has no attempts to look for.
    tried = [row.id for row in rows if row.attempt_count or row.replay_count]
    for chunk in chunks(tried):
        for found in connection.execute(_RECORDED, {"entry_ids": chunk}):
            retry_at = None if found.retry_at_ms is None else from_ms(found.retry_at_ms)
            recorded[found.entry_id].append(
                Recorded(found.handler, Outcome(found.outcome), found.replay_count, retry_at)
            )
    return recorded
