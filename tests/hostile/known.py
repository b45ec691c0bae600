"""What goes wrong, because a server hides it from hookkit.

Each line is a case that must fail. Whoever mends something removes its line.
"""

from __future__ import annotations

from collections.abc import Sequence

HIDES_CUTS = "granian ends a chunked body that broke off, or is none, as if it were whole"
READS_NO_CHUNKS = "uWSGI hands no chunked body on; hookkit answers 400"
TAKES_ANY_NUMBER = "cheroot takes whatever Python's int() takes"
TAKES_THE_LAST = "the server takes the last Content-Length"
HIDES_BLANKS = "uWSGI hands on a Content-Length of nothing as if there were none"

_CHUNK_SIZES = ("letters", "underscore", "blank", "raw-bytes")

_ROWS: list[tuple[str, Sequence[str], Sequence[str]]] = [
    (TAKES_THE_LAST, ["cheroot"], ["two-lengths"]),
    (HIDES_BLANKS, ["uwsgi"], ["length-blank"]),
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

#: (server, item) -> why the case fails there
KNOWN = {
    (server, name): reason
    for reason, servers, names in _ROWS
    for server in servers
    for name in names
}
