"""The page of one event: what came, and what each handler made of it; and its actions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import click
from flask import request, url_for
from werkzeug.wrappers import Response

from hookkit.cli.deliveries import named_sample
from hookkit.cli.flask_commands.entries import entry_fields
from hookkit.cli.flask_commands.showing import (
    Found,
    find_entry,
    shown_event,
    shown_headers,
    shown_raw,
)
from hookkit.core.entry import AT_REST, why_not_again
from hookkit.core.event import EventType
from hookkit.core.facts import is_near
from hookkit.core.masking import masked_error
from hookkit.inbox.records import AttemptRecord, EntryRecord
from hookkit.inbox.sights import Detail
from hookkit.web.console.access import Right
from hookkit.web.console.endpoints import url_of
from hookkit.web.console.rendering import render
from hookkit.web.console.timeline import timeline_of
from hookkit.web.console.trying import try_again, twin_differences
from hookkit.web.console.visit import PageRefused, Visit

_REVEALED = "hookkit_reveal"

#: How long personal data is shown after somebody asked for it, in seconds.
REVEALED_S = 300

_LONGEST_REASON = 500

#: What an action has led to, by the word in the address.
_DONE = {
    "replayed": "The entry is due again; its handlers run as soon as a worker is free.",
    "revealed": "Personal data is shown for 5 minutes; the audit says that you asked for it.",
}


class _Run(NamedTuple):
    """The attempts of a handler in one run of an entry: the first, or a replay."""

    replay: int
    attempts: Sequence[AttemptRecord]


class _Lane(NamedTuple):
    """What one handler did."""

    handler: str
    runs: Sequence[_Run]


def show_event(visit: Visit, entry_id: int) -> Response:
    """Show all that is kept of an entry, without personal data unless it was asked for."""
    found = _found(visit, entry_id)
    record, detail = found.record, found.detail
    is_revealed = _is_revealed(visit, entry_id)
    is_trying = "try" in request.args and visit.may(Right.OPERATE)
    lanes = list(_lanes(record))
    untried = list(_untried(visit, record))
    return render(
        visit,
        "event.html",
        found=found,
        entry=record,
        detail=detail,
        is_revealed=is_revealed,
        can_reveal=visit.may(Right.REVEAL),
        problem=record.problem if is_revealed else masked_error(record.problem or ""),
        ids=entry_fields(record, is_revealed=is_revealed),
        is_near=record.fact is not None and is_near(record.fact),
        apart_s=_apart_s(found),
        panes=_panes(visit, detail, is_revealed=is_revealed),
        lanes=lanes,
        untried=untried,
        timeline=timeline_of(record, untried),
        trial=try_again(visit, detail) if is_trying else None,
        is_trying=is_trying,
        differing=twin_differences(visit, detail, found.twin),
        send_line=_send_line(visit, record),
        why_not=why_not_again(
            "this entry", record.state, has_body=record.has_body, is_chosen=False
        ),
        handlers=visit.state.worker.assignment.registry.names,
        done=_DONE.get(request.args.get("did", "")),
    )


def reveal(visit: Visit, entry_id: int) -> Response:
    """Show the personal data of one entry to one user for a while."""
    _found(visit, entry_id)
    with visit.acting(Right.REVEAL, "reveal", target=f"entry {entry_id}"):
        response = visit.to("event", entry_id=entry_id, did="revealed")
        response.set_cookie(
            _REVEALED,
            visit.reveals.sign(visit.access.user, entry_id),
            max_age=REVEALED_S,
            path=url_for(".event", entry_id=entry_id),
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
        return response


def replay(visit: Visit, entry_id: int) -> Response:
    """Run an entry again: the handlers that were ticked, or what has not succeeded."""
    found = _found(visit, entry_id)
    if request.form.get("replays") != str(found.record.replays):
        raise PageRefused(
            409, f"Entry {entry_id} was replayed since this page was opened: look at it again."
        )
    reason = request.form.get("reason", "").strip()
    if len(reason) > _LONGEST_REASON:
        raise PageRefused(400, f"The reason is longer than {_LONGEST_REASON} characters.")
    handlers = request.form.getlist("handler") or None
    with visit.acting(Right.OPERATE, "replay", target=f"entry {entry_id}", reason=reason):
        visit.state.replaying.one(entry_id, handlers=handlers, replays=found.record.replays)
    return visit.to("event", entry_id=entry_id, did="replayed")


def _found(visit: Visit, entry_id: int) -> Found:
    found = find_entry(visit.state, entry_id)
    if found is None:
        raise PageRefused(404, f"There is no entry {entry_id}; it may have been pruned.")
    return found


def _is_revealed(visit: Visit, entry_id: int) -> bool:
    signed = request.cookies.get(_REVEALED, "")
    why_not = visit.reveals.why_not(signed, visit.access.user, entry_id, max_age_s=REVEALED_S)
    return visit.may(Right.REVEAL) and why_not is None


def _panes(visit: Visit, detail: Detail, *, is_revealed: bool) -> Sequence[tuple[str, str | None]]:
    event = shown_event(visit.state, detail, is_revealed=is_revealed)
    return [
        ("As it came", _text(shown_raw(detail, is_revealed=is_revealed))),
        ("As handlers get it", _text(event)),
        ("Headers that are kept", _text(shown_headers(detail, is_revealed=is_revealed))),
    ]


def _text(value: Any) -> str | None:
    """Return JSON as people read it, and a text as it is."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _apart_s(found: Found) -> float | None:
    """Return how many seconds after the entry its twin came; negative if it was first."""
    if found.twin is None:
        return None
    return (found.twin.received_at - found.record.received_at).total_seconds()


def _lanes(record: EntryRecord) -> Iterator[_Lane]:
    """Yield what each handler did, in the order in which they began."""
    first_run = sorted(record.attempts, key=lambda each: each.started_at)
    for handler in dict.fromkeys(each.handler for each in first_run):
        attempts = [each for each in record.attempts if each.handler == handler]
        runs = groupby(attempts, key=lambda each: each.replays)
        yield _Lane(handler, [_Run(replay, list(of_run)) for replay, of_run in runs])


def _untried(visit: Visit, record: EntryRecord) -> Iterator[str]:
    """Yield the handlers that wait for the event's type today and have not run for it.

    Conditions of handlers are the application's own code, which a page does not run.
    """
    tried = {each.handler for each in record.attempts}
    kinds = [kind for kind in EventType if kind.value == record.event_type]
    for kind in kinds if record.state in AT_REST else ():
        for wanting in visit.state.worker.assignment.registry.of_type(kind):
            if wanting.name not in tried:
                yield wanting.name


def _send_line(visit: Visit, record: EntryRecord) -> str | None:
    """Return the command that sends another event of this kind; None without a sample of it."""
    endpoint = visit.state.settings.endpoints.get(record.endpoint)
    path = None if endpoint is None else url_of(visit, endpoint)
    if endpoint is None or path is None:
        return None
    try:
        named_sample(endpoint.provider, record.version, record.vendor_type)
    except click.UsageError:
        return None
    given = {
        "--provider": endpoint.provider.name,
        "--version": record.version,
        "--trigger": record.vendor_type,
    }
    options = (f"{name} {shlex.quote(value)}" for name, value in given.items())
    address = shlex.quote(f"{request.host_url.rstrip('/')}{path}")
    return " ".join(["hookkit send", address, *options])
