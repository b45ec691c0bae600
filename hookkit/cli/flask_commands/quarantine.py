"""``flask hookkit quarantine``: deliveries that were refused for their proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import (
    acting,
    echo_json,
    json_option,
    state_of_app,
    who_option,
)
from hookkit.cli.terminal import aligned, click_errors, show
from hookkit.cli.times import TIME
from hookkit.core.text import counted
from hookkit.inbox.records import Refused
from hookkit.operating.refusals import ENDED, Outcome, Refusals, Release

_HEADINGS = ("id", "received (UTC)", "endpoint", "code", "bytes", "from", "released (UTC)")

_endpoint = click.option("--endpoint", help="Only deliveries to this endpoint.")
_since = click.option(
    "--since", type=TIME, help="Only deliveries received since: 2h, today, 2026-03-01T09:00Z."
)


@click.group(short_help="Release deliveries that were refused.")
def quarantine() -> None:
    """Look at deliveries that were refused for their proof, and release them."""


@quarantine.command("list", short_help="List refused deliveries.")
@_endpoint
@_since
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="So many of them at most.",
)
@json_option
@with_appcontext
def list_refused(
    *, endpoint: str | None, since: datetime | None, limit: int, is_json: bool
) -> None:
    """List refused deliveries, newest first.

    Nothing of their content is shown.
    """
    with click_errors():
        found = state_of_app().refusals.find(endpoint=endpoint, since=since, limit=limit)
    if is_json:
        echo_json(list(found))
    else:
        show(*_lines(found))


@quarantine.command(short_help="Say why a delivery is refused.")
@click.argument("refused_id", metavar="ID", type=int)
@json_option
@with_appcontext
def diagnose(*, refused_id: int, is_json: bool) -> None:
    """Say why the refused delivery ID is not proven, by the settings of today.

    The exit status is 1 if it would still be refused.
    """
    with click_errors():
        found = state_of_app().refusals.diagnose(refused_id)
    if is_json:
        echo_json(found)
    else:
        show(found.text)
    if found.outcome not in ENDED:
        raise SystemExit(1)


@quarantine.command(short_help="Verify deliveries again; admit them.")
@click.argument("refused_ids", metavar="[ID]...", type=int, nargs=-1)
@_endpoint
@_since
@click.option("--all", "is_all", is_flag=True, help="All refused deliveries.")
@who_option
@json_option
@with_appcontext
def release(
    *,
    refused_ids: tuple[int, ...],
    endpoint: str | None,
    since: datetime | None,
    is_all: bool,
    who: str,
    is_json: bool,
) -> None:
    """Verify refused deliveries again, and admit those that are proven now.

    Choose them by their ids or by the options. The settings of today count, and the time at which
    each has arrived. The exit status is 1 if any is still refused.
    """
    if refused_ids and (endpoint or since or is_all):
        raise click.UsageError("name deliveries by their ids or by options, not by both")
    if not (refused_ids or endpoint or since or is_all):
        raise click.UsageError("name deliveries, or say --endpoint, --since or --all")
    found: list[Release] = []
    with click_errors():
        state = state_of_app()
        refusals = state.refusals
        wanted = refused_ids or unreleased(refusals, endpoint, since)
        with acting(state, "release", who=who, target=target_of(wanted)):
            for each in refusals.release(wanted):
                found.append(each)
                if not is_json:
                    show(f"{each.id}: {each.text}", err=each.outcome not in ENDED)
    if is_json:
        echo_json(found)
    else:
        count = sum(each.outcome is Outcome.RELEASED for each in found)
        show(f"{count} of {counted(len(found), 'delivery', 'deliveries')} released")
    if any(each.outcome not in ENDED for each in found):
        raise SystemExit(1)


def target_of(refused_ids: Sequence[int]) -> str:
    """Return what the record calls the deliveries, in the order of their ids."""
    named = ", ".join(map(str, refused_ids[:20]))
    more = f" and {len(refused_ids) - 20} more" if len(refused_ids) > 20 else ""
    return f"refused {named}{more}"


def unreleased(refusals: Refusals, endpoint: str | None, since: datetime | None) -> list[int]:
    """Return the ids of the deliveries that nobody has released, oldest first."""
    found = refusals.find(endpoint=endpoint, since=since, limit=None)
    return sorted(each.id for each in found if each.released_at is None)


def _lines(found: Sequence[Refused]) -> Iterator[str]:
    if not found:
        yield "no refused delivery is kept"
        return
    rows = [
        (
            str(each.id),
            _time(each.received_at),
            each.endpoint,
            each.code,
            str(each.size),
            each.network,
            _time(each.released_at),
        )
        for each in found
    ]
    yield from aligned([_HEADINGS, *rows])


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
