"""Views for what asks whether a process lives, whether it is ready, and how its inbox stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Request, Response, abort, current_app, json, request

from hookkit.application.app_state import state_of

#: Tells whether a request may see the details.
MaySee = Callable[[Request], bool]


def health_blueprint(details: MaySee | None) -> Blueprint:
    """Return the blueprint; ``HookKit.health`` explains it."""
    blueprint = Blueprint("hookkit_health", __name__)
    blueprint.add_url_rule("/live", "live", live)
    blueprint.add_url_rule("/ready", "ready", ready)

    def show_details() -> Response:
        # As if there were no such page.
        if details is None or details(request) is not True:
            abort(404)
        return _details()

    blueprint.add_url_rule("/", "details", show_details)
    return blueprint


def live() -> Response:
    """Answer that this process lives."""
    return _answer({"status": "live"})


def ready() -> Response:
    """Answer whether deliveries can be stored now; why not is in the log."""
    problem = state_of(current_app).watch.problem()
    if problem is not None:
        return _answer({"status": "unavailable"}, 503)
    return _answer({"status": "ready"})


def _details() -> Response:
    seen = state_of(current_app).watch.look()
    concerns = seen.concerns
    status = "unavailable" if seen.error else "degraded" if concerns else "ok"
    content = {
        "status": status,
        "concerns": concerns,
        "entries": {state.value: count for state, count in seen.entries.items()},
        "overdue_s": round(seen.overdue_s, 3),
        "last_delivery_at": {name: at.isoformat() for name, at in seen.last_at.items()},
        "silent": sorted(seen.silent),
    }
    return _answer(content, 503 if seen.error else 200)


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    return Response(
        f"{json.dumps(content)}\n",
        status=status,
        mimetype="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
