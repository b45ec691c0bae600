"""What the page shows: the newest entries of the inbox, and beside each what the handlers did.

The inbox knows the state of an event and each attempt of a handler. ``store.py`` knows what a
handler did, in the words of this application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from hookkit import HookkitError
from hookkit.application.app_state import AppState
from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.records import AttemptRecord, EntryRecord
from sample_app import store

#: Outcomes that a person should look at.
BAD = (Outcome.FAILED, Outcome.GAVE_UP, Outcome.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerRow:
    """One handler of an event, as its last attempt left it.

    Attributes:
        name: The name of the function.
        attempt: The number of the last attempt.
        outcome: How it ended, in words.
        error: The class of the exception; empty if there was none. Its text stays in the inbox:
            it may hold what customers wrote.
        is_bad: Whether a person should look at it.
        what: What it did, in the application's words.
    """

    name: str
    attempt: int
    outcome: str
    error: str
    is_bad: bool
    what: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event: an entry of the inbox.

    Attributes:
        kind: Its type in the unified model, or else the vendor's word.
        source: Its endpoint and payload version.
        next_attempt: When handlers are tried again; empty if they are not.
        problem: Why its body could not be read; empty if it could.
    """

    id: int
    received: str
    kind: str
    source: str
    state: State
    next_attempt: str
    problem: str
    handlers: Sequence[HandlerRow]

    @property
    def is_bad(self) -> bool:
        """Whether a person should look at it."""
        return self.state is State.DEAD or any(each.is_bad for each in self.handlers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The events, or why there are none to show."""

    rows: Sequence[EventRow]
    failure: str = ""


def newest(limit: int) -> Page:
    """Return the newest *limit* events."""
    state: AppState = current_app.extensions["hookkit"]
    try:
        entries = state.opening.inbox().find(limit=limit)
    except HookkitError as error:
        return Page(rows=(), failure=f"The inbox cannot be read now: {error}.")
    did: dict[str, dict[str, list[str]]] = {}
    for note in reversed(store.of_events([entry.event_id for entry in entries])):
        did.setdefault(note["event_id"], {}).setdefault(note["handler"], []).append(note["what"])
    return Page(rows=[_row(entry, did.get(entry.event_id, {})) for entry in entries])


def _row(entry: EntryRecord, did: Mapping[str, Sequence[str]]) -> EventRow:
    return EventRow(
        id=entry.id,
        received=_time(entry.received_at),
        kind=entry.event_type or entry.vendor_type or "unknown",
        source=f"{entry.endpoint} {entry.version}".rstrip(),
        state=entry.state,
        next_attempt="" if entry.next_attempt_at is None else _time(entry.next_attempt_at),
        problem=entry.problem or "",
        handlers=list(_handlers(entry, did)),
    )


def _handlers(entry: EntryRecord, did: Mapping[str, Sequence[str]]) -> Sequence[HandlerRow]:
    last: dict[str, AttemptRecord] = {each.handler: each for each in entry.attempts}
    return [
        HandlerRow(
            name=(name := attempt.handler.rpartition(".")[2]) or "no handler",
            attempt=attempt.number,
            outcome=attempt.outcome.value.replace("_", " "),
            error=(attempt.error or "").partition(":")[0].rpartition(".")[2],
            is_bad=attempt.outcome in BAD,
            what=did.get(name, ()),
        )
        for attempt in last.values()
    ]


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
