"""Who did what to an inbox: written before it is done, and settled when it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from hookkit.core.entry import Filter
from hookkit.inbox.records import Act, ActRecord, from_ms, storable_text, to_ms
from hookkit.inbox.sql.filters import read_filter, spelt_filter
from hookkit.inbox.sql.tables import MAX_AUDIT_CHARS, audit
from hookkit.inbox.sql.transactions import Transactions

_SETTLE = (
    update(audit)
    .where(audit.c.id == bindparam("act_id"), audit.c.result.is_(None))
    .values(result=bindparam("ended"))
)
_PRUNE = delete(audit).where(audit.c.at_ms < bindparam("before_ms"))


class Audit:
    """What people did; ``Inbox.audit`` is one. Every method may raise ``Unavailable``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def begin(self, act: Act, *, now: datetime) -> int:
        """Record what somebody is about to do, and return the number of the record."""
        row = audit.insert().values(
            at_ms=to_ms(now),
            who=storable_text(act.who, MAX_AUDIT_CHARS),
            permitted_by=act.right,
            action=act.action,
            target=storable_text(act.target, MAX_AUDIT_CHARS),
            wanted=None if act.wanted is None else spelt_filter(act.wanted),
            reason=storable_text(act.reason, MAX_AUDIT_CHARS),
            address=storable_text(act.address, MAX_AUDIT_CHARS),
        )
        with self._transactions.write() as connection:
            made = connection.execute(row)
            (act_id,) = made.inserted_primary_key or (0,)
            return int(act_id)

    def settle(self, act_id: int, result: str) -> None:
        """Record what came of it, once."""
        values = {"act_id": act_id, "ended": storable_text(result, MAX_AUDIT_CHARS)}
        self._transactions.write_shared(lambda connection: connection.execute(_SETTLE, values))

    def find(self, *, limit: int = 50, below_id: int | None = None) -> Sequence[ActRecord]:
        """Return what people did, newest first.

        Args:
            limit: How many records, at least 1.
            below_id: Only records with a lower number: the last one of the page before.
        """
        chosen = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if below_id is not None:
            chosen = chosen.where(audit.c.id < below_id)
        with self._transactions.read() as connection:
            return [_record(row) for row in connection.execute(chosen)]

    def prune(self, before: datetime) -> None:
        """Delete what was done before a moment."""
        moment = {"before_ms": to_ms(before)}
        self._transactions.write_shared(lambda connection: connection.execute(_PRUNE, moment))


def _record(row: Row[Any]) -> ActRecord:
    wanted: Filter | None = None if row.wanted is None else read_filter(row.wanted)
    return ActRecord(
        id=row.id,
        at=from_ms(row.at_ms),
        act=Act(
            who=row.who,
            right=row.permitted_by,
            action=row.action,
            target=row.target,
            wanted=wanted,
            reason=row.reason,
            address=row.address,
        ),
        result=row.result,
    )
