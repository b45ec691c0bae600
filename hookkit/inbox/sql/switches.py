"""Switches of payload versions, and the entries that they promote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.sql.dml import Insert

from hookkit import crash_points
from hookkit.core.delivery import Envelope
from hookkit.core.entry import State
from hookkit.core.facts import NEAR_MARK, Report, decide, is_exact, is_near, names_in_doubt
from hookkit.core.modes import Change, Mode, is_orphan, is_over, is_young
from hookkit.inbox.base import from_ms, to_ms
from hookkit.inbox.records import Kept, Switched
from hookkit.inbox.sql.find import find_kept
from hookkit.inbox.sql.owners import BECOME_TWINS, Claim, Twins, modes_now, take_facts
from hookkit.inbox.sql.store import Store
from hookkit.inbox.sql.tables import entries, facts, switches
from hookkit.inbox.sql.transactions import Transactions, Turn

# SQLite before 3.32 takes 999 parameters in a statement.
PAGE = 400

_REPORT = (
    entries.c.id,
    entries.c.version,
    entries.c.fact,
    entries.c.lane,
    entries.c.received_at_ms,
)
# Newest first: what is too old for a switch lies behind what is not.
_SHADOWS = (
    select(*_REPORT)
    .where(
        entries.c.state == State.SHADOW.value,
        entries.c.endpoint == bindparam("at"),
        entries.c.id < bindparam("below"),
    )
    .order_by(entries.c.id.desc())
    .limit(PAGE)
)
#: state -> whether an entry in it has run or will.
_HAS_RUN = {state.value: True for state in State} | {State.TWIN.value: False}
del _HAS_RUN[State.SHADOW.value], _HAS_RUN[State.IGNORED.value]
_NEAR = select(*_REPORT, entries.c.state).where(
    entries.c.id >= bindparam("since_id"),
    entries.c.endpoint == bindparam("at"),
    entries.c.fact.like(f"{NEAR_MARK}%"),
    entries.c.state.in_(list(_HAS_RUN)),
    entries.c.received_at_ms >= bindparam("since_ms"),
)
_NEXT = (
    select(entries.c.id, entries.c.received_at_ms)
    .where(entries.c.id >= bindparam("from_id"))
    .order_by(entries.c.id)
    .limit(1)
)
_OWNERS = (
    select(*_REPORT)
    .join(facts, facts.c.entry_id == entries.c.id)
    .where(
        facts.c.endpoint == bindparam("at"), facts.c.fact.in_(bindparam("named", expanding=True))
    )
)
_PROMOTE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(state=State.PENDING.value, due_at_ms=bindparam("now_ms"))
)
_HIGHEST_ID = 2**62
#: How close the search for a moment gets: so many entries are then looked at one by one.
_CLOSE = 1000


def shadows(connection: Connection, endpoint: str, since_ms: int) -> Iterator[Report]:
    """Yield reports of *endpoint* that are held back; of those before *since_ms* only some."""
    below = _HIGHEST_ID
    while page := connection.execute(_SHADOWS, {"at": endpoint, "below": below}).all():
        yield from (Report(*row) for row in page if row.fact)
        if all(row.received_at_ms < since_ms for row in page):
            return
        below = page[-1].id


def promote(
    connection: Connection,
    insert_fact: Insert,
    endpoint: str,
    held: Sequence[Report],
    *,
    now_ms: int,
    window_ms: int,
) -> list[int]:
    """Make those of *held* due that nothing else has run for; return their ids."""
    if not held:
        return []
    near = list(_near(connection, endpoint, min(each.received_ms for each in held) - window_ms))
    doubtful = names_in_doubt(held, [each for each, _ in near])
    owners = {each.fact: each for each in _owners(connection, endpoint, sorted(doubtful))}
    decision = decide(held, near, owners, window_ms=window_ms)
    promoted = [each.entry_id for each in decision.to_run if is_near(each.fact)]
    claims = sorted(
        Claim(each.fact, each.entry_id, each.version)
        for each in decision.to_run
        if is_exact(each.fact)
    )
    for page in _pages(claims):
        taken = take_facts(connection, insert_fact, endpoint, page)
        promoted += [each.entry_id for each in page if taken[each.fact][0] == each.entry_id]
    for ids in _pages(sorted(promoted)):
        connection.execute(_PROMOTE, {"entry_ids": ids, "now_ms": now_ms})
    for ids in _pages(sorted(each.entry_id for each in decision.twins)):
        connection.execute(BECOME_TWINS, {"entry_ids": ids})
    return sorted(promoted)


def _near(connection: Connection, endpoint: str, since_ms: int) -> Iterator[tuple[Report, bool]]:
    since = {"since_id": _first_since(connection, since_ms), "since_ms": since_ms}
    for row in connection.execute(_NEAR, {"at": endpoint, **since}):
        yield Report(*row[:-1]), _HAS_RUN[row.state]


def _first_since(connection: Connection, since_ms: int) -> int:
    """Return an id before which nothing was received since that moment, or next to nothing.

    Ids grow with time, but for requests that overtake each other on their way in; there is
    no index by time, which every event would have to pay for.
    """
    low, high = 0, connection.execute(select(func.max(entries.c.id))).scalar() or 0
    while high - low > _CLOSE:
        middle = (low + high) // 2
        row = connection.execute(_NEXT, {"from_id": middle}).one()
        if row.received_at_ms < since_ms:
            low = middle
        else:
            high = middle
    return max(0, low - _CLOSE)


def _owners(connection: Connection, endpoint: str, named: Sequence[str]) -> Iterator[Report]:
    for page in _pages(named):
        for row in connection.execute(_OWNERS, {"at": endpoint, "named": page}):
            yield Report(*row)


def _pages(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + PAGE] for start in range(0, len(values), PAGE))


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
