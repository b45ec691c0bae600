"""What has become of the entries that a replay has made due, inside the caller's transaction."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import State
from hookkit.inbox.sights import ReplayResults
from hookkit.inbox.sql.tables import attempts, entries, replayed

#: How many entries of a replay run first, alone: if most of them fail again, nothing was mended.
PROBE_COUNT = 50
#: If this many of them have failed again, the replay stops.
MOST_FAILED = PROBE_COUNT * 9 // 10


class Verdict(StrEnum):
    """What the first entries of a replay say of the others."""

    UNDECIDED = "undecided"
    GO_ON = "go on"
    STOP = "stop"


_FAILED = exists().where(
    attempts.c.entry_id == entries.c.id,
    attempts.c.replay_count == entries.c.replay_count,
    attempts.c.outcome.not_in(sorted(FINISHED)),
)


def results(connection: Connection, replay_id: int, limit: int) -> ReplayResults:
    """Return how the newest entries that a replay has made due stand.

    Args:
        limit: How many of them are looked at, at most.
    """
    found = _results(connection, replay_id, limit, replayed.c.entry_id.desc())
    return ReplayResults(**found, is_whole=sum(found.values()) < limit)


def verdict(connection: Connection, replay_id: int) -> Verdict:
    """Return what the first entries of a replay say of the others."""
    found = _results(connection, replay_id, PROBE_COUNT, replayed.c.entry_id.asc())
    has_failed = found["dead"] + found["failing"]
    if has_failed >= MOST_FAILED:
        return Verdict.STOP
    can_fail = has_failed + found["unrun"]
    return Verdict.UNDECIDED if can_fail >= MOST_FAILED else Verdict.GO_ON


def _results(
    connection: Connection, replay_id: int, limit: int, order: ColumnElement[int]
) -> Counter[str]:
    chosen = (
        select(replayed.c.entry_id, replayed.c.replay_count)
        .where(replayed.c.replay_id == replay_id)
        .order_by(order)
        .limit(limit)
        .subquery()
    )
    kind = case(
        # It was pruned, or a person has run it again since: this says nothing of the replay.
        (entries.c.replay_count.is_distinct_from(chosen.c.replay_count), "elsewhere"),
        (entries.c.state == State.DONE.value, "succeeded"),
        (entries.c.state == State.DEAD.value, "dead"),
        (_FAILED, "failing"),
        else_="unrun",
    ).label("kind")
    joined = chosen.outerjoin(entries, entries.c.id == chosen.c.entry_id)
    of_each = select(kind).select_from(joined).subquery()
    counted = select(of_each.c.kind, func.count().label("total")).group_by(of_each.c.kind)
    found: Counter[str] = Counter(
        dict.fromkeys(("succeeded", "dead", "failing", "unrun", "elsewhere"), 0)
    )
    found.update({row.kind: row.total for row in connection.execute(counted)})
    return found
