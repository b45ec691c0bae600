"""How handlers ran lately, inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from hookkit.core.attempts import FINISHED, Outcome
from hookkit.inbox.records import to_ms
from hookkit.inbox.sights import HandlerRuns, Run, Runs
from hookkit.inbox.sql.tables import attempts, entries

_FINISHED = {outcome.value for outcome in FINISHED}

_HIGHEST = select(func.max(attempts.c.id))
_FIRST = (
    select(attempts.c.started_at_ms)
    .where(attempts.c.id > bindparam("above"))
    .order_by(attempts.c.id)
    .limit(1)
)
_COUNTS = (
    select(attempts.c.handler, attempts.c.outcome, func.count())
    .where(
        attempts.c.id > bindparam("above"),
        attempts.c.started_at_ms >= bindparam("since_ms"),
        # An attempt without a handler says that there was none to run.
        attempts.c.handler != "",
    )
    .group_by(attempts.c.handler, attempts.c.outcome)
)


def runs(
    connection: Connection, since: datetime, endpoint: str | None, look_at: int
) -> Sequence[Run]:
    """Return the newest attempts, newest first; those before *since* are left out."""
    newest = select(attempts).order_by(attempts.c.id.desc()).limit(look_at).subquery()
    # Of each attempt by itself: PostgreSQL would read all entries to join them.
    of_entry = entries.c.id == newest.c.entry_id
    chosen = (
        select(
            newest.c.ended_at_ms,
            newest.c.started_at_ms,
            newest.c.outcome,
            newest.c.number,
            newest.c.replay_count,
            select(entries.c.received_at_ms).where(of_entry).scalar_subquery(),
        )
        .where(newest.c.ended_at_ms >= to_ms(since))
        .order_by(newest.c.id.desc())
    )
    if endpoint is not None:
        at = select(entries.c.endpoint).where(of_entry).scalar_subquery()
        chosen = chosen.where(at == endpoint)
    words = {each.value: each for each in Outcome}
    return [
        Run(
            ended_ms,
            words.get(word, Outcome.UNKNOWN),
            None
            if number > 1 or replays or received_ms is None
            else max(0, started_ms - received_ms) / 1000,
        )
        for ended_ms, started_ms, word, number, replays, received_ms in connection.execute(chosen)
    ]


def handler_runs(connection: Connection, since: datetime, look_at: int) -> Runs:
    """Return what the handlers of the newest *look_at* attempts did since a moment."""
    above = max(0, (connection.execute(_HIGHEST).scalar() or 0) - look_at)
    counts: dict[str, HandlerRuns] = defaultdict(lambda: HandlerRuns(0, 0))
    span = {"above": above, "since_ms": to_ms(since)}
    for handler, outcome, count in connection.execute(_COUNTS, span):
        runs, failures = counts[handler]
        failed = 0 if outcome in _FINISHED else count
        counts[handler] = HandlerRuns(runs + count, failures + failed)
    first_ms = connection.execute(_FIRST, {"above": above}).scalar()
    return Runs(dict(counts), above == 0 or first_ms is None or first_ms < to_ms(since))
