"""``flask hookkit adopt``, ``check``, ``prune``, ``replay`` and ``tables``."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import state_of_app
from hookkit.cli.terminal import click_errors, show
from hookkit.core.attempts import Outcome
from hookkit.core.entry import REPLAYABLE, Filter, State
from hookkit.core.text import counted
from hookkit.operating.checkup import Level

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])

_COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


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
    help="Only entries whose last run has an attempt with this outcome.",
)
@click.option("--untried-by", metavar="NAME", help="Only entries that this handler never ran for.")
@click.option("--type", "kind", help="Only entries of this event type or vendor type.")
@click.option("--since", type=_TIME, help="Only entries received at this time (UTC) or later.")
@click.option("--until", type=_TIME, help="Only entries received before this time (UTC).")
@click.option("--handler", "handlers", multiple=True, help="Run only this handler. Repeatable.")
@click.option("--all", "is_all", is_flag=True, help="All entries, without a filter.")
@with_appcontext
def replay(  # noqa: PLR0913  # one for each option
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
    """Run entries again, chosen by their ids or by the options.

    A done entry runs every handler again; a waiting or dead one runs the handlers that have
    not succeeded. Entries that are due or running, or whose bodies were deleted, are skipped.
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
    with click_errors():
        operations = state_of_app().operations
        count = operations.replay_all(
            wanted,
            handlers=handlers or None,
            progress=lambda so_far: show(f"{so_far} so far", err=True),
        )
        why = None if count else operations.why_none(wanted, handlers or None)
        if why is not None:
            raise click.ClickException(why)
    show(f"{counted(count, 'entry runs', 'entries run')} again")


@click.command()
@with_appcontext
def prune() -> None:
    """Delete bodies and entries that are older than the settings say.

    Events that a switch of versions held back are handled first, if their twins never came.
    """
    state = state_of_app()
    with click_errors():
        state.versions.promote_held_back()
        bodies, entries = state.upkeep.prune(lambda _: False)
    of_deliveries = counted(bodies, "delivery", "deliveries")
    show(f"deleted the bodies of {of_deliveries} and {counted(entries, 'entry', 'entries')}")


@click.command()
@click.argument("endpoint")
@with_appcontext
def adopt(endpoint: str) -> None:
    """Take over the entries of other applications at ENDPOINT.

    For an application that was given a new SECRET_KEY and new secrets at once. Processes that
    run already handle these entries once they are started again.
    """
    state = state_of_app()
    with click_errors():
        state.identity.adopt(state.opening.prepare(), endpoint)
    show(f"entries of {endpoint} belong to this application")


@click.group()
def tables() -> None:
    """Upgrade the tables of the inbox."""


@tables.command()
@with_appcontext
def upgrade() -> None:
    """Create or change the tables as this version of hookkit needs them.

    This works whatever HOOKKIT_TABLES says.
    """
    with click_errors():
        state_of_app().opening.upgrade()
    show("the tables are up to date")


@tables.command("accept-loss")
@with_appcontext
def accept_loss() -> None:
    """Go on with an inbox that has lost events.

    hookkit refuses a SQLite file that holds less than it has acknowledged, such as a backup that
    was put in its place. Give this command while nothing else uses the file.
    """
    with click_errors():
        number = state_of_app().opening.accept_loss()
    lost = f"; events up to number {number} were lost sight of" if number else ""
    show(f"the inbox is used as it is{lost}")


@click.command()
@click.pass_context
@with_appcontext
def check(context: click.Context) -> None:
    """Check settings, secrets, handlers and inbox; change nothing.

    Run it on the machine and as the user that serve. It ends with status 1 if events could not
    be received, kept or handled.
    """
    levels = set()
    for finding in state_of_app().checkup.findings():
        levels.add(finding.level)
        show(finding.text, label=f"{finding.level.value:8}", color=_COLORS[finding.level])
    context.exit(1 if Level.FAILURE in levels else 0)
