"""Switches of payload versions, and the entries that they promote, in a SQL database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from hookkit import crash_points
from hookkit.core.delivery import Envelope
from hookkit.core.modes import (
    Change,
    Mode,
    is_orphan,
    is_over,
    is_young,
)
from hookkit.inbox.base import from_ms, to_ms
from hookkit.inbox.records import Kept, Switched
from hookkit.inbox.sql.find import (
    find_kept,
)
from hookkit.inbox.sql.owners import (
    Twins,
    modes_now,
)
from hookkit.inbox.sql.promote import (
    promote,
    shadows,
)
from hookkit.inbox.sql.store import (
    Store,
)
from hookkit.inbox.sql.tables import (
    facts,
    switches,
)
from hookkit.inbox.sql.transactions import (
    Transactions,
    Turn,
)

_LOG = select(switches).where(switches.c.endpoint == bindparam("at")).order_by(switches.c.number)
_LAST = select(func.max(switches.c.number)).where(switches.c.endpoint == bindparam("at"))
_OPEN = select(switches).where(switches.c.is_over.is_(False))


class SqlVersions:
    """The ``VersionBook`` of a SQL inbox.

    Args:
        store: Begins transactions once the tables are there.
        decrypted: Returns what an encrypted body was, None when no key fits.
    """

    def __init__(
        self,
        transactions: Transactions,
        store: Store,
        decrypted: Callable[[bytes], bytes | None],
    ) -> None:
        self._transactions = transactions
        self._reading = store.reading
        self._writing = store.writing
        self._decrypted = decrypted
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

    def kept(
        self, endpoint: str, *, below_id: int | None = None, limit: int = 200
    ) -> Sequence[Kept]:
        """Return entries of *endpoint* with their bytes, newest first."""
        with self._reading() as connection:
            return find_kept(connection, endpoint, below_id, limit, self._decrypted)

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
            found = shadows(connection, endpoint, now_ms - window_ms) if live else ()
            young = [
                each
                for each in found
                if each.version in live
                and is_young(each.received_ms, now_ms=now_ms, window_ms=window_ms)
            ]
            times = {"now_ms": now_ms, "window_ms": window_ms}
            promoted = promote(connection, self._insert_fact, endpoint, young, **times)
            crash_points.reach("switch_written")
            return promoted

    def promote_orphans(self, *, now: datetime, window_s: float) -> list[int]:
        """Promote shadow entries near a switch whose twins never came."""
        with self._reading() as connection:
            if connection.execute(_OPEN.limit(1)).first() is None:
                return []
        times = {"now_ms": to_ms(now), "window_ms": _ms(window_s)}
        promoted = []
        with self._writing() as connection:
            self._transactions.take_turns(connection, Turn.UPKEEP)
            open_rows = connection.execute(_OPEN).all()
            for endpoint, switched_ms in sorted(
                {(row.endpoint, row.since_ms) for row in open_rows}
            ):
                orphans = [
                    each
                    for each in shadows(connection, endpoint, switched_ms - times["window_ms"])
                    if is_orphan(each.received_ms, switched_ms=switched_ms, **times)
                ]
                promoted += promote(connection, self._insert_fact, endpoint, orphans, **times)
                if is_over(switched_ms=switched_ms, **times):
                    of_switch = update(switches).where(
                        switches.c.endpoint == endpoint, switches.c.since_ms == switched_ms
                    )
                    connection.execute(of_switch.values(is_over=True))
        return promoted


def _switched(row: Row[Any]) -> Switched:
    return Switched(row.version, row.vendor_type, Mode(row.mode), from_ms(row.since_ms), row.who)


def _ms(seconds: float) -> int:
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)
