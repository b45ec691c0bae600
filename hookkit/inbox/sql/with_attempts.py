"""Reads entries together with their attempts, by one statement, however many entries these are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, select, true

from hookkit.inbox.sql.tables import attempts


def with_attempts(
    connection: Connection,
    chosen: Subquery,
    *conditions: ColumnElement[bool],
    columns: Sequence[ColumnElement[Any]],
) -> Select[Any]:
    """Return what reads *chosen* entries, the highest id first, each with its attempts in order.

    An entry comes once for each attempt, and once with NULL in place of an attempt without any.

    Args:
        chosen: Has a column ``id``.
        conditions: What must hold of an attempt.
        columns: Those of the attempts.
    """
    of_entry = and_(attempts.c.entry_id == chosen.c.id, *conditions)
    if connection.dialect.name == "sqlite":
        joined = chosen.outerjoin(attempts, of_entry)
        statement = select(chosen, *columns).select_from(joined)
        return statement.order_by(chosen.c.id.desc(), attempts.c.id)
    # PostgreSQL would read all attempts to join them. It does not merge a lateral subquery that
    # is sorted with the rest, and finds the attempts of each entry by their index.
    each = select(*columns, attempts.c.id.label("in_order")).where(of_entry)
    found = each.order_by(attempts.c.id).lateral()
    theirs = [column for column in found.c if column.name != "in_order"]
    statement = select(chosen, *theirs).select_from(chosen.outerjoin(found, true()))
    return statement.order_by(chosen.c.id.desc(), found.c.in_order)
