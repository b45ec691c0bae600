"""``flask hookkit migrate ...``: from one payload version to another."""

from __future__ import annotations

import getpass
import json

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.inbox import (
    state_of_app,
    told,
)
from hookkit.cli.flask_commands.versions_text import (
    lines_of,
    lines_of_rehearsal,
    plain,
    plain_rehearsal,
)

_force = click.option("--force", "is_forced", is_flag=True, help="Do it in spite of the reasons.")
_who = click.option(
    "--who", default=getpass.getuser, help="Kept with the switch; default is your user name."
)


@click.group()
def migrate() -> None:
    """Move an endpoint from one payload version to another."""


@migrate.command()
@click.argument("endpoint")
@click.option("--to", "new", metavar="VERSION", help="Compare with this one; default: the shadow.")
@click.option("--json", "is_json", is_flag=True, help="Print it for machines.")
@with_appcontext
def status(endpoint: str, new: str | None, *, is_json: bool) -> None:
    """Show the modes of ENDPOINT, what its versions have reported, and a verdict."""
    with told():
        found = state_of_app().migration.status(endpoint, new)
    if is_json:
        click.echo(json.dumps(plain(found), indent=2))
        return
    for line in lines_of(found):
        click.echo(line)


@migrate.command()
@click.argument("endpoint")
@click.argument("version")
@_force
@_who
@with_appcontext
def switch(endpoint: str, version: str, who: str, *, is_forced: bool) -> None:
    """Make VERSION live at ENDPOINT, for the next delivery in every process."""
    with told():
        count = state_of_app().migration.switch(endpoint, version, who=who, is_forced=is_forced)
    runs = (
        "event that only it has reported runs"
        if count == 1
        else "events that only it has reported run"
    )
    click.echo(f"{version} is live at {endpoint}; {count} {runs} now")


@migrate.command()
@click.argument("endpoint")
@click.argument("version")
@_force
@_who
@with_appcontext
def retire(endpoint: str, version: str, who: str, *, is_forced: bool) -> None:
    """Ignore VERSION at ENDPOINT from now on."""
    with told():
        migration = state_of_app().migration
        seen = migration.status(endpoint).last_seen.get(version)
        migration.retire(endpoint, version, who=who, is_forced=is_forced)
    when = "it was not seen lately" if seen is None else f"last seen {seen:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"{version} is ignored at {endpoint}; {when}")


@migrate.command()
@click.argument("endpoint")
@click.option("--to", "new", metavar="VERSION", help="Switch to this one; default: the shadow.")
@click.option("--json", "is_json", is_flag=True, help="Print it for machines.")
@with_appcontext
def rehearse(endpoint: str, new: str | None, *, is_json: bool) -> None:
    """Try a switch of ENDPOINT on its kept deliveries, in an inbox of its own.

    The newest of both versions are replayed, with the switch in the middle. No handler runs,
    and nothing is written. The exit status is 1 when a fact is lost or handled twice.
    """
    with told():
        played = state_of_app().migration.rehearse(endpoint, new)
    if is_json:
        click.echo(json.dumps(plain_rehearsal(played), indent=2))
    else:
        for line in lines_of_rehearsal(played):
            click.echo(line)
    if not played.is_clean:
        raise SystemExit(1)
