"""Replays of many entries, in steps that a killed process leaves whole.

How far a replay is stands in the database, and moves in the transaction that makes the entries of
a step due: whoever goes on with it runs no entry twice and leaves none out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from hookkit import crash_points
from hookkit.core.entry import Filter
from hookkit.core.errors import ReplayRefused
from hookkit.inbox.records import from_ms, later, storable_text, to_ms
from hookkit.inbox.replay_records import Bulk, Candidate, Ending, ReplayRecord
from hookkit.inbox.sights import ReplayResults
from hookkit.inbox.sql.candidates import candidates
from hookkit.inbox.sql.filters import read_filter, spelt_filter
from hookkit.inbox.sql.replay_results import PROBE_COUNT, Verdict, results, verdict
from hookkit.inbox.sql.rows import chunks
from hookkit.inbox.sql.tables import entries, replayed, replays
from hookkit.inbox.sql.transactions import Exclusive, Transactions
from hookkit.inbox.sql.upkeep import Window, replay_all

#: How many ids one step goes through at most, however few entries it finds.
LOOK_AT = 20_000

#: How many entries are looked at for what may be replayed, at most.
MAX_CANDIDATES = 100_000

#: How long a replay waits before it looks again at what became of its first entries, in seconds.
UNDECIDED_S = 1.0

_NEWEST_ID = select(func.coalesce(func.max(entries.c.id), 0))
_THIS = select(replays).where(replays.c.id == bindparam("replay_id"))
_MOVE = (
    update(replays)
    .where(replays.c.id == bindparam("replay_id"))
    .values(
        after_id=bindparam("reached_id"),
        replayed_count=replays.c.replayed_count + bindparam("made_due"),
        refused=bindparam("refused_so_far"),
        next_at_ms=bindparam("due_ms"),
        ended_at_ms=bindparam("over_ms"),
        ending=bindparam("over_by"),
    )
)
_UNENDED = update(replays).where(
    replays.c.id == bindparam("replay_id"), replays.c.ended_at_ms.is_(None)
)
_END = _UNENDED.values(ended_at_ms=bindparam("over_ms"), ending=bindparam("over_by"))
_PAUSE = _UNENDED.where(replays.c.per_second.is_not(None), replays.c.paused_at_ms.is_(None)).values(
    paused_at_ms=bindparam("from_ms")
)
_UNPAUSE = _UNENDED.where(replays.c.paused_at_ms.is_not(None)).values(paused_at_ms=None)
_WAIT = _UNENDED.values(next_at_ms=bindparam("due_ms"))
_UNENDED_REPLAYS = (
    select(replays)
    .where(replays.c.ended_at_ms.is_(None), replays.c.per_second.is_not(None))
    .order_by(replays.c.id)
)
_LEFT_TO_HOUSEKEEPING = _UNENDED_REPLAYS.where(replays.c.paused_at_ms.is_(None))
_REMEMBER = insert(replayed).from_select(
    ["replay_id", "entry_id", "replay_count"],
    select(bindparam("replay_id", type_=BigInteger), entries.c.id, entries.c.replay_count).where(
        entries.c.id.in_(bindparam("entry_ids", expanding=True))
    ),
)
_OLD = (
    select(replayed.c.replay_id, replayed.c.entry_id)
    .join(replays, replays.c.id == replayed.c.replay_id)
    .where(replays.c.ended_at_ms < bindparam("before_ms"))
    .limit(bindparam("at_most"))
)
_FORGET = delete(replayed).where(tuple_(replayed.c.replay_id, replayed.c.entry_id).in_(_OLD))
_UNFINISHED_FIRST = select(replays).order_by(
    replays.c.ended_at_ms.is_not(None), replays.c.id.desc()
)


class Replays:
    """The replays of an inbox; ``Inbox.replays`` is one.

    Every method may raise ``Unavailable``.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def newest_id(self) -> int:
        """Return the id of the newest entry, 0 if there is none."""
        with self._transactions.read() as connection:
            return int(connection.execute(_NEWEST_ID).scalar_one())

    def start(
        self,
        wanted: Filter,
        *,
        handlers: Collection[str] | None,
        reason: str,
        who: str,
        now: datetime,
        bulk: Bulk | None = None,
    ) -> ReplayRecord:
        """Record a replay of what *wanted* fits now; nothing runs before its first step.

        Entries that arrive from now on are left out.

        Args:
            handlers: The names of the only handlers to run; None is all.
            bulk: What ``advance`` needs; None if the caller does the steps.

        Raises:
            ReplayRefused: One with the title of *bulk* has not ended.
        """
        with self._transactions.write() as connection:
            newest_id = connection.execute(_NEWEST_ID).scalar_one()
            if bulk is not None:
                _check_is_other(connection, bulk.title)
            entry_ids = wanted.entry_ids
            values = {
                "wanted": spelt_filter(wanted),
                "chosen_handlers": None if handlers is None else json.dumps(sorted(handlers)),
                "reason": storable_text(reason),
                "who": storable_text(who),
                "started_at_ms": to_ms(now),
                "after_id": 0 if entry_ids is None else min(entry_ids, default=1) - 1,
                "up_to_id": min([newest_id, max(entry_ids or [newest_id])]),
                "replayed_count": 0,
                "title": "",
                "refused": "{}",
            }
            if bulk is not None:
                values |= {
                    "title": storable_text(bulk.title),
                    "per_second": bulk.per_second,
                    "previewed_count": bulk.previewed_count,
                    "next_at_ms": to_ms(now),
                    "up_to_id": min(values["up_to_id"], bulk.up_to_id),
                }
            made = connection.execute(replays.insert().values(values))
            (replay_id,) = made.inserted_primary_key or (None,)
            return _record(connection.execute(_THIS, {"replay_id": replay_id}).one())

    def step(
        self, replay_id: int, *, now: datetime, limit: int = 100
    ) -> tuple[Sequence[int], ReplayRecord | None]:
        """Make the next entries of a replay due; return their ids, and how far it is then.

        Processes that work on one replay at the same time take turns.

        Args:
            limit: How many entries are looked at; an entry that cannot be replayed is one.
        """
        with self._transactions.write() as connection:
            # As for ``Inbox.replay_all``.
            self._transactions.take(connection, Exclusive.UPKEEP)
            self._transactions.take(connection, Exclusive.LANES)
            record = _read(connection, replay_id)
            if record is None or record.ended_at is not None:
                return [], record
            return _step(connection, record, now, limit), _read(connection, replay_id)

    def advance(
        self, replay_id: int, *, now: datetime, limit: int = 100
    ) -> tuple[Sequence[int], ReplayRecord | None]:
        """Do what ``step`` does, if the replay is due, is not paused, and deserves it.

        Processes that call this at the same time do not add up to more than ``per_second``. After
        its first ``PROBE_COUNT`` entries a replay waits until it is seen what became of them: it
        ends if most have failed again.
        """
        with self._transactions.write() as connection:
            self._transactions.take(connection, Exclusive.UPKEEP)
            self._transactions.take(connection, Exclusive.LANES)
            record = _read(connection, replay_id)
            if record is None or not _is_due(record, now):
                return [], record
            seen = Verdict.GO_ON if record.count < PROBE_COUNT else verdict(connection, replay_id)
            of_this = {"replay_id": replay_id}
            if seen is Verdict.STOP:
                over = {"over_ms": to_ms(now), "over_by": Ending.FAILING.value}
                connection.execute(_END, of_this | over)
            elif seen is Verdict.UNDECIDED:
                connection.execute(_WAIT, of_this | {"due_ms": later(to_ms(now), UNDECIDED_S)})
            else:
                left = PROBE_COUNT - record.count if record.count < PROBE_COUNT else limit
                limit = min(limit, left, record.per_second or limit)
                return _step(connection, record, now, limit), _read(connection, replay_id)
            return [], _read(connection, replay_id)

    def end(self, replay_id: int, *, now: datetime) -> bool:
        """End a replay where it is; False if there is none, or it has ended already."""
        over = {"over_ms": to_ms(now), "over_by": Ending.CANCELLED.value}
        return self._change(_END, {"replay_id": replay_id} | over)

    def pause(self, replay_id: int, *, now: datetime) -> bool:
        """Have housekeeping leave a replay alone; False if it does not do it now."""
        return self._change(_PAUSE, {"replay_id": replay_id, "from_ms": to_ms(now)})

    def unpause(self, replay_id: int) -> bool:
        """Have housekeeping go on with a replay; False if it was not paused."""
        return self._change(_UNPAUSE, {"replay_id": replay_id})

    def _change(self, statement: Update, values: dict[str, Any]) -> bool:
        with self._transactions.write() as connection:
            return connection.execute(statement, values).rowcount == 1

    def read(self, replay_id: int) -> ReplayRecord | None:
        """Return one replay, None if there is none of this id."""
        with self._transactions.read() as connection:
            return _read(connection, replay_id)

    def results(self, replay_id: int, limit: int = 10_000) -> ReplayResults:
        """Return what has become of the newest entries that a replay has made due.

        Args:
            limit: How many of them are looked at, at most.
        """
        with self._transactions.read() as connection:
            return results(connection, replay_id, limit)

    def left_to_housekeeping(self) -> Sequence[ReplayRecord]:
        """Return the replays that ``advance`` is to go on with, oldest first."""
        with self._transactions.read() as connection:
            return [_record(row) for row in connection.execute(_LEFT_TO_HOUSEKEEPING)]

    def prune(self, before: datetime, limit: int = 1000) -> bool:
        """Forget what became of entries whose replays ended before a moment.

        Returns:
            Whether there may be more than the *limit* that was forgotten.
        """
        span = {"before_ms": to_ms(before), "at_most": limit}
        with self._transactions.write() as connection:
            return connection.execute(_FORGET, span).rowcount == limit

    def find(self, limit: int = 20) -> Sequence[ReplayRecord]:
        """Return replays: those that have not ended before the others, newest first."""
        with self._transactions.read() as connection:
            return [_record(row) for row in connection.execute(_UNFINISHED_FIRST.limit(limit))]

    def candidates(
        self, wanted: Filter, *, below_id: int, limit: int = 10_000, look_at: int = MAX_CANDIDATES
    ) -> tuple[Sequence[Candidate], int | None]:
        """Return entries that *wanted* fits, whether they can be replayed or not, newest first.

        Nothing changes.

        Args:
            below_id: Only entries with a lower id.
            look_at: How many entries are looked at, of a state if one is wanted. Entries of given
                ids and of an event id are found by these.

        Returns:
            The entries, and below which id to go on; None at the end.
        """
        with self._transactions.read() as connection:
            return candidates(connection, wanted, below_id, limit, look_at)


def _next_ids(wanted: Filter, window: Window) -> tuple[Filter, int]:
    """Return what one step looks for, and up to which id it goes."""
    after_id, up_to_id, limit, _ = window
    assert up_to_id is not None  # noqa: S101  # for the type checker
    if wanted.entry_ids is None:
        return wanted, min(up_to_id, after_id + LOOK_AT)
    # Entries that are named are looked up by their ids, however far these lie apart, and however
    # many they are.
    named = sorted(each for each in set(wanted.entry_ids) if after_id < each <= up_to_id)
    last_id = named[limit - 1] if len(named) > limit else up_to_id
    return replace(wanted, entry_ids=named[:limit]), last_id


def _check_is_other(connection: Connection, title: str) -> None:
    """Refuse what somebody has started already, by a second press of a button."""
    for row in connection.execute(_UNENDED_REPLAYS):
        if row.title == storable_text(title):
            raise ReplayRefused(
                f"replay {row.id} is about the same and has not ended: wait for it, or cancel it"
            )


def _is_due(record: ReplayRecord, now: datetime) -> bool:
    is_open = record.ended_at is None and record.paused_at is None
    return is_open and record.next_at is not None and record.next_at <= now


def _step(connection: Connection, record: ReplayRecord, now: datetime, limit: int) -> list[int]:
    """Make the next entries of a replay due, and return their ids."""
    now_ms = to_ms(now)
    wanted, last_id = _next_ids(record.wanted, Window(record.after_id, record.up_to_id, limit))
    window = Window(record.after_id, last_id, limit)
    batch = replay_all(connection, wanted, window, now_ms, record.handlers)
    for chunk in chunks(batch.entry_ids):
        connection.execute(_REMEMBER, {"replay_id": record.id, "entry_ids": chunk})
    reached_id = last_id if batch.last_id is None else batch.last_id
    is_over = reached_id >= record.up_to_id
    pace = record.per_second
    moved = {
        "replay_id": record.id,
        "reached_id": reached_id,
        "made_due": len(batch.entry_ids),
        "refused_so_far": json.dumps(Counter(record.refused) + batch.refused),
        "due_ms": None if pace is None else later(now_ms, len(batch.entry_ids) / pace),
        "over_ms": now_ms if is_over else None,
        "over_by": Ending.DONE.value if is_over else None,
    }
    connection.execute(_MOVE, moved)
    crash_points.reach("replay_written")
    return batch.entry_ids


def _read(connection: Connection, replay_id: int) -> ReplayRecord | None:
    row = connection.execute(_THIS, {"replay_id": replay_id}).first()
    return None if row is None else _record(row)


def _record(row: Row[Any]) -> ReplayRecord:
    chosen = row.chosen_handlers
    return ReplayRecord(
        id=row.id,
        wanted=read_filter(row.wanted),
        handlers=None if chosen is None else tuple(json.loads(chosen)),
        reason=row.reason,
        who=row.who,
        started_at=from_ms(row.started_at_ms),
        ended_at=_moment(row.ended_at_ms),
        after_id=row.after_id,
        up_to_id=row.up_to_id,
        count=row.replayed_count,
        title=row.title,
        per_second=row.per_second,
        previewed_count=row.previewed_count,
        next_at=_moment(row.next_at_ms),
        paused_at=_moment(row.paused_at_ms),
        ending=None if row.ending is None else Ending(row.ending),
        refused=json.loads(row.refused),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
