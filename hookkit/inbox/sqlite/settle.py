"""Settles a group of entries by few statements, while nobody else writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from hookkit.core.entry import Entry, Settlement
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.rows import chunks
from hookkit.inbox.sql.settle import Ending, attempt_rows, ending_of
from hookkit.inbox.sql.tables import attempts, entries
from hookkit.inbox.sqlite.rows import insert

# Built once: putting a statement together takes longer than SQLite does to run it.
_IS_ONE_OF_THESE = entries.c.id.in_(bindparam("entry_ids", expanding=True))
_TOKENS = select(entries.c.id, entries.c.lease_token).where(_IS_ONE_OF_THESE)
_SETTLE = (
    update(entries)
    .where(_IS_ONE_OF_THESE)
    .values(
        state=bindparam("new_state"),
        due_at_ms=bindparam("new_due_ms"),
        lease_token=None,
        attempt_count=entries.c.attempt_count + bindparam("counted"),
        lost_claim_count=0,
        event_type=func.coalesce(bindparam("new_type"), entries.c.event_type),
    )
)


def settle(
    connection: Connection, finished: Sequence[tuple[Entry, Settlement]], now_ms: int
) -> set[int]:
    """Record attempts and next states, by one statement for all that come to the same.

    Nothing is recorded of an entry that belongs to another claim by now.

    Returns:
        The ids of those that were settled.
    """
    tokens: dict[int, str | None] = {}
    for chunk in chunks(entry.id for entry, _ in finished):
        tokens.update(map(tuple, execute(connection, _TOKENS, {"entry_ids": chunk})))
    held = [pair for pair in finished if tokens.get(pair[0].id) == pair[0].lease_token]
    alike: defaultdict[Ending, list[int]] = defaultdict(list)
    for entry, settlement in held:
        alike[ending_of(entry, settlement, now_ms)].append(entry.id)
    for ending, entry_ids in alike.items():
        for chunk in chunks(entry_ids):
            execute(connection, _SETTLE, ending._asdict() | {"entry_ids": chunk})
    rows = [row for pair in held for row in attempt_rows(*pair, now_ms)]
    insert(connection.connection.dbapi_connection, attempts, rows)
    return {entry.id for entry, _ in held}
