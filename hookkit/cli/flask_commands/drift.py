"""``flask hookkit drift``: what vendors send that hookkit does not read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import echo_json, json_option, state_of_app
from hookkit.cli.terminal import aligned, click_errors, show
from hookkit.cli.times import TIME
from hookkit.inbox.records import DriftRecord

_HEADINGS = ("first", "last", "events", "vendor", "version", "what")

#: Without --since, what was noticed in so many days is shown.
_DAYS = 30


@click.command(short_help="Show what is sent and not read.")
@click.option(
    "--since",
    type=TIME,
    help="Only what was noticed since: 2h, today, 2026-03-01T09:00Z. Default: 30d.",
)
@json_option
@with_appcontext
def drift(*, since: datetime | None, is_json: bool) -> None:
    """Show which fields, types and problems vendors send that hookkit does not read.

    What was first noticed last comes first. Fields are looked for in samples of the events.
    """
    moment = since or datetime.now(UTC) - timedelta(days=_DAYS)
    with click_errors():
        found = state_of_app().opening.inbox().drift.find(moment.astimezone(UTC).date())
    if is_json:
        echo_json(list(map(_fields, found)))
    elif found:
        show(*aligned([_HEADINGS, *map(_row, found)]))
    else:
        show(f"nothing since {moment:%Y-%m-%d}: all that was sent is read")


def _row(each: DriftRecord) -> Sequence[str]:
    return (
        str(each.first_on),
        str(each.last_on),
        str(each.count),
        each.provider,
        each.version,
        f"{each.kind} {each.name}",
    )


def _fields(each: DriftRecord) -> dict[str, object]:
    return {
        "first_on": str(each.first_on),
        "last_on": str(each.last_on),
        "count": each.count,
        "provider": each.provider,
        "version": each.version,
        "kind": each.kind,
        "name": each.name,
    }
