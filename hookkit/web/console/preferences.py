"""How somebody wants to see the console: its colors, and whose time."""

from __future__ import annotations

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from hookkit.web.console.visit import THEMES, TIMES, PageRefused, Visit

_YEAR_S = 365 * 86400
_LONGEST_BACK = 2000
_COOKIES = {"theme": ("hookkit_theme", THEMES), "times": ("hookkit_times", TIMES)}


def prefer(visit: Visit) -> Response:
    """Keep a choice in a cookie, and lead back to the page where it was made."""
    root = url_for(".first")
    # Whatever was sent stays below the console: two slashes would begin another site's name.
    back = "".join(char for char in request.form.get("back", "") if char.isprintable())
    back = back if len(back) <= _LONGEST_BACK else ""
    response = redirect(root + back.lstrip("/\\"), 303)
    for field, (cookie, words) in _COOKIES.items():
        value = request.form.get(field)
        if value is None:
            continue
        if value not in words:
            raise PageRefused(400, f"{field} must be one of {', '.join(words)}.")
        response.set_cookie(
            cookie,
            value,
            max_age=_YEAR_S,
            path=root,
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
    return response
