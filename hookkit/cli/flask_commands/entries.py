"""How entries look on a terminal: state, attempts and errors, without personal data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hookkit.cli.flask_commands.common import fields_of
from hookkit.cli.terminal import WIDTH, aligned
from hookkit.core.attempts import FINISHED, Outcome
from hookkit.core.entry import State
from hookkit.core.masking import masked_error, masked_id
from hookkit.core.text import visible
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept
from hookkit.inbox.sights import Neighbour

_GOOD, _BAD, _OPEN = "\N{HEAVY CHECK MARK}", "\N{HEAVY MULTIPLICATION X}", "\N{MIDDLE DOT}"
_STATES = {State.DONE: _GOOD, State.DEAD: _BAD}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

#: Before the class of an error, which ends at a colon or is all.
_MODULE = re.compile(r"^(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_]\w*(?::|$))")

#: What no column but the last may exceed.
MAX_CELL = 24
#: What the last column gets at least.
_LEAST = 16


def state_words(state: State) -> str:
    """Return *state* with its mark."""
    return f"{_STATES.get(state, _OPEN)} {state.value}"


def outcome_mark(outcome: Outcome) -> str:
    """Return the mark of an attempt that ended so."""
    if outcome in FINISHED:
        return _GOOD
    return _OPEN if outcome in (Outcome.UNHANDLED, Outcome.UNKNOWN) else _BAD


def type_of(record: EntryRecord | Kept | Neighbour) -> str:
    """Return the event type of an entry, or the vendor's word while it was never handled."""
    return record.event_type or record.vendor_type


def short_name(handler: str) -> str:
    """Return a handler's name without the module."""
    return handler.rpartition(".")[2] or handler


def first_line(error: str | None, *, is_revealed: bool = False) -> str:
    """Return the first line of an error, without personal data unless it is revealed."""
    line = (error or "").split("\n", 1)[0]
    return line if is_revealed else masked_error(line)


def short_error(error: str) -> str:
    """Return the text of an error without the module of its class."""
    return _MODULE.sub("", error, count=1)


def last_error(record: EntryRecord) -> str:
    """Return the handler and the error of the last attempt that failed; ``""`` without one."""
    for attempt in reversed(record.attempts):
        if attempt.error is not None:
            return f"{short_name(attempt.handler)}: {short_error(first_line(attempt.error))}"
    return (record.problem and masked_error(record.problem)) or ""


def taken(attempt: AttemptRecord) -> str:
    """Return how long an attempt took."""
    seconds = (attempt.ended_at - attempt.started_at).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long before *now* a moment was, or how long after it, for people."""
    seconds = (now - moment).total_seconds()
    size = lasting(abs(seconds))
    return f"{size} ago" if seconds >= 0 else f"in {size}"


def lasting(seconds: float) -> str:
    """Return a duration for people, in its largest unit."""
    for least_s, one_s, unit in ((172800, 86400, "days"), (7200, 3600, "h"), (120, 60, "min")):
        if seconds >= least_s:
            return f"{seconds / one_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def cut(text: str, chars: int) -> str:
    """Return *text*, made visible, with at most so many characters."""
    text = visible(text)
    return text if len(text) <= chars else f"{text[: chars - 1]}{_ELLIPSIS}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield aligned lines that fit the terminal: long cells are cut, the last to what is left."""
    cells = [[*(cut(cell, MAX_CELL) for cell in row[:-1]), visible(row[-1])] for row in rows]
    shown = [list(headings), *cells]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headings) - 1)]
    left = max(_LEAST, WIDTH - sum(widths) - 2 * len(widths))
    yield from aligned([*row[:-1], cut(row[-1], left)] for row in shown)


def entry_fields(record: EntryRecord, *, is_revealed: bool = False) -> Mapping[str, Any]:
    """Return the fields of an entry for JSON, its ids and errors without personal data."""
    if is_revealed:
        return fields_of(record)
    attempts = [
        replace(each, error=None if each.error is None else masked_error(each.error))
        for each in record.attempts
    ]
    problem = None if record.problem is None else masked_error(record.problem)
    named = {"event_id": record.event_id, "lane": record.lane, "fact": record.fact}
    ids = {name: None if text is None else masked_id(text) for name, text in named.items()}
    return fields_of(record) | ids | {"attempts": attempts, "problem": problem}
