"""Finds what is due, lanes included, and reads what a worker needs of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)

from hookkit.core.attempts import Outcome, Recorded, tries_of
from hookkit.core.entry import Entry, State
from hookkit.inbox.base import HELD_UP_S, from_ms
from hookkit.inbox.sql.admit import chunks
from hookkit.inbox.sql.tables import attempts, deliveries, entries

_OTHER = entries.alias("other")
# In the words of the index ``hookkit_entries_lane``, or it is not used.
_OTHER_IS_UNSETTLED = text("other.state IN ('pending', 'waiting', 'running')")

# By delivery and position, not by id: on PostgreSQL the ids of one delivery are in any order.
_OTHER_IS_EARLIER = tuple_(_OTHER.c.delivery_id, _OTHER.c.position) < tuple_(
    entries.c.delivery_id, entries.c.position
)
_IS_RUNNING = entries.c.state == State.RUNNING.value

_RUNNING_BESIDE = select(func.max(_OTHER.c.due_at_ms)).where(
    # Few are running: looked up by their state, and not among all that wait in the lane.
    _OTHER.c.state == State.RUNNING.value,
    _OTHER.c.endpoint == entries.c.endpoint,
    func.coalesce(_OTHER.c.lane, "") == entries.c.lane,
    _OTHER.c.id != entries.c.id,
    # Some may have run side by side before there were lanes. Those whose leases are over go
    # first, one after the other: each would hold up what holds it up.
    or_(~_IS_RUNNING, _OTHER.c.due_at_ms > bindparam("now_ms"), _OTHER_IS_EARLIER),
)
_FIRST_BEFORE = (
    select(_OTHER.c.due_at_ms)
    .where(
        _OTHER.c.endpoint == entries.c.endpoint,
        _OTHER.c.lane == entries.c.lane,
        _OTHER_IS_UNSETTLED,
        _OTHER_IS_EARLIER,
        _OTHER.c.replay_count == 0,
        entries.c.replay_count == 0,
        ~_IS_RUNNING,
    )
    .order_by(_OTHER.c.delivery_id, _OTHER.c.position)
    .limit(1)
)
#: When what holds up an entry is due; NULL when nothing does.
HELD_UNTIL_MS = func.coalesce(
    _RUNNING_BESIDE.correlate(entries).scalar_subquery(),
    _FIRST_BEFORE.correlate(entries).scalar_subquery(),
).label("held_until_ms")
_HOLD_UP = (
    update(entries)
    .where(entries.c.id == bindparam("entry_id"))
    .values(state=State.WAITING.value, due_at_ms=bindparam("until_ms"))
)
# One that waits for its next attempt may be among them. Its handlers know when they are due.
_FIRST_HELD_UP = (
    select(_OTHER.c.id)
    .where(
        _OTHER.c.endpoint == bindparam("of_endpoint"),
        _OTHER.c.lane == bindparam("of_lane"),
        _OTHER_IS_UNSETTLED,
        _OTHER.c.state == State.WAITING.value,
    )
    .order_by(_OTHER.c.delivery_id, _OTHER.c.position)
    .limit(1)
    .scalar_subquery()
)
_RELEASE = (
    update(entries)
    .where(entries.c.id == _FIRST_HELD_UP)
    .values(due_at_ms=bindparam("released_at_ms"))
)


def first_free(
    connection: Connection, oldest_first: Iterable[Row[Any]], now_ms: int, *, holds_up: bool
) -> Row[Any] | None:
    """Return the first row that nothing in its lane holds up, None when there is none.

    Args:
        oldest_first: With the column ``HELD_UNTIL_MS``.
        holds_up: Whether those before it are put off until what they wait for is due.
    """
    later_ms = now_ms + round(HELD_UP_S * 1000)
    put_off = []
    free = None
    for row in oldest_first:
        if row.held_until_ms is None:
            free = row
            break
        # A lease that is over is left as it is: its holder may still come back.
        if row.state != State.RUNNING.value:
            put_off.append({"entry_id": row.id, "until_ms": max(row.held_until_ms, later_ms)})
    if put_off and holds_up:
        connection.execute(_HOLD_UP, put_off)
    return free


def release(connection: Connection, lanes: Collection[tuple[str, str]], now_ms: int) -> None:
    """Make due what was held up first in each of *lanes*, by endpoint and name."""
    for endpoint, lane in sorted(lanes):
        values = {"of_endpoint": endpoint, "of_lane": lane, "released_at_ms": now_ms}
        connection.execute(_RELEASE, values)


#: The states that a claim may start from.
CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)

# Due longest first; what arrived in one delivery, in the payload's order.
_OLDEST_FIRST = (entries.c.due_at_ms, entries.c.delivery_id, entries.c.position)


# How many rows a claim in lanes looks at, of each state, and how often: what is held up is put
# off, so that the next look meets others. Deliveries wait meanwhile.
_LOOK_AT = 20
_MOST_LOOKS = 5

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
        entries.c.lost_claim_count,
        entries.c.generation,
        entries.c.replay_count,
        entries.c.chosen_handlers,
        entries.c.lane,
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
_DUE_IN_LANES = {state: due.add_columns(HELD_UNTIL_MS) for state, due in _DUE.items()}
_DUE_OF_THESE: Select[Any] = _CLAIMABLE.where(
    entries.c.id.in_(bindparam("entry_ids", expanding=True)),
    or_(
        entries.c.state.in_([State.PENDING.value, State.WAITING.value]),
        and_(entries.c.state == State.RUNNING.value, _IS_DUE),
    ),
)
_DUE_OF_THESE_IN_LANES = _DUE_OF_THESE.add_columns(HELD_UNTIL_MS)
_FIRST_DUE = {
    state: select(entries.c.due_at_ms)
    .where(entries.c.state == state.value, _AT_ENDPOINTS)
    .order_by(*_OLDEST_FIRST)
    .limit(1)
    for state in CLAIMABLE
}
_LEASE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(
        state=State.RUNNING.value,
        lease_token=bindparam("new_token"),
        due_at_ms=bindparam("new_due_ms"),
        attempt_count=entries.c.attempt_count + 1,
        lost_claim_count=entries.c.lost_claim_count
        + case((entries.c.state == State.RUNNING.value, 1), else_=0),
    )
)
# Not RUNNING, which would count as a lost claim when its holder dies before it comes to it.
_SET_ASIDE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(
        state=State.WAITING.value,
        lease_token=bindparam("new_token"),
        due_at_ms=bindparam("new_due_ms"),
    )
)
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
    in_lanes: bool = False,
) -> list[Row[Any]]:
    """Return rows that are due, locked where the database locks rows.

    Args:
        in_lanes: Whether the rows tell until when they are held up in their lanes.
    """
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


def lease(
    connection: Connection, rows: Sequence[Row[Any]], limit: int, token: str, until_ms: int
) -> None:
    """Give *rows* to the holder of *token* until then; count the attempt of the first ones.

    Args:
        limit: How many are leased; the others are set aside.
    """
    for statement, some in (_LEASE, rows[:limit]), (_SET_ASIDE, rows[limit:]):
        for chunk in chunks(row.id for row in some):
            values = {"new_token": token, "new_due_ms": until_ms, "entry_ids": chunk}
            connection.execute(statement, values)


def pick(due: Sequence[Row[Any]], limit: int) -> list[Row[Any]]:
    """Choose what to claim: an entry whose lease is over alone, or a batch without any."""
    oldest_first = sorted(due, key=age)
    if oldest_first and oldest_first[0].state == State.RUNNING.value:
        return oldest_first[:1]
    return [row for row in oldest_first if row.state != State.RUNNING.value][:limit]


def first_in_lanes(
    connection: Connection, now_ms: int, endpoints: Collection[str], only: Collection[int] | None
) -> list[Row[Any]]:
    """Return what has been due longest of what nothing holds up, if there is such a row."""
    if only is not None:
        due = due_entries(connection, now_ms, 0, endpoints, only, in_lanes=True)
        free = first_free(connection, sorted(due, key=age), now_ms, holds_up=False)
        return [] if free is None else [free]
    for _ in range(_MOST_LOOKS):
        due = due_entries(connection, now_ms, _LOOK_AT, endpoints, None, in_lanes=True)
        free = first_free(connection, sorted(due, key=age), now_ms, holds_up=True)
        if free is not None:
            return [free]
        if not due:
            break
    return []


def age(row: Row[Any]) -> tuple[int, int, int]:
    """Return what sorts rows by how long they have been due."""
    return row.due_at_ms, row.delivery_id, row.position


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
            claim_count=row.attempt_count + 1,
            lost_claim_count=row.lost_claim_count + (row.state == State.RUNNING.value),
            lease_token=lease_token,
            tries=tries_of(recorded[row.id], replay=row.replay_count, chosen=chosen),
            generation=row.generation,
            replays=row.replay_count,
            chosen=chosen,
            lane=row.lane,
            received_at=from_ms(row.received_at_ms),
            body=stored[row.delivery_id][0],
            headers=stored[row.delivery_id][1],
        )
        claimed.append(entry)
    return claimed


def first_due(connection: Connection, endpoints: Collection[str]) -> Iterator[tuple[State, int]]:
    """Yield when the first entry of each state is due, in milliseconds since the epoch."""
    values = {"endpoints": list(endpoints)}
    for state in CLAIMABLE:
        due_ms = connection.execute(_FIRST_DUE[state], values).scalar()
        if due_ms is not None:
            yield state, due_ms


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
