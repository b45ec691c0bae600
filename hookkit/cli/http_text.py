"""A delivery as the text of an HTTP request: request line, headers, empty line, body.

``hookkit sign --http`` and ``hookkit send --print`` write it, other commands read it. People
write it by hand as well, or copy it out of a log: lines may end with LF or with CRLF.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hookkit.core.body import Headers
from hookkit.testing import SignedDelivery

_REQUEST_LINE = re.compile(rb"[A-Z]{3,10} (\S{1,8192}) HTTP/[0-9.]{1,4}\r?\n")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request that was read from a text.

    Attributes:
        target: What the request line asks for: a path with its query, or a URL.
        headers: Names in lower case; a header that was sent twice has both values, as WSGI
            hands them over.
        body: The bytes after the empty line, exactly.
    """

    target: str = ""
    headers: Headers = field(default_factory=dict, repr=False)
    body: bytes = field(repr=False)


def write_request(url: str, delivery: SignedDelivery) -> bytes:
    """Return the request that posts *delivery* to *url*."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    headers = {
        "host": parts.netloc,
        **delivery.headers,
        "content-length": str(len(delivery.body)),
    }
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + delivery.body


def read_request(text: bytes) -> HttpRequest | None:
    """Return the request in *text*; None if it does not begin with a request line.

    Raises:
        ValueError: A line of the headers is none, or no empty line ends them.
    """
    begin = _REQUEST_LINE.match(text)
    if begin is None:
        return None
    headers: dict[str, str] = {}
    place = begin.end()
    while (end := _EMPTY_LINE.match(text, place)) is None:
        line = _HEADER.match(text, place)
        if line is None:
            number = text.count(b"\n", 0, place) + 1
            raise ValueError(f"line {number} is no header, and no empty line has ended the headers")
        name, value = line[1].decode().lower(), line[2].decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
        place = line.end()
    return HttpRequest(target=begin[1].decode("latin-1"), headers=headers, body=text[end.end() :])
