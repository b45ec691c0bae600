"""Finds what is due, lanes included, and leases it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
    update,
)

from hookkit.core.entry import COUNTED, GROUP, SUSPECT, State
from hookkit.inbox.records import FEWEST_IN_GROUP, Terms, later
from hookkit.inbox.sql.among import IsAmong
from hookkit.inbox.sql.applications import IS_OURS
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.damage import without_damaged
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import deliveries, entries

#: An entry that is held up in its lane is not looked at again for so long, in seconds.
HELD_UP_S = 1.0
#: The states that a claim may start from.
CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)
_RUNNING = State.RUNNING.value
_NEVER_LOST = (State.PENDING, State.WAITING)

#: The bodies of a group, which are held in memory.
MAX_GROUP_BYTES = 4 * 1024 * 1024

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
    lease_token: str | None
    body_bytes: int
    held_until_ms: int | None = None

    @property
    def is_lost(self) -> bool:
        """Whether its lease is over, and its holder may have died of it."""
        return self.state == _RUNNING

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
        entries.c.lease_token,
        func.length(deliveries.c.body),
    )
    # An entry whose bytes are gone cannot be read: it must not hold up those behind it.
    .join(deliveries, deliveries.c.id == entries.c.delivery_id)
    .where(_AT_ENDPOINTS, IS_OURS)
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
    IsAmong(entries.c.id, "entry_ids"),
    or_(
        entries.c.state.in_([State.PENDING.value, State.WAITING.value]),
        and_(entries.c.state == State.RUNNING.value, _IS_DUE),
    ),
)
_DUE_OF_THESE_IN_LANES = _DUE_OF_THESE.add_columns(_HELD_UNTIL_MS)
#: When the first entry of each state is due; see ``first_due``. It is one statement, and still one
#: walk through the index for each state.
FIRST_DUE = union_all(
    *(
        select(
            select(entries.c.state, entries.c.due_at_ms)
            .join(deliveries, deliveries.c.id == entries.c.delivery_id)
            .where(entries.c.state == state.value, _AT_ENDPOINTS, IS_OURS)
            .order_by(*_OLDEST_FIRST)
            .limit(1)
            .subquery()
        )
        for state in CLAIMABLE
    )
)
_LEASE = (
    update(entries)
    .where(IsAmong(entries.c.id, "entry_ids"))
    .values(
        state=State.RUNNING.value,
        lease_token=bindparam("new_token"),
        due_at_ms=bindparam("new_due_ms"),
        attempt_count=entries.c.attempt_count + bindparam("counted"),
        lost_claim_count=entries.c.lost_claim_count + bindparam("lost"),
    )
)


class Choice(NamedTuple):
    """What to claim, and how.

    Attributes:
        kind: The first letter of the lease token.
        counted: How many claims each is charged with now.
        lost: How many of these were lost.
    """

    due: Sequence[Due]
    kind: str = COUNTED
    counted: int = 1
    lost: int = 0


def choose(connection: Connection, wanted: Values, terms: Terms) -> Choice:
    """Return what to claim of what has been due longest.

    Args:
        wanted: The parameters ``now_ms`` and ``endpoints``, and those of ``IS_OURS``.
    """
    find = _free_in_lanes if terms.in_lanes else _due_entries
    oldest_first = find(connection, wanted, terms)
    if not oldest_first:
        return Choice([])
    first = oldest_first[0]
    if first.is_lost:
        return _lost(first)
    others = [each for each in oldest_first if not each.is_lost]
    if terms.max_attempts is None:
        return Choice(others[: terms.limit])
    if not _may_share(first, terms.max_attempts):
        return Choice([first] if terms.takes_alone else [])
    sharing = [each for each in others if _may_share(each, terms.max_attempts)]
    return Choice(_at_most(sharing, terms.limit), GROUP, counted=0)


def _lost(due: Due) -> Choice:
    """Claim *due*, whose lease is over, alone: it may have killed its worker.

    What was claimed in a group is a suspect, and the loss is not charged: it may not even have
    begun. If it is lost once more, both losses are.
    """
    kind = (due.lease_token or "")[:1]
    if kind == GROUP:
        return Choice([due], SUSPECT)
    both = 2 if kind == SUSPECT else 1
    return Choice([due], counted=both, lost=both)


def _may_share(due: Due, max_attempts: int) -> bool:
    """Tell whether *due* can be claimed in a group."""
    return due.lost_claim_count == 0 and due.claim_count + FEWEST_IN_GROUP <= max_attempts


def _at_most(due: Sequence[Due], limit: int) -> list[Due]:
    """Return the first of *due*, *limit* and ``MAX_GROUP_BYTES`` at most."""
    sizes = accumulate(each.body_bytes for each in due[:limit])
    # The first is always taken, however large it is.
    return [
        each
        for number, (each, size) in enumerate(zip(due, sizes, strict=False))
        if not number or size <= MAX_GROUP_BYTES
    ]


def _free_in_lanes(connection: Connection, wanted: Values, terms: Terms) -> list[Due]:
    """Return what nothing in its lane holds up, one of each lane at most."""
    if terms.only is not None:
        due = _due_entries(connection, wanted, terms)
        return _one_of_each_lane(each for each in due if each.held_until_ms is None)
    for _ in range(_MOST_LOOKS):
        due = _due_entries(connection, wanted, terms)
        held_up = list(takewhile(lambda each: each.held_until_ms is not None, due))
        _put_off(connection, held_up, wanted["now_ms"])
        if len(held_up) < len(due):
            return _one_of_each_lane(each for each in due if each.held_until_ms is None)
        if not due:
            break
    return []


def _one_of_each_lane(due: Iterable[Due]) -> list[Due]:
    first: dict[tuple[str, str | int], Due] = {}
    for each in due:
        first.setdefault((each.endpoint, each.id if each.lane is None else each.lane), each)
    return list(first.values())


def lease(connection: Connection, choice: Choice, token: str, until_ms: int) -> None:
    """Give what was chosen to the holder of *token* until then."""
    values = {
        "new_token": token,
        "new_due_ms": until_ms,
        "counted": choice.counted,
        "lost": choice.lost,
    }
    for chunk in chunks(each.id for each in choice.due):
        execute(connection, _LEASE, values | {"entry_ids": chunk})


def release(connection: Connection, lanes: Collection[tuple[str, str]], now_ms: int) -> None:
    """Make due what was held up first in each of *lanes*, by endpoint and name."""
    for endpoint, lane in sorted(lanes):
        values = {"of_endpoint": endpoint, "of_lane": lane, "released_at_ms": now_ms}
        connection.execute(_RELEASE, values)


def first_due(connection: Connection, wanted: Values) -> Iterator[tuple[State, int]]:
    """Yield when the first entry of each state is due, in milliseconds since the epoch.

    Args:
        wanted: The parameter ``endpoints``, and those of ``IS_OURS``.
    """
    for word, due_at_ms in execute(connection, FIRST_DUE, wanted):
        # One whose time was damaged is found by the next claim, which makes it a dead letter.
        yield State(word), due_at_ms or 0


def _due_entries(connection: Connection, wanted: Values, terms: Terms) -> list[Due]:
    """Return what is due, what has been due longest first, locked where rows are locked."""
    limit = _LOOK_AT if terms.in_lanes else terms.limit
    values = wanted | {"row_limit": limit}
    if terms.only is None:
        due = _DUE_IN_LANES if terms.in_lanes else _DUE
        states = CLAIMABLE if terms.takes_lost else _NEVER_LOST
        found = [execute(connection, due[state], values) for state in states]
    else:
        due_of_these = _DUE_OF_THESE_IN_LANES if terms.in_lanes else _DUE_OF_THESE
        found = [
            execute(connection, due_of_these, values | {"entry_ids": chunk})
            for chunk in chunks(set(terms.only))
        ]
    every = (Due(*row) for rows in found for row in rows)
    whole = without_damaged(connection, every, wanted["now_ms"])
    return sorted(
        (each for each in whole if terms.takes_lost or not each.is_lost), key=attrgetter("age")
    )


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
