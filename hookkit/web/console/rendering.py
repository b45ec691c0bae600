"""Turns templates into pages.

Rule 1: the environment is the console's own: no setting of the application turns escaping off.
Rule 2: every text that a template prints is made visible first, so that none hides its end or
        turns the direction of writing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import current_app, request, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.entries import (
    ago,
    first_line,
    last_error,
    outcome_mark,
    short_error,
    short_name,
    state_words,
    taken,
    type_of,
)
from hookkit.core.text import counted, visible
from hookkit.web.console.files import EDITIONS
from hookkit.web.console.forgery import FIELD
from hookkit.web.console.visit import Page, Visit


def _shown(value: object) -> object:
    """Return *value* as a template prints it: "" for None, and texts made visible."""
    if value is None:
        return ""
    # What is escaped already was made by a macro, whose own texts have come through here.
    return value if hasattr(value, "__html__") else visible(str(value))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hookkit.web.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        ago=ago,
        counted=counted,
        first_line=first_line,
        last_error=last_error,
        outcome_mark=outcome_mark,
        short_error=short_error,
        short_name=short_name,
        state_words=state_words,
        taken=taken,
        type_of=type_of,
        file_url=_file_url,
        url=_url,
        token_field=FIELD,
    )
    return environment


def render(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return the page that *template* makes of *values*.

    A template also knows ``visit``, ``url(page, **values)`` and what ``macros.html`` holds.
    """
    text = _ENVIRONMENT.get_template(template).render(
        visit=visit, back=_back(), host_token=_host_token(), **values
    )
    return Response(text, status=status, content_type="text/html; charset=utf-8")


def render_refusal(visit: Visit, status: int, sentence: str) -> Response:
    """Return a page that says in one sentence why what was asked for is not there."""
    return render(visit, "refusal.html", status=status, sentence=sentence, code=status)


def set_navigation(pages: Sequence[Page]) -> None:
    """Show those of *pages* that have a title at the top of every page."""
    _ENVIRONMENT.globals["navigation"] = [page for page in pages if page.title]


def _url(page: str, **values: Any) -> str:
    return url_for(f".{page}", **{name: each for name, each in values.items() if each is not None})


def _file_url(name: str) -> str:
    return url_for(".file", edition=EDITIONS[name], name=name)


def _back() -> str:
    """Return the address of this page below the console; "" after an action."""
    if request.method == "POST":
        return ""
    return request.full_path.removeprefix(url_for(".first").removeprefix(request.root_path))


def _host_token() -> str | None:
    """Return the token that Flask-WTF asks every form for; None where it is not active."""
    make: Callable[[], str] | None = current_app.jinja_env.globals.get("csrf_token")  # type: ignore[assignment]
    return None if make is None else make()


_ENVIRONMENT = _environment()
