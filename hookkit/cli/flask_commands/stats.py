"""``flask hookkit stats``: how the inbox stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext

from hookkit.application.app_state import AppState
from hookkit.cli.flask_commands.common import (
    echo_json,
    fields_of,
    json_option,
    state_of_app,
    utc,
)
from hookkit.cli.flask_commands.entries import ago, short_name
from hookkit.cli.terminal import click_errors, show, wrapped
from hookkit.core.entry import State
from hookkit.core.masking import masked_error
from hookkit.core.text import capped, counted
from hookkit.inbox.records import WorkerRecord
from hookkit.inbox.sights import DeadGroup
from hookkit.operating.operations import Stats
from hookkit.operating.presence import workers_seen
from hookkit.operating.silence import Silence, find_silent
from hookkit.receiving.minutes import WRITE_S

#: ``--check`` accepts no longer wait for a worker, in seconds.
MAX_OVERDUE_S = 60

_CAP = 1000
_MAX_GROUPS = 10
_MAX_GROUPED = 10_000
#: What a group says of each of its entries: too much for a line.
_OF_EACH = ("entry_ids", "failed_at_ms")
_INDENT = 9
#: How late the counts of today are: processes keep them for so long before they write them.
_LATE_S = round(WRITE_S)
#: The codes of what was not refused.
ARRIVED = ("new", "duplicate", "conflict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an inbox stands.

    Attributes:
        today: How many came since midnight in UTC, by code: of events those that were new,
            duplicates and conflicts, and deliveries that were refused.
        next_at: When the next waiting entry is due; None if none is.
        last_at: When the last proven delivery to each endpoint came, to the minute.
        silent: The endpoints that have fallen silent.
        workers: The processes that run handlers, the last seen first.
    """

    stats: Stats
    today: Mapping[str, int]
    dead: list[DeadGroup]
    next_at: datetime | None
    last_at: Mapping[str, datetime]
    silent: Sequence[Silence]
    workers: Sequence[WorkerRecord]

    @property
    def is_well(self) -> bool:
        """Whether nothing is dead, nothing has been due for long, and no endpoint is silent."""
        is_late = self.stats.overdue_s > MAX_OVERDUE_S
        return not (is_late or self.stats.entries[State.DEAD] or self.silent)


@click.command(short_help="Show how the inbox stands.")
@click.option(
    "--check",
    "is_check",
    is_flag=True,
    help="End with status 1 if an entry is dead or due for more than 60 seconds, or an endpoint"
    " silent.",
)
@json_option
@click.pass_context
@with_appcontext
def stats(context: click.Context, *, is_check: bool, is_json: bool) -> None:
    """Show what is due and dead, what came today, and which secrets are in use.

    At most 1000 entries of each state are counted. The day begins at midnight in UTC.
    """
    state = state_of_app()
    now = state.operations.clock()
    with click_errors():
        found = standing_of(state, now)
    if is_json:
        echo_json(_json(found))
    else:
        show(*_lines(found, now))
    context.exit(1 if is_check and not found.is_well else 0)


def standing_of(state: AppState, now: datetime, *, look_at: int = _MAX_GROUPED) -> Standing:
    """Return how the inbox of an application stands.

    Args:
        look_at: How many dead letters are put into groups, at most.

    Raises:
        Unavailable: The inbox cannot be reached.
    """
    inbox = state.opening.inbox()
    sums = inbox.minutes.sums(now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    today: dict[str, int] = {}
    for (_, code), count in sums.items():
        today[code] = today.get(code, 0) + count
    stats, next_at = state.operations.standing()
    last_at, silent = find_silent(inbox.rhythm, state.settings.endpoints, now)
    return Standing(
        stats=stats,
        today=today,
        dead=list(inbox.reading.dead_groups(look_at)),
        next_at=next_at,
        last_at=last_at,
        silent=list(silent.values()),
        workers=workers_seen(inbox, now),
    )


def _json(found: Standing) -> dict[str, Any]:
    return {
        **fields_of(found.stats),
        "is_well": found.is_well,
        "next_at": found.next_at,
        "today": found.today,
        "silent": [fields_of(silence) for silence in found.silent],
        "workers": [fields_of(worker) for worker in found.workers],
        "dead": [_group_fields(group) for group in found.dead],
    }


def _lines(found: Standing, now: datetime) -> Iterator[str]:
    counts = {state: capped(count, _CAP) for state, count in found.stats.entries.items()}
    overdue_s = found.stats.overdue_s
    oldest = f" (oldest {overdue_s:.0f} s)" if overdue_s else ""
    waiting = ""
    if found.next_at is not None and found.next_at > now and found.stats.entries[State.WAITING]:
        waiting = f" (next {ago(found.next_at, now)})"
    parts = [
        f"due {counts[State.PENDING]}{oldest}",
        f"running {counts[State.RUNNING]}",
        f"waiting {counts[State.WAITING]}{waiting}",
        *(f"{state.value} {counts[state]}" for state in (State.DONE, State.DEAD)),
        *(
            f"{state.value} {counts[state]}"
            for state in (State.SHADOW, State.TWIN, State.IGNORED)
            if found.stats.entries[state]
        ),
    ]
    yield from _row("entries", "  ".join(parts))
    yield from _row("today", _today(found.today))
    for worker in found.workers:
        yield from _row("worker", _worker(worker, now))
    for silence in found.silent:
        yield from _row("silent", str(silence))
    for group in found.dead[:_MAX_GROUPS]:
        yield from _row("dead", _group(group))
    if len(found.dead) > _MAX_GROUPS:
        yield from _row("dead", f"{len(found.dead) - _MAX_GROUPS} more kinds of failure")
    for use in found.stats.secrets:
        used = "unused" if use.last_used_at is None else f"used {ago(use.last_used_at, now)}"
        rest = "; it can go" if use.can_go else ""
        name = f"{use.endpoint} {use.setting} #{use.position} {use.fingerprint}"
        yield from _row("secrets", f"{name}: {used}{rest}")
    if found.dead:
        yield f"next: flask hookkit show {found.dead[0].newest_id}"


def _group_fields(group: DeadGroup) -> dict[str, Any]:
    known = fields_of(group) | {"error": masked_error(group.error)}
    return {name: value for name, value in known.items() if name not in _OF_EACH}


def _row(name: str, text: str) -> Iterator[str]:
    return wrapped(text, label=name.ljust(_INDENT))


def _today(today: Mapping[str, int]) -> str:
    arrived = [f"{today.get(code, 0)} {code}" for code in ARRIVED]
    refused = {code: count for code, count in sorted(today.items()) if code not in ARRIVED}
    codes = ", ".join(f"{code} {count}" for code, count in refused.items())
    listed = f" ({codes})" if codes else ""
    return f"{', '.join(arrived)}, {sum(refused.values())} refused{listed}; up to {_LATE_S} s late"


def _worker(worker: WorkerRecord, now: datetime) -> str:
    threads = counted(worker.threads, "thread", "threads")
    return (
        f"{worker.name} on {worker.host}, process {worker.pid}, {threads}, for"
        f" {', '.join(worker.endpoints)}; hookkit {worker.version}; seen {ago(worker.seen_at, now)}"
    )


def _group(group: DeadGroup) -> str:
    handler = short_name(group.handler) or "no handler"
    where = f" at {group.where}" if group.where else ""
    times = f"since {utc(group.first_at)}, last {utc(group.last_at)}"
    entries = counted(group.count, "entry", "entries")
    return f"{entries} by {handler}: {masked_error(group.error)}{where}; {times}"
