"""Finds what has changed in an inbox since somebody looked, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select

from hookkit.inbox.records import EntryRecord
from hookkit.inbox.sights import Mark
from hookkit.inbox.sql.find import HAS_BODY, records_of
from hookkit.inbox.sql.id_range import OVERTAKING
from hookkit.inbox.sql.rows import EntryRow, chunks
from hookkit.inbox.sql.tables import attempts, entries

_ENTRY_IDS = select(entries.c.id)
_ATTEMPT_IDS = select(attempts.c.id, attempts.c.entry_id)


def newest(connection: Connection) -> Mark:
    """Return the mark of somebody who has seen all that is there."""
    entry_id, missing_entries = _newest(connection, entries)
    attempt_id, missing_attempts = _newest(connection, attempts)
    return Mark(entry_id, attempt_id, missing_entries, missing_attempts)


def changes(connection: Connection, since: Mark, limit: int) -> tuple[list[EntryRecord], Mark]:
    """Return entries that are new or were tried since a mark, lowest id first, and the next mark.

    Args:
        limit: How many new entries, and how many new attempts, are looked at.
    """
    come = [
        row.id
        for row in _unseen(connection, _ENTRY_IDS, since.entry_id, since.missing_entries, limit)
    ]
    tried = {
        row.id: row.entry_id
        for row in _unseen(
            connection, _ATTEMPT_IDS, since.attempt_id, since.missing_attempts, limit
        )
    }
    rows: list[EntryRow] = []
    for chunk in chunks(sorted({*come, *tried.values()})):
        of_these = select(entries, HAS_BODY).where(entries.c.id.in_(chunk))
        rows += connection.execute(of_these.order_by(entries.c.id)).all()
    mark = Mark(
        max([since.entry_id, *come]),
        max([since.attempt_id, *tried]),
        _missing(since.entry_id, since.missing_entries, come),
        _missing(since.attempt_id, since.missing_attempts, tried),
    )
    return records_of(connection, rows), mark


def _newest(connection: Connection, table: Table) -> tuple[int, frozenset[int]]:
    """Return the highest id, and those below it that are missing."""
    highest = select(func.max(table.c.id)).scalar_subquery()
    newest = select(table.c.id).where(table.c.id > highest - OVERTAKING)
    ids = connection.execute(newest).scalars().all()
    return max(ids, default=0), _missing(0, (), ids)


def _unseen(
    connection: Connection,
    wanted: Select[Any],
    last_id: int,
    missing: Collection[int],
    limit: int,
) -> list[Row[Any]]:
    """Return the next of the *wanted* rows, by their first column, that were not seen."""
    (of_id, *_) = wanted.selected_columns
    above = wanted.where(of_id > last_id).order_by(of_id).limit(limit)
    rows = [*connection.execute(above)]
    for chunk in chunks(missing):
        rows += connection.execute(wanted.where(of_id.in_(chunk)))
    return sorted(rows)[:limit]


def _missing(last_id: int, missing: Collection[int], found: Collection[int]) -> frozenset[int]:
    """Return the ids just below the highest that are still missing once some were *found*."""
    highest = max([last_id, *found])
    from_id = max(1, highest - OVERTAKING + 1)
    skipped = range(max(last_id + 1, from_id), highest)
    return frozenset(each for each in {*missing, *skipped}.difference(found) if each >= from_id)
