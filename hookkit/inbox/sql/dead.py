"""Groups dead letters by what failed, inside the caller's transaction."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, func, select

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import State
from hookkit.inbox.records import from_ms
from hookkit.inbox.sights import DeadGroup
from hookkit.inbox.sql.damage import whole_number
from hookkit.inbox.sql.find import is_in
from hookkit.inbox.sql.tables import attempts, entries
from hookkit.inbox.sql.with_attempts import with_attempts

#: How much of a first line tells errors apart.
_MAX_CHARS = 300
# A word of eight characters or more that holds a digit, or a number.
_ID = re.compile(r"\b(?=[A-Za-z_-]*\d)[\w-]{8,}|\d+")

_OF_ATTEMPTS = [
    attempts.c.handler,
    attempts.c.outcome,
    func.substr(attempts.c.error, 1, _MAX_CHARS).label("error"),
    attempts.c.ended_at_ms,
    attempts.c.raised_at,
]


# An entry without an attempt has None in its place.
_NOT_FAILED = {*FINISHED, None}


@dataclass(slots=True)
class _Failures:
    """Dead letters that one handler has left for one reason, the highest id first."""

    entry_ids: list[int] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    endpoints: set[str] = field(default_factory=set)
    # Where the newest was raised.
    where: str | None = None

    def add(self, entry_id: int, endpoint: str, at_ms: object, where: str | None = None) -> None:
        if not self.entry_ids:
            self.where = where
        self.entry_ids.append(entry_id)
        self.times_ms.append(whole_number(at_ms))
        self.endpoints.add(endpoint)


def dead_groups(connection: Connection, look_at: int) -> Sequence[DeadGroup]:
    """Return the newest dead letters in groups, the largest group first.

    A dead letter that several handlers have left is in a group of each.

    Args:
        look_at: How many dead letters are looked at.
    """
    newest = (
        select(entries.c.id, entries.c.endpoint, entries.c.problem, entries.c.received_at_ms)
        .where(is_in(State.DEAD))
        .order_by(entries.c.id.desc())
        .limit(look_at)
        .subquery()
    )
    # Attempts that nothing was to follow; of a handler that was replayed, the last one counts.
    is_last = attempts.c.retry_at_ms.is_(None)
    found = connection.execute(with_attempts(connection, newest, is_last, columns=_OF_ATTEMPTS))
    grouped: dict[tuple[str, str], _Failures] = defaultdict(_Failures)
    # Row by row: the garbage collector would go through all of them.
    for _, of_entry in groupby(found, key=itemgetter(0)):
        last: dict[str | None, Any] = {row.handler: row for row in of_entry}
        failed = [row for row in last.values() if row.outcome not in _NOT_FAILED]
        for entry_id, endpoint, _, _, handler, outcome, error, ended_ms, where in failed:
            failures = grouped[str(handler), _first_line(error or outcome)]
            failures.add(entry_id, endpoint, ended_ms, where)
        if not failed:
            entry_id, endpoint, problem, received_ms, *_ = next(iter(last.values()))
            grouped["", _first_line(problem or "")].add(entry_id, endpoint, received_ms)
    groups = [_group(*key, failures) for key, failures in grouped.items()]
    return sorted(groups, key=lambda group: (-group.count, group.handler, group.error))


def _first_line(error: object) -> str:
    """Return what an error has in common with others: its first line, with # for ids in it."""
    return _ID.sub("#", str(error).split("\n", 1)[0][:_MAX_CHARS])


def _group(handler: str, error: str, failures: _Failures) -> DeadGroup:
    return DeadGroup(
        handler=handler,
        error=error,
        where=failures.where,
        count=len(failures.entry_ids),
        first_at=from_ms(min(failures.times_ms)),
        last_at=from_ms(max(failures.times_ms)),
        endpoints=sorted(failures.endpoints),
        newest_id=failures.entry_ids[0],
        entry_ids=failures.entry_ids,
        failed_at_ms=failures.times_ms,
    )
