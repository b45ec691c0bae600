"""``flask hookkit adopt``, ``check``, ``prune`` and ``tables``."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import echo_json, json_option, state_of_app
from hookkit.cli.terminal import click_errors, show, wrapped
from hookkit.core.text import counted
from hookkit.operating.checkup import Finding, Level

_COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


@click.command(short_help="Delete what is older than the settings say.")
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


@click.command(short_help="Take over other applications' entries.")
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


@tables.command(short_help="Create or change the tables.")
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


@click.command(short_help="Check settings, handlers and inbox.")
@json_option
@click.pass_context
@with_appcontext
def check(context: click.Context, *, is_json: bool) -> None:
    """Check settings, secrets, handlers and inbox; change nothing.

    Run it on the machine and as the user that serve. It ends with status 1 if events could not
    be received, kept or handled.
    """
    findings = list(state_of_app().checkup.findings())
    if is_json:
        echo_json([{"level": each.level.value, "text": each.text} for each in findings])
    else:
        for each in findings:
            _show_finding(each)
    context.exit(1 if any(each.level is Level.FAILURE for each in findings) else 0)


def _show_finding(finding: Finding) -> None:
    label = f"{finding.level.value:8}"
    first, *others = wrapped(finding.text, label=label)
    show(first[len(label) :], label=label, color=_COLORS[finding.level])
    if others:
        show(*others)
