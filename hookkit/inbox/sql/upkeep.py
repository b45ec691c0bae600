"""What people and housekeeping do to many entries at once, inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, select, update

from hookkit.core.entry import REPLAYABLE, Filter, State
from hookkit.inbox.base import refusal
from hookkit.inbox.records import Batch, Pruned
from hookkit.inbox.sql.admit import chunks
from hookkit.inbox.sql.claim import CLAIMABLE, release
from hookkit.inbox.sql.find import HAS_BODY, conditions
from hookkit.inbox.sql.tables import attempts, deliveries, entries, facts

_UNSETTLED = [state.value for state in CLAIMABLE]
_FREE_FACT = delete(facts).where(
    facts.c.endpoint == bindparam("at"),
    facts.c.fact == bindparam("of"),
    facts.c.entry_id == bindparam("by"),
)


def replay_all(
    connection: Connection,
    wanted: Filter,
    now_ms: int,
    handlers: Collection[str] | None,
    between: tuple[int, int | None],
    limit: int,
) -> Batch:
    """Make entries PENDING again, lowest id first.

    Args:
        between: Only those after the first id, up to the second; None is the end.
    """
    after_id, up_to_id = between
    is_meant = [entries.c.id > after_id, *conditions(wanted)]
    if up_to_id is not None:
        is_meant.append(entries.c.id <= up_to_id)
    found = connection.execute(
        select(
            entries.c.id,
            entries.c.state,
            entries.c.endpoint,
            entries.c.lane,
            HAS_BODY.label("has_body"),
        )
        .where(*is_meant)
        .order_by(entries.c.id)
        .limit(limit)
        .with_for_update(of=entries)
    ).all()
    allowed = REPLAYABLE - {State.WAITING} if handlers is not None else REPLAYABLE
    rows = [row for row in found if row.has_body and row.state in allowed]
    replayed = [row.id for row in rows]
    starts_over = case((entries.c.state == State.DONE.value, 1), else_=0)
    pending_again: dict[str, Any] = {
        "state": State.PENDING.value,
        "due_at_ms": now_ms,
        "lease_token": None,
        "attempt_count": 0,
        "lost_claim_count": 0,
        "generation": entries.c.generation + (starts_over if handlers is None else 0),
        "replay_count": entries.c.replay_count + 1,
        "chosen_handlers": None if handlers is None else json.dumps(sorted(handlers)),
    }
    for chunk in chunks(replayed):
        connection.execute(update(entries).where(entries.c.id.in_(chunk)).values(pending_again))
    release(connection, {(row.endpoint, row.lane) for row in rows if row.lane}, now_ms)
    return Batch(replayed, found[-1].id if len(found) == limit else None)


def why_refused(
    connection: Connection, entry_id: int, handlers: Collection[str] | None
) -> str | None:
    """Return why the entry of this id cannot be replayed, None when it can."""
    stands = select(entries.c.state, HAS_BODY).where(entries.c.id == entry_id)
    state, has_body = connection.execute(stands).first() or (None, False)
    return refusal(
        entry_id,
        None if state is None else State(state),
        has_body=has_body,
        is_chosen=handlers is not None,
    )


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
    connection: Connection, table: Any, after_id: int, before_ms: int, limit: int
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
