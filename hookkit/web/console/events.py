"""The page of events: newest first, and what the visitor chose of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TypeVar

import click
from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.common import utc
from hookkit.cli.times import TIME
from hookkit.core.attempts import Outcome
from hookkit.core.entry import EVERYTHING, Filter, State
from hookkit.inbox.records import STEP, storable_text
from hookkit.inbox.sights import Page
from hookkit.web.console.ids import row_id
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import Visit

_T = TypeVar("_T")

#: How many entries a page shows.
LIMIT = 50

_LONGEST = 255

#: Words of the search box, and the fields that they stand for.
_WORDS = {
    "at": "at",
    "conflict": "conflict",
    "error": "error",
    "event": "event",
    "handler": "tried",
    "lane": "lane",
    "outcome": "outcome",
    "replayed": "replayed",
    "since": "since",
    "state": "state",
    "type": "type",
    "until": "until",
    "untried": "untried",
    "version": "version",
}

_YES_OR_NO = {"yes": True, "no": False}

_PRESETS = {
    "15m": "15 minutes",
    "1h": "1 hour",
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the visitor wrote, field by field, as it stands in the address.

    Attributes:
        at: An endpoint; ``url_for`` has another meaning for that word.
        id: The id of an entry.
        tried: A handler that ran.
        untried: A handler that never ran.
        error: The class of an exception.
        conflict: Whether there was one, ``yes`` or ``no``; and *replayed* likewise.
    """

    at: str = ""
    state: str = ""
    type: str = ""
    version: str = ""
    outcome: str = ""
    tried: str = ""
    untried: str = ""
    error: str = ""
    lane: str = ""
    conflict: str = ""
    replayed: str = ""
    event: str = ""
    id: str = ""
    since: str = ""
    until: str = ""

    @property
    def given(self) -> dict[str, str]:
        """The fields that are not empty."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in every.items() if value}


def show_events(visit: Visit) -> Response:
    """Show the entries that the address chooses."""
    chosen = chosen_of(request.args)
    mistakes: dict[str, str] = {}
    wanted = filter_of(chosen, mistakes)
    below_id = _id(request.args.get("below", ""), "below", mistakes)
    page, is_empty = Page([], None, None), False
    if not mistakes:
        reading = visit.state.opening.inbox().reading
        page = reading.find(wanted, limit=LIMIT, below_id=below_id)
        is_empty = not page.records and not reading.find(limit=1).records
    return render(
        visit,
        "events.html",
        status=400 if mistakes else 200,
        page=page,
        chosen=chosen,
        chips=_chips(chosen),
        mistakes=mistakes,
        is_first=below_id is None,
        reason=None if mistakes or page.records else _reason(page, wanted, is_empty=is_empty),
        how_far=_how_far(page),
        presets=_PRESETS,
        choices=_choices(visit),
    )


def _choices(visit: Visit) -> Mapping[str, Sequence[str]]:
    """Return what there is to choose from, by the field."""
    handlers = visit.state.worker.assignment.registry.names
    endpoints = visit.state.settings.endpoints
    versions = {
        version for each in endpoints.values() for version in (each.modes or each.provider.versions)
    }
    return {
        "at": sorted(endpoints),
        "state": [each.value for each in State],
        "version": sorted(versions),
        "outcome": [each.value for each in Outcome],
        "tried": handlers,
        "untried": handlers,
        "conflict": list(_YES_OR_NO),
        "replayed": list(_YES_OR_NO),
    }


def chosen_of(arguments: Mapping[str, str]) -> Chosen:
    """Return what the parameters of an address, or the fields of a form, choose."""
    # As it would be stored: PostgreSQL takes no NUL, and so nothing that is kept has one.
    # What is too long for a field is cut where that still shows.
    texts = {name: storable_text(text.strip(), _LONGEST + 1) for name, text in arguments.items()}
    given = {each.name: texts.get(each.name, "") for each in fields(Chosen)}
    return replace(Chosen(**given), **_searched(texts.get("q", "")))


def _searched(text: str) -> dict[str, str]:
    """Return the fields that the search box names: ``state:dead 17``, or the id of an event."""
    found = {}
    for part in text.split():
        word, colon, value = part.partition(":")
        if colon and value and word in _WORDS:
            found[_WORDS[word]] = value
        elif part.isascii() and part.isdigit():
            found["id"] = part
        else:
            found["event"] = part
    return found


def filter_of(chosen: Chosen, mistakes: dict[str, str]) -> Filter:
    """Return what is wanted; what is written wrongly is put into *mistakes*, by its field."""
    for name, value in chosen.given.items():
        if len(value) > _LONGEST:
            mistakes[name] = f"Write at most {_LONGEST} characters."
    entry_id = _id(chosen.id, "id", mistakes)
    since, until = (_time(chosen, name, mistakes) for name in ("since", "until"))
    if since and until and since >= until:
        mistakes["until"] = "No entry fits: this is not after “received since”."
    return Filter(
        entry_ids=None if entry_id is None else [entry_id],
        event_id=chosen.event or None,
        endpoint=chosen.at or None,
        state=_word({each.value: each for each in State}, chosen, "state", mistakes),
        version=chosen.version or None,
        lane=chosen.lane or None,
        outcome=_word({each.value: each for each in Outcome}, chosen, "outcome", mistakes),
        error=chosen.error or None,
        tried_by=chosen.tried or None,
        untried_by=chosen.untried or None,
        type=chosen.type or None,
        has_conflict=_word(_YES_OR_NO, chosen, "conflict", mistakes),
        is_replayed=_word(_YES_OR_NO, chosen, "replayed", mistakes),
        since=since,
        until=until,
    )


def _id(text: str, field: str, mistakes: dict[str, str]) -> int | None:
    if not text:
        return None
    found = row_id(text)
    if found is None:
        mistakes[field] = "The id of an entry is a whole number."
    return found


def _word(
    meanings: Mapping[str, _T], chosen: Chosen, field: str, mistakes: dict[str, str]
) -> _T | None:
    """Return what the word in *field* means; None if there is none."""
    text = getattr(chosen, field)
    if text and text not in meanings:
        mistakes[field] = f"Choose one of {', '.join(meanings)}."
    return meanings.get(text)


def _time(chosen: Chosen, field: str, mistakes: dict[str, str]) -> datetime | None:
    text = getattr(chosen, field)
    if not text:
        return None
    try:
        return read_time(text)
    except ValueError as error:
        mistakes[field] = str(error)
        return None


def read_time(text: str) -> datetime:
    """Return the time that *text* means.

    Raises:
        ValueError: It means none; the message says how to write one.
    """
    try:
        return TIME.convert(text, None, None)
    except click.BadParameter as error:
        raise ValueError("Write 2h, today, 2026-03-01 or 2026-03-01T09:00Z.") from error


def _chips(chosen: Chosen) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield each field that is chosen, its value, and the others: what a click leaves."""
    for name, value in chosen.given.items():
        yield name, value, {other: each for other, each in chosen.given.items() if other != name}


def _reason(page: Page, wanted: Filter, *, is_empty: bool) -> str:
    """Return why nothing is shown, and what to do."""
    if is_empty:
        return "Nothing was received yet. To try it: hookkit send URL"
    if page.next_id is not None:
        return _how_far(page) or ""
    if wanted == EVERYTHING:
        return "No entry has a lower id."
    return "No entry fits. Take something away to see more."


def _how_far(page: Page) -> str | None:
    """Return how far was looked, if that was not to the end; None if it was."""
    if page.next_id is None or len(page.records) == LIMIT:
        return None
    since = "" if page.looked_back_to is None else f", back to {utc(page.looked_back_to)}"
    found = "No more fit" if page.records else "None fits"
    return f"{found} among the {STEP:,} entries that were looked at{since}."
