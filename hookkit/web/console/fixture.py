"""One event as a file for tests, without personal data: what ``flask hookkit capture`` prints."""

from __future__ import annotations

import shlex

from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.capture import captured_entry
from hookkit.cli.flask_commands.common import as_json
from hookkit.core.errors import HookkitError, Unavailable
from hookkit.core.text import sentence
from hookkit.web.console.endpoints import url_of
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit


def show_fixture(visit: Visit, entry_id: int) -> Response:
    """Show the file and how to use it, or send it."""
    try:
        found = captured_entry(visit.state, entry_id)
    except Unavailable:
        raise
    except HookkitError as error:
        raise PageRefused(404, sentence(str(error))) from error
    name = f"event-{entry_id}.json"
    text = as_json(found.captured, indent=2)
    if request.args.get("as") == "file":
        return Response(
            text + "\n",
            content_type="application/octet-stream",
            headers={"Content-Disposition": f"attachment; filename={name}"},
        )
    endpoint = visit.state.settings.endpoints[found.endpoint]
    provider = found.captured.provider
    address = f"{request.host_url.rstrip('/')}{url_of(visit, endpoint) or '/'}"
    return render(
        visit,
        "fixture.html",
        entry_id=entry_id,
        name=name,
        text=text,
        warning=found.warning,
        endpoint=endpoint.name,
        send_line=f"hookkit send {shlex.quote(address)} --provider {provider} --sample {name}",
    )
