"""A request that was captured somewhere -> what arrived: headers, body and URL.

Known are the text of a request, as ngrok, tcpdump and ``hookkit send --print`` show it and curl
with ``-v``; an entry of a HAR file; an object of JSON; and a list of headers beside a body.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hookkit.cli.http_text import HttpRequest, read_request
from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable

#: A longer file is no captured request: no body of one is as large.
MAX_FILE_BYTES = 32 << 20

#: In the output of tcpdump, dots stand before the request line.
_REQUEST = re.compile(rb"(?:POST|PUT|GET) \S{1,8192} HTTP/[0-9.]{1,4}\r?\n")

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")

#: A line of ``curl -v`` that shows what was sent.
_SENT_BY_CURL = re.compile(rb"^> ?", re.MULTILINE)


def read_captured(text: bytes, body: bytes | None) -> HttpRequest:
    """Return the request in *text*.

    Args:
        text: What was captured.
        body: The bytes of the body, if they are somewhere else; None if they are in *text*.

    Raises:
        ValueError: It is no request, or holds several, or no body; the message says what to do.
    """
    found = _of_json(text) if text.lstrip()[:1] == b"{" else _of_text(text, body is not None)
    if body is not None:
        return replace(found, body=body)
    return _whole(found)


def _of_text(text: bytes, has_body: bool) -> HttpRequest:  # noqa: FBT001  # one caller
    if _SENT_BY_CURL.search(text):
        if not has_body:
            raise ValueError("is the output of curl -v, which shows no body: give --body FILE")
        sent = [line for line in text.splitlines() if line.startswith(b">")]
        text = b"".join(_SENT_BY_CURL.sub(b"", line) + b"\n" for line in sent)
    begin = _REQUEST.search(text)
    if begin is None:
        return _of_headers(text, has_body=has_body)
    text = text[begin.start() :]
    request = read_request(text if not has_body else text + b"\r\n\r\n")
    if request is None:
        raise ValueError("holds no request: a request line, headers, an empty line, the body")
    return request


def _of_headers(text: bytes, *, has_body: bool) -> HttpRequest:
    headers: dict[str, str] = {}
    for number, line in enumerate(text.decode("latin-1").splitlines(), 1):
        if not line.strip():
            continue
        header = _HEADER.fullmatch(line)
        if header is None:
            raise ValueError(f"is no request, no JSON and no list of headers: see line {number}")
        name = header[1].lower()
        headers[name] = f"{headers[name]},{header[2]}" if name in headers else header[2]
    if not has_body:
        raise ValueError("holds headers alone: give the body with --body FILE")
    return HttpRequest(headers=headers, body=b"")


def _of_json(text: bytes) -> HttpRequest:
    try:
        document = decode_body(text)
    except BodyUnreadable as error:
        raise ValueError(f"begins like JSON, but: {error}") from error
    found = list(_requests_in(document))
    if len(found) != 1:
        raise ValueError(
            f"holds {len(found)} requests with a body: leave one in it"
            if found
            else "is JSON without a request: it needs headers, and body or body_base64"
        )
    return found[0]


def _requests_in(document: Mapping[str, Any]) -> Iterator[HttpRequest]:
    """Yield the requests in a HAR file, in an answer of ngrok's, or in one object."""
    log = document.get("log")
    entries = log.get("entries") if isinstance(log, Mapping) else document.get("requests")
    if not isinstance(entries, list):
        entries = [document]
    for entry in entries:
        request = entry.get("request", entry) if isinstance(entry, Mapping) else None
        if isinstance(request, Mapping) and str(request.get("method", "POST")).upper() == "POST":
            yield from _request_in(request)


def _request_in(request: Mapping[str, Any]) -> Iterator[HttpRequest]:
    raw = request.get("raw")
    if isinstance(raw, str):
        found = read_request(_from_base64(raw))
        if found is not None:
            yield found
        return
    headers, data = request.get("headers"), request.get("postData", request)
    if headers is None or not isinstance(data, Mapping):
        return
    url = request.get("url", "")
    encoded = data.get("body_base64")
    text = data.get("text", data.get("body"))
    if data.get("encoding") == "base64":
        encoded = text
    if isinstance(encoded, str):
        body = _from_base64(encoded)
    elif isinstance(text, str):
        body = text.encode(errors="surrogatepass")
    else:
        raise ValueError("has no body or body_base64 that is a text")  # noqa: TRY004  # one error
    yield HttpRequest(target=str(url), headers=dict(_headers_in(headers)), body=body)


def _headers_in(given: object) -> Iterator[tuple[str, str]]:
    """Yield headers out of a HAR's list of pairs, or of an object of texts or lists."""
    if isinstance(given, list):
        pairs = [(each.get("name"), each.get("value")) for each in given if isinstance(each, dict)]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise ValueError("has headers that are no object and no list")  # noqa: TRY004  # one error
    for name, value in pairs:
        values = value if isinstance(value, list) else [value]
        texts = [each for each in values if isinstance(each, str)]
        if not isinstance(name, str) or len(texts) < len(values):
            raise ValueError("has a header that is no text")
        yield name.lower(), ",".join(texts)


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("has a body that is not base64") from error


def _whole(request: HttpRequest) -> HttpRequest:
    """Return *request* with the bytes that its headers speak of, without what follows them."""
    headers, body = request.headers, request.body
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return replace(request, body=_joined(body))
    declared = headers.get("content-length", "")
    if re.fullmatch(r"[0-9]{1,12}", declared, re.ASCII) and int(declared) < len(body):
        return replace(request, body=body[: int(declared)])
    return request


def _joined(body: bytes) -> bytes:
    """Return the chunks of *body* as one; what is not in chunks stays as it is."""
    whole, rest = b"", body
    while (head := re.match(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,256}\r\n", rest)) is not None:
        size = int(head[1], 16)
        if size == 0:
            return whole
        whole += rest[head.end() : head.end() + size]
        rest = rest[head.end() + size :].removeprefix(b"\r\n")
    return body
