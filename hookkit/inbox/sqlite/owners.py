"""Modes and facts for deliveries that are admitted inside one write transaction of SQLite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from hookkit.core.facts import is_exact
from hookkit.core.modes import (
    Change,
    Mode,
    Modes,
    modes_after,
    runs_beside,
)
from hookkit.core.states import State
from hookkit.inbox.sql.admit import (
    chunks,
)
from hookkit.inbox.sql.rows_in import (
    PreparedDelivery,
    Values,
    give_modes,
)
from hookkit.inbox.sql.tables import (
    facts,
    switches,
)

# Nothing but names of columns.
_CHANGES = (
    f"SELECT version, vendor_type, mode FROM {switches.name}"  # noqa: S608
    " WHERE endpoint = ? ORDER BY number"
)


class SqliteTwins:
    """The modes of a batch's endpoints, and who owns the facts that it reports.

    Where settings name no modes, this costs nothing but a look at each envelope.
    """

    def __init__(self, driver: Any, batch: Sequence[PreparedDelivery]) -> None:
        self._modes: dict[str, Modes] = {}
        self._owners: dict[tuple[str, str], str] = {}
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for delivery in batch:
            envelope = delivery.envelope
            if envelope.modes is None:
                continue
            modes = self._modes.get(envelope.endpoint)
            if modes is None:
                rows = driver.execute(_CHANGES, (envelope.endpoint,))
                changes = [Change(row[0], row[1], Mode(row[2])) for row in rows]
                modes = self._modes[envelope.endpoint] = modes_after(envelope.modes, changes)
            if modes.has_twins:
                exact = (item.fact for item in envelope.items if is_exact(item.fact))
                wanted[envelope.endpoint].update(exact)
        for endpoint, named in wanted.items():
            self._look_up(driver, endpoint, named)

    def rule(self, delivery: PreparedDelivery, positions: Collection[int]) -> None:
        """Write into the rows at *positions* what becomes of them."""
        endpoint = delivery.envelope.endpoint
        modes = None if delivery.envelope.modes is None else self._modes[endpoint]
        if modes is None:
            return
        give_modes(delivery, positions, modes)
        if not modes.has_twins:
            return
        for position in positions:
            row = delivery.entry_rows[position]
            if row["state"] != State.PENDING.value or not is_exact(row["fact"]):
                continue
            if not runs_beside(self._owners.get((endpoint, row["fact"])), row["version"]):
                row.update(state=State.TWIN.value, due_at_ms=None)

    def owned(self, row: Values) -> Values | None:
        """Return the row of the fact that an entry takes, None when it takes none."""
        modes = self._modes.get(row["endpoint"])
        if modes is None or not modes.has_twins:
            return None
        key = row["endpoint"], row["fact"]
        if row["state"] != State.PENDING.value or not is_exact(row["fact"]) or key in self._owners:
            return None
        self._owners[key] = row["version"]
        return {name: row[name] for name in ("endpoint", "fact", "version")} | {
            "entry_id": row["id"]
        }

    def _look_up(self, driver: Any, endpoint: str, wanted: set[str]) -> None:
        for chunk in chunks(wanted):
            # As many parameters as the next power of two: few statements, each prepared once.
            count = 1 << (len(chunk) - 1).bit_length()
            padding = chunk[-1:] * (count - len(chunk))
            for fact, version in driver.execute(
                _select_owners(count), (endpoint, *chunk, *padding)
            ):
                self._owners[endpoint, fact] = version


@cache
def _select_owners(count: int) -> str:
    marks = ", ".join("?" * count)
    # Nothing but names of columns and question marks.
    return f"SELECT fact, version FROM {facts.name} WHERE endpoint = ? AND fact IN ({marks})"  # noqa: S608
