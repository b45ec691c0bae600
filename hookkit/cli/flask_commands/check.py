"""``flask hookkit check``: whether the application would receive, keep and handle events."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.inbox import (
    state_of_app,
)

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
