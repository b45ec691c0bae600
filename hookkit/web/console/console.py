"""The blueprint of the console: every request for it is let in, or refused, in one place.

Rule 1: the application's permission is asked first, for files and errors too.
Rule 2: a right is checked where the action is done, never by hiding its button.
Rule 3: a GET changes nothing; what changes something is a POST of this site's own form.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from flask import Blueprint, abort, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from hookkit.application.app_state import state_of
from hookkit.core.errors import (
    ConfigurationError,
    ReplayRefused,
    SwitchRefused,
    TookTooLong,
    Unavailable,
)
from hookkit.core.rates import Bucket, remember
from hookkit.core.text import sentence
from hookkit.inbox.records import storable_text
from hookkit.inbox.sql.patience import looking
from hookkit.log import BoundedLog
from hookkit.web.console.access import Access, Permission, access_of
from hookkit.web.console.forgery import FIELD, MAX_AGE_S, Signer, why_forged
from hookkit.web.console.pages import PAGES
from hookkit.web.console.rendering import render_refusal, set_navigation
from hookkit.web.console.visit import THEMES, TIMES, Page, PageRefused, Visit

_logger = logging.getLogger("hookkit")

#: How many requests a user may send in a second, and at once.
PER_S = 20.0
AT_ONCE = 40
_MOST_USERS = 1000

#: A longer message of an error is cut: it may quote what somebody sent.
_LONGEST_SENTENCE = 2000

#: When a look into the inbox is given up, in seconds.
LOOK_LIMIT_S = 3.0

# An answer other than 404, such as a redirection to the right spelling of an address, would tell
# everybody that there is a console.
_RULE_OPTIONS: dict[str, Any] = {
    "provide_automatic_options": False,
    "strict_slashes": False,
    "merge_slashes": False,
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_TOOK_TOO_LONG = (
    f"The inbox was looked at for {LOOK_LIMIT_S:g} s, and then this look was given up: choose less,"
    " such as one endpoint, one state or a shorter time."
)

# Why it is away is for the log: a driver tells where the database is.
_IS_AWAY = "The inbox cannot be used now: try again in a minute."

#: Raised by an action that the inbox or the settings do not allow now.
_REFUSALS = (ReplayRefused, SwitchRefused, ConfigurationError)

Nonce = Callable[[], str]

set_navigation(PAGES)


def console_blueprint(
    permission: Permission, *, nonce: Nonce | None = None, logout_url: str | None = None
) -> Blueprint:
    """Return the blueprint; ``HookKit.console`` explains it."""
    if not callable(permission):
        raise TypeError("console(permission=...) must be a function that takes the request")
    console = _Console(permission, nonce, logout_url)
    blueprint = Blueprint("hookkit_console", __name__)
    for page in PAGES:
        blueprint.add_url_rule(page.rule, page.name, console.view_of(page), **_RULE_OPTIONS)
    blueprint.record(_require_secret_key)
    blueprint.record(_take_every_method)
    return blueprint


def _require_secret_key(setup: BlueprintSetupState) -> None:
    """Refuse an application whose console could not sign its forms."""
    if not setup.app.config.get("SECRET_KEY"):
        raise ConfigurationError("SECRET_KEY: missing; the console signs its forms with it")


def _take_every_method(setup: BlueprintSetupState) -> None:
    """Have the rules take every method, even an invented one: Flask would answer these 405."""
    blueprint = f"{setup.name_prefix}.{setup.name}".lstrip(".")
    for page in PAGES:
        for rule in setup.app.url_map.iter_rules(f"{blueprint}.{page.name}"):
            rule.methods = None


class _Console:
    """One console: who may see it, and how often."""

    def __init__(self, permission: Permission, nonce: Nonce | None, logout_url: str | None) -> None:
        self._permission = permission
        self._nonce = nonce
        self._logout_url = logout_url
        self._buckets: dict[str, Bucket] = {}
        self._log = BoundedLog()
        self._lock = Lock()

    def view_of(self, page: Page) -> Callable[..., Response]:
        """Return the view that Flask calls for *page*."""

        def answer(**values: Any) -> Response:
            return self._answer(page, values)

        return answer

    def _answer(self, page: Page, values: dict[str, Any]) -> Response:
        try:
            access = access_of(self._permission, request)
        except HTTPException:
            raise  # such as abort(401): a response like any other
        except Exception:
            _logger.exception(
                "the permission of the console raised; nobody was let in",
                extra={"action": "console_permission_failed"},
            )
            return Response(status=500, headers={"Cache-Control": "no-store"})
        if access is None:
            abort(404)
        if isinstance(access, Response):
            return access
        visit = self._visit(access)
        try:
            self._check(page, visit, values)
            response = self._view(page, visit, values)
        except PageRefused as refused:
            response = render_refusal(visit, refused.status, refused.sentence)
        except TookTooLong:
            response = render_refusal(visit, 504, _TOOK_TOO_LONG)
        except Unavailable as error:
            self._log.write(
                logging.WARNING,
                (),
                "a page of the console was not shown: %s",
                error,
                extra={"action": "console_unavailable"},
            )
            response = render_refusal(visit, 503, _IS_AWAY)
        except _REFUSALS as error:
            response = render_refusal(visit, 409, _sentence(error))
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.update(_HEADERS)
        if response.status_code == 405:
            response.headers["Allow"] = "POST" if page.is_action else "GET, HEAD"
        return response

    def _view(self, page: Page, visit: Visit, values: dict[str, Any]) -> Response:
        if page.is_action:  # whose handlers and records may take as long as ever
            return page.view(visit, **values)
        with looking(LOOK_LIMIT_S):
            return page.view(visit, **values)

    def _visit(self, access: Access) -> Visit:
        state = state_of(current_app)
        fallbacks = current_app.config.get("SECRET_KEY_FALLBACKS") or ()
        keys = [*fallbacks, current_app.config["SECRET_KEY"]]
        return Visit(
            access=access,
            state=state,
            now=state.now(),
            theme=_chosen("hookkit_theme", THEMES),
            times=_chosen("hookkit_times", TIMES),
            tokens=Signer(keys, "form"),
            reveals=Signer(keys, "reveal"),
            nonce=None if self._nonce is None else self._nonce(),
            logout_url=self._logout_url,
        )

    def _check(self, page: Page, visit: Visit, values: dict[str, Any]) -> None:
        """Refuse what may not be seen or done.

        Raises:
            PageRefused: It may not.
        """
        if not visit.may(page.right):
            what = "This takes" if page.is_action else "This page takes"
            raise PageRefused(
                403, f"{what} the right “{page.right.value}”, which {visit.access.user} lacks."
            )
        if request.method not in (("POST",) if page.is_action else ("GET", "HEAD")):
            how = "the form of its page" if page.is_action else "a plain request (GET)"
            raise PageRefused(405, f"This address takes {how} alone.")
        if page.is_action:
            _check_origin(page, visit, values)
        if page.is_counted and not self._is_within_limit(visit.access.user):
            raise PageRefused(429, f"More than {PER_S:.0f} pages a second were asked for: wait.")

    def _is_within_limit(self, user: str) -> bool:
        now_s = time.monotonic()
        with self._lock:
            bucket = self._buckets.get(user)
            if bucket is None:
                bucket = Bucket(AT_ONCE, PER_S, now_s)
                remember(self._buckets, user, bucket, _MOST_USERS)
            return bucket.take(now_s)


def _check_origin(page: Page, visit: Visit, values: dict[str, Any]) -> None:
    """Refuse a POST that does not come from a form of this console.

    Raises:
        PageRefused: Another site may have sent it, or its token does not fit.
    """
    why = why_forged(request)
    if why is not None:
        raise PageRefused(403, f"Nothing was done: {why}.")
    token, user = request.form.get(FIELD, ""), visit.access.user
    why = visit.tokens.why_not(token, user, page.name, values, max_age_s=MAX_AGE_S)
    if why is not None:
        raise PageRefused(
            403, f"The token of this form {why}: open the page again, and press its button there."
        )


def _chosen(cookie: str, words: tuple[str, ...]) -> str:
    """Return what a cookie says, if that is one of *words*; the first of them otherwise."""
    value = request.cookies.get(cookie, "")
    return value if value in words else words[0]


def _sentence(error: Exception) -> str:
    return sentence(storable_text(str(error).strip(), _LONGEST_SENTENCE))
