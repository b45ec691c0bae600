"""The options that choose entries, shared by the commands that look at or run many of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime
from functools import wraps
from typing import Any

import click

from hookkit.cli.times import TIME
from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State

#: What is written for no, and for yes.
_SWITCHES = {
    "has_conflict": ("--no-conflict", "--conflict"),
    "is_replayed": ("--not-replayed", "--replayed"),
}
_FIELDS = [each.name for each in fields(Filter) if each.name != "entry_ids"]


#: The options that choose entries, but for ``--state``.
_OPTIONS = [
    click.option("--endpoint", metavar="NAME", help="Only entries of this endpoint."),
    click.option("--version", metavar="VERSION", help="Only entries of this payload version."),
    click.option("--lane", metavar="LANE", help="Only entries of this lane."),
    click.option(
        "--outcome",
        type=click.Choice([outcome.value for outcome in Outcome]),
        help="Only entries whose last run has an attempt with this outcome.",
    ),
    click.option(
        "--error",
        metavar="CLASS",
        help="Only entries whose last run has an attempt that raised this class of exception.",
    ),
    click.option(
        "--tried-by",
        metavar="NAME",
        help="Only entries that this handler ran for; with --outcome and --error, in this way.",
    ),
    click.option(
        "--untried-by", metavar="NAME", help="Only entries that this handler never ran for."
    ),
    click.option("--event-id", metavar="ID", help="Only entries of this event."),
    click.option("--type", metavar="TYPE", help="Only entries of this event type or vendor type."),
    click.option(
        "--conflict/--no-conflict",
        "has_conflict",
        default=None,
        help="Only entries whose event came with other content too, or only the others.",
    ),
    click.option(
        "--replayed/--not-replayed",
        "is_replayed",
        default=None,
        help="Only entries that somebody ran again, or only the others.",
    ),
    click.option(
        "--since",
        type=TIME,
        help="Only entries received then or later: 2h (ago), today, 2026-03-01T09:00 (UTC).",
    ),
    click.option("--until", type=TIME, help="Only entries received before this time."),
]


def filter_options(
    states: Collection[State] = frozenset(State),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options, and calls the command with ``wanted``.

    ``wanted`` is a ``Filter``, equal to ``Filter()`` if no option was given. Times that no entry
    can fit are refused.

    Args:
        states: What ``--state`` may name.
    """
    options = [
        click.option(
            "--state",
            type=click.Choice(sorted(state.value for state in states)),
            help="Only entries in this state.",
        ),
        *_OPTIONS,
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_filter(*args: Any, **options: Any) -> Any:
            wanted = _filter({name: options.pop(name) for name in _FIELDS})
            return command(*args, wanted=wanted, **options)

        for option in reversed(options):
            with_filter = option(with_filter)
        return with_filter

    return decorate


def spelt(wanted: Filter) -> str:
    """Return *wanted* as somebody would write it after ``replay``; ``""`` if it fits everything."""
    words = [str(entry_id) for entry_id in wanted.entry_ids or ()]
    for name in _FIELDS:
        value = getattr(wanted, name)
        if isinstance(value, datetime):
            value = value.strftime("%Y-%m-%dT%H:%M:%SZ")
        if isinstance(value, bool):
            words.append(_SWITCHES[name][value])
        elif value is not None:
            words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)


def _filter(chosen: dict[str, Any]) -> Filter:
    state, outcome = chosen["state"], chosen["outcome"]
    since, until = chosen["since"], chosen["until"]
    if since and until and since >= until:
        raise click.UsageError("--since is not before --until, so that no entry fits")
    return Filter(
        **chosen | {"state": state and State(state), "outcome": outcome and Outcome(outcome)}
    )
