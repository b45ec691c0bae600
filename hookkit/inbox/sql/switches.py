"""Records switches between payload versions, and promotes the entries that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypedDict

from sqlalchemy import Connection, bindparam, func, select, update

from hookkit import crash_points
from hookkit.core.entry import State
from hookkit.core.facts import NEAR_MARK, Report, decide, is_exact, is_near, names_in_doubt
from hookkit.core.modes import Change, Mode, is_orphan, is_over, is_young
from hookkit.inbox.records import Switched, from_ms, seconds_to_ms, to_ms
from hookkit.inbox.sql.id_range import OVERTAKING, id_at
from hookkit.inbox.sql.owners import OwnerCandidate, become_twins, take_facts
from hookkit.inbox.sql.rows import CHUNK, chunks
from hookkit.inbox.sql.tables import entries, facts, switches
from hookkit.inbox.sql.transactions import Exclusive, Transactions

# In the order of ``Report``.
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
    .limit(CHUNK)
)
# Those that have run or will, and those that a report which has run stands for.
_RAN_OR_TWIN = [state.value for state in State if state not in (State.SHADOW, State.IGNORED)]
_NEAR = select(*_REPORT, entries.c.state).where(
    entries.c.id >= bindparam("since_id"),
    entries.c.endpoint == bindparam("at"),
    entries.c.fact.like(f"{NEAR_MARK}%"),
    entries.c.state.in_(_RAN_OR_TWIN),
    entries.c.received_at_ms >= bindparam("since_ms"),
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

_LOG = select(switches).where(switches.c.endpoint == bindparam("at")).order_by(switches.c.number)
_LAST = select(func.max(switches.c.number)).where(switches.c.endpoint == bindparam("at"))
_OPEN = (
    select(switches.c.endpoint, switches.c.since_ms)
    .where(switches.c.is_over.is_(False))
    .distinct()
    .order_by(switches.c.endpoint, switches.c.since_ms)
)


class _Times(TypedDict):
    """When it is, and how long a twin may take to come."""

    now_ms: int
    window_ms: int


class Switches:
    """What was switched between payload versions, by endpoint; ``Inbox.switches`` is one.

    Every method may raise ``Unavailable``.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._insert_fact = transactions.insert_unless_there(facts)

    def log(self, endpoint: str) -> Sequence[Switched]:
        """Return what was switched at *endpoint*, oldest first."""
        with self._transactions.read() as connection:
            return [
                Switched(
                    row.version, row.vendor_type, Mode(row.mode), from_ms(row.since_ms), row.who
                )
                for row in connection.execute(_LOG, {"at": endpoint})
            ]

    def change(
        self, endpoint: str, changes: Sequence[Change], *, who: str, now: datetime, window_s: float
    ) -> list[int]:
        """Switch modes, and promote what the versions that are live now have missed.

        One transaction, beside which no delivery is admitted: each is admitted by the modes
        before it or by those after it. A SHADOW entry of a version that becomes live, younger
        than *window_s*, whose fact is free, owns that fact and is PENDING from then on. One
        of a near fact is PENDING as well, unless another version's entry of it that has run
        or will is its twin (``core.facts.decide``): then it is a TWIN.

        Args:
            who: Kept for people who look later.
            window_s: How many seconds a twin may take to come.

        Returns:
            The entries that became PENDING.
        """
        times: _Times = {"now_ms": to_ms(now), "window_ms": seconds_to_ms(window_s)}
        live = {each.version for each in changes if each.mode is Mode.LIVE and not each.vendor_type}
        with self._transactions.write() as connection:
            # Pruning must not delete the bytes of what is promoted.
            self._transactions.take(connection, Exclusive.UPKEEP)
            self._transactions.take(connection, Exclusive.VERSIONS)
            _record(connection, endpoint, changes, who, times["now_ms"], is_over=not live)
            since_ms = times["now_ms"] - times["window_ms"]
            young = [
                each
                for each in (_shadows(connection, endpoint, since_ms) if live else ())
                if each.version in live and is_young(each.received_ms, **times)
            ]
            promoted = self._promote(connection, endpoint, young, times)
            crash_points.reach("switch_written")
            return promoted

    def promote_orphans(self, *, now: datetime, window_s: float) -> list[int]:
        """Promote SHADOW entries near a switch whose twins never came.

        That is those received within *window_s* seconds of a switch, before or after it, that
        have reached that age while their fact is free; of near facts as with ``change``.
        Entries without a fact stay as they are.

        Returns:
            The entries that became PENDING.
        """
        with self._transactions.read() as connection:
            if connection.execute(_OPEN).first() is None:
                return []
        times: _Times = {"now_ms": to_ms(now), "window_ms": seconds_to_ms(window_s)}
        promoted = []
        with self._transactions.write() as connection:
            self._transactions.take(connection, Exclusive.UPKEEP)
            for endpoint, switched_ms in connection.execute(_OPEN).all():
                orphans = [
                    each
                    for each in _shadows(connection, endpoint, switched_ms - times["window_ms"])
                    if is_orphan(each.received_ms, switched_ms=switched_ms, **times)
                ]
                promoted += self._promote(connection, endpoint, orphans, times)
                if is_over(switched_ms=switched_ms, **times):
                    of_switch = update(switches).where(
                        switches.c.endpoint == endpoint, switches.c.since_ms == switched_ms
                    )
                    connection.execute(of_switch.values(is_over=True))
        return promoted

    def _promote(
        self, connection: Connection, endpoint: str, held: Sequence[Report], times: _Times
    ) -> list[int]:
        """Make those of *held* due that nothing else has run for; return their ids."""
        if not held:
            return []
        window_ms = times["window_ms"]
        oldest_ms = min(each.received_ms for each in held)
        near = list(_near(connection, endpoint, oldest_ms - window_ms))
        doubtful = names_in_doubt(held, [each for each, _ in near])
        owners = {each.fact: each for each in _owners(connection, endpoint, doubtful)}
        decision = decide(held, near, owners, window_ms=window_ms)
        promoted = [each.entry_id for each in decision.to_run if is_near(each.fact)]
        candidates = [
            OwnerCandidate(each.fact, each.entry_id, each.version)
            for each in decision.to_run
            if is_exact(each.fact)
        ]
        taken = take_facts(connection, self._insert_fact, endpoint, candidates)
        promoted += [
            each.entry_id for each in candidates if taken[each.fact].entry_id == each.entry_id
        ]
        for ids in chunks(sorted(promoted)):
            connection.execute(_PROMOTE, {"entry_ids": ids, "now_ms": times["now_ms"]})
        become_twins(connection, [each.entry_id for each in decision.twins])
        return sorted(promoted)


def _record(
    connection: Connection,
    endpoint: str,
    changes: Sequence[Change],
    who: str,
    now_ms: int,
    *,
    is_over: bool,
) -> None:
    last = connection.execute(_LAST, {"at": endpoint}).scalar() or 0
    rows = [
        {
            "endpoint": endpoint,
            "number": number,
            "version": each.version,
            "vendor_type": each.vendor_type,
            "mode": each.mode.value,
            "since_ms": now_ms,
            "who": who,
            "is_over": is_over,
        }
        for number, each in enumerate(changes, last + 1)
    ]
    connection.execute(switches.insert(), rows)


def _shadows(connection: Connection, endpoint: str, since_ms: int) -> Iterator[Report]:
    """Yield reports of *endpoint* that are held back; of those before *since_ms* only some."""
    below = _HIGHEST_ID
    while page := connection.execute(_SHADOWS, {"at": endpoint, "below": below}).all():
        yield from (Report(*row) for row in page if row.fact)
        if all(row.received_at_ms < since_ms for row in page):
            return
        below = page[-1].id


def _near(connection: Connection, endpoint: str, since_ms: int) -> Iterator[tuple[Report, bool]]:
    """Yield near reports since a moment, each with whether it has run or will."""
    first_id = connection.execute(select(id_at(since_ms))).scalar_one()
    since = {"since_id": first_id - OVERTAKING, "since_ms": since_ms}
    for *report, state in connection.execute(_NEAR, {"at": endpoint, **since}):
        yield Report(*report), state != State.TWIN.value


def _owners(connection: Connection, endpoint: str, facts_named: Iterable[str]) -> Iterator[Report]:
    """Yield reports by the entries that own one of these facts."""
    for chunk in chunks(sorted(facts_named)):
        for row in connection.execute(_OWNERS, {"at": endpoint, "named": chunk}):
            yield Report(*row)
