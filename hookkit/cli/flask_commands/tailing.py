"""``flask hookkit tail``: what comes and what becomes of it, one line for each change."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import click
from flask.cli import with_appcontext

from hookkit.application.app_state import AppState
from hookkit.cli.flask_commands.common import echo_json, json_option, state_of_app
from hookkit.cli.flask_commands.entries import (
    cut,
    entry_fields,
    first_line,
    outcome_mark,
    short_name,
    state_words,
    taken,
    type_of,
)
from hookkit.cli.terminal import WIDTH, click_errors, show
from hookkit.core.entry import AT_REST, Filter, State
from hookkit.core.errors import ConfigurationError, not_known
from hookkit.inbox.records import AttemptRecord, EntryRecord, Refused

#: Seconds between two looks.
PERIOD_S = 1.0

#: So many entries are remembered as they were last seen.
MAX_REMEMBERED = 2000
#: So many of those that are not at rest are looked at again each time.
MAX_OPEN = 500
#: So many refused deliveries are shown of one look.
MAX_REFUSED = 100


class Change(NamedTuple):
    """An entry that has changed, and the attempts that were made since it was last seen."""

    record: EntryRecord
    attempts: Sequence[AttemptRecord]

    @property
    def at(self) -> datetime:
        """When it was last tried, or received."""
        return self.attempts[-1].ended_at if self.attempts else self.record.received_at


class Watch:
    """Finds what has changed since it looked last; the first look is when it is made."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        inbox = state.opening.inbox()
        self._mark = inbox.reading.mark()
        self._refused_id = max((each.id for each in inbox.quarantine.find(limit=1)), default=0)
        self._began_at = state.operations.clock()
        self._seen: dict[int, EntryRecord] = {}

    def changes(self) -> Iterator[Change]:
        """Yield entries that are new, were tried or have come into another state."""
        reading = self._state.opening.inbox().reading
        tried, self._mark = reading.changes(self._mark)
        are_open = [each.id for each in self._seen.values() if each.state not in AT_REST]
        wanted = Filter(entry_ids=are_open[-MAX_OPEN:])
        still_open = reading.find(wanted, limit=MAX_OPEN).records if are_open else ()
        found = {each.id: each for each in (*still_open, *tried)}
        for entry_id, record in sorted(found.items()):
            before = self._seen.pop(entry_id, None)
            self._seen[entry_id] = record
            if before is None:
                yield Change(record, self._new_attempts(record))
            elif (record.state, len(record.attempts)) != (before.state, len(before.attempts)):
                yield Change(record, record.attempts[len(before.attempts) :])
        for entry_id in list(self._seen)[:-MAX_REMEMBERED]:
            del self._seen[entry_id]

    def refused(self) -> Sequence[Refused]:
        """Return deliveries that were refused meanwhile, oldest first."""
        newest = self._state.opening.inbox().quarantine.find(limit=MAX_REFUSED)
        new = [each for each in newest if each.id > self._refused_id]
        self._refused_id = max([self._refused_id, *(each.id for each in new)])
        return new[::-1]

    def _new_attempts(self, record: EntryRecord) -> Sequence[AttemptRecord]:
        return [each for each in record.attempts if each.ended_at >= self._began_at]


@click.command(short_help="Show what comes, as it comes.")
@click.option("--endpoint", metavar="NAME", help="Only entries of this endpoint.")
@click.option(
    "--state",
    "word",
    type=click.Choice(sorted(state.value for state in State)),
    help="Only entries that have come into this state.",
)
@json_option
@with_appcontext
def tail(*, endpoint: str | None, word: str | None, is_json: bool) -> None:
    """Show one line for each entry that is new or was tried, until Ctrl-C.

    Refused deliveries are shown as well, as far as they are kept. With --json each line is a
    JSON object. Times are in UTC.
    """
    state = state_of_app()
    known = state.settings.endpoints
    with click_errors():
        if endpoint is not None and endpoint not in known:
            raise ConfigurationError(f"endpoint {not_known(endpoint, sorted(known))}")
        watch = Watch(state)
        try:
            while True:
                time.sleep(PERIOD_S)
                _show_changes(watch, endpoint, word, is_json=is_json)
        except KeyboardInterrupt:
            return


def _show_changes(watch: Watch, endpoint: str | None, word: str | None, *, is_json: bool) -> None:
    for change in watch.changes():
        record = change.record
        if endpoint not in (None, record.endpoint) or word not in (None, record.state.value):
            continue
        if is_json:
            echo_json({"at": change.at, **entry_fields(record)}, indent=None)
        else:
            show(_line(change))
    for refused in watch.refused() if word is None else ():
        if endpoint not in (None, refused.endpoint):
            continue
        if is_json:
            echo_json({"at": refused.received_at, "refused": refused}, indent=None)
        else:
            at = f"{refused.received_at:%H:%M:%S}"
            show(f"{at} refused {refused.endpoint} {refused.code} (quarantine {refused.id})")


def _line(change: Change) -> str:
    record = change.record
    words = [
        f"{change.at:%H:%M:%S}",
        f"entry {record.id}",
        state_words(record.state),
        record.endpoint,
        record.version,
        cut(type_of(record), 32),
        *(_words(each) for each in change.attempts),
    ]
    return cut(" ".join(filter(None, words)), WIDTH)


def _words(attempt: AttemptRecord) -> str:
    name = short_name(attempt.handler)
    error = "" if attempt.error is None else f": {first_line(attempt.error)}"
    return f"{outcome_mark(attempt.outcome)} {name} {taken(attempt)}{error}".replace("  ", " ")
