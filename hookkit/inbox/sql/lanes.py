"""Lanes: what an entry waits for, and what waits for it, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from hookkit.core.states import State
from hookkit.inbox.base import HELD_UP_S
from hookkit.inbox.sql.tables import (
    entries,
)

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
