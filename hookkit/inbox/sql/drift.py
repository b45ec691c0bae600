"""What vendors send that is not read, counted by days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import bindparam, delete, func, select, update

from hookkit.inbox.records import MAX_WORD_CHARS, Drifted, DriftRecord, storable_text
from hookkit.inbox.sql.tables import drift
from hookkit.inbox.sql.transactions import Transactions

#: So many days are kept, and so many findings are shown at most.
KEPT_DAYS = 400
MAX_SHOWN = 1000

_EPOCH = date(1970, 1, 1)
_NAMED = (drift.c.provider, drift.c.version, drift.c.kind, drift.c.name)
_ADD = (
    update(drift)
    .where(
        drift.c.day == bindparam("on_day"),
        *(column == bindparam(f"of_{column.name}") for column in _NAMED),
    )
    .values(count=drift.c.count + bindparam("more"))
)
_FORGET = delete(drift).where(drift.c.day < bindparam("first"))
_LAST = func.max(drift.c.day)
_FIRST = func.min(drift.c.day)
_FIND = (
    select(*_NAMED, _FIRST.label("first"), _LAST.label("last"), func.sum(drift.c.count).label("n"))
    .group_by(*_NAMED)
    .having(bindparam("since") <= _LAST)
    .order_by(_FIRST.desc(), *_NAMED)
    .limit(MAX_SHOWN)
)


class Drift:
    """The findings of an inbox; every method may raise ``Unavailable``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._insert = transactions.insert_unless_there(drift)

    def add(self, day: date, counts: Mapping[Drifted, int]) -> Sequence[Drifted]:
        """Add to what was noticed on *day*; return what nobody had noticed on it before."""
        number = (day - _EPOCH).days
        new = []
        with self._transactions.write() as connection:
            # In one order, so that processes that do this at once do not wait for each other.
            for each, count in sorted(counts.items()):
                named = {
                    "provider": storable_text(each.provider, 64),
                    "version": storable_text(each.version, MAX_WORD_CHARS),
                    "kind": each.kind,
                    "name": storable_text(each.name, MAX_WORD_CHARS),
                }
                row = {"day": number, **named, "count": count}
                if connection.execute(self._insert, row).rowcount == 1:
                    new.append(each)
                    continue
                of = {f"of_{key}": value for key, value in named.items()}
                connection.execute(_ADD, {"on_day": number, **of, "more": count})
            if new:
                connection.execute(_FORGET, {"first": number - KEPT_DAYS})
        return new

    def find(self, since: date) -> Sequence[DriftRecord]:
        """Return what was noticed on *since* or later, what was first noticed last first."""
        with self._transactions.read() as connection:
            rows = connection.execute(_FIND, {"since": (since - _EPOCH).days}).all()
        return [
            DriftRecord(
                provider=row.provider,
                version=row.version,
                kind=row.kind,
                name=row.name,
                first_on=_EPOCH + timedelta(days=row.first),
                last_on=_EPOCH + timedelta(days=row.last),
                count=int(row.n),
            )
            for row in rows
        ]
