"""The attempts of one event as a drawing: a lane for each handler, a column for each moment.

Columns stand side by side, however long it was from one to the next: retries wait for seconds at
first and for hours at last. Each says how long after the receipt it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hookkit.cli.flask_commands.entries import cut, lasting, outcome_mark, short_name
from hookkit.core.text import counted
from hookkit.inbox.records import AttemptRecord, EntryRecord

#: Sizes in CSS pixels.
LABEL, COLUMN, ROW, TOP = 144, 72, 30, 34

#: So many columns are drawn; the list has the others.
MAX_COLUMNS = 20
#: So many handlers that have not run are drawn.
MAX_UNTRIED = 5

_LABEL_CHARS = 18

#: Attempts that begin within this time share a column.
_AT_ONCE = timedelta(seconds=1)


class Mark(NamedTuple):
    """An attempt, or the next one; *outcome* is empty for the next one."""

    x: int
    y: int
    sign: str
    outcome: str


class Lane(NamedTuple):
    """A handler; the line of its attempts goes from *x1* to *x2*, without one they are equal."""

    name: str
    y: int
    x1: int
    x2: int
    is_untried: bool


class Column(NamedTuple):
    """A moment; *replay* is the number of the replay that begins with it, else 0."""

    x: int
    after: str
    replay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A drawing.

    Attributes:
        summary: What a glance at it should tell.
        left_out: How many attempts are not drawn.
    """

    width: int
    height: int
    summary: str
    columns: Sequence[Column]
    lanes: Sequence[Lane]
    marks: Sequence[Mark]
    left_out: int


class _Step(NamedTuple):
    """What is in one column: the attempts by their handlers; none of the next attempt's."""

    at: datetime
    replays: int
    attempts: dict[str, AttemptRecord | None]


def timeline_of(record: EntryRecord, untried: Sequence[str]) -> Timeline | None:
    """Return the drawing of an entry's attempts; None if no handler has run.

    Args:
        untried: Handlers that have not run for it.
    """
    steps = list(_steps(record))
    if not steps:
        return None
    drawn = steps[-MAX_COLUMNS:]
    tried = list(dict.fromkeys(handler for step in steps for handler in step.attempts))
    names = [*tried, *untried[:MAX_UNTRIED]]
    marks = [mark for number, step in enumerate(drawn) for mark in _marks(number, step, names)]
    count = len(record.attempts)
    handlers = counted(len(tried), "handler", "handlers")
    return Timeline(
        width=LABEL + COLUMN * len(drawn),
        height=TOP + ROW * len(names),
        summary=f"{counted(count, 'attempt', 'attempts')} of {handlers}",
        columns=list(_columns(drawn, record.received_at)),
        lanes=[_lane(number, name, marks, name not in tried) for number, name in enumerate(names)],
        marks=marks,
        left_out=sum(len(step.attempts) for step in steps[:-MAX_COLUMNS]),
    )


def _steps(record: EntryRecord) -> Iterator[_Step]:
    step: _Step | None = None
    for each in sorted(record.attempts, key=lambda each: (each.replays, each.started_at)):
        is_apart = (
            step is None
            or each.handler in step.attempts
            or each.replays != step.replays
            or each.started_at - step.at > _AT_ONCE
        )
        if step is None or is_apart:
            if step is not None:
                yield step
            step = _Step(each.started_at, each.replays, {})
        step.attempts[each.handler] = each
    if step is None:
        return
    yield step
    if record.next_attempt_at is not None:
        last = {each.handler: each for each in record.attempts}
        waiting = {name: None for name, each in last.items() if each.retry_at is not None}
        yield _Step(record.next_attempt_at, step.replays, dict(waiting))


def _columns(steps: Sequence[_Step], received_at: datetime) -> Iterator[Column]:
    before = 0
    for number, step in enumerate(steps):
        after_s = (step.at - received_at).total_seconds()
        replay = step.replays if step.replays != before else 0
        yield Column(_x(number), f"+{lasting(max(0.0, after_s))}", replay)
        before = step.replays


def _marks(number: int, step: _Step, names: Sequence[str]) -> Iterator[Mark]:
    for handler, attempt in step.attempts.items():
        sign = "" if attempt is None else outcome_mark(attempt.outcome)
        outcome = "" if attempt is None else attempt.outcome.value
        yield Mark(_x(number), _y(names.index(handler)), sign, outcome)


def _lane(number: int, name: str, marks: Sequence[Mark], is_untried: bool) -> Lane:  # noqa: FBT001  # one caller
    xs = [mark.x for mark in marks if mark.y == _y(number)] or [LABEL]
    label = cut(short_name(name), _LABEL_CHARS) or "no handler"
    return Lane(label, _y(number), min(xs), max(xs), is_untried)


def _x(number: int) -> int:
    return LABEL + COLUMN * number + COLUMN // 2


def _y(number: int) -> int:
    return TOP + ROW * number + ROW // 2
