"""The views of the blueprint: they hand Flask's request to ``respond``, and its answer to Flask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from flask import Request, Response, current_app, request

from hookkit.application.app_state import AppState
from hookkit.application.gunicorn import take_unread
from hookkit.core.errors import MalformedBody
from hookkit.receiving.endpoint import Endpoint
from hookkit.web.exchange import Answer, respond
from hookkit.web.exchange import refuse_unknown as refuse
from hookkit.web.urls import Urls


def refuse_unknown(path: str = "") -> Response:
    """Answer a request whose URL belongs to no endpoint."""
    return _response_of(refuse())


def view_of(endpoint: Endpoint, state: AppState) -> Callable[..., Response]:
    """Return the view that answers requests to *endpoint*; its URL may end in a path token."""

    def deliver(path_token: str | None = None) -> Response:
        # Each use of the proxy costs half a microsecond, and the vendor waits.
        # https://flask.palletsprojects.com/en/stable/reqcontext/#notes-on-proxies
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        cached = vars(asked)
        stream = cached.get("stream")
        # Sentry asks for the body when an error is logged. It must neither see a vendor's words
        # nor wait for bytes that were read here.
        cached["stream"] = BytesIO()
        return _response_of(
            respond(
                state,
                endpoint,
                asked.environ,
                path_token=path_token,
                stream=stream,
                read_before=partial(_read_before, asked),
            )
        )

    return deliver


def answer_for_routing(urls: Urls) -> Any:
    """Return a ``before_request`` that answers what Flask cannot route below hookkit's URLs."""

    def answer_unroutable() -> Response | None:
        error = request.routing_exception
        answer = None if error is None else urls.answer_to_routing(error, request.path)
        return None if answer is None else _response_of(answer)

    return answer_unroutable


def _response_of(answer: Answer) -> Response:
    response = Response(
        answer.body,
        status=answer.status,
        headers=answer.headers,
        content_type=answer.content_type,
    )
    if answer.is_unread:
        response.call_on_close(partial(take_unread, request.environ))
    return response


def _read_before(asked: Request) -> bytes:
    """Return the body if a ``before_request`` of the application has read and cached it.

    Raises:
        MalformedBody: It was read in a way that leaves no bytes.
    """
    try:
        body = asked.get_data()
    except Exception:  # noqa: BLE001  # each server has errors of its own
        body = b""
    if not body and vars(asked).get("form"):
        raise MalformedBody(
            "other code of the application has read request.form, and the bytes that are signed"
            " are gone: call request.get_data() before it, or leave hookkit's URLs alone; it is"
            f" one of {_before_request()}"
        )
    return body


def _before_request() -> str:
    """Return the names of the application's functions that run before a view."""
    functions = current_app.before_request_funcs.get(None, ())
    names = [f"{each.__module__}.{getattr(each, '__qualname__', each)}" for each in functions]
    ours = f"{__package__}."
    return ", ".join(name for name in names if not name.startswith(ours)) or "its middleware"
