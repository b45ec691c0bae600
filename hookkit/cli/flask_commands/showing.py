"""``flask hookkit show``: one entry, with all that is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
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
from hookkit.cli.flask_commands.entries import (
    ago,
    entry_fields,
    first_line,
    outcome_mark,
    state_words,
    taken,
)
from hookkit.cli.terminal import aligned, click_errors, show, wrapped
from hookkit.core.entry import State, why_not_again
from hookkit.core.facts import is_near
from hookkit.core.masking import masked, masked_error, masked_id, shown
from hookkit.core.text import counted
from hookkit.handling.dispatch import Reader
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept
from hookkit.inbox.sights import Detail, Missing, Neighbours
from hookkit.schemas import EventSchema

_WHY_MISSING = {
    Missing.DELETED: "its body was deleted: HOOKKIT_KEEP_BODIES_DAYS is {days:g}",
    Missing.IGNORED: "its body was not kept: its payload version is ignored",
    Missing.NO_KEY: "its body cannot be read: no key in HOOKKIT_ENCRYPTION_KEYS fits",
    Missing.DAMAGED: "its body is not what arrived: what is stored was damaged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry and what is around it."""

    detail: Detail
    twin: Kept | None
    neighbours: Neighbours
    why_no_body: str | None

    @property
    def record(self) -> EntryRecord:
        """The entry itself."""
        return self.detail.record


@click.command("show", short_help="Show one entry.")
@click.argument("entry_id", metavar="ID", type=click.IntRange(min=1))
@click.option("--raw", "has_raw", is_flag=True, help="Also show the body as it came.")
@click.option("--event", "has_event", is_flag=True, help="Also show what handlers are given.")
@click.option("--headers", "has_headers", is_flag=True, help="Also show the headers that are kept.")
@click.option("--reveal", "is_revealed", is_flag=True, help="Show personal data, too.")
@json_option
@with_appcontext
def show_entry(
    entry_id: int,
    *,
    has_raw: bool,
    has_event: bool,
    has_headers: bool,
    is_revealed: bool,
    is_json: bool,
) -> None:
    """Show the entry with this ID: what it is, what each handler did, and what is around it.

    What a person wrote or is becomes its length, unless --reveal is given.
    """
    state = state_of_app()
    with click_errors():
        found = find_entry(state, entry_id)
        if found is None:
            raise click.ClickException(f"there is no entry {entry_id}")
    parts: dict[str, Any] = {}
    if has_headers:
        parts["headers"] = shown_headers(found.detail, is_revealed=is_revealed)
    if has_raw:
        parts["raw"] = shown_raw(found.detail, is_revealed=is_revealed)
    if has_event:
        parts["event"] = shown_event(state, found.detail, is_revealed=is_revealed)
    if is_json:
        echo_json(_json(found, is_revealed=is_revealed) | parts)
        return
    now = state.operations.clock()
    show(*_lines(found, now, is_revealed=is_revealed))
    for name, value in parts.items():
        show(f"{name}:")
        if value is None:
            show(f"  {found.why_no_body}")
        else:
            echo_json(value)
    show(_following(found))


def find_entry(state: AppState, entry_id: int) -> Found | None:
    """Return an entry and what is around it; None if there is none of this id.

    Raises:
        Unavailable: The inbox cannot be reached.
    """
    reading = state.opening.inbox().reading
    detail = reading.read(entry_id)
    if detail is None:
        return None
    why = None
    if detail.missing is not None:
        why = _WHY_MISSING[detail.missing].format(days=state.settings.keep_bodies_days)
    return Found(
        detail=detail,
        twin=reading.twin(detail.record, window_s=state.settings.twin_window_s),
        neighbours=reading.neighbours(detail.record),
        why_no_body=why,
    )


def shown_headers(detail: Detail, *, is_revealed: bool) -> dict[str, str]:
    """Return the headers that are kept, without personal data unless it is revealed."""
    # A header that is kept is a word or an id.
    return {
        name: value if is_revealed else shown(value, "id") for name, value in detail.headers.items()
    }


def shown_raw(detail: Detail, *, is_revealed: bool) -> Any:
    """Return the body as it came: JSON read, or a text; None if it is missing."""
    if detail.body is None:
        return None
    try:
        value = json.loads(detail.body)
    except (ValueError, RecursionError):
        text = detail.body.decode(errors="backslashreplace")
        return text if is_revealed else f"no JSON, {len(detail.body)} bytes"
    return value if is_revealed else masked(value)


def shown_event(state: AppState, detail: Detail, *, is_revealed: bool) -> Any:
    """Return what handlers are given, as JSON; None if the body or the endpoint is missing."""
    providers = state.worker.assignment.providers
    if detail.body is None or detail.record.endpoint not in providers:
        return None
    dumped = EventSchema().dump(Reader(providers).read(detail.kept))
    dumped.pop("raw", None)  # what --raw shows
    words = {name: dumped[name] for name in ("provider", "endpoint", "vendor_type")}
    return dumped if is_revealed else masked(dumped) | words


def _json(found: Found, *, is_revealed: bool) -> dict[str, Any]:
    detail, around = found.detail, found.neighbours
    left_out = ("record", "headers", "body", "missing")
    of_detail = {key: each for key, each in fields_of(detail).items() if key not in left_out}
    return {
        **entry_fields(found.record, is_revealed=is_revealed),
        **of_detail,
        "why_no_body": found.why_no_body,
        "twin": found.twin and found.twin.id,
        "earlier": [each.id for each in around.earlier],
        "later": [each.id for each in around.later],
        "siblings": [each.id for each in around.siblings],
    }


def _lines(found: Found, now: datetime, *, is_revealed: bool) -> Iterator[str]:
    facts = [pair for pair in _facts(found, now, is_revealed=is_revealed) if pair[1]]
    width = 2 + max(len(name) for name, _ in facts)
    for name, value in facts:
        yield from wrapped(value, label=name.ljust(width))
    if found.record.attempts:
        yield from _timeline(found.record, is_revealed=is_revealed)
    else:
        yield "no handler has run"


def _facts(found: Found, now: datetime, *, is_revealed: bool) -> Iterator[tuple[str, str]]:
    record, detail = found.record, found.detail
    replays = f", replayed {counted(record.replays, 'time', 'times')}" if record.replays else ""
    yield "entry", f"{record.id}, {state_words(record.state)}{replays}"
    words = record.vendor_type
    if record.event_type is not None and record.event_type != record.vendor_type:
        words = f"{record.event_type} ({record.vendor_type})"
    yield "type", f"{words}, {record.version or 'unknown version'}, at {record.endpoint}"
    yield "received", f"{utc(record.received_at)}, {ago(record.received_at, now)}"
    yield "event id", record.event_id if is_revealed else masked_id(record.event_id)
    yield "proved by", _proof(detail)
    of_items = f"item {detail.position + 1} of {detail.item_count}"
    siblings = [str(each.id) for each in found.neighbours.siblings]
    beside = f", beside entries {', '.join(siblings)}" if siblings else ""
    yield "delivery", f"{detail.delivery_id}, {of_items}{beside}"
    yield "lane", _lane(found, is_revealed=is_revealed)
    yield "fact", _fact(record, is_revealed=is_revealed)
    yield "twin", _twin(found)
    if record.next_attempt_at is not None:
        yield "due", f"{utc(record.next_attempt_at)}, {ago(record.next_attempt_at, now)}"
    if detail.lease_until is not None:
        yield "lease", f"until {utc(detail.lease_until)}, {ago(detail.lease_until, now)}"
    if record.conflicts:
        times = counted(record.conflicts, "delivery", "deliveries")
        yield "conflicts", f"{times} brought this event id with other content"
    problem = record.problem or ""
    yield "problem", problem if is_revealed else masked_error(problem)
    size = 0 if detail.body is None else len(detail.body)
    yield "body", found.why_no_body or f"{size:,} bytes"


def _proof(detail: Detail) -> str:
    if detail.fingerprint is None:
        return ""
    place = "" if detail.secret_index is None else f"#{detail.secret_index} "
    return f"secret {place}{detail.fingerprint}"


def _lane(found: Found, *, is_revealed: bool) -> str:
    lane = found.record.lane
    if lane is None:
        return ""
    lane = lane if is_revealed else masked_id(lane)
    around = found.neighbours
    sides = (("after", around.earlier), ("before", around.later))
    near = [f"{side} entry {records[0].id}" for side, records in sides if records]
    return ", ".join([lane, *near])


def _fact(record: EntryRecord, *, is_revealed: bool) -> str:
    if record.fact is None:
        return ""
    fact = record.fact if is_revealed else masked_id(record.fact)
    return f"{fact} ({'near' if is_near(record.fact) else 'exact'})"


def _twin(found: Found) -> str:
    twin, record = found.twin, found.record
    if twin is None:
        return "none" if record.fact is not None else ""
    apart_s = (twin.received_at - record.received_at).total_seconds()
    side = "later" if apart_s >= 0 else "earlier"
    state = state_words(twin.state)
    return f"entry {twin.id}, {state}, {twin.version}, {abs(apart_s):.1f} s {side}"


def _timeline(record: EntryRecord, *, is_revealed: bool) -> Iterator[str]:
    by_name = sorted(record.attempts, key=lambda each: each.handler)
    for name, of_handler in groupby(by_name, key=lambda each: each.handler):
        attempts = list(of_handler)
        yield name or "(no handler)"
        yield from aligned(_row(each) for each in attempts)
        last = attempts[-1]
        if last.error is not None:
            yield from wrapped(first_line(last.error, is_revealed=is_revealed), label="    ")


def _row(attempt: AttemptRecord) -> tuple[str, ...]:
    run = f"replay {attempt.replays}, " if attempt.replays else ""
    return (
        f"  {outcome_mark(attempt.outcome)}",
        f"{run}attempt {attempt.number}",
        attempt.outcome.value,
        f"{attempt.started_at:%Y-%m-%d %H:%M:%S}",
        taken(attempt),
        attempt.raised_at or "",
    )


def _following(found: Found) -> str:
    record = found.record
    refusal = why_not_again(
        f"entry {record.id}", record.state, has_body=record.has_body, is_chosen=False
    )
    if refusal is None and record.state is not State.DONE:
        return f"next: flask hookkit replay {record.id}"
    if record.state is State.DONE and refusal is None:
        return f"next: flask hookkit replay {record.id} (runs every handler again)"
    return f"next: {refusal}" if record.state is not State.RUNNING else "next: wait for its worker"
