"""The views of the blueprint: an HTTP request in, a receipt out as an HTTP answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache
from typing import IO, TYPE_CHECKING

from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_content_length, get_input_stream

from hookkit.application.app_state import AppState, utc_now
from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery
from hookkit.core.entry import RETRY_AFTER_S, Receipt
from hookkit.core.errors import BodyTooLarge, MalformedBody, Rejected, Unavailable
from hookkit.receiving.endpoint import Endpoint

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment
_CHUNK_BYTES = 1 << 16


def refuse_unknown(path: str = "") -> Response:
    """Answer a request whose URL belongs to no endpoint."""
    return answer(Receipt(status=404, code="unknown_endpoint"))


def view_of(endpoint: Endpoint, state: AppState) -> Callable[..., Response]:
    """Return the view that answers requests to *endpoint*; its URL may end in a path token."""

    def deliver(path_token: str | None = None) -> Response:
        environ = request.environ
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            response = _deliver(environ, endpoint, state, path_token)
            if response.status_code == 401 and endpoint.asks_for("basic"):
                # Some clients send the credentials of a URL only when they are asked for them.
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
            body = _read_body(environ, endpoint.max_body_bytes)
    except (BodyTooLarge, MalformedBody) as error:
        return answer(state.receiver.reject(endpoint, error))
    delivery = Delivery(
        endpoint=endpoint.name,
        body=body,
        headers=_headers(environ),
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        path_token=path_token,
        query=environ.get("QUERY_STRING", ""),
        address=environ.get("REMOTE_ADDR", ""),
    )
    return answer(state.receiver.receive(endpoint, delivery))


def _read_body(environ: WSGIEnvironment, max_bytes: int) -> bytes:
    """Return the bytes of the current request's body.

    The stream is read past Flask, whose limit is for the application's forms; the endpoint
    has a limit of its own.

    Raises:
        BodyTooLarge: It has, or declares, more than *max_bytes*; no more than that is read.
        MalformedBody: It ended before its declared length.
    """
    declared_bytes = get_content_length(environ)
    if declared_bytes is None:
        return _read_stream(get_input_stream(environ), max_bytes) or _read_chunked_before(environ)
    if declared_bytes > max_bytes:
        raise BodyTooLarge(f"declared {declared_bytes} bytes, at most {max_bytes} are taken")
    body = _read_declared(environ["wsgi.input"], declared_bytes)
    return body if len(body) == declared_bytes else _read_before(declared_bytes)


def _read_declared(stream: IO[bytes], declared_bytes: int) -> bytes:
    """Read *declared_bytes*.

    Fewer are returned only if the client stopped early or earlier code consumed the stream.
    """
    try:
        body = stream.read(declared_bytes)
        while len(body) < declared_bytes and (rest := stream.read(declared_bytes - len(body))):
            body += rest
    except OSError:
        return b""
    return body


def _read_stream(stream: IO[bytes], max_bytes: int) -> bytes:
    """Return the bytes of a chunked body, which Flask's own limit would cut in silence."""
    chunks: list[bytes] = []
    read_bytes = 0
    try:
        while chunk := stream.read(min(_CHUNK_BYTES, max_bytes + 1 - read_bytes)):
            chunks.append(chunk)
            read_bytes += len(chunk)
            if read_bytes > max_bytes:
                raise BodyTooLarge(f"sent more than {max_bytes} bytes")
    except (HTTPException, OSError) as error:
        raise MalformedBody("the body broke off") from error
    return b"".join(chunks)


def _read_chunked_before(environ: WSGIEnvironment) -> bytes:
    """Return the chunked body that earlier code has read; b"" if the request has no such body.

    An empty chunked body looks like one that earlier code consumed, or that the server does
    not pass on. The vendor must send it again: nothing would be kept of it.
    """
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return b""
    body = request.get_data()
    if not body:
        raise MalformedBody("the chunked body is empty, or was read before")
    return body


def _read_before(declared_bytes: int) -> bytes:
    """Return the body if a ``before_request`` of the application has read and cached it."""
    try:
        body = request.get_data()
    except (HTTPException, OSError):
        body = b""
    if len(body) != declared_bytes:
        raise MalformedBody("the body ended before its declared length")
    return body


def _challenge(endpoint: Endpoint, state: AppState) -> Response:
    """Answer a vendor that checks by GET whether the URL belongs to its customer."""
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
    # A vendor sends the same headers every time.
    return key.removeprefix("HTTP_").replace("_", "-").lower()


def answer(receipt: Receipt) -> Response:
    """Return *receipt* as the answer in JSON."""
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
