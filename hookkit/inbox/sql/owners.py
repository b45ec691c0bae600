"""Who owns a fact, and which modes hold, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.sql.dml import Insert

from hookkit.core.delivery import Item
from hookkit.core.entry import State
from hookkit.core.modes import Change, Mode, Modes, Owner, modes_after, runs_beside
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
BECOME_TWINS = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(state=State.TWIN.value, due_at_ms=None)
)


class Claim(NamedTuple):
    """An entry that would own a fact if that is free."""

    fact: str
    entry_id: int
    version: str


class Twins(NamedTuple):
    """What an admission has to know of the versions of its endpoint.

    Attributes:
        insert_fact: Inserts into ``facts`` and passes over facts that are owned.
    """

    modes: Modes
    insert_fact: Insert


def modes_now(connection: Connection, endpoint: str, declared: Mapping[str, Mode]) -> Modes:
    """Return the modes of *endpoint*, as settings declare them and switches override them."""
    rows = connection.execute(_CHANGES, {"of_endpoint": endpoint})
    return modes_after(declared, [Change(row[0], row[1], Mode(row[2])) for row in rows])


def give_states(
    items: Sequence[Item],
    entry_rows: Sequence[dict[str, Any]],
    positions: Collection[int],
    modes: Modes,
) -> bool:
    """Write into the rows at *positions* what their modes make of them.

    Returns:
        Whether the bytes are of no use to any of them.
    """
    for position in positions:
        item, row = items[position], entry_rows[position]
        state = modes.state_of(item.payload.version, item.vendor_type)
        row["state"] = state.value
        if state is not State.PENDING:
            row["due_at_ms"] = None
    return all(entry_rows[position]["state"] == State.IGNORED.value for position in positions)


def take_facts(
    connection: Connection, insert_fact: Insert, endpoint: str, claims: Iterable[Claim]
) -> dict[str, Owner]:
    """Have each fact that is free owned by the first of *claims* to it; return all owners."""
    # In the order of the facts: processes that take the same ones wait in one direction only.
    wanted = sorted(claims)
    rows = [
        {"endpoint": endpoint, "fact": fact, "entry_id": entry_id, "version": version}
        for fact, entry_id, version in wanted
    ]
    if not rows:
        return {}
    connection.execute(insert_fact, rows)
    named = list({claim.fact for claim in wanted})
    found = connection.execute(_OWNERS, {"of_endpoint": endpoint, "wanted": named})
    return {row.fact: Owner(row.entry_id, row.version) for row in found}


def part_twins(
    connection: Connection, twins: Twins, endpoint: str, claims: Sequence[Claim]
) -> set[int]:
    """Take the facts of live entries; return the ids of those that are twins, made so."""
    owners = take_facts(connection, twins.insert_fact, endpoint, claims)
    lost = {
        claim.entry_id
        for claim in claims
        if not runs_beside(owners[claim.fact].version, claim.version)
    }
    if lost:
        connection.execute(BECOME_TWINS, {"entry_ids": sorted(lost)})
    return lost
