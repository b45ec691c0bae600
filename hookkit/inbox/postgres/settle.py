"""Settles a group of entries by one statement, since each one is a message to the server."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    func,
    select,
    true,
    update,
)

from hookkit.core.entry import Entry, Settlement
from hookkit.inbox.postgres.json_rows import json_of, table_of_rows, types_of
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.settle import attempt_rows, ending_of
from hookkit.inbox.sql.tables import attempts, entries

_ENDED = {
    "entry_id": BigInteger,
    "held_token": Text,
    "new_state": Text,
    "new_due_ms": BigInteger,
    "new_type": Text,
    "counted": BigInteger,
}
_MADE = types_of(attempts, without=["id"])


def _is_among(ids: ColumnElement[int], found: CTE) -> ColumnElement[bool]:
    return ids == any_(func.array(select(found.c.id).scalar_subquery()))


def _statement() -> Select[Any]:
    """Return what settles and records, and returns the ids of what was settled.

    Entries are looked up by their ids, one by one and by an array. A server that prepared a join
    while the table was small would read all of it for every group later on.
    """
    ended, made = table_of_rows("ended", _ENDED), table_of_rows("made", _MADE)
    held_row = (
        select(entries.c.id)
        .where(entries.c.id == ended.c.entry_id, entries.c.lease_token == ended.c.held_token)
        .with_for_update()
        .lateral("held_row")
    )
    held = select(ended, held_row.c.id).join(held_row, true()).cte("held")
    settled = (
        update(entries)
        .where(entries.c.id == held.c.id, _is_among(entries.c.id, held))
        .values(
            state=held.c.new_state,
            due_at_ms=held.c.new_due_ms,
            lease_token=None,
            attempt_count=entries.c.attempt_count + held.c.counted,
            lost_claim_count=0,
            event_type=func.coalesce(held.c.new_type, entries.c.event_type),
        )
        .returning(entries.c.id)
        .cte("settled")
    )
    to_record = (
        select(*(made.c[each] for each in _MADE))
        .where(_is_among(made.c.entry_id, settled))
        # Their ids tell in which order they were made.
        .order_by(made.c.place)
    )
    recorded = attempts.insert().from_select(list(_MADE), to_record).cte("recorded")
    return select(settled.c.id).add_cte(recorded)


# Built once: putting it together takes longer than the server does to run it.
_SETTLE = _statement()


def settle(
    connection: Connection, finished: Sequence[tuple[Entry, Settlement]], now_ms: int
) -> set[int]:
    """Record attempts and next states; return the ids of those that were settled.

    Nothing is recorded of an entry that belongs to another claim by now.
    """
    ended = [
        {"entry_id": entry.id, "held_token": entry.lease_token}
        | ending_of(entry, settlement, now_ms)._asdict()
        for entry, settlement in finished
    ]
    # Rows are locked in this order: two transactions wait for each other in one direction only.
    ended.sort(key=itemgetter("entry_id"))
    made = [row for pair in finished for row in attempt_rows(*pair, now_ms)]
    rows = execute(connection, _SETTLE, {"ended": json_of(ended), "made": json_of(made)})
    return {entry_id for (entry_id,) in rows}
