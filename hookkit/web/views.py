"""The blueprint: HTTP in, HTTP out, and no decision between."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Response, request

from hookkit.application.app_state import AppState, utc_now
from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery
from hookkit.core.entry import RETRY_AFTER_S, Receipt
from hookkit.core.errors import BodyTooLarge, MalformedBody, Rejected, Unavailable
from hookkit.receiving.endpoint import Endpoint
from hookkit.web.request_body import read_body

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment


def refuse_unknown(path: str = "") -> Response:
    """Answer a request to no endpoint."""
    return answer(Receipt(status=404, code="unknown_endpoint"))


def view_of(endpoint: Endpoint, state: AppState) -> Callable[..., Response]:
    """Return the view that answers requests to *endpoint*; its URL may end in a path token."""

    def deliver(path_token: str | None = None) -> Response:
        environ = request.environ
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            response = _deliver(environ, endpoint, state, path_token)
            if response.status_code == 401 and endpoint.asks_for("basic"):
                # Some clients keep the credentials of a URL until they are asked for them.
                # https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
                response.headers["WWW-Authenticate"] = 'Basic realm="hookkit"'
            return response
        if method == "GET" and endpoint.verify_token is not None:
            return _challenge(endpoint, state)
        if method == "HEAD":  # some vendors probe with it
            return Response(status=200)
        response = answer(Receipt(status=405, code="method_not_allowed"))
        response.headers["Allow"] = "HEAD, POST"
        return response

    return deliver


def _deliver(
    environ: WSGIEnvironment, endpoint: Endpoint, state: AppState, path_token: str | None
) -> Response:
    state.has_received = True
    now = utc_now()
    try:
        with state.body_watch.reading(environ) if state.body_watch else nullcontext():
            body = read_body(environ, endpoint.max_body_bytes)
    except (BodyTooLarge, MalformedBody) as error:
        return answer(state.receiver.reject(endpoint, error))
    delivery = Delivery(
        endpoint=endpoint.name,
        body=body,
        headers=_headers(environ),
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        path_token=path_token,
        query=environ.get("QUERY_STRING", ""),
    )
    return answer(state.receiver.receive(endpoint, delivery))


def _challenge(endpoint: Endpoint, state: AppState) -> Response:
    """Answer a sender that asks by GET whether the URL is meant."""
    try:
        text = endpoint.answer_challenge(request.args)
    except Rejected as error:
        return answer(state.receiver.reject(endpoint, error))
    except Unavailable:
        return answer(Receipt(status=503, code="unavailable", retry_after_s=RETRY_AFTER_S))
    response = Response(text, mimetype="text/plain")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _headers(environ: WSGIEnvironment) -> Headers:
    """Return the headers with their names in lower case."""
    headers = {
        _header_name(key): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    if "CONTENT_TYPE" in environ:
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers


@lru_cache(maxsize=256)
def _header_name(key: str) -> str:
    # A vendor's are always the same ones.
    return key.removeprefix("HTTP_").replace("_", "-").lower()


def answer(receipt: Receipt) -> Response:
    """Return *receipt* as the JSON that its sender is told."""
    if receipt.reply is not None:
        return Response(json.dumps(receipt.reply), mimetype="application/json")
    counts = ""
    if receipt.status == 200:
        new = receipt.new_count
        counts = f', "new": {new}, "duplicates": {len(receipt.admitted) - new}'
    response = Response(
        f'{{"code": "{receipt.code}"{counts}}}\n',
        status=receipt.status,
        mimetype="application/json",
    )
    if receipt.retry_after_s is not None:
        response.headers["Retry-After"] = str(receipt.retry_after_s)
    return response
