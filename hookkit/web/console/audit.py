"""The page of the audit: who did what, newest first."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.filters import spelt
from hookkit.core.masking import masked_error
from hookkit.web.console.ids import row_id
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit

#: How many records a page shows.
LIMIT = 50


def show_audit(visit: Visit) -> Response:
    """Show what people did."""
    below = request.args.get("below", "")
    below_id = row_id(below)
    if below and below_id is None:
        raise PageRefused(400, "The number of a record is a whole number.")
    found = visit.state.opening.inbox().audit.find(limit=LIMIT + 1, below_id=below_id)
    return render(
        visit,
        "audit.html",
        records=[
            (
                each,
                None if each.act.wanted is None else spelt(each.act.wanted),
                masked_error(each.result or "not ended, or its end was not recorded"),
            )
            for each in found[:LIMIT]
        ],
        next_id=found[LIMIT - 1].id if len(found) > LIMIT else None,
        is_first=below_id is None,
    )
