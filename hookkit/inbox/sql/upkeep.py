"""Replays and prunes many entries at once, inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, case, delete, select, update

from hookkit.core.entry import REPLAYABLE, Filter, State
from hookkit.inbox.records import Batch, Pruned
from hookkit.inbox.sql.claim import CLAIMABLE, release
from hookkit.inbox.sql.find import HAS_BODY, conditions
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import attempts, deliveries, entries, facts

_UNSETTLED = [state.value for state in CLAIMABLE]
_FREE_FACT = delete(facts).where(
    facts.c.endpoint == bindparam("at"),
    facts.c.fact == bindparam("of"),
    facts.c.entry_id == bindparam("by"),
)


class Window(NamedTuple):
    """Which ids one step looks at.

    Attributes:
        after_id: Only those that are higher.
        up_to_id: Only this one and lower ones; None is all.
        limit: How many entries are looked at, lowest id first.
    """

    after_id: int
    up_to_id: int | None
    limit: int


def replay_all(
    connection: Connection,
    wanted: Filter,
    window: Window,
    now_ms: int,
    handlers: Collection[str] | None,
) -> Batch:
    """Make entries PENDING again, lowest id first; pass over those that cannot be replayed."""
    is_meant = [entries.c.id > window.after_id, *conditions(wanted)]
    if window.up_to_id is not None:
        is_meant.append(entries.c.id <= window.up_to_id)
    found = connection.execute(
        select(entries.c.id, entries.c.state, entries.c.endpoint, entries.c.lane, HAS_BODY)
        .where(*is_meant)
        .order_by(entries.c.id)
        .limit(window.limit)
        .with_for_update(of=entries)
    ).all()
    rows = [
        row
        for row in found
        if _refusal(row.id, State(row.state), handlers, has_body=row.has_body) is None
    ]
    replayed = [row.id for row in rows]
    for chunk in chunks(replayed):
        of_these = update(entries).where(entries.c.id.in_(chunk))
        connection.execute(of_these.values(_pending_again(now_ms, handlers)))
    release(connection, {(row.endpoint, row.lane) for row in rows if row.lane}, now_ms)
    return Batch(replayed, found[-1].id if len(found) == window.limit else None)


def _pending_again(now_ms: int, handlers: Collection[str] | None) -> Values:
    """Return what a replay writes into an entry."""
    starts_over = case((entries.c.state == State.DONE.value, 1), else_=0)
    return {
        "state": State.PENDING.value,
        "due_at_ms": now_ms,
        "lease_token": None,
        "attempt_count": 0,
        "lost_claim_count": 0,
        "generation": entries.c.generation + (starts_over if handlers is None else 0),
        "replay_count": entries.c.replay_count + 1,
        "chosen_handlers": None if handlers is None else json.dumps(sorted(handlers)),
    }


def why_refused(
    connection: Connection, entry_id: int, handlers: Collection[str] | None
) -> str | None:
    """Return why the entry of this id cannot be replayed, None when it can."""
    row = connection.execute(
        select(entries.c.state, HAS_BODY).where(entries.c.id == entry_id)
    ).first()
    if row is None:
        return f"there is no entry {entry_id}"
    return _refusal(entry_id, State(row.state), handlers, has_body=row.has_body)


def _refusal(
    entry_id: int, state: State, handlers: Collection[str] | None, *, has_body: bool
) -> str | None:
    if state not in REPLAYABLE:
        return f"entry {entry_id} is {state}"
    if handlers is not None and state is State.WAITING:
        return f"entry {entry_id} is waiting for its next attempt; handlers cannot be chosen now"
    return None if has_body else f"the bytes of entry {entry_id} are gone"


def prune(
    connection: Connection,
    bodies_before_ms: int,
    ids_before_ms: int,
    after: tuple[int, int],
    limit: int,
) -> Pruned:
    """Delete what was received long ago and is settled.

    Both tables are walked in the order of their ids, which is that of arrival, so that a
    step costs the same however much is stored, and ends where nothing is old enough.
    """
    last_delivery, last_entry = after
    bodies, last_delivery, more_bodies = _walk(
        connection, deliveries, last_delivery, bodies_before_ms, limit
    )
    needed = select(entries.c.delivery_id).where(
        entries.c.delivery_id.in_(bodies), entries.c.state.in_(_UNSETTLED)
    )
    unneeded = set(bodies) - set(connection.execute(needed).scalars())
    for chunk in chunks(sorted(unneeded)):
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(chunk)))
    old, last_entry, more_ids = _walk(connection, entries, last_entry, ids_before_ms, limit)
    settled = select(entries.c.id, entries.c.endpoint, entries.c.fact).where(
        entries.c.id.in_(old), entries.c.state.not_in(_UNSETTLED)
    )
    rows = connection.execute(settled).all()
    gone = [row.id for row in rows]
    owned = [{"at": row.endpoint, "of": row.fact, "by": row.id} for row in rows if row.fact]
    if owned:
        connection.execute(_FREE_FACT, owned)
    for chunk in chunks(gone):
        connection.execute(delete(attempts).where(attempts.c.entry_id.in_(chunk)))
        connection.execute(delete(entries).where(entries.c.id.in_(chunk)))
    has_more = more_bodies or more_ids
    return Pruned(len(unneeded), len(gone), (last_delivery, last_entry) if has_more else None)


def _walk(
    connection: Connection, table: Table, after_id: int, before_ms: int, limit: int
) -> tuple[list[int], int, bool]:
    """Return the next ids that are old enough, where to go on, and whether there is more."""
    found = connection.execute(
        select(table.c.id, table.c.received_at_ms)
        .where(table.c.id > after_id)
        .order_by(table.c.id)
        .limit(limit)
    ).all()
    old = [row.id for row in found if row.received_at_ms < before_ms]
    # Younger ones among them are those that came while the clock was wrong.
    has_more = len(found) == limit and bool(old)
    return old, found[-1].id if found else after_id, has_more
