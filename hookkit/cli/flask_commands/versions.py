"""``flask hookkit migrate``: from one payload version to another."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.inbox import aligned, state_of_app, told

_HEADINGS = ("type", "{old}", "{new}", "paired", "not in {old}", "not in {new}", "apart", "longest")
#: Of a long list, so many are printed.
_MOST_FACTS = 20


def lines_of(status: Any) -> Iterator[str]:
    """Yield what people read of *status*."""
    for version, mode in status.modes.items():
        seen = status.last_seen.get(version)
        when = "not seen" if seen is None else f"last seen {seen:%Y-%m-%d %H:%M:%S} UTC"
        yield f"{version}: {mode.value}, {when}"
    for one in status.log:
        what = f"{one.version} {one.vendor_type}".strip()
        yield f"{one.since:%Y-%m-%d %H:%M:%S} UTC: {what} {one.mode.value}, by {one.who}"
    if status.rows:
        yield from aligned(_table(status))
        for row in status.rows:
            yield from _fields(row, status.old, status.new)
    if status.staying:
        yield f"stay live in {status.old}: {', '.join(status.staying)}"
    for each in status.triggers:
        instead = f", for {' and '.join(each.instead_of)}" if each.instead_of else ""
        has_come = "has come" if each.has_come else "has not come"
        yield f"trigger of {status.new}: {each.word}{instead}; {has_come}"
    for each in status.handlers:
        lost = f"; is not given {', '.join(each.loses)} of {status.new}" if each.loses else ""
        yield f"handler {each.handler}: {', '.join(each.words)}{lost}"
    for reason in status.obstacles:
        yield f"in the way: {reason}"
    if not status.obstacles:
        yield f"safe to switch to {status.new}"


def _table(status: Any) -> Iterator[Sequence[str]]:
    yield [heading.format(old=status.old, new=status.new) for heading in _HEADINGS]
    for row in status.rows:
        counts = (row.seen_old, row.seen_new, row.paired, row.missing_old, row.missing_new)
        delays = (row.delay_s, row.longest_delay_s)
        apart = ["" if delay is None else f"{delay:.1f} s" for delay in delays]
        yield [row.kind, *map(str, counts), *apart]


def _fields(row: Any, old: str, new: str) -> Iterator[str]:
    if not row.fields:
        return
    yield f"{row.kind}, {row.compared} compared:"
    for each in row.fields:
        how = [
            f"{words} in {count}"
            for words, count in (
                ("differs", each.differing),
                (f"only {old}", each.only_old),
                (f"only {new}", each.only_new),
            )
            if count
        ]
        example = each.example
        values = [value for value in (example.old, example.new) if value is not None]
        entries = f"entries {example.old_entry_id} and {example.new_entry_id}"
        yield f"  {each.path}: {', '.join(how)}; {' and '.join(values)} ({entries})"


def plain(status: Any) -> dict[str, Any]:
    """Return *status* as JSON has it."""
    named = ("endpoint", "modes", "last_seen", "log", "old", "new")
    told = ("rows", "staying", "handlers", "triggers")
    return {
        **{name: _plain(getattr(status, name)) for name in (*named, *told)},
        "is_safe": not status.obstacles,
        "obstacles": list(status.obstacles),
    }


def lines_of_rehearsal(played: Any) -> Iterator[str]:
    """Yield what people read of a rehearsal."""
    old, new = played.old, played.new
    counts = " and ".join(f"{count} of {name}" for name, count in played.deliveries.items())
    at = f"{played.switched_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"deliveries replayed: {counts}; switched to {new} at {at}"
    yield from aligned(
        [
            ("type", f"handled in {old}", f"handled in {new}", "held back"),
            *((row.kind, *map(str, row[1:])) for row in played.rows),
        ]
    )
    yield f"run by the switch and after it, reported by one version alone: {played.promoted}"
    if played.near_twice:
        yield f"without an exact fact, handled in both versions: {played.near_twice}"
    if played.unasked:
        yield f"reported by the shadow alone and too far from the switch: {played.unasked}"
    for what, facts in (("lost", played.lost), ("handled twice", played.doubled)):
        for fact in facts[:_MOST_FACTS]:
            yield f"{what}: {fact}"
        if len(facts) > _MOST_FACTS:
            yield f"{what}: {len(facts) - _MOST_FACTS} more"
    if played.is_clean:
        yield f"each of {played.facts} facts is handled once"


def plain_rehearsal(played: Any) -> dict[str, Any]:
    """Return a rehearsal as JSON has it."""
    told: dict[str, Any] = _plain(played)
    return {**told, "is_clean": played.is_clean}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    names = getattr(type(value), "_fields", None) or getattr(type(value), "__slots__", None)
    if names and not isinstance(value, str):
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


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
