"""Which modes hold, and which entry owns a fact, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.sql.dml import Insert

from hookkit.core.entry import State
from hookkit.core.modes import Change, Mode, Owner, runs_beside
from hookkit.inbox.sql.rows import Values, chunks
from hookkit.inbox.sql.tables import entries, facts, switches

# Built once: putting a statement together takes longer than a database does to run it.
_CHANGES = (
    select(switches.c.version, switches.c.vendor_type, switches.c.mode)
    .where(switches.c.endpoint == bindparam("of_endpoint"))
    .order_by(switches.c.number)
)
_OWNERS = select(facts.c.fact, facts.c.entry_id, facts.c.version).where(
    facts.c.endpoint == bindparam("of_endpoint"),
    facts.c.fact.in_(bindparam("wanted", expanding=True)),
)
_BECOME_TWINS = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(state=State.TWIN.value, due_at_ms=None)
)


class OwnerCandidate(NamedTuple):
    """An entry that owns a fact if the fact is free."""

    fact: str
    entry_id: int
    version: str


def changes_at(connection: Connection, endpoint: str) -> list[Change]:
    """Return what was switched at *endpoint*, oldest first."""
    rows = connection.execute(_CHANGES, {"of_endpoint": endpoint})
    return [Change(version, vendor_type, Mode(mode)) for version, vendor_type, mode in rows]


def take_facts(
    connection: Connection, insert_fact: Insert, endpoint: str, wanted: Sequence[OwnerCandidate]
) -> dict[str, Owner]:
    """Have each free fact owned by the first in *wanted*; return the owners by fact.

    Args:
        insert_fact: Inserts into ``facts`` and passes over facts that are owned.
    """
    rows = fact_rows(endpoint, wanted)
    if rows:
        connection.execute(insert_fact, rows)
    owners = {}
    for chunk in chunks({each.fact for each in wanted}):
        for row in connection.execute(_OWNERS, {"of_endpoint": endpoint, "wanted": chunk}):
            owners[row.fact] = Owner(row.entry_id, row.version)
    return owners


def fact_rows(endpoint: str, wanted: Sequence[OwnerCandidate]) -> list[Values]:
    """Return the rows of facts that *wanted* would own."""
    return [
        {"endpoint": endpoint, "fact": fact, "entry_id": entry_id, "version": version}
        # In the order of the facts: processes that take the same ones wait in one direction only.
        for fact, entry_id, version in sorted(wanted)
    ]


def mark_twins(
    connection: Connection, owners: Mapping[str, Owner], candidates: Sequence[OwnerCandidate]
) -> set[int]:
    """Make twins of the candidates whose fact another version owns; return their ids."""
    twins = {
        each.entry_id
        for each in candidates
        if not runs_beside(owners[each.fact].version, each.version)
    }
    become_twins(connection, twins)
    return twins


def become_twins(connection: Connection, entry_ids: Collection[int]) -> None:
    """Make twins of these entries: another version's entry runs for the same fact."""
    for chunk in chunks(sorted(entry_ids)):
        connection.execute(_BECOME_TWINS, {"entry_ids": chunk})
