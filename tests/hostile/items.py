"""What is sent: the HTTP layer's part of the bad inputs, as bytes on a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.applications import SECRET, message
from tests.hostile.servers import MAX_BODY, VERIFY_TOKEN

#: A pause between two parts, in seconds: long enough for them to arrive one by one.
PAUSE_S = 0.005

#: What may become of an item.
KEPT = "kept"  # 200, and the whole body is in the inbox
REFUSED = "refused"  # 4xx or a closed connection, and nothing is in the inbox
EITHER = "either"  # one of the two: HTTP leaves it to the server
ANSWERED = "answered"  # any answer below 500, and no body of this item is in the inbox


@dataclass(frozen=True, kw_only=True)
class Item:
    """A way to send a delivery, or something that looks like one.

    Attributes:
        parts: What is sent, one after another.
        outcome: What may become of it.
        whole: The bodies that may be in the inbox afterwards.
        half_closes: Whether the sender says that nothing more will come.
        leaves: Whether the sender goes away without an answer.
    """

    name: str
    parts: Sequence[bytes]
    outcome: str
    whole: Sequence[bytes] = ()
    half_closes: bool = False
    leaves: bool = False
    marker: bytes


ITEMS: dict[str, Item] = {}


def body_of(name: str, padding: int = 0) -> bytes:
    """Return a delivery with the event id *name*, with spaces in it to make it longer."""
    text = json.dumps(message(name)).encode()
    return text[:-1] + b" " * padding + text[-1:]


def head(
    *lines: bytes,
    method: bytes = b"POST",
    path: bytes = b"/hooks/support",
    version: bytes = b"HTTP/1.1",
    closes: bool = True,
) -> bytes:
    """Return a request up to its body, with the secret that proves it."""
    start = b"%b %b %b" % (method, path, version)
    usual = [b"Host: localhost", b"X-API-Key: " + SECRET.encode()]
    usual += [b"Content-Type: application/json"]
    usual += [b"Connection: close"] if closes else []
    return b"\r\n".join([start, *usual, *lines, b"", b""])


def length(body: bytes) -> bytes:
    """Return the header that declares *body*."""
    return b"Content-Length: %d" % len(body)


CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


def chunks(body: bytes, size: int = 300) -> bytes:
    """Return *body* in chunks, without the one that ends it."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def pieces(body: bytes) -> list[bytes]:
    """Return *body* in 20 parts, which are sent one by one."""
    size = len(body) // 20 + 1
    return [body[start : start + size] for start in range(0, len(body), size)]


Make = Callable[[bytes], Sequence[bytes]]


def item(
    name: str,
    make: Make,
    outcome: str = REFUSED,
    *,
    padding: int = 0,
    half_closes: bool = False,
    leaves: bool = False,
) -> None:
    """Add an item: *make* is handed its body and returns what is sent."""
    body = body_of(f"event-of-{name}", padding)
    ITEMS[name] = Item(
        name=name,
        parts=make(body),
        outcome=outcome,
        whole=[body] if outcome in (KEPT, EITHER) else [],
        half_closes=half_closes,
        leaves=leaves,
        marker=b'"event-of-%b"' % name.encode(),
    )


# Content-Length

item("length", lambda body: [head(length(body)), body], KEPT)
item("length-sent-in-pieces", lambda body: [head(length(body)), *pieces(body)], KEPT)
item(
    "length-padded-with-zeros",
    lambda body: [head(b"Content-Length: 000%d" % len(body)), body],
    EITHER,
)
for _name, _value in {
    "letters": b"abc",
    "negative": b"-1",
    "plus": b"+600",
    "hex": b"0x20",
    "underscore": b"6_0",
    "float": b"60.0",
    "list": b"5, 6",
    "arabic-digits": "٦٠".encode(),
    "of-5000-digits": b"9" * 5000,
    "of-2-to-the-64": b"18446744073709551616",
    "over-the-limit": b"%d" % (MAX_BODY + 1),
    "blank": b" ",
}.items():
    item(
        f"length-{_name}",
        lambda body, value=_value: [head(b"Content-Length: " + value), body],
        half_closes=True,
    )
# It has no body then: what follows it is another request, which is none.
item("length-missing", lambda body: [head(), body], ANSWERED)
item(
    "length-too-large-then-gone",
    lambda body: [head(b"Content-Length: 5000"), body],
    half_closes=True,
)
item("length-too-large-then-away", lambda body: [head(b"Content-Length: 5000"), body], leaves=True)
item("length-too-small", lambda body: [head(b"Content-Length: 40"), body], ANSWERED)
item("two-lengths", lambda body: [head(length(body), b"Content-Length: 40"), body])
item("two-equal-lengths", lambda body: [head(length(body), length(body)), body], EITHER)
item(
    "body-at-the-limit",
    lambda body: [head(length(body)), body],
    KEPT,
    padding=MAX_BODY - len(body_of("event-of-body-at-the-limit")),
)
item("body-over-the-limit", lambda body: [head(length(body)), body], padding=MAX_BODY)

# Chunks

item("chunked", lambda body: [head(CHUNKED), chunks(body), END], KEPT)
item("chunked-in-pieces", lambda body: [head(CHUNKED), *pieces(chunks(body)), END], KEPT)
item("chunked-byte-by-byte", lambda body: [head(CHUNKED), chunks(body, 1), END], KEPT)
item(
    "chunked-spelt-otherwise",
    lambda body: [head(b"transfer-encoding: Chunked"), chunks(body), END],
    EITHER,
)
item(
    "chunk-extensions",
    lambda body: [head(CHUNKED), b'%x;name=value;quoted="a;b"\r\n%b\r\n' % (len(body), body), END],
    EITHER,
)
item(
    "chunk-extension-of-100-kb",
    lambda body: [head(CHUNKED), b"%x;" % len(body), b"a" * 100_000, b"\r\n%b\r\n" % body, END],
    EITHER,
)
item(
    "chunk-size-with-zeros",
    lambda body: [head(CHUNKED), b"%016x\r\n%b\r\n" % (len(body), body), END],
    EITHER,
)
item(
    "chunked-with-a-trailer",
    lambda body: [head(CHUNKED), chunks(body), b"0\r\nX-Trailer: 1\r\n\r\n"],
    EITHER,
)
item(
    "chunked-with-1000-trailers",
    lambda body: [head(CHUNKED), chunks(body), b"0\r\n" + b"X-Trailer: 1\r\n" * 1000 + b"\r\n"],
    EITHER,
)
item(
    "trailer-that-is-the-secret",
    lambda body: [
        head(CHUNKED).replace(SECRET.encode(), b"wrong"),
        chunks(body),
        b"0\r\nX-API-Key: " + SECRET.encode() + b"\r\n\r\n",
    ],
)
item(
    "chunked-over-the-limit",
    lambda body: [head(CHUNKED), chunks(body, 9000), END],
    padding=MAX_BODY,
)
item("chunked-cut-between-chunks", lambda body: [head(CHUNKED), chunks(body)], half_closes=True)
item("chunked-cut-in-a-chunk", lambda body: [head(CHUNKED), chunks(body)[:-9]], half_closes=True)
item("chunked-cut-then-away", lambda body: [head(CHUNKED), chunks(body)], leaves=True)
item(
    "chunked-with-half-an-end",
    lambda body: [head(CHUNKED), chunks(body), b"0\r\n"],
    EITHER,
    half_closes=True,
)
for _name, _size in {
    "letters": b"zz",
    "negative": b"-5",
    "prefixed": b"0x5",
    "underscore": b"1_0",
    "blank": b"",
    "of-1000-digits": b"f" * 1000,
    "of-2-to-the-64": b"10000000000000000",
    "raw-bytes": b"\xff\xfe",
}.items():
    item(
        f"chunk-size-{_name}",
        lambda body, size=_size: [head(CHUNKED), chunks(body), size + b"\r\nabcde\r\n", END],
        half_closes=True,
    )
item(
    "chunk-longer-than-its-size",
    lambda body: [head(CHUNKED), b"5\r\n%b\r\n" % body, END],
    half_closes=True,
)
item(
    "chunk-ended-by-a-bare-line-feed",
    lambda body: [head(CHUNKED), b"%x\n%b\n" % (len(body), body), b"0\n\n"],
    EITHER,
    half_closes=True,
)
item(
    "chunked-twice",
    lambda body: [head(b"Transfer-Encoding: chunked, chunked"), chunks(body), END],
    EITHER,
    half_closes=True,
)
item(
    "encoded-identity",
    lambda body: [head(b"Transfer-Encoding: identity", length(body)), body],
    EITHER,
)
item(
    "encoded-gzip",
    lambda body: [head(b"Transfer-Encoding: gzip, chunked"), chunks(body), END],
    EITHER,
)
item(
    "encoded-unknown",
    lambda body: [head(b"Transfer-Encoding: xchunked"), chunks(body), END],
    half_closes=True,
)
item(
    "encoding-hidden-by-a-tab",
    lambda body: [head(b"Transfer-Encoding:\x0bchunked", length(body)), body],
    EITHER,
)
item("length-and-chunks", lambda body: [head(length(body), CHUNKED), chunks(body), END], EITHER)
item(
    "chunks-and-a-short-length",
    lambda body: [head(CHUNKED, b"Content-Length: 4"), chunks(body), END],
    EITHER,
)

# Slow and early

item("slow-head", lambda body: [*pieces(head(length(body))), body], KEPT)
item("away-in-the-head", lambda body: [head(length(body))[:40]], leaves=True)
item("away-before-the-body", lambda body: [head(length(body))], leaves=True)
item("away-after-the-body", lambda body: [head(length(body)), body], EITHER, leaves=True)
item("expects-100", lambda body: [head(length(body), b"Expect: 100-continue"), body], KEPT)
item("expects-something-else", lambda body: [head(length(body), b"Expect: 200-ok"), body], EITHER)
item("http-1.0", lambda body: [head(length(body), version=b"HTTP/1.0"), body], KEPT)
item(
    "http-1.0-without-length",
    lambda body: [head(version=b"HTTP/1.0"), body],
    ANSWERED,
    half_closes=True,
)
item(
    "http-1.0-chunked",
    lambda body: [head(CHUNKED, version=b"HTTP/1.0"), chunks(body), END],
    EITHER,
    half_closes=True,
)
item("http-0.9", lambda body: [b"GET /hooks/support\r\n"], ANSWERED, half_closes=True)
item(
    "http-2-preface", lambda body: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ANSWERED, half_closes=True
)
item("http-9.9", lambda body: [head(length(body), version=b"HTTP/9.9"), body], EITHER)
item(
    "no-http",
    lambda body: [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)],
    ANSWERED,
    half_closes=True,
)
item(
    "no-host", lambda body: [head(length(body)).replace(b"Host: localhost\r\n", b""), body], EITHER
)
item("two-hosts", lambda body: [head(length(body), b"Host: other"), body], EITHER)
item(
    "host-of-raw-bytes",
    lambda body: [head(length(body)).replace(b"localhost", b"\xff<script>"), body],
    EITHER,
)
item(
    "pipelined",
    lambda body: [
        head(length(b"{}"), closes=False).replace(SECRET.encode(), b"wrong")
        + b"{}"
        + head(length(body))
        + body
    ],
    EITHER,
)
item(
    "pipelined-after-a-refused-body",
    lambda body: [head(b"Content-Length: 200000", closes=False) + body + head(length(body)) + body],
    ANSWERED,
    half_closes=True,
)

# Headers

item(
    "101-headers",
    lambda body: [head(length(body), *[b"X-%d: 1" % n for n in range(101)]), body],
    EITHER,
)
item(
    "10000-headers",
    lambda body: [head(length(body), *[b"X-%d: 1" % n for n in range(10_000)]), body],
    EITHER,
)
item("header-of-9-kb", lambda body: [head(length(body), b"X-Long: " + b"a" * 9000), body], EITHER)
item("header-of-1-mb", lambda body: [head(length(body), b"X-Long: " + b"a" * 10**6), body], EITHER)
item("header-folded", lambda body: [head(length(body), b"X-Folded: a\r\n b"), body], EITHER)
item("header-with-nul", lambda body: [head(length(body), b"X-Nul: a\0b"), body], EITHER)
item("header-with-a-bare-cr", lambda body: [head(length(body), b"X-Cr: a\rb"), body], EITHER)
item("header-of-raw-bytes", lambda body: [head(length(body), b"X-Raw: \xff\xfe\x80"), body], EITHER)
item("header-name-of-raw-bytes", lambda body: [head(length(body), b"X-\xff: 1"), body], EITHER)
item("header-without-a-colon", lambda body: [head(length(body), b"nonsense"), body], EITHER)
item("header-name-with-a-space", lambda body: [head(length(body), b"X-A : 1"), body], EITHER)
item(
    "secret-twice",
    lambda body: [head(length(body), b"X-API-Key: " + SECRET.encode()), body],
    EITHER,
)
item(
    "secret-with-underscores",
    lambda body: [head(length(body)).replace(b"X-API-Key", b"X_API_Key"), body],
    EITHER,
)
item(
    "secret-of-raw-bytes",
    lambda body: [head(length(body)).replace(SECRET.encode(), b"\xff\xfe\x80"), body],
)
item(
    "content-type-of-raw-bytes",
    lambda body: [
        head(length(body)).replace(b"application/json", b"\xff/\xfe; charset=\x80"),
        body,
    ],
    EITHER,
)
item(
    "content-encoding-gzip",
    lambda body: [head(length(body), b"Content-Encoding: gzip"), body],
    EITHER,
)
item(
    "upgrade-to-a-websocket",
    lambda body: [
        head(
            length(body),
            b"Upgrade: websocket",
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"Sec-WebSocket-Version: 13",
        ).replace(b"Connection: close", b"Connection: Upgrade, close"),
        body,
    ],
    EITHER,
)
item(
    "upgrade-to-http-2",
    lambda body: [
        head(length(body), b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        body,
    ],
    EITHER,
)

# Paths and queries

for _name, _path in {
    "absolute": b"http://localhost/hooks/support",
    "absolute-to-another-host": b"http://example.com/hooks/support",
    "with-a-query-of-raw-bytes": b"/hooks/support?\xff=\xfe\x80&%ff",
    "with-a-long-query": b"/hooks/support?" + b"a" * 3000,
    "double-slash": b"//hooks/support",
    "with-an-escaped-slash": b"/hooks%2fsupport",
    "relative": b"hooks/support",
    "with-dots": b"/hooks/x/../support",
    "with-a-fragment": b"/hooks/support#hooks",
}.items():
    item(f"path-{_name}", lambda body, path=_path: [head(length(body), path=path), body], EITHER)
for _name, _path in {
    "double-slash-inside": b"/hooks//support",
    "double-slash-and-another-name": b"/hooks//x",
    "double-slash-in-front-of-a-host": b"//example.com/hooks/support",
    "without-a-name": b"/hooks",
    "with-escaped-dots": b"/hooks/%2e%2e/hooks/support",
    "with-nul": b"/hooks/support%00",
    "of-raw-bytes": b"/hooks/\xff\xfe\x80",
    "of-escaped-bytes": b"/hooks/%ff%fe%80",
    "of-bad-escapes": b"/hooks/%zz%",
    "with-a-space": b"/hooks/a b",
    "of-10-kb": b"/hooks/" + b"a" * 10_000,
    "of-100-kb": b"/hooks/" + b"a" * 100_000,
    "an-asterisk": b"*",
    "empty": b"",
    "with-brackets": b"/hooks/{{7*7}}<script>",
    "of-an-authority": b"localhost:80",
}.items():
    item(f"path-{_name}", lambda body, path=_path: [head(length(body), path=path), body], ANSWERED)

CHALLENGE = (
    b"/hooks/page?hub.mode=subscribe&hub.verify_token=%b&hub.challenge=" % VERIFY_TOKEN.encode()
)
for _name, _query in {
    "plain": b"12345",
    "of-raw-bytes": b"\xff\xfe\x80",
    "of-escaped-bytes": b"%ff%fe%80",
    "with-a-surrogate": b"%ed%a0%80",
    "with-line-breaks": b"%0d%0aSet-Cookie:%20a=b",
    "with-nul": b"%00",
    "with-a-tag": b"<script>alert(1)</script>",
    "of-3-kb": b"1" * 3000,
}.items():
    item(
        f"challenge-{_name}",
        lambda body, query=_query: [head(method=b"GET", path=CHALLENGE + query)],
        ANSWERED,
    )
item(
    "challenge-with-a-token-of-raw-bytes",
    lambda body: [
        head(method=b"GET", path=b"/hooks/page?hub.verify_token=\xff&\xfe=%80&hub.challenge=1")
    ],
    ANSWERED,
)

# Methods

for _number, _method in enumerate(
    (
        *(b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"),
        *(b"PROPFIND", b"BREW", b"post", b"P\xd6ST", b"A" * 5000, b"P(ST", b""),
    )
):
    _name = _method.decode("latin-1") if 0 < len(_method) < 20 and _method.isalpha() else ""
    item(
        f"method-{_name or _number}",
        lambda body, method=_method: [head(length(body), method=method), body],
        ANSWERED,
    )
