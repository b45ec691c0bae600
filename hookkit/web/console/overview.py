"""The first page: what needs somebody, and how the inbox stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.entries import short_error, short_name
from hookkit.cli.flask_commands.stats import ARRIVED, Standing, standing_of
from hookkit.core.entry import State
from hookkit.core.masking import masked_error
from hookkit.core.text import capped, counted
from hookkit.inbox.reading import CAP
from hookkit.operating.checkup import about_waiting
from hookkit.web.console.charts import SPANS, charts_of
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import Visit

#: Dead letters that began within this time need somebody.
_FRESH = timedelta(hours=24)

#: What the page leads with; these need somebody or soon will.
_LEADING = (State.DEAD, State.WAITING, State.RUNNING, State.PENDING)


class Need(NamedTuple):
    """Something that needs somebody.

    Attributes:
        page: Which page shows it; None if none does.
        values: What ``url_for`` takes for that page.
    """

    sentence: str
    page: str | None = None
    values: Mapping[str, object] = {}


def show_overview(visit: Visit) -> Response:
    """Show how the inbox stands."""
    standing = standing_of(visit.state, visit.now, look_at=CAP)
    refused = {code: count for code, count in standing.today.items() if code not in ARRIVED}
    entries = standing.stats.entries
    others = [state for state in State if state not in _LEADING and entries[state]]
    last_at = standing.last_at
    return render(
        visit,
        "overview.html",
        needs=list(_needs(visit, standing)),
        overdue_s=standing.stats.overdue_s,
        tiles=[(state, capped(entries[state], CAP)) for state in (*_LEADING, *others)],
        today=[(code, standing.today.get(code, 0)) for code in ARRIVED],
        refused=sorted(refused.items()),
        endpoints=[(name, last_at.get(name)) for name in sorted(visit.state.settings.endpoints)],
        last_at=max(last_at.values(), default=None),
        secrets=standing.stats.secrets,
        next_at=standing.next_at,
        workers=standing.workers,
        is_inline=visit.state.runner_name == "inline",
        **_charts(visit),
    )


def _charts(visit: Visit) -> dict[str, Any]:
    """Return the charts of the span and the endpoint that the address chooses."""
    names = sorted(visit.state.settings.endpoints)
    span = next((each for each in SPANS if each.name == request.args.get("last")), SPANS[1])
    at = request.args.get("at", "")
    endpoint = at if at in names else None
    return {
        "charts": charts_of(visit.state.opening.inbox(), span, visit.now, endpoint),
        "spans": SPANS,
        "span": span,
        "at": endpoint,
        "names": names,
    }


def _needs(visit: Visit, standing: Standing) -> Iterator[Need]:
    """Yield what needs somebody, the most urgent first."""
    overdue_s, runner = standing.stats.overdue_s, visit.state.runner_name
    late = about_waiting(overdue_s, len(standing.workers), runner)
    if late is not None:
        sentence = late.replace("`", "\u201c", 1).replace("`", "\u201d", 1)
        due = {"state": State.PENDING.value}
        yield Need(f"{sentence[:1].upper()}{sentence[1:]}.", "events", due)
    is_capped = standing.stats.entries[State.DEAD] > CAP
    for group in standing.dead:
        if visit.now - group.first_at <= _FRESH:
            handler = short_name(group.handler) or "no handler"
            many = counted(group.count, "event is dead", "events are dead")
            least = "At least " if is_capped else ""
            error = short_error(masked_error(group.error))
            yield Need(f"{least}{many}: {handler}, {error}", "dead")
    for silence in standing.silent:
        sentence = str(silence)
        yield Need(f"{sentence[:1].upper()}{sentence[1:]}.", "events", {"at": silence.endpoint})
    for use in standing.stats.secrets:
        if use.can_go:
            yield Need(
                f"Secret #{use.position} of {use.endpoint} ({use.fingerprint}) has proved nothing"
                " lately: it can be removed."
            )
