"""What goes wrong: what hookkit is still to mend, and what a server hides from it.

Each line is a test that must fail. Whoever mends something removes its line.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.hostile.servers import COMMANDS

OLD_GUNICORN = ("gunicorn-lowest-sync", "gunicorn-lowest-gthread")
NEW_GUNICORN = ("gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent")
EVERY = tuple(COMMANDS)

H7 = "H7: a 500, where what the stream or the query holds must be 400 in JSON"
H14 = "H14: HTML or a redirect, where the answer must be JSON"
H16 = "H16: a Content-Length that is no number is taken for none, where it must be 400"

HIDES_CUTS = "granian ends a chunked body that broke off, or is none, as if it were whole"
READS_NO_CHUNKS = "uWSGI hands no chunked body on; hookkit answers 400"
TAKES_ANY_NUMBER = "cheroot takes whatever Python's int() takes"
TAKES_THE_LAST = "the server takes the last Content-Length, or joins them"

_CHUNK_SIZES = ("letters", "underscore", "blank", "raw-bytes")

_ROWS: list[tuple[str, Sequence[str], Sequence[str]]] = [
    (H7, (*OLD_GUNICORN, *NEW_GUNICORN), ["chunked-with-1000-trailers"]),
    (
        H7,
        (*OLD_GUNICORN, "uwsgi"),
        ["challenge-of-raw-bytes", "challenge-with-a-token-of-raw-bytes"],
    ),
    (
        H7,
        NEW_GUNICORN,
        [
            "chunk-extension-of-100-kb",
            "chunked-with-half-an-end",
            "chunk-size-negative",
            "chunk-size-prefixed",
        ],
    ),
    (
        H7,
        (*NEW_GUNICORN, "cheroot"),
        [*(f"chunk-size-{each}" for each in _CHUNK_SIZES), "chunk-longer-than-its-size"],
    ),
    (
        H7,
        ["cheroot"],
        [
            "length-negative",
            "chunked-cut-between-chunks",
            "chunked-cut-in-a-chunk",
            "chunk-size-of-1000-digits",
            "chunk-size-of-2-to-the-64",
            "chunk-ended-by-a-bare-line-feed",
        ],
    ),
    (
        H14,
        EVERY,
        [
            "upgrade-to-a-websocket",
            "path-double-slash-inside",
            "path-without-a-name",
            "path-double-slash-and-another-name",
            "method-TRACE",
            "method-PROPFIND",
            "method-BREW",
        ],
    ),
    (H14, [each for each in EVERY if each != "cheroot"], ["method-CONNECT"]),
    (H14, ["waitress", "granian", "cheroot", "uwsgi"], ["method-12"]),
    (H14, ["cheroot", "uwsgi"], ["method-11", "method-13"]),
    (H14, ["uwsgi"], ["method-14"]),
    (
        H16,
        ["uwsgi"],
        [
            "length-letters",
            "length-negative",
            "length-plus",
            "length-hex",
            "length-underscore",
            "length-float",
            "length-list",
            "length-arabic-digits",
            "length-of-5000-digits",
            "length-blank",
        ],
    ),
    (H16, ["cheroot"], ["length-plus", "length-underscore"]),
    (TAKES_THE_LAST, ["cheroot", "uwsgi"], ["two-lengths"]),
    (TAKES_THE_LAST, ["uwsgi"], ["two-equal-lengths"]),
    (TAKES_ANY_NUMBER, ["cheroot"], ["chunk-size-negative", "chunk-size-prefixed"]),
    (
        HIDES_CUTS,
        ["granian"],
        ["chunked-cut-between-chunks", "chunked-cut-in-a-chunk", "chunked-cut-then-away"]
        + [f"chunk-size-{each}" for each in (*_CHUNK_SIZES, "negative", "prefixed")]
        + ["chunk-size-of-1000-digits", "chunk-size-of-2-to-the-64", "chunk-longer-than-its-size"],
    ),
    (READS_NO_CHUNKS, ["uwsgi"], ["chunked", "chunked-in-pieces", "chunked-byte-by-byte"]),
]

#: (server, item) -> why the test fails there
KNOWN = {
    (server, name): reason
    for reason, servers, names in _ROWS
    for server in servers
    for name in names
}
