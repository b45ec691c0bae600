"""Finds what is due, lanes included, and reads what a worker needs of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
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
from hookkit.core.body import Headers
from hookkit.core.entry import Entry, State
from hookkit.inbox.records import from_ms, later
from hookkit.inbox.sql.rows import BodyCipher, chunks
from hookkit.inbox.sql.tables import attempts, deliveries, entries

#: An entry that is held up in its lane is not looked at again for so long, in seconds.
HELD_UP_S = 1.0
#: The states that a claim may start from.
CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)

# How many rows of each state a claim in lanes looks at, and how often: what is held up is put
# off, so that the next look finds others. On SQLite deliveries wait meanwhile.
_LOOK_AT = 20
_MOST_LOOKS = 5


class Due(NamedTuple):
    """An entry that may be claimed, as it was before the claim.

    Attributes:
        chosen_handlers: A list in JSON; None is all handlers.
        held_until_ms: When what holds it up in its lane is due; None when nothing does, and
            where lanes are not looked at.
    """

    id: int
    endpoint: str
    event_id: str
    delivery_id: int
    position: int
    received_at_ms: int
    state: str
    due_at_ms: int
    claim_count: int
    lost_claim_count: int
    generation: int
    replays: int
    chosen_handlers: str | None
    lane: str | None
    held_until_ms: int | None = None

    @property
    def age(self) -> tuple[int, int, int]:
        """What sorts by how long they have been due; within a delivery, by the payload's order."""
        return self.due_at_ms, self.delivery_id, self.position


# Statements are built once: putting one together takes longer than SQLite does to run it.

_OTHER = entries.alias("other")
# Written as in the index ``hookkit_entries_lane``, or the index is not used.
_OTHER_IS_UNSETTLED = text("other.state IN ('pending', 'waiting', 'running')")

# By delivery and position, not by id: on PostgreSQL the ids of one delivery are in any order.
_OTHER_IS_EARLIER = tuple_(_OTHER.c.delivery_id, _OTHER.c.position) < tuple_(
    entries.c.delivery_id, entries.c.position
)
_IS_RUNNING = entries.c.state == State.RUNNING.value

_RUNNING_BESIDE = select(func.max(_OTHER.c.due_at_ms)).where(
    # Few are running: they are looked up by their state, not among all that wait in the lane.
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
_HELD_UNTIL_MS = func.coalesce(
    _RUNNING_BESIDE.correlate(entries).scalar_subquery(),
    _FIRST_BEFORE.correlate(entries).scalar_subquery(),
).label("held_until_ms")
_HOLD_UP = (
    update(entries)
    .where(entries.c.id == bindparam("entry_id"))
    .values(state=State.WAITING.value, due_at_ms=bindparam("until_ms"))
)
# It may be one that waits for its next attempt: its handlers know when they are due.
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

_OLDEST_FIRST = (entries.c.due_at_ms, entries.c.delivery_id, entries.c.position)
_AT_ENDPOINTS = entries.c.endpoint.in_(bindparam("endpoints", expanding=True))
_IS_DUE = entries.c.due_at_ms <= bindparam("now_ms")
# In the order of ``Due``.
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
_DUE_IN_LANES = {state: due.add_columns(_HELD_UNTIL_MS) for state, due in _DUE.items()}
_DUE_OF_THESE: Select[Any] = _CLAIMABLE.where(
    entries.c.id.in_(bindparam("entry_ids", expanding=True)),
    or_(
        entries.c.state.in_([State.PENDING.value, State.WAITING.value]),
        and_(entries.c.state == State.RUNNING.value, _IS_DUE),
    ),
)
_DUE_OF_THESE_IN_LANES = _DUE_OF_THESE.add_columns(_HELD_UNTIL_MS)
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


def choose(
    connection: Connection,
    now_ms: int,
    limit: int,
    endpoints: Collection[str],
    only: Collection[int] | None,
) -> list[Due]:
    """Return what to claim: an entry whose lease is over alone, or up to *limit* others."""
    oldest_first = _due_entries(connection, now_ms, limit, endpoints, only)
    if oldest_first and oldest_first[0].state == State.RUNNING.value:
        return oldest_first[:1]
    return [each for each in oldest_first if each.state != State.RUNNING.value][:limit]


def choose_in_lanes(
    connection: Connection, now_ms: int, endpoints: Collection[str], only: Collection[int] | None
) -> list[Due]:
    """Return what has been due longest of what nothing in its lane holds up, if anything."""
    if only is not None:
        due = _due_entries(connection, now_ms, 0, endpoints, only, in_lanes=True)
        return [each for each in due if each.held_until_ms is None][:1]
    for _ in range(_MOST_LOOKS):
        due = _due_entries(connection, now_ms, _LOOK_AT, endpoints, None, in_lanes=True)
        held_up = list(takewhile(lambda each: each.held_until_ms is not None, due))
        _put_off(connection, held_up, now_ms)
        if len(held_up) < len(due):
            return [due[len(held_up)]]
        if not due:
            break
    return []


def lease(
    connection: Connection, due: Sequence[Due], limit: int, token: str, until_ms: int
) -> None:
    """Give *due* to the holder of *token* until then, and count the claims of the first ones.

    Args:
        limit: How many are leased; the others are set aside.
    """
    for statement, some in (_LEASE, due[:limit]), (_SET_ASIDE, due[limit:]):
        for chunk in chunks(each.id for each in some):
            values = {"new_token": token, "new_due_ms": until_ms, "entry_ids": chunk}
            connection.execute(statement, values)


def release(connection: Connection, lanes: Collection[tuple[str, str]], now_ms: int) -> None:
    """Make due what was held up first in each of *lanes*, by endpoint and name."""
    for endpoint, lane in sorted(lanes):
        values = {"of_endpoint": endpoint, "of_lane": lane, "released_at_ms": now_ms}
        connection.execute(_RELEASE, values)


def claimed_entries(
    connection: Connection, due: Sequence[Due], lease_token: str, cipher: BodyCipher
) -> list[Entry]:
    """Return *due*, read before their claim, as the worker gets them after it."""
    contents = _contents(connection, {each.delivery_id for each in due}, cipher)
    recorded = _recorded(connection, due)
    return [
        _claimed(each, lease_token, contents[each.delivery_id], recorded[each.id]) for each in due
    ]


def first_due(connection: Connection, endpoints: Collection[str]) -> Iterator[tuple[State, int]]:
    """Yield when the first entry of each state is due, in milliseconds since the epoch."""
    values = {"endpoints": list(endpoints)}
    for state in CLAIMABLE:
        due_ms = connection.execute(_FIRST_DUE[state], values).scalar()
        if due_ms is not None:
            yield state, due_ms


def _due_entries(
    connection: Connection,
    now_ms: int,
    limit: int,
    endpoints: Collection[str],
    only: Collection[int] | None,
    *,
    in_lanes: bool = False,
) -> list[Due]:
    """Return what is due, what has been due longest first, locked where rows are locked.

    Args:
        limit: Of each state; without effect on *only*.
        in_lanes: Whether to look for what holds them up.
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
    return sorted((Due(*row) for rows in found for row in rows), key=attrgetter("age"))


def _put_off(connection: Connection, held_up: Iterable[Due], now_ms: int) -> None:
    """Have the next looks pass over *held_up* until what they wait for is due."""
    put_off = [
        {"entry_id": each.id, "until_ms": max(each.held_until_ms or 0, later(now_ms, HELD_UP_S))}
        for each in held_up
        # A lease that is over is left as it is: its holder may still come back.
        if each.state != State.RUNNING.value
    ]
    if put_off:
        connection.execute(_HOLD_UP, put_off)


def _claimed(
    due: Due, lease_token: str, content: tuple[bytes | None, Headers], recorded: Sequence[Recorded]
) -> Entry:
    chosen = None if due.chosen_handlers is None else frozenset(json.loads(due.chosen_handlers))
    return Entry(
        id=due.id,
        endpoint=due.endpoint,
        event_id=due.event_id,
        position=due.position,
        claim_count=due.claim_count + 1,
        lost_claim_count=due.lost_claim_count + (due.state == State.RUNNING.value),
        lease_token=lease_token,
        tries=tries_of(recorded, replay=due.replays, chosen=chosen),
        generation=due.generation,
        replays=due.replays,
        chosen=chosen,
        lane=due.lane,
        received_at=from_ms(due.received_at_ms),
        body=content[0],
        headers=content[1],
    )


def _contents(
    connection: Connection, delivery_ids: Collection[int], cipher: BodyCipher
) -> dict[int, tuple[bytes | None, Headers]]:
    """Return the bytes and the headers of deliveries by id: many items may share one."""
    contents = {}
    for chunk in chunks(delivery_ids):
        for row in connection.execute(_BODIES, {"delivery_ids": chunk}):
            body = cipher.decrypt(row.body) if row.is_encrypted else row.body
            contents[row.id] = body, json.loads(row.headers)
    return contents


def _recorded(connection: Connection, due: Sequence[Due]) -> dict[int, list[Recorded]]:
    """Return by entry what its handlers have tried since it started over."""
    recorded: dict[int, list[Recorded]] = defaultdict(list)
    # A first claim has no attempts to look for.
    tried = [each.id for each in due if each.claim_count or each.replays]
    for chunk in chunks(tried):
        for entry_id, handler, outcome, replays, retry_at_ms in connection.execute(
            _RECORDED, {"entry_ids": chunk}
        ):
            retry_at = None if retry_at_ms is None else from_ms(retry_at_ms)
            recorded[entry_id].append(Recorded(handler, Outcome(outcome), replays, retry_at))
    return recorded
