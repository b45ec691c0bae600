"""The page that shows what comes as it comes: every 2 seconds it asks what has changed.

Rule 1: the server remembers nobody: the mark of who looks is sent and comes back.
Rule 2: a look costs the same, however far behind it is: what is too much is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import request, url_for
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.entries import (
    first_line,
    outcome_mark,
    short_error,
    short_name,
    state_words,
    taken,
    type_of,
)
from hookkit.core.entry import Filter, State
from hookkit.core.text import visible
from hookkit.inbox.records import AttemptRecord, EntryRecord, Refused
from hookkit.inbox.sights import Mark
from hookkit.web.console.ids import HIGHEST_ID
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit

#: How many rows the page begins with.
_FIRST = 20

#: How many changes one look sends; what is more is passed over.
LIMIT = 200

#: A longer mark is none of ours: it has four numbers, and 1000 bits of two.
_LONGEST_MARK = 700


class _Seen(NamedTuple):
    """How far somebody has seen: the entries and attempts, and the refused deliveries."""

    mark: Mark
    refused_id: int


class _Wanted(NamedTuple):
    """Which changes are shown; "" is any."""

    at: str
    state: str

    @classmethod
    def asked(cls, visit: Visit) -> _Wanted | None:
        """Return what the address chooses; None if it is written wrongly."""
        wanted = cls(*(request.args.get(name, "").strip() for name in cls._fields))
        is_known = wanted.at in ("", *visit.state.settings.endpoints)
        return wanted if is_known and wanted.state in ("", *State) else None

    def fits(self, record: EntryRecord) -> bool:
        return self.at in ("", record.endpoint) and self.state in ("", record.state.value)


def show_live(visit: Visit) -> Response:
    """Show the newest rows; the script goes on from there, when it is asked to."""
    wanted = _Wanted.asked(visit)
    rows: list[dict[str, Any]] = []
    mark = ""
    if wanted is not None:
        reading = visit.state.opening.inbox().reading
        # The mark comes first: what comes meanwhile is shown twice rather than never.
        mark = _spelt(_newest(visit))
        filtered = Filter(
            endpoint=wanted.at or None, state=State(wanted.state) if wanted.state else None
        )
        rows = [_row(record) for record in reading.find(filtered, limit=_FIRST).records]
    return render(
        visit,
        "live.html",
        status=200 if wanted else 400,
        rows=rows,
        mark=mark,
        at=request.args.get("at", ""),
        state_word=request.args.get("state", ""),
        mistake=wanted is None,
        endpoints=sorted(visit.state.settings.endpoints),
        states=[each.value for each in State],
        source=url_for(".changes", at=wanted.at, state=wanted.state) if wanted else "",
    )


def send_changes(visit: Visit) -> Response:
    """Send what has changed since a mark, oldest first, and the next mark, as JSON.

    Without a mark nothing has changed yet.
    """
    spelt = request.args.get("mark", "")
    wanted, seen = _Wanted.asked(visit), _read(spelt) if spelt else _newest(visit)
    if wanted is None or seen is None:
        raise PageRefused(400, "This address is for the page of what comes live: load that again.")
    inbox = visit.state.opening.inbox()
    records, mark = inbox.reading.changes(seen.mark, limit=LIMIT)
    newest = inbox.quarantine.find(limit=LIMIT)
    refused = [each for each in reversed(newest) if each.id > seen.refused_id]
    following = _Seen(mark, max([seen.refused_id, *(each.id for each in refused)]))
    is_behind = len(records) >= LIMIT
    if is_behind:
        following = following._replace(mark=inbox.reading.mark())
    changes = [
        *((_at(record), _row(record)) for record in records if wanted.fits(record)),
        *((each.received_at, _refused_row(each)) for each in _of(refused, wanted)),
    ]
    content = {
        "mark": _spelt(following),
        "changes": [row for _, row in sorted(changes, key=lambda change: change[0])][-LIMIT:],
        "skipped": is_behind,
    }
    return Response(json.dumps(content), content_type="application/json")


def _newest(visit: Visit) -> _Seen:
    inbox = visit.state.opening.inbox()
    refused = inbox.quarantine.find(limit=1)
    return _Seen(inbox.reading.mark(), max((each.id for each in refused), default=0))


def _of(refused: Sequence[Refused], wanted: _Wanted) -> Iterator[Refused]:
    for each in refused:
        if not wanted.state and wanted.at in ("", each.endpoint):
            yield each


def _at(record: EntryRecord) -> datetime:
    return record.attempts[-1].ended_at if record.attempts else record.received_at


def _row(record: EntryRecord) -> dict[str, Any]:
    """Return what the page shows of an entry: its link, its state, and the text of each cell."""
    cells = [
        f"entry {record.id}",
        state_words(record.state),
        f"{_at(record):%Y-%m-%d %H:%M:%S}",
        record.endpoint,
        type_of(record),
        ", ".join(_words(each) for each in record.attempts[-3:]),
    ]
    return {
        "url": url_for(".event", entry_id=record.id),
        "state": record.state.value,
        "cells": [visible(cell) for cell in cells],
    }


def _refused_row(refused: Refused) -> dict[str, Any]:
    cells = [
        f"refused {refused.id}",
        "✖ refused",
        f"{refused.received_at:%Y-%m-%d %H:%M:%S}",
        refused.endpoint,
        "",
        refused.code.replace("_", " "),
    ]
    return {
        "url": url_for(".refused", refused_id=refused.id),
        "state": State.DEAD.value,
        "cells": [visible(cell) for cell in cells],
    }


def _words(attempt: AttemptRecord) -> str:
    error = "" if attempt.error is None else f": {short_error(first_line(attempt.error))[:120]}"
    handler = short_name(attempt.handler) or "no handler"
    return f"{outcome_mark(attempt.outcome)} {handler} {taken(attempt)}{error}"


def _spelt(seen: _Seen) -> str:
    """Return *seen* for an address: the highest ids, and which of those below are missing, as bits.

    The bits are as many as an inbox remembers, and not as the ids that it has.
    """
    mark = seen.mark
    numbers = (
        mark.entry_id,
        mark.attempt_id,
        seen.refused_id,
        _bits(mark.entry_id, mark.missing_entries),
        _bits(mark.attempt_id, mark.missing_attempts),
    )
    return ".".join(f"{number:x}" for number in numbers)


def _read(text: str) -> _Seen | None:
    """Return what ``_spelt`` has spelt; None if it has not."""
    try:
        if len(text) > _LONGEST_MARK:
            return None
        entry_id, attempt_id, refused_id, entries, attempts = (
            int(part, 16) for part in text.split(".")
        )
    except ValueError:
        return None
    if not all(0 <= each <= HIGHEST_ID for each in (entry_id, attempt_id, refused_id)):
        return None
    if min(entries, attempts) < 0:
        return None
    mark = Mark(entry_id, attempt_id, _ids(entry_id, entries), _ids(attempt_id, attempts))
    return _Seen(mark, refused_id)


def _bits(highest: int, ids: frozenset[int]) -> int:
    return sum(1 << (highest - each) for each in ids)


def _ids(highest: int, bits: int) -> frozenset[int]:
    return frozenset(highest - at for at in range(bits.bit_length()) if bits >> at & 1)
