"""What a disk has changed in a row: it is told, and holds up nothing else.

A database need not notice that a bit of a row has flipped. SQLite may return NULL or a text for a
number then, whatever the column says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, update

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.records import from_ms
from hookkit.inbox.sql.tables import entries

_Due = TypeVar("_Due")

#: The numbers of an entry that a claim reads, by the names that ``Due`` has for them -> their
#: columns, and what stands in place of one that is gone.
_NUMBERS = {
    "delivery_id": ("delivery_id", 0),
    "position": ("position", 0),
    "received_at_ms": ("received_at_ms", None),
    "due_at_ms": ("due_at_ms", None),
    "claim_count": ("attempt_count", 0),
    "lost_claim_count": ("lost_claim_count", 0),
    "generation": ("generation", 1),
    "replays": ("replay_count", 0),
}
_numbers_of: Callable[[Any], tuple[object, ...]] = attrgetter(*_NUMBERS)

PROBLEM = "what is stored of this entry was damaged"

OUTCOMES = frozenset(Outcome)
_STATES = frozenset(State)

_COLUMNS = [column for column, _ in _NUMBERS.values()]
_BURY = (
    update(entries)
    .where(entries.c.id == bindparam("entry_id"))
    .values(
        state=State.DEAD.value,
        lease_token=None,
        chosen_handlers=None,
        problem=PROBLEM,
        **{column: bindparam(f"new_{column}") for column in _COLUMNS},
    )
)


def state_of(word: str) -> State:
    """Return the state that is stored as *word*; one that was damaged is that of a dead letter.

    Nothing claims such an entry, and a replay runs what has not succeeded.
    """
    return State(word) if word in _STATES else State.DEAD


def outcome_of(word: str) -> Outcome:
    """Return the outcome that is stored as *word*; one that was damaged is not known."""
    return Outcome(word) if word in OUTCOMES else Outcome.LOST


def whole_number(stored: object) -> int:
    """Return a number that is stored; one that was damaged is 0."""
    return stored if isinstance(stored, int) else 0


def moment_of(milliseconds: object) -> datetime:
    """Return a time that is stored; one that was damaged is the epoch."""
    return from_ms(whole_number(milliseconds))


def without_damaged(connection: Connection, due: Iterable[_Due], now_ms: int) -> list[_Due]:
    """Return what of *due* is whole; make dead letters of the rest, which cannot be claimed."""
    whole: list[_Due] = []
    damaged: list[_Due] = []
    for each in due:
        (whole if _is_whole(each) else damaged).append(each)
    if damaged:
        connection.execute(_BURY, [_mended(each, now_ms) for each in damaged])
    return whole


def _is_whole(due: Any) -> bool:
    if set(map(type, _numbers_of(due))) != {int}:
        return False
    if due.chosen_handlers is None:
        return True
    try:
        return isinstance(json.loads(due.chosen_handlers), list)
    except ValueError:
        return False


def _mended(due: Any, now_ms: int) -> dict[str, object]:
    """Return the numbers of a dead letter in place of those of *due*."""
    new = {
        f"new_{column}": value if isinstance(value, int) else otherwise
        for value, (column, otherwise) in zip(_numbers_of(due), _NUMBERS.values(), strict=True)
    }
    if not isinstance(due.position, int):
        new["new_delivery_id"] = 0  # which of its events it is cannot be known any more
    if new["new_received_at_ms"] is None:
        new["new_received_at_ms"] = now_ms
    return new | {"entry_id": due.id, "new_due_at_ms": None}
