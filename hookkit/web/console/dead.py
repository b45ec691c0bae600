"""The page of dead letters: in groups by handler and error."""

from __future__ import annotations

from werkzeug.wrappers import Response

from hookkit.core.masking import masked_error
from hookkit.inbox.reading import MAX_GROUPED
from hookkit.web.console.bulk import key_of
from hookkit.web.console.charts import per_hour
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import Visit

#: How many groups the page shows.
_MAX_SHOWN = 100


def show_dead(visit: Visit) -> Response:
    """Show why events are dead, the largest group first."""
    groups = visit.state.opening.inbox().reading.dead_groups()
    return render(
        visit,
        "dead.html",
        groups=[
            (each, masked_error(each.error), key_of(each), per_hour(each.failed_at_ms, visit.now))
            for each in groups[:_MAX_SHOWN]
        ],
        left_out=max(0, len(groups) - _MAX_SHOWN),
        is_whole=sum(each.count for each in groups) < MAX_GROUPED,
        most=MAX_GROUPED,
    )
