"""What the holder of a lease may do to its entry, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, event, update
from sqlalchemy.exc import InvalidRequestError

from hookkit import crash_points
from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.entry import Entry, Settlement, State
from hookkit.inbox.records import later, to_ms
from hookkit.inbox.sql.rows import Values, attempt_row
from hookkit.inbox.sql.tables import attempts, entries


@contextmanager
def forbid_commit(connection: Connection) -> Iterator[Connection]:
    """Keep whoever uses *connection* from ending the transaction that it is in.

    An early commit would keep effects whose success is not recorded, and they would be
    there twice after the next attempt.
    """

    def refuse(_: Connection) -> None:
        raise InvalidRequestError(
            "a transactional handler must neither commit nor roll back run.connection: it is"
            " committed with the record of success; raise an exception to roll it back"
        )

    for ending in ("commit", "rollback"):
        event.listen(connection, ending, refuse)
    try:
        yield connection
    finally:
        for ending in ("commit", "rollback"):
            event.remove(connection, ending, refuse)


# Built once: putting a statement together takes longer than SQLite does to run it.
_HELD = (
    update(entries)
    .where(entries.c.id == bindparam("entry_id"))
    .where(entries.c.lease_token == bindparam("held_token"))
)
_RENEW = _HELD.values(due_at_ms=bindparam("new_due_ms"))
# As if it had not been claimed: one that had an attempt before waited for the next one.
_HAS_BEEN_TRIED = entries.c.attempt_count > 0
_GIVE_BACK = _HELD.values(
    state=case((_HAS_BEEN_TRIED, State.WAITING.value), else_=State.PENDING.value),
    due_at_ms=case((_HAS_BEEN_TRIED, bindparam("new_due_ms")), else_=entries.c.received_at_ms),
    lease_token=None,
)
# Nobody else can claim the entry until the transaction's end. The attempt is counted with its
# success: releases before the groups look for successes only of what was counted.
_FENCE = _HELD.values(attempt_count=bindparam("new_count"))
_INSERT_ATTEMPT = attempts.insert()


class UndoneError(Exception):
    """Leaves a transaction so that it is rolled back.

    Attributes:
        attempt: How it ended; None when the entry belongs to another claim.
    """

    def __init__(self, attempt: Attempt | None) -> None:
        self.attempt = attempt


def renew(connection: Connection, held: Collection[Entry], until_ms: int) -> set[int]:
    """Extend the leases; return the ids of those that do not belong to another claim by now."""
    return {
        entry.id
        # In this order, so that it and a settlement wait for each other in one direction only.
        for entry in sorted(held, key=attrgetter("id"))
        if connection.execute(_RENEW, _held(entry) | {"new_due_ms": until_ms}).rowcount == 1
    }


def give_back(connection: Connection, group: Collection[Entry], now_ms: int) -> None:
    """Make due at once what was claimed in a group and has not begun."""
    in_order = sorted(group, key=attrgetter("id"))
    connection.execute(_GIVE_BACK, [_held(entry) | {"new_due_ms": now_ms} for entry in in_order])


def record_or_undo(connection: Connection, entry: Entry, attempt: Attempt) -> None:
    """Record that *attempt* succeeded, or have the transaction rolled back.

    Raises:
        UndoneError: It did not succeed, or the entry belongs to another claim by now.
    """
    if attempt.outcome is not Outcome.SUCCEEDED:
        raise UndoneError(attempt)
    crash_points.reach("effects_written")
    fenced = _held(entry) | {"new_count": entry.claim_count}
    if connection.execute(_FENCE, fenced).rowcount != 1:
        raise UndoneError(None)
    row = attempt_row(entry, attempt, to_ms(attempt.ended_at))
    connection.execute(_INSERT_ATTEMPT, row)
    crash_points.reach("success_written")


class Ending(NamedTuple):
    """What a settlement changes in the row of its entry.

    Attributes:
        new_type: None leaves the event type that is recorded.
        counted: How many attempts it counts.
    """

    new_state: str
    new_due_ms: int | None
    new_type: str | None
    counted: int


def ending_of(entry: Entry, settlement: Settlement, now_ms: int) -> Ending:
    """Return what *settlement* changes in the row of *entry*."""
    due_ms = None
    if settlement.state is State.WAITING:
        due_ms = later(_moment_of(settlement, now_ms), settlement.retry_after_s or 0)
    made = settlement.attempts
    # Nothing was attempted if the clock was set back since the claim. What was recorded with its
    # effects was counted with them.
    is_to_count = bool(made) and not any(attempt.is_recorded for attempt in made)
    counted = int(entry.is_of_group and is_to_count)
    return Ending(settlement.state.value, due_ms, settlement.event_type, counted)


def attempt_rows(entry: Entry, settlement: Settlement, now_ms: int) -> list[Values]:
    """Return the rows of the attempts that are not recorded yet."""
    ended_ms = _moment_of(settlement, now_ms)
    return [
        attempt_row(entry, attempt, ended_ms)
        for attempt in settlement.attempts
        if not attempt.is_recorded
    ]


def _moment_of(settlement: Settlement, now_ms: int) -> int:
    return now_ms if settlement.decided_at is None else to_ms(settlement.decided_at)


def _held(entry: Entry) -> dict[str, object]:
    return {"entry_id": entry.id, "held_token": entry.lease_token}
