"""The page of handlers: what is registered, and how often each ran and failed lately."""

from __future__ import annotations

from datetime import timedelta

from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.handlers import list_handlers, sentence_of
from hookkit.inbox.records import STEP
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import Visit

_A_DAY = timedelta(days=1)


def show_handlers(visit: Visit) -> Response:
    """Show every handler, in the order in which they run."""
    handlers = list_handlers(visit.state)
    return render(
        visit,
        "handlers.html",
        handlers=handlers,
        notes=[(each.name, sentence_of(note)) for each in handlers for note in each.notes],
        runs=visit.state.opening.inbox().reading.handler_runs(visit.now - _A_DAY),
        look_at=STEP,
    )
