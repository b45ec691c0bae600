"""``flask hookkit check``, ``replay``, ``prune`` and ``upgrade``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from hookkit.core.attempts import Outcome
from hookkit.core.entry import REPLAYABLE, Filter, State
from hookkit.core.errors import HookkitError


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield *rows*, which are of one length, as lines whose columns stand below each other."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


def state_of_app() -> Any:
    """Return what hookkit is in the present application; the blueprint has put it there."""
    return current_app.extensions["hookkit"]


@contextmanager
def told() -> Iterator[None]:
    """Show what went wrong as a sentence, not as a traceback."""
    try:
        yield
    except HookkitError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.argument("entry_ids", metavar="[ENTRY_ID]...", type=int, nargs=-1)
@click.option("--endpoint", help="Only entries of this endpoint.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in sorted(REPLAYABLE)]),
    help="Only entries in this state.",
)
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only entries with an attempt that ended so, in their last run.",
)
@click.option("--untried-by", metavar="NAME", help="Only entries that this handler never ran for.")
@click.option("--type", "kind", help="Only entries of this event type or vendor type.")
@click.option("--since", type=_MOMENT, help="Only entries received then or later, in UTC.")
@click.option("--until", type=_MOMENT, help="Only entries received before that, in UTC.")
@click.option("--handler", "handlers", multiple=True, help="Run just this handler; repeatable.")
@click.option("--all", "is_all", is_flag=True, help="All entries: no filter is forgotten.")
@with_appcontext
def replay(  # noqa: PLR0913  # an option each
    *,
    entry_ids: tuple[int, ...],
    endpoint: str | None,
    state: str | None,
    outcome: str | None,
    untried_by: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    handlers: tuple[str, ...],
    is_all: bool,
) -> None:
    """Run entries again: those with the given ids, or all that the options leave.

    What is done runs every handler again, what is waiting or dead those that have not
    succeeded. Entries that are due or running already, or whose bodies were deleted, are
    passed over.
    """
    wanted = Filter(
        entry_ids=entry_ids or None,
        endpoint=endpoint,
        state=None if state is None else State(state),
        outcome=None if outcome is None else Outcome(outcome),
        untried_by=untried_by,
        type=kind,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
    )
    if wanted == Filter() and not is_all:
        raise click.UsageError("name entries or a filter, or say --all")
    with told():
        count = state_of_app().operations.replay_all(
            wanted, handlers or None, lambda so_far: click.echo(f"{so_far} so far", err=True)
        )
    click.echo(f"{count} {'entry runs' if count == 1 else 'entries run'} again")


@click.command()
@with_appcontext
def prune() -> None:
    """Delete what is older than the settings say: bodies first, ids later."""
    with told():
        state_of_app().migration.sweep()
        bodies, ids = state_of_app().upkeep.prune(lambda _: False)
    click.echo(f"deleted the bodies of {bodies} deliveries and {ids} entries")


@click.command()
@with_appcontext
def upgrade() -> None:
    """Create the tables of the inbox, or change them to what this hookkit needs."""
    with told():
        state_of_app().opening.upgrade()
    click.echo("the tables are up to date")


COMMANDS = (replay, prune, upgrade)


_COLORS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command()
@click.pass_context
@with_appcontext
def check(context: click.Context) -> None:
    """Look at settings, secrets, handlers and inbox, and change nothing.

    Run it as the user and on the machine that serve. Ends with status 1 if something would
    keep events from being received, kept or handled.
    """
    levels = []
    for finding in state_of_app().checkup.findings():
        level = finding.level.value
        levels.append(level)
        click.echo(f"{click.style(f'{level:8}', fg=_COLORS[level])}{finding.text}")
    context.exit(1 if "failure" in levels else 0)
