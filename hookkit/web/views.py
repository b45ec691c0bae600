"""The views of the blueprint: an HTTP request in, a receipt out as an HTTP answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from flask import Response, current_app, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect
from werkzeug.wsgi import get_content_length, get_input_stream

from hookkit.application.app_state import AppState, utc_now
from hookkit.application.gunicorn import take_unread
from hookkit.core.delivery import Delivery
from hookkit.core.entry import Receipt
from hookkit.core.errors import (
    BodyTooLarge,
    BodyUnreadable,
    MalformedBody,
    MalformedHeader,
    Rejected,
    Unavailable,
)
from hookkit.core.form import decode_form
from hookkit.receiving.endpoint import Endpoint

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment

_CHUNK_BYTES = 1 << 16

#: Some servers pass on what Python's ``int`` takes, such as +5, or what they could not read.
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


def refuse_unknown(path: str = "") -> Response:
    """Answer a request whose URL belongs to no endpoint."""
    return _answer_unread(Receipt(status=404, code="unknown_endpoint"))


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
        if method == "GET" and endpoint.answers_challenges:
            return _challenge(endpoint, state)
        if method == "HEAD":  # some vendors probe with it
            return Response(status=200)
        return _refuse_method()

    return deliver


def _refuse_method() -> Response:
    response = _answer_unread(Receipt(status=405, code="method_not_allowed"))
    response.headers["Allow"] = "HEAD, POST"
    return response


def answer_for_routing(is_ours: Callable[[str], bool], is_endpoint: Callable[[str], bool]) -> Any:
    """Return a ``before_request`` that answers what Flask cannot route below hookkit's URLs.

    Flask would answer in HTML, and redirect to the host that the request names.

    Args:
        is_ours: Whether hookkit answers requests for a path.
        is_endpoint: Whether an endpoint has that path.
    """

    def answer_unroutable() -> Response | None:
        error = request.routing_exception
        if error is None or not is_ours(request.path):
            return None
        if isinstance(error, MethodNotAllowed) and is_endpoint(request.path):
            return _refuse_method()
        if isinstance(error, MethodNotAllowed | NotFound | RequestRedirect):
            return refuse_unknown()
        # The Host is none, or the request asks for a web socket.
        return _answer_unread(Receipt(status=MalformedHeader.status, code=MalformedHeader.code))

    return answer_unroutable


def _deliver(
    environ: WSGIEnvironment, endpoint: Endpoint, state: AppState, path_token: str | None
) -> Response:
    state.has_received = True
    now = utc_now()
    try:
        with state.body_watch.reading(environ) if state.body_watch else nullcontext():
            body = _read_body(environ, endpoint.max_body_bytes)
    except Rejected as error:
        return _answer_unread(state.receiver.reject(endpoint, error))
    delivery = Delivery(
        endpoint=endpoint.name,
        body=body,
        headers=RequestHeaders(environ),
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        path_token=path_token,
        query=environ.get("QUERY_STRING", ""),
        address=environ.get("REMOTE_ADDR", ""),
    )
    return answer(state.receiver.receive(endpoint, delivery), endpoint.answer)


def _read_body(environ: WSGIEnvironment, max_bytes: int) -> bytes:
    """Return the bytes of the current request's body.

    The stream is read past Flask, whose limit is for the application's forms; the endpoint
    has a limit of its own. Whatever the server's stream raises, which is of no common class,
    says that the body did not arrive.

    Raises:
        BodyTooLarge: It has, or declares, more than *max_bytes*; no more than that is read.
        MalformedBody: It ended before its declared length, or broke off.
        MalformedHeader: Its declared length is no number.
    """
    if not _LENGTH.fullmatch(environ.get("CONTENT_LENGTH") or "0"):
        raise MalformedHeader("header content-length is no number")
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
    except Exception:  # noqa: BLE001  # each server has errors of its own
        return b""
    return body


def _read_stream(stream: IO[bytes], max_bytes: int) -> bytes:
    """Return the bytes of a chunked body, which Flask's own limit would cut in silence."""
    chunks: list[bytes] = []
    read_bytes = 0
    while chunk := _read_some(stream, min(_CHUNK_BYTES, max_bytes + 1 - read_bytes)):
        chunks.append(chunk)
        read_bytes += len(chunk)
        if read_bytes > max_bytes:
            raise BodyTooLarge(f"sent more than {max_bytes} bytes")
    return b"".join(chunks)


def _read_some(stream: IO[bytes], size_bytes: int) -> bytes:
    try:
        return stream.read(size_bytes)
    except Exception as error:  # each server has errors of its own
        raise MalformedBody("the body broke off") from error


def _read_chunked_before(environ: WSGIEnvironment) -> bytes:
    """Return the chunked body that earlier code has read; b"" if the request has no such body.

    An empty chunked body looks like one that earlier code consumed, or that the server does
    not pass on. The vendor must send it again: nothing would be kept of it.
    """
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return b""
    body = _cached_body()
    if not body:
        raise MalformedBody("the chunked body is empty, or was read before")
    return body


def _read_before(declared_bytes: int) -> bytes:
    """Return the body if a ``before_request`` of the application has read and cached it."""
    body = _cached_body()
    if len(body) == declared_bytes:
        return body
    if vars(request).get("form"):
        raise MalformedBody(
            "other code of the application has read request.form, and the bytes that are signed"
            " are gone: call request.get_data() before it, or leave hookkit's URLs alone; it is"
            f" one of {_before_request()}"
        )
    raise MalformedBody("the body ended before its declared length")


def _before_request() -> str:
    """Return the names of the application's functions that run before a view."""
    functions = current_app.before_request_funcs.get(None, ())
    names = [f"{each.__module__}.{getattr(each, '__qualname__', each)}" for each in functions]
    ours = f"{__package__}."
    return ", ".join(name for name in names if not name.startswith(ours)) or "its middleware"


def _cached_body() -> bytes:
    try:
        return request.get_data()
    except Exception:  # noqa: BLE001  # each server has errors of its own
        return b""


def _challenge(endpoint: Endpoint, state: AppState) -> Response:
    """Answer a vendor that checks by GET whether the URL belongs to its customer."""
    try:
        text = endpoint.answer_challenge(_read_query(request.environ.get("QUERY_STRING", "")))
    except Rejected as error:
        return answer(state.receiver.reject(endpoint, error))
    except Unavailable as error:
        return answer(state.receiver.give_up(endpoint, error))
    return _plain(text)


def _plain(text: str, status: int = 200) -> Response:
    response = Response(text, status=status, mimetype="text/plain")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _read_query(query: str) -> Mapping[str, str]:
    """Return the parameters in *query*; of those with one name, the first.

    Raises:
        MalformedHeader: It is written as no form may be.
    """
    try:
        pairs = decode_form(query.encode("latin-1"))  # as WSGI decodes URLs
        return {name.decode(): value.decode() for name, value in reversed(pairs)}
    except (BodyUnreadable, UnicodeError) as error:
        raise MalformedHeader("the query is not written as a form") from error


class RequestHeaders(Mapping[str, str]):
    """The headers of a request by their names in lower case.

    Each is looked up when somebody asks for it: a stranger can send any number of them.
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        value: str = self._environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"]
        return value

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_") or key == "CONTENT_TYPE":
                yield key.removeprefix("HTTP_").replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _answer_unread(receipt: Receipt) -> Response:
    """Return the answer to the current request, whose body is not read to its end."""
    response = answer(receipt)
    response.call_on_close(partial(take_unread, request.environ))
    return response


def answer(receipt: Receipt, text: str | None = None) -> Response:
    """Return *receipt* as the answer in JSON; *text* is answered instead to what was accepted."""
    if receipt.reply is not None:
        content, status = receipt.reply
        if isinstance(content, str):
            return _plain(content, status)
        return Response(json.dumps(content), status=status, mimetype="application/json")
    counts = ""
    if receipt.status == 200 and text is not None:
        return _plain(text)
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
