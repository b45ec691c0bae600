"""Replays, prunes and corrects many entries at once, inside the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, bindparam, case, delete, select, update

from hookkit.core.entry import Filter, State, why_not_again
from hookkit.inbox.records import Batch, Pruned, ReadAs
from hookkit.inbox.sql.claim import CLAIMABLE, release
from hookkit.inbox.sql.damage import state_of
from hookkit.inbox.sql.find import HAS_BODY, HIGHEST_ID, conditions
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import attempts, deliveries, entries, facts

_UNSETTLED = [state.value for state in CLAIMABLE]
_FREE_FACT = delete(facts).where(
    facts.c.endpoint == bindparam("at"),
    facts.c.fact == bindparam("of"),
    facts.c.entry_id == bindparam("by"),
)

_READ_AS = (
    update(entries)
    .where(
        entries.c.id == bindparam("entry_id"),
        entries.c.event_type.is_not(None),
        # Its worker records what it reads.
        entries.c.state != State.RUNNING.value,
    )
    .values(event_type=bindparam("new_type"), problem=bindparam("new_problem"))
)


class Window(NamedTuple):
    """Which ids one step looks at.

    Attributes:
        after_id: Only those that are higher.
        up_to_id: Only this one and lower ones; None is all.
        limit: How many entries are looked at, lowest id first.
        replays: Only those that were replayed so often; None is all.
    """

    after_id: int
    up_to_id: int | None
    limit: int
    replays: int | None = None


def replay_all(
    connection: Connection,
    wanted: Filter,
    window: Window,
    now_ms: int,
    handlers: Collection[str] | None,
) -> Batch:
    """Make entries PENDING again, lowest id first; pass over those that cannot be replayed."""
    up_to_id = HIGHEST_ID if window.up_to_id is None else window.up_to_id
    ids = (window.after_id + 1, up_to_id)
    is_meant = [entries.c.id.between(*ids), *conditions(wanted, ids)]
    if window.replays is not None:
        is_meant.append(entries.c.replay_count == window.replays)
    found = connection.execute(
        select(entries.c.id, entries.c.state, entries.c.endpoint, entries.c.lane, HAS_BODY)
        .where(*is_meant)
        .order_by(entries.c.id)
        .limit(window.limit)
        .with_for_update(of=entries)
    ).all()
    reasons = [_refusal(row, handlers, "an entry") for row in found]
    rows = [row for row, reason in zip(found, reasons, strict=True) if reason is None]
    replayed = [row.id for row in rows]
    for chunk in chunks(replayed):
        of_these = update(entries).where(entries.c.id.in_(chunk))
        connection.execute(of_these.values(_pending_again(now_ms, handlers)))
    release(connection, {(row.endpoint, row.lane) for row in rows if row.lane}, now_ms)
    last_id = found[-1].id if len(found) == window.limit else None
    return Batch(replayed, last_id, Counter(reason for reason in reasons if reason is not None))


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
        select(entries.c.id, entries.c.state, HAS_BODY).where(entries.c.id == entry_id)
    ).first()
    if row is None:
        return f"there is no entry {entry_id}"
    return _refusal(row, handlers, f"entry {row.id}")


def _refusal(row: Row[Any], handlers: Collection[str] | None, name: str) -> str | None:
    return why_not_again(
        name,
        state_of(row.state),
        has_body=row.has_body,
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


def record_readings(connection: Connection, readings: Sequence[ReadAs]) -> int:
    """Store event type and problem of entries; return how many were there to be changed."""
    changed = 0
    for entry_id, event_type, problem in sorted(readings):
        values = {"entry_id": entry_id, "new_type": event_type, "new_problem": problem}
        changed += connection.execute(_READ_AS, values).rowcount
    return changed
