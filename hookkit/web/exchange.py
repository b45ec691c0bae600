"""An HTTP request to an endpoint in, an HTTP answer out: with Flask around it or without."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from hookkit.application.app_state import AppState
from hookkit.core.delivery import Delivery
from hookkit.core.entry import Receipt
from hookkit.core.errors import BodyUnreadable, MalformedHeader, Rejected, Unavailable
from hookkit.core.form import decode_form
from hookkit.inbox.records import cut_to_ms
from hookkit.receiving.endpoint import Endpoint
from hookkit.web.body import read_body

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment


class Answer(NamedTuple):
    """What a request is answered with.

    Attributes:
        headers: What is sent before the Content-Type and the Content-Length, in this order.
        is_unread: Whether the request may have a body that is not read to its end.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    is_unread: bool = False

    def plus(self, name: str, value: str) -> Answer:
        """Return the answer with one more header."""
        return self._replace(headers=(*self.headers, (name, value)))


def respond(
    state: AppState,
    endpoint: Endpoint,
    environ: WSGIEnvironment,
    *,
    path_token: str | None = None,
    stream: IO[bytes] | None = None,
    read_before: Callable[[], bytes] = bytes,
) -> Answer:
    """Return the answer to a request to *endpoint*.

    Args:
        state: The application that the endpoint belongs to.
        endpoint: Whose URL the request has.
        environ: The request, whose body is read here.
        path_token: What follows the endpoint's name in the URL; None if nothing does.
        stream: The stream that earlier code has made around the server's, as ``read_body`` asks.
        read_before: Returns the body that earlier code has read and kept, as ``read_body`` asks.
    """
    method = environ["REQUEST_METHOD"]
    if method == "POST":
        read = partial(read_body, environ, endpoint.max_body_bytes, stream, read_before)
        answer = _deliver(state, endpoint, environ, path_token, read)
        if answer.status == 401 and endpoint.asks_for("basic"):
            # Some clients send the credentials of a URL only when they are asked for them.
            # https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
            return answer.plus("WWW-Authenticate", 'Basic realm="hookkit"')
        return answer
    if method == "GET" and endpoint.answers_challenges:
        return _challenge(state, endpoint, environ)
    if method == "HEAD":  # some vendors probe with it
        return Answer(200, b"", "text/html; charset=utf-8")
    return refuse_method()


def refuse_unknown() -> Answer:
    """Answer a request whose URL belongs to no endpoint."""
    return _unread(Receipt(status=404, code="unknown_endpoint"))


def refuse_method() -> Answer:
    """Answer a request to an endpoint by a method that it does not have."""
    return _unread(Receipt(status=405, code="method_not_allowed")).plus("Allow", "HEAD, POST")


def refuse_header() -> Answer:
    """Answer a request whose headers say that it is none to an endpoint."""
    return _unread(Receipt(status=MalformedHeader.status, code=MalformedHeader.code))


def _unread(receipt: Receipt) -> Answer:
    return answer_of(receipt)._replace(is_unread=True)


def _deliver(
    state: AppState,
    endpoint: Endpoint,
    environ: WSGIEnvironment,
    path_token: str | None,
    read: Callable[[], bytes],
) -> Answer:
    state.received_at_s = time.monotonic()
    now = cut_to_ms(state.clock())  # as it is stored: an event must not depend on who reads it
    try:
        if state.body_watch is None:
            body = read()
        else:
            with state.body_watch.reading(environ):
                body = read()
    except Rejected as error:
        return _unread(state.receiver.reject(endpoint, error))
    delivery = Delivery(
        endpoint=endpoint.name,
        body=body,
        headers=RequestHeaders(environ),
        received_at=now,
        path_token=path_token,
        query=environ.get("QUERY_STRING", ""),
        address=environ.get("REMOTE_ADDR", ""),
    )
    return answer_of(state.receiver.receive(endpoint, delivery), endpoint.answer)


def _challenge(state: AppState, endpoint: Endpoint, environ: WSGIEnvironment) -> Answer:
    """Answer a vendor that checks by GET whether the URL belongs to its customer."""
    try:
        text = endpoint.answer_challenge(_read_query(environ.get("QUERY_STRING", "")))
    except Rejected as error:
        return answer_of(state.receiver.reject(endpoint, error))
    except Unavailable as error:
        return answer_of(state.receiver.give_up(endpoint, error))
    return _plain(text)


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


def answer_of(receipt: Receipt, text: str | None = None) -> Answer:
    """Return *receipt* as the answer in JSON; *text* is answered instead to what was accepted."""
    if receipt.reply is not None:
        content, status = receipt.reply
        if isinstance(content, str):
            return _plain(content, status)
        return Answer(status, json.dumps(content).encode())
    if receipt.status == 200 and text is not None:
        return _plain(text)
    if receipt.status == 200:
        new = receipt.new_count
        return _accepted(receipt.code, new, len(receipt.admitted) - new)
    answer = Answer(receipt.status, f'{{"code": "{receipt.code}"}}\n'.encode())
    if receipt.retry_after_s is not None:
        return answer.plus("Retry-After", str(receipt.retry_after_s))
    return answer


@lru_cache(maxsize=64)  # nearly all deliveries have one event, which is new
def _accepted(code: str, new: int, duplicates: int) -> Answer:
    counts = f'"new": {new}, "duplicates": {duplicates}'
    return Answer(200, f'{{"code": "{code}", {counts}}}\n'.encode())


def _plain(text: str, status: int = 200) -> Answer:
    answer = Answer(status, text.encode(), "text/plain; charset=utf-8")
    return answer.plus("X-Content-Type-Options", "nosniff")


#: Of the names of headers whose keys are remembered.
_MAX_KNOWN_CHARS = 64


class RequestHeaders(Mapping[str, str]):
    """The headers of a request by their names in lower case.

    Each is looked up when somebody asks for it: a stranger can send any number of them.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_key_of(name)]
        return value

    # Those of ``Mapping`` would raise and catch an error for each that is not there.

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key_of(name) in self._environ

    def get(self, name: str, default: Any = None) -> Any:
        """Return the header *name*, or *default* if there is none."""
        return self._environ.get(_key_of(name), default)

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            # Some servers give the type of the content under HTTP_CONTENT_TYPE, too.
            if key == _key_of(name):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _key_of(name: str) -> str:
    """Return the key in WSGI's ``environ`` of the header *name*."""
    # A stranger chooses the names that are not known, and how long they are.
    return _known_key_of(name) if len(name) <= _MAX_KNOWN_CHARS else _made_key_of(name)


def _made_key_of(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else f"HTTP_{key}"


_known_key_of = lru_cache(maxsize=256)(_made_key_of)  # of a few names, at each delivery
