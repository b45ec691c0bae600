"""The receiver in front of Flask: a WSGI application that lets no delivery into Flask's views."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, cast

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import ClosingIterator

from hookkit.application.app_state import AppState
from hookkit.application.autostart import note_request
from hookkit.application.gunicorn import take_unread
from hookkit.web.exchange import Answer, refuse_unknown, respond
from hookkit.web.urls import Urls

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: Answers a request.
Responder = Callable[["WSGIEnvironment"], Answer]

#: A Host that every version of Werkzeug takes, unless the settings name those that they trust.
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)

#: The status lines, in the case in which Werkzeug writes them.
_STATUS_LINES = {code: f"{code} {text.upper()}" for code, text in HTTP_STATUS_CODES.items()}

_logger = logging.getLogger("hookkit")


class Front:
    """Answers the requests to hookkit's URLs, and passes on all others untouched.

    Flask decides which URL is whose. What it has decided for a usual request to an endpoint is
    remembered: that is true for every usual request.

    Args:
        state: The application that it stands in front of.
        urls: The URLs that it answers.
    """

    def __init__(self, state: AppState, urls: Urls) -> None:
        _warn_of_middleware(state.app)
        self._state = state
        self._app = state.app
        self._pass_on = state.app.wsgi_app
        self._urls = urls
        self._beginnings = urls.beginnings
        self._responders: dict[str, Responder] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: https://peps.python.org/pep-3333/."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(self._beginnings):
            return self._pass_on(environ, start_response)
        try:
            answer = self._answer(path, environ)
        except Exception as error:  # noqa: BLE001  # as Flask does around a view
            with self._app.request_context(environ):
                return self._app.handle_exception(error)(environ, start_response)
        if answer is None:
            return self._pass_on(environ, start_response)
        return _send(answer, environ, start_response)

    def _answer(self, path: str, environ: WSGIEnvironment) -> Answer | None:
        """Return the answer to a request; None if it is for the application."""
        is_usual = self._is_usual(environ)
        responder = self._responders.get(path) if is_usual else None
        if responder is None:
            responder = self._find_responder(environ, remembers=is_usual)
        if responder is None:
            return None
        note_request(self._state)
        with self._app.app_context():
            return responder(environ)

    def _is_usual(self, environ: WSGIEnvironment) -> bool:
        """Tell whether nothing but the path decides where Flask routes the request."""
        return (
            environ["REQUEST_METHOD"] == "POST"
            and "HTTP_UPGRADE" not in environ
            and _PLAIN_HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None
            and self._app.config["TRUSTED_HOSTS"] is None
            and not (self._app.subdomain_matching or self._app.url_map.host_matching)
        )

    def _find_responder(self, environ: WSGIEnvironment, *, remembers: bool) -> Responder | None:
        """Return what answers the request; None if it is for the application."""
        request = self._app.request_class(environ, populate_request=False)
        try:
            adapter = cast("MapAdapter", self._app.create_url_adapter(request))
            rule, arguments = adapter.match(return_rule=True)
        except HTTPException as error:
            answer = self._urls.answer_to_routing(error, request.path)
            return None if answer is None else lambda _: answer
        if rule.endpoint not in self._urls.rules:
            return None
        endpoint = self._urls.rules[rule.endpoint]
        if endpoint is None:
            return lambda _: refuse_unknown()
        responder = partial(respond, self._state, endpoint, **arguments)
        path = environ["PATH_INFO"]
        # No more are remembered than there are endpoints: strangers can write tokens and slashes.
        if remembers and not arguments and not path.startswith("//"):
            self._responders[path] = responder
        return responder


def _warn_of_middleware(app: Flask) -> None:
    """Warn of what deliveries will not pass through any more, such as ``ProxyFix``."""
    wrapper = vars(app).get("wsgi_app")
    if wrapper is not None:
        name = getattr(wrapper, "__qualname__", type(wrapper).__qualname__)
        _logger.warning(
            "deliveries to %r will not pass through %s, which is around it already: write"
            " app.wsgi_app = hooks.wsgi(app) before the line that puts it there",
            app.name,
            name,
            extra={"action": "front_before_middleware"},
        )


def _send(
    answer: Answer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Send *answer* with the headers that Werkzeug would send, in the same order."""
    headers = [*answer.headers, ("Content-Type", answer.content_type)]
    chunks = [answer.body]
    if answer.status == 204:
        chunks = []
    else:
        headers.append(("Content-Length", str(len(answer.body))))
    if environ["REQUEST_METHOD"] == "HEAD":
        chunks = []
    start_response(_STATUS_LINES[answer.status], headers)
    if answer.is_unread:
        return ClosingIterator(chunks, partial(take_unread, environ))
    return chunks
