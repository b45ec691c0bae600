"""``flask hookkit versions``: move an endpoint from one payload version to another."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import (
    acting,
    echo_json,
    fields_of,
    json_option,
    state_of_app,
    utc,
    who_option,
)
from hookkit.cli.terminal import aligned, click_errors, show
from hookkit.core.text import counted
from hookkit.switching.comparison import Row
from hookkit.switching.rehearsal import Rehearsal
from hookkit.switching.switch import Status

_HEADINGS = ("type", "{old}", "{new}", "paired", "not in {old}", "not in {new}", "apart", "longest")

#: How many facts of a long list are printed.
_MAX_FACTS = 20

_force = click.option("--force", "is_forced", is_flag=True, help="Ignore the reasons against it.")


@click.group(short_help="Move an endpoint to another payload version.")
def versions() -> None:
    """Move an endpoint from one payload version to another."""


@versions.command(short_help="Show modes, and whether a switch is safe.")
@click.argument("endpoint")
@click.option("--to", "new", metavar="VERSION", help="The version to compare. Default: the shadow.")
@json_option
@with_appcontext
def status(endpoint: str, new: str | None, *, is_json: bool) -> None:
    """Show the modes of ENDPOINT, and whether a switch is safe.

    The exit status is 0 if it is, 1 if something is in the way, and 3 if too little was seen.
    """
    with click_errors():
        found = state_of_app().versions.status(endpoint, new)
    if is_json:
        log = [entry._asdict() for entry in found.log]
        verdict = {"is_safe": found.is_safe, "is_undecided": found.is_undecided}
        echo_json({**fields_of(found), "log": log, **verdict})
    else:
        show(*lines_of_status(found))
    if not found.is_safe:
        sys.exit(3 if found.is_undecided else 1)


@versions.command(short_help="Make a version live.")
@click.argument("endpoint")
@click.argument("version")
@_force
@who_option
@with_appcontext
def switch(endpoint: str, version: str, who: str, *, is_forced: bool) -> None:
    """Make VERSION live at ENDPOINT, in every process at once."""
    with click_errors():
        state = state_of_app()
        with acting(state, "switch", who=who, target=f"{endpoint} {version}"):
            count = state.versions.switch(endpoint, version, who=who, is_forced=is_forced)
    events = counted(
        count, "event that only it has reported runs", "events that only it has reported run"
    )
    show(f"{version} is live at {endpoint}; {events} now")


@versions.command(short_help="Ignore a version from now on.")
@click.argument("endpoint")
@click.argument("version")
@_force
@who_option
@with_appcontext
def retire(endpoint: str, version: str, who: str, *, is_forced: bool) -> None:
    """Ignore VERSION at ENDPOINT from now on."""
    state = state_of_app()
    of_app = state.versions
    with click_errors(), acting(state, "retire", who=who, target=f"{endpoint} {version}"):
        seen_at = of_app.status(endpoint).last_seen.get(version)
        of_app.retire(endpoint, version, who=who, is_forced=is_forced)
    seen = "it was not seen lately" if seen_at is None else f"last seen {utc(seen_at)}"
    show(f"{version} is ignored at {endpoint}; {seen}")


@versions.command(short_help="Try a switch on what is kept.")
@click.argument("endpoint")
@click.option("--to", "new", metavar="VERSION", help="The version to try. Default: the shadow.")
@json_option
@with_appcontext
def rehearse(endpoint: str, new: str | None, *, is_json: bool) -> None:
    """Try a switch of ENDPOINT on its kept deliveries.

    The newest deliveries of both versions are replayed into a separate inbox, with the switch
    in the middle. No handler runs and nothing is changed. The exit status is 1 if a fact is lost
    or handled twice.
    """
    with click_errors():
        found = state_of_app().versions.rehearse(endpoint, new)
    if is_json:
        echo_json({**fields_of(found), "is_clean": found.is_clean})
    else:
        show(*lines_of_rehearsal(found))
    if not found.is_clean:
        raise SystemExit(1)


def lines_of_status(status: Status) -> Iterator[str]:
    """Yield the lines that people read of *status*."""
    for version, mode in status.modes.items():
        seen_at = status.last_seen.get(version)
        seen = "not seen" if seen_at is None else f"last seen {utc(seen_at)}"
        yield f"{version}: {mode.value}, {seen}"
    for entry in status.log:
        changed = f"{entry.version} {entry.vendor_type}".strip()
        yield f"{utc(entry.since)}: {changed} {entry.mode.value}, by {entry.who}"
    if status.rows:
        yield from aligned(_table(status))
        for row in status.rows:
            yield from _lines_of_fields(row, status)
    if status.staying:
        yield f"stay live in {status.old}: {', '.join(status.staying)}"
    for tick in status.triggers:
        replaced = f", for {' and '.join(tick.instead_of)}" if tick.instead_of else ""
        has_come = "has come" if tick.has_come else "has not come"
        yield f"trigger of {status.new}: {tick.word}{replaced}; {has_come}"
    for concern in status.handlers:
        lost = f"; is not given {', '.join(concern.loses)} of {status.new}" if concern.loses else ""
        yield f"handler {concern.handler}: {', '.join(concern.words)}{lost}"
    yield from (f"in the way: {reason}" for reason in status.obstacles)
    if status.is_undecided:
        yield from status.reasons
    elif status.is_safe:
        yield f"safe to switch to {status.new}"


def _table(status: Status) -> Iterator[Sequence[str]]:
    yield [heading.format(old=status.old, new=status.new) for heading in _HEADINGS]
    for row in status.rows:
        counts = (row.seen_old, row.seen_new, row.paired, row.missing_old, row.missing_new)
        delays_s = (row.delay_s, row.longest_delay_s)
        apart = ["" if delay_s is None else f"{delay_s:.1f} s" for delay_s in delays_s]
        yield [row.kind, *map(str, counts), *apart]


def _lines_of_fields(row: Row, status: Status) -> Iterator[str]:
    if row.fields:
        yield f"{row.kind}, {row.compared} compared:"
    for each in row.fields:
        counts = {
            "differs": each.differing,
            f"only {status.old}": each.only_old,
            f"only {status.new}": each.only_new,
        }
        how = ", ".join(f"{words} in {count}" for words, count in counts.items() if count)
        example = each.example
        values = " and ".join(value for value in (example.old, example.new) if value is not None)
        entries = f"entries {example.old_entry_id} and {example.new_entry_id}"
        yield f"  {each.path}: {how}; {values} ({entries})"


def lines_of_rehearsal(found: Rehearsal) -> Iterator[str]:
    """Yield the lines that people read of a rehearsal."""
    counts = " and ".join(f"{count} of {version}" for version, count in found.deliveries.items())
    switched_at = utc(found.switched_at)
    yield f"deliveries replayed: {counts}; switched to {found.new} at {switched_at}"
    headings = ("type", f"handled in {found.old}", f"handled in {found.new}", "held back")
    rows = [
        (row.kind, str(row.from_old), str(row.from_new), str(row.held_back)) for row in found.rows
    ]
    yield from aligned([headings, *rows])
    yield f"run by the switch and after it, reported by one version alone: {found.promoted}"
    if found.near_twice:
        yield f"without an exact fact, handled in both versions: {found.near_twice}"
    if found.unasked:
        yield f"reported by the shadow alone and too far from the switch: {found.unasked}"
    for what, facts in (("lost", found.lost), ("handled twice", found.doubled)):
        for fact in facts[:_MAX_FACTS]:
            yield f"{what}: {fact}"
        if len(facts) > _MAX_FACTS:
            yield f"{what}: {len(facts) - _MAX_FACTS} more"
    if found.is_clean:
        yield f"each of {counted(found.facts, 'fact', 'facts')} is handled once"
