"""Switches of payload versions, and the entries that they promote, in a SQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from hookkit import crash_points
from hookkit.core.delivery import Envelope
from hookkit.core.states import State
from hookkit.core.versions import Change, Mode, is_orphan, is_over, is_young
from hookkit.inbox.base import from_ms, to_ms
from hookkit.inbox.records import Switched
from hookkit.inbox.sql_facts import Claim, Twins, modes_now, take_facts
from hookkit.inbox.tables import entries, facts, switches
from hookkit.inbox.transactions import Transactions, Turn

# SQLite before 3.32 takes 999 parameters in a statement.
_PAGE = 400

_LOG = select(switches).where(switches.c.endpoint == bindparam("at")).order_by(switches.c.number)
_LAST = select(func.max(switches.c.number)).where(switches.c.endpoint == bindparam("at"))
_OPEN = select(switches).where(switches.c.is_over.is_(False))
# Newest first: what is too old for a switch lies behind what is not.
_SHADOWS = (
    select(entries.c.id, entries.c.fact, entries.c.version, entries.c.received_at_ms)
    .where(
        entries.c.state == State.SHADOW.value,
        entries.c.endpoint == bindparam("at"),
        entries.c.id < bindparam("below"),
    )
    .order_by(entries.c.id.desc())
    .limit(_PAGE)
)
_PROMOTE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(state=State.PENDING.value, due_at_ms=bindparam("now_ms"))
)
_HIGHEST_ID = 2**62


class SqlVersions:
    """The ``VersionBook`` of a SQL inbox.

    Args:
        reading: Begins a transaction that only reads, once the tables are there.
        writing: Begins one that may write.
    """

    def __init__(
        self,
        transactions: Transactions,
        reading: Callable[[], AbstractContextManager[Connection]],
        writing: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        self._transactions = transactions
        self._reading = reading
        self._writing = writing
        self._insert_fact = transactions.insert_unless_there(facts)

    def twins(self, connection: Connection, envelope: Envelope) -> Twins | None:
        """Return what an admission has to know of versions; no switch comes until its end."""
        if envelope.modes is None:
            return None
        self._transactions.share_turn(connection, Turn.VERSIONS)
        modes = modes_now(connection, envelope.endpoint, envelope.modes)
        return Twins(modes, self._insert_fact)

    def log(self, endpoint: str) -> Sequence[Switched]:
        """Return what was switched at *endpoint*, oldest first."""
        with self._reading() as connection:
            return [_switched(row) for row in connection.execute(_LOG, {"at": endpoint})]

    def change(
        self, endpoint: str, changes: Sequence[Change], *, who: str, now: datetime, window_s: float
    ) -> list[int]:
        """Switch modes, and promote what the versions that are live now have missed."""
        now_ms, window_ms = to_ms(now), _ms(window_s)
        live = {each.version for each in changes if each.mode is Mode.LIVE and not each.vendor_type}
        with self._writing() as connection:
            # Pruning must not delete the bytes of what is promoted.
            self._transactions.take_turns(connection, Turn.UPKEEP)
            self._transactions.take_turns(connection, Turn.VERSIONS)
            last = connection.execute(_LAST, {"at": endpoint}).scalar() or 0
            rows = [
                {
                    "endpoint": endpoint,
                    "number": number,
                    "since_ms": now_ms,
                    "who": who,
                    "is_over": not live,
                    **each._asdict(),
                    "mode": each.mode.value,
                }
                for number, each in enumerate(changes, last + 1)
            ]
            connection.execute(switches.insert(), rows)
            found = _shadows(connection, endpoint, now_ms - window_ms) if live else ()
            young = [
                row
                for row in found
                if row.version in live
                and is_young(row.received_at_ms, now_ms=now_ms, window_ms=window_ms)
            ]
            promoted = self._promote(connection, endpoint, young, now_ms)
            crash_points.reach("switch_written")
            return promoted

    def promote_orphans(self, *, now: datetime, window_s: float) -> list[int]:
        """Promote shadow entries near a switch whose twins never came."""
        with self._reading() as connection:
            if connection.execute(_OPEN.limit(1)).first() is None:
                return []
        now_ms, window_ms = to_ms(now), _ms(window_s)
        promoted = []
        with self._writing() as connection:
            self._transactions.take_turns(connection, Turn.UPKEEP)
            open_rows = connection.execute(_OPEN).all()
            for endpoint, switched_ms in sorted(
                {(row.endpoint, row.since_ms) for row in open_rows}
            ):
                orphans = [
                    row
                    for row in _shadows(connection, endpoint, switched_ms - window_ms)
                    if is_orphan(
                        row.received_at_ms,
                        switched_ms=switched_ms,
                        now_ms=now_ms,
                        window_ms=window_ms,
                    )
                ]
                promoted += self._promote(connection, endpoint, orphans, now_ms)
                if is_over(switched_ms=switched_ms, now_ms=now_ms, window_ms=window_ms):
                    of_switch = update(switches).where(
                        switches.c.endpoint == endpoint, switches.c.since_ms == switched_ms
                    )
                    connection.execute(of_switch.values(is_over=True))
        return promoted

    def _promote(
        self, connection: Connection, endpoint: str, found: Sequence[Row[Any]], now_ms: int
    ) -> list[int]:
        """Make those of *found* due whose facts are free; near ones have none and stay."""
        promoted: list[int] = []
        claims = sorted(Claim(row.fact, row.id, row.version) for row in found if row.fact)
        for start in range(0, len(claims), _PAGE):
            page = claims[start : start + _PAGE]
            owners = take_facts(connection, self._insert_fact, endpoint, page)
            won = [claim.entry_id for claim in page if owners[claim.fact][0] == claim.entry_id]
            if won:
                connection.execute(_PROMOTE, {"entry_ids": won, "now_ms": now_ms})
            promoted += won
        return sorted(promoted)


def _shadows(connection: Connection, endpoint: str, since_ms: int) -> Iterator[Any]:
    """Yield shadow entries of *endpoint*; of those received before *since_ms* only some."""
    below = _HIGHEST_ID
    while page := connection.execute(_SHADOWS, {"at": endpoint, "below": below}).all():
        yield from page
        if all(row.received_at_ms < since_ms for row in page):
            return
        below = page[-1].id


def _switched(row: Row[Any]) -> Switched:
    return Switched(row.version, row.vendor_type, Mode(row.mode), from_ms(row.since_ms), row.who)


def _ms(seconds: float) -> int:
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)
