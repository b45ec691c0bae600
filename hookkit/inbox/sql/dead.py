"""Groups dead letters by what failed, inside the caller's transaction."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import State
from hookkit.inbox.sights import DeadGroup
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.damage import moment_of
from hookkit.inbox.sql.rows import chunks
from hookkit.inbox.sql.tables import attempts, entries

#: The attempts of so many dead letters are read by one statement. For many more, PostgreSQL
#: would rather read the whole table.
_AT_ONCE = 1500

#: How much of a first line tells errors apart.
_MAX_CHARS = 300
# A word of eight characters or more that holds a digit, or a number.
_ID = re.compile(r"\b(?=[A-Za-z_-]*\d)[\w-]{8,}|\d+")

# Attempts that nothing was to follow; of a handler that was replayed, the last one counts.
_LAST = (
    select(
        attempts.c.entry_id,
        attempts.c.handler,
        attempts.c.outcome,
        attempts.c.error,
        attempts.c.ended_at_ms,
        attempts.c.raised_at,
    )
    .where(
        attempts.c.entry_id.in_(bindparam("of_entries", expanding=True)),
        attempts.c.retry_at_ms.is_(None),
    )
    .order_by(attempts.c.id)
)


class _Failure(NamedTuple):
    """How one handler left one dead letter."""

    entry_id: int
    endpoint: str
    at: datetime
    where: str | None


def dead_groups(connection: Connection, look_at: int) -> Sequence[DeadGroup]:
    """Return the newest dead letters in groups, the largest group first.

    A dead letter that several handlers have left is in a group of each.

    Args:
        look_at: How many dead letters are looked at.
    """
    newest = (
        select(entries.c.id, entries.c.endpoint, entries.c.problem, entries.c.received_at_ms)
        .where(entries.c.state == State.DEAD.value)
        .order_by(entries.c.id.desc())
        .limit(look_at)
    )
    grouped: dict[tuple[str, str], list[_Failure]] = defaultdict(list)
    for rows in chunks(connection.execute(newest).all(), _AT_ONCE):
        last = _last_attempts(connection, [entry_id for entry_id, *_ in rows])
        for entry_id, endpoint, problem, received_ms in rows:
            failed = [each for each in last[entry_id].values() if each[1] not in FINISHED]
            for handler, outcome, error, ended_ms, where in failed:
                failure = _Failure(entry_id, endpoint, moment_of(ended_ms), where)
                grouped[str(handler), _first_line(error or outcome)].append(failure)
            if not failed:
                failure = _Failure(entry_id, endpoint, moment_of(received_ms), None)
                grouped["", _first_line(problem or "")].append(failure)
    groups = [_group(*key, failures) for key, failures in grouped.items()]
    return sorted(groups, key=lambda group: (-group.count, group.handler, group.error))


def _last_attempts(
    connection: Connection, entry_ids: Sequence[int]
) -> Mapping[int, Mapping[str, tuple[Any, ...]]]:
    """Return the last attempt of each handler, by entry and handler."""
    last: dict[int, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for entry_id, *of_attempt in execute(connection, _LAST, {"of_entries": list(entry_ids)}):
        last[entry_id][of_attempt[0]] = tuple(of_attempt)
    return last


def _first_line(error: object) -> str:
    """Return what an error has in common with others: its first line, with # for ids in it."""
    return _ID.sub("#", str(error).split("\n", 1)[0][:_MAX_CHARS])


def _group(handler: str, error: str, failures: Sequence[_Failure]) -> DeadGroup:
    newest = max(failures)
    times = [each.at for each in failures]
    return DeadGroup(
        handler=handler,
        error=error,
        where=newest.where,
        count=len(failures),
        first_at=min(times),
        last_at=max(times),
        endpoints=sorted({each.endpoint for each in failures}),
        newest_id=newest.entry_id,
        entry_ids=[each.entry_id for each in failures],
        failed_at=times,
    )
