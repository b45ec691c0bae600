"""``flask hookkit list``: the entries that options choose, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import echo_json, json_option, state_of_app, utc
from hookkit.cli.flask_commands.entries import (
    entry_fields,
    last_error,
    state_words,
    table,
    type_of,
)
from hookkit.cli.flask_commands.filters import filter_options, spelt
from hookkit.cli.terminal import click_errors, show, wrapped
from hookkit.core.entry import EVERYTHING, REPLAYABLE, Filter
from hookkit.core.errors import ConfigurationError, not_known
from hookkit.inbox.records import STEP
from hookkit.inbox.sights import Page

_HEADINGS = ("id", "received", "state", "type", "endpoint", "version", "tries", "last error")


@click.command("list", short_help="List entries, newest first.")
@filter_options()
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="The most entries to list.",
)
@click.option(
    "--before",
    "below_id",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Only entries with a lower id: where the list before it ended.",
)
@json_option
@with_appcontext
def list_entries(*, wanted: Filter, limit: int, below_id: int | None, is_json: bool) -> None:
    """List the entries that the options choose, newest first.

    Times are in UTC. At most 20,000 entries are looked at; the last line says how to go on.
    """
    state = state_of_app()
    with click_errors():
        reading = state.opening.inbox().reading
        page = reading.find(wanted, limit=limit, below_id=below_id)
        is_empty = not page.records and not reading.find(limit=1).records
        known = state.settings.endpoints
        if not page.records and wanted.endpoint is not None and wanted.endpoint not in known:
            raise ConfigurationError(f"endpoint {not_known(wanted.endpoint, sorted(known))}")
    if is_json:
        echo_json(
            {
                "entries": [entry_fields(each) for each in page.records],
                "next_id": page.next_id,
                "looked_back_to": page.looked_back_to,
            }
        )
    elif page.records:
        show(*_lines(page, wanted, limit, state.operations.clock()))
    else:
        show(*_reason(page, wanted, limit, is_empty=is_empty))


def _lines(page: Page, wanted: Filter, limit: int, now: datetime) -> Iterator[str]:
    rows = [
        (
            str(each.id),
            _time(each.received_at, now),
            state_words(each.state),
            type_of(each),
            each.endpoint,
            each.version,
            str(len(each.attempts)),
            last_error(each),
        )
        for each in page.records
    ]
    yield from table(_HEADINGS, rows)
    if page.next_id is not None and len(page.records) < limit:
        yield _how_far(page)
    following = [f"flask hookkit show {page.records[0].id}"]
    if wanted != EVERYTHING and any(each.state in REPLAYABLE for each in page.records):
        of_replay = f"flask hookkit replay {spelt(wanted)} --dry-run"
        following += [of_replay] if wanted.state is None or wanted.state in REPLAYABLE else []
    if page.next_id is not None:
        following.append(_further(page.next_id, wanted))
    yield f"{len(page.records)} shown; next:"
    yield from (f"  {each}" for each in following)


def _time(moment: datetime, now: datetime) -> str:
    return f"{moment:%m-%d %H:%M:%S}" if moment.year == now.year else f"{moment:%Y-%m-%d %H:%M}"


def _reason(page: Page, wanted: Filter, limit: int, *, is_empty: bool) -> Iterator[str]:
    """Yield why nothing is listed, and what to do."""
    if is_empty:
        yield "nothing was received yet; to try it: hookkit send URL"
    elif page.next_id is not None:
        yield _how_far(page)
        yield f"to look further back: {_further(page.next_id, wanted)}"
    elif wanted == EVERYTHING:
        yield "no entry has a lower id"
    else:
        yield from wrapped(f"no entry fits {spelt(wanted)}; leave an option out to see more")


def _how_far(page: Page) -> str:
    since = "" if page.looked_back_to is None else f", back to {utc(page.looked_back_to)}"
    found = "no more" if page.records else "none"
    return f"{found} among the {STEP:,} entries that were looked at{since}"


def _further(next_id: int, wanted: Filter) -> str:
    return " ".join(filter(None, ["flask hookkit list", spelt(wanted), f"--before {next_id}"]))
