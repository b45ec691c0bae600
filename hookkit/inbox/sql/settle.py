"""What the holder of a lease may do to its entry, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, bindparam, event, func, update
from sqlalchemy.exc import InvalidRequestError

from hookkit import crash_points
from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.entry import Entry, Settlement, State
from hookkit.inbox.records import later, to_ms
from hookkit.inbox.sql.rows import attempt_row
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
_SETTLE = _HELD.values(
    state=bindparam("new_state"),
    due_at_ms=bindparam("new_due_ms"),
    lease_token=None,
    lost_claim_count=0,
    event_type=func.coalesce(bindparam("new_type"), entries.c.event_type),
)
_BEGIN = _HELD.values(
    state=State.RUNNING.value,
    due_at_ms=bindparam("new_due_ms"),
    # Not one more than before: after an answer that was lost, this is asked for twice.
    attempt_count=bindparam("new_count"),
)
_GIVE_BACK = _HELD.where(entries.c.state == State.WAITING.value).values(
    due_at_ms=bindparam("new_due_ms"), lease_token=None
)
# Changes nothing, and nobody else can claim the entry until the transaction's end.
_FENCE = _HELD.values(lease_token=entries.c.lease_token)
_INSERT_ATTEMPT = attempts.insert()


class UndoneError(Exception):
    """Leaves a transaction so that it is rolled back.

    Attributes:
        attempt: How it ended; None when the entry belongs to another claim.
    """

    def __init__(self, attempt: Attempt | None) -> None:
        self.attempt = attempt


def renew(connection: Connection, entry: Entry, until_ms: int) -> bool:
    """Extend the lease; False when the entry belongs to another claim by now."""
    return connection.execute(_RENEW, _held(entry) | {"new_due_ms": until_ms}).rowcount == 1


def begin(connection: Connection, entry: Entry, until_ms: int) -> bool:
    """Lease *entry*, which was set aside; False when it belongs to another claim by now."""
    begun = _held(entry) | {"new_due_ms": until_ms, "new_count": entry.claim_count}
    return connection.execute(_BEGIN, begun).rowcount == 1


def give_back(connection: Connection, set_aside: Collection[Entry], now_ms: int) -> None:
    """Make due at once what was set aside and not begun."""
    connection.execute(_GIVE_BACK, [_held(entry) | {"new_due_ms": now_ms} for entry in set_aside])


def settle(connection: Connection, entry: Entry, settlement: Settlement, now_ms: int) -> bool:
    """Record the attempts and the next state; False, and nothing recorded, when fenced."""
    due_at_ms = None
    if settlement.state is State.WAITING:
        due_at_ms = later(now_ms, settlement.retry_after_s or 0)
    settled = {
        "new_state": settlement.state.value,
        "new_due_ms": due_at_ms,
        "new_type": settlement.event_type,
    }
    if connection.execute(_SETTLE, _held(entry) | settled).rowcount != 1:
        return False
    _record(connection, entry, settlement.attempts, now_ms)
    return True


def record_or_undo(connection: Connection, entry: Entry, attempt: Attempt) -> None:
    """Record that *attempt* succeeded, or have the transaction rolled back.

    Raises:
        UndoneError: It did not succeed, or the entry belongs to another claim by now.
    """
    if attempt.outcome is not Outcome.SUCCEEDED:
        raise UndoneError(attempt)
    crash_points.reach("effects_written")
    if connection.execute(_FENCE, _held(entry)).rowcount != 1:
        raise UndoneError(None)
    _record(connection, entry, [attempt], to_ms(attempt.ended_at))
    crash_points.reach("success_written")


def _record(connection: Connection, entry: Entry, made: Sequence[Attempt], now_ms: int) -> None:
    """Record the attempts that are not recorded yet."""
    unrecorded = [attempt for attempt in made if not attempt.is_recorded]
    if unrecorded:
        rows = [attempt_row(entry, attempt, now_ms) for attempt in unrecorded]
        connection.execute(_INSERT_ATTEMPT, rows)


def _held(entry: Entry) -> dict[str, object]:
    return {"entry_id": entry.id, "held_token": entry.lease_token}
