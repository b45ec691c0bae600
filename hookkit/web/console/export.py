"""Events as a file: what the address chooses, newest first, as lines of JSON or a table.

Rule 1: deliveries go first: while they arrive, there is a long pause after each short step. Without
any a file takes seconds: gunicorn kills a sync worker after 30 s, and that one receives nothing.
Rule 2: one file at a time in a process; whoever stops reading one keeps no other waiting.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from threading import Lock
from typing import NamedTuple, Protocol

from flask import request
from werkzeug.wrappers import Response

from hookkit.application.app_state import AppState
from hookkit.cli.flask_commands.common import as_json
from hookkit.cli.flask_commands.entries import entry_fields, first_line, short_name
from hookkit.core.entry import Filter
from hookkit.core.errors import TookTooLong
from hookkit.core.text import visible
from hookkit.inbox.records import AttemptRecord, EntryRecord
from hookkit.web.console.access import Right
from hookkit.web.console.events import chosen_of, filter_of
from hookkit.web.console.visit import PageRefused, Visit

#: The most rows of a file, and the most entries that are looked at for them.
MAX_ROWS = 10_000
MAX_LOOKED_AT = 1_000_000

#: How many entries are read and written at a time: that takes Python about a millisecond, and a
#: delivery that arrives meanwhile waits for its end.
_PAGE = 10
#: How many entries are looked at for these, at most: each step may find all that it may write.
_LOOK_AT = MAX_LOOKED_AT // (MAX_ROWS // _PAGE)

#: How long the pause after them lasts while deliveries arrive, in seconds. With it few of them meet
#: an export, and 10,000 rows take about two minutes.
_PAUSE_S = 0.1

#: Deliveries arrive while the last one reached this process so many seconds ago.
_BUSY_S = 10.0

#: Once a reader has taken nothing for so many seconds, another export may begin.
STALLED_S = 30.0

#: What a spreadsheet takes for the beginning of a formula, also as wide characters.
_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_COLUMNS = (
    *("entry", "received", "state", "event type", "vendor's type", "endpoint", "version"),
    *("event id", "lane", "handlers", "last error", "problem", "next attempt"),
    *("replays", "conflicts"),
)


class _Line(Protocol):
    """Returns the line of an entry, with its end."""

    def __call__(self, record: EntryRecord, *, is_revealed: bool) -> str: ...


class _Format(NamedTuple):
    """How a file is written.

    Attributes:
        head: Its first line, with its end.
        line: Returns the line of an entry.
    """

    head: str
    line: _Line


def export(visit: Visit) -> Response:
    """Send the chosen events without personal data."""
    return _export(visit, request.args, is_revealed=False)


def export_revealed(visit: Visit) -> Response:
    """Send the chosen events with their ids and errors as they are."""
    return _export(visit, request.form, is_revealed=True)


def _export(visit: Visit, arguments: Mapping[str, str], *, is_revealed: bool) -> Response:
    name = arguments.get("as", "csv")
    if name not in FORMATS:
        raise PageRefused(400, f"Choose one of {', '.join(FORMATS)}.")
    mistakes: dict[str, str] = {}
    wanted = filter_of(chosen_of(arguments), mistakes)
    if mistakes:
        raise PageRefused(400, f"Nothing was exported: mend {', '.join(mistakes)}.")
    recorded: AbstractContextManager[None] = nullcontext()
    if is_revealed:
        recorded = visit.acting(Right.REVEAL, "export", target=name, wanted=wanted)
    lines = _lines(visit.state, wanted, FORMATS[name], recorded, is_revealed=is_revealed)
    # What cannot be read is told before the answer has begun.
    response = Response(
        chain([next(lines)], lines),
        content_type="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename=events-{visit.now:%Y-%m-%d}.{name}"},
    )
    response.call_on_close(lines.close)
    return response


def _lines(
    state: AppState,
    wanted: Filter,
    form: _Format,
    recorded: AbstractContextManager[None],
    *,
    is_revealed: bool,
) -> Generator[str, None, None]:
    reading = state.opening.inbox().reading
    with _turns.taken() as keep, recorded:
        below_id = None
        page = reading.find(wanted, limit=_PAGE, look_at=_LOOK_AT)
        yield form.head
        left, looks = MAX_ROWS, MAX_LOOKED_AT // _LOOK_AT
        while True:
            some = page.records[:left]
            yield "".join(form.line(each, is_revealed=is_revealed) for each in some)
            keep()
            left, looks, below_id = left - len(page.records), looks - 1, page.next_id
            if below_id is None or left <= 0 or looks <= 0:
                return
            if _is_receiving(state):
                time.sleep(_PAUSE_S)
            page = reading.find(wanted, limit=_PAGE, below_id=below_id, look_at=_LOOK_AT)


def _is_receiving(state: AppState) -> bool:
    """Tell whether a delivery has just reached this process."""
    at_s = state.received_at_s
    return at_s is not None and time.monotonic() - at_s < _BUSY_S


class _Turns:
    """Lets one export run at a time, and takes its turn from one whose reader has stalled."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holder: object | None = None
        self._read_at_s = 0.0

    @contextmanager
    def taken(self) -> Iterator[Callable[[], None]]:
        """Hold the turn until the end of the block, and yield what tells that somebody reads.

        That raises ``TookTooLong`` once another has the turn.
        """
        mine = object()
        with self._lock:
            if self._holder is not None and time.monotonic() - self._read_at_s < STALLED_S:
                raise PageRefused(429, "Another export is under way: wait until it has ended.")
            self._holder, self._read_at_s = mine, time.monotonic()

        def keep() -> None:
            with self._lock:
                if self._holder is not mine:
                    raise TookTooLong(
                        f"the reader of an export took nothing for {STALLED_S:g} s, and another"
                        " has begun: export again"
                    )
                self._read_at_s = time.monotonic()

        try:
            yield keep
        finally:
            with self._lock:
                if self._holder is mine:
                    self._holder = None


_turns = _Turns()


def _json_line(record: EntryRecord, *, is_revealed: bool) -> str:
    return as_json(entry_fields(record, is_revealed=is_revealed)) + "\n"


def _csv_line(record: EntryRecord, *, is_revealed: bool) -> str:
    shown = entry_fields(record, is_revealed=is_revealed)
    attempts: Sequence[AttemptRecord] = shown["attempts"]
    errors = [each.error for each in attempts if each.error is not None]
    last = {short_name(each.handler): each.outcome.value for each in attempts}
    due = record.next_attempt_at
    return _row(
        record.id,
        record.received_at.isoformat(),
        record.state.value,
        record.event_type or "",
        record.vendor_type,
        record.endpoint,
        record.version,
        shown["event_id"],
        shown["lane"] or "",
        "; ".join(f"{handler} {outcome}" for handler, outcome in last.items()),
        first_line(errors[-1] if errors else "", is_revealed=True),
        first_line(shown["problem"], is_revealed=True),
        "" if due is None else due.isoformat(),
        record.replays,
        record.conflicts,
    )


def _row(*values: object) -> str:
    written = io.StringIO()
    # Every cell is quoted: elsewhere a semicolon begins a cell.
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(map(_cell, values))
    return written.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{visible(text)}" if text.startswith(_OF_FORMULAS) else visible(text)


#: By the end of the file's name.
FORMATS = {"csv": _Format(_row(*_COLUMNS), _csv_line), "jsonl": _Format("", _json_line)}
