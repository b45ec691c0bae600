"""``flask hookkit migrate ...``: from one payload version to another."""

from __future__ import annotations

import getpass
import json
from typing import Any

import click
from flask.cli import with_appcontext

from hookkit.cli.inbox_commands import state_of_app, told

_HEADINGS = ("type", "{old}", "{new}", "paired", "not in {old}", "not in {new}", "apart")

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
        click.echo(json.dumps(_plain(found), indent=2))
        return
    for version, mode in found.modes.items():
        seen = found.last_seen.get(version)
        when = "not seen" if seen is None else f"last seen {seen:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(f"{version}: {mode.value}, {when}")
    for one in found.log:
        what = f"{one.version} {one.vendor_type}".strip()
        click.echo(f"{one.since:%Y-%m-%d %H:%M:%S} UTC: {what} {one.mode.value}, by {one.who}")
    if found.rows:
        _show_rows(found)
    if found.staying:
        click.echo(f"stay live in {found.old}: {', '.join(found.staying)}")
    for reason in found.obstacles:
        click.echo(f"in the way: {reason}")
    if not found.obstacles:
        click.echo(f"safe to switch to {found.new}")


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


def _show_rows(found: Any) -> None:
    table = [[heading.format(old=found.old, new=found.new) for heading in _HEADINGS]]
    for row in found.rows:
        apart = "" if row.delay_s is None else f"{row.delay_s:.1f} s"
        counts = (row.seen_old, row.seen_new, row.paired, row.missing_old, row.missing_new)
        table.append([row.kind, *map(str, counts), apart])
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _plain(found: Any) -> dict[str, Any]:
    return {
        "endpoint": found.endpoint,
        "modes": {version: mode.value for version, mode in found.modes.items()},
        "last_seen": {version: at.isoformat() for version, at in found.last_seen.items()},
        "log": [
            {
                "version": one.version,
                "vendor_type": one.vendor_type,
                "mode": one.mode.value,
                "since": one.since.isoformat(),
                "who": one.who,
            }
            for one in found.log
        ],
        "old": found.old,
        "new": found.new,
        "rows": [
            {name: getattr(row, name) for name in type(row).__dataclass_fields__}
            for row in found.rows
        ],
        "staying": list(found.staying),
        "is_safe": not found.obstacles,
        "obstacles": list(found.obstacles),
    }
