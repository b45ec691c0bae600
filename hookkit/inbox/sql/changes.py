"""Finds what has changed in an inbox since somebody looked, inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from hookkit.inbox.records import EntryRecord
from hookkit.inbox.sights import Mark
from hookkit.inbox.sql.find import HAS_BODY, records_of
from hookkit.inbox.sql.id_range import OVERTAKING
from hookkit.inbox.sql.rows import EntryRow, chunks
from hookkit.inbox.sql.tables import attempts, entries


def newest(connection: Connection) -> Mark:
    """Return the mark of somebody who has seen all that is there."""
    seen_entries, seen_attempts = _newest(connection, entries), _newest(connection, attempts)
    return Mark(
        max(seen_entries, default=0), max(seen_attempts, default=0), seen_entries, seen_attempts
    )


def changes(connection: Connection, since: Mark, limit: int) -> tuple[list[EntryRecord], Mark]:
    """Return entries that are new or were tried since a mark, lowest id first, and the next mark.

    Args:
        limit: How many new entries, and how many new attempts, are looked at.
    """
    come, seen_entries = _unseen(connection, entries, since.entry_id, since.seen_entries, limit)
    tried, seen_attempts = _unseen(
        connection, attempts, since.attempt_id, since.seen_attempts, limit
    )
    changed = set(come)
    for chunk in chunks(tried):
        of_these = select(attempts.c.entry_id).where(attempts.c.id.in_(chunk))
        changed.update(connection.execute(of_these).scalars())
    rows: list[EntryRow] = []
    for chunk in chunks(sorted(changed)):
        of_these = select(entries, HAS_BODY).where(entries.c.id.in_(chunk))
        rows += connection.execute(of_these.order_by(entries.c.id)).all()
    mark = Mark(
        max([since.entry_id, *come]),
        max([since.attempt_id, *tried]),
        seen_entries,
        seen_attempts,
    )
    return records_of(connection, rows), mark


def _newest(connection: Connection, table: Table) -> frozenset[int]:
    """Return the highest id, and those that are less than ``OVERTAKING`` below it."""
    highest = select(func.max(table.c.id)).scalar_subquery()
    newest = select(table.c.id).where(table.c.id > highest - OVERTAKING)
    return frozenset(connection.execute(newest).scalars())


def _unseen(
    connection: Connection, table: Table, last_id: int, seen: frozenset[int], limit: int
) -> tuple[list[int], frozenset[int]]:
    """Return the next ids that were not seen, and those that are to be remembered as seen."""
    ids = _ids_above(connection, table, last_id - OVERTAKING, OVERTAKING + limit)
    unseen = [each for each in ids if each not in seen][:limit]
    from_id = max([last_id, *unseen]) - OVERTAKING
    return unseen, frozenset(each for each in seen.union(unseen) if each > from_id)


def _ids_above(connection: Connection, table: Table, above_id: int, limit: int) -> list[int]:
    above = select(table.c.id).where(table.c.id > above_id).order_by(table.c.id).limit(limit)
    return list(connection.execute(above).scalars())
