"""Reads the body of a request from the server's stream, within the endpoint's limit.

The stream is read past Flask, whose limit is for the application's forms. Whatever the stream
raises, which is of no common class, says that the body did not arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from werkzeug.wsgi import get_content_length, get_input_stream

from hookkit.core.errors import BodyTooLarge, MalformedBody, MalformedHeader

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment

_CHUNK_BYTES = 1 << 16

#: Some servers pass on what Python's ``int`` takes, such as +5, or what they could not read.
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


def read_body(
    environ: WSGIEnvironment,
    max_bytes: int,
    stream: IO[bytes] | None,
    read_before: Callable[[], bytes],
) -> bytes:
    """Return the bytes of a request's body.

    Args:
        environ: The request.
        max_bytes: A larger body is refused, and no more than this is read of it.
        stream: The stream that earlier code has made around the server's, and may have read; None
            if there is none. The server's own must not be read twice: not every server knows where
            a body ends, and one that does not waits for more.
        read_before: Returns the body that earlier code has read and kept; b"" if it has kept
            none. It is called when bytes are missing.

    Raises:
        BodyTooLarge: It has, or declares, more than *max_bytes*.
        MalformedBody: It ended before its declared length, or broke off.
        MalformedHeader: Its declared length is no number.
    """
    length = environ.get("CONTENT_LENGTH")
    if not _LENGTH.fullmatch(length or "0"):
        raise MalformedHeader("header content-length is no number")
    # Werkzeug looks closely at a Transfer-Encoding, which few requests have.
    is_plain = length is not None and "HTTP_TRANSFER_ENCODING" not in environ
    declared_bytes = int(length or 0) if is_plain else get_content_length(environ)
    if declared_bytes is None:
        body = _read_stream(stream or get_input_stream(environ), max_bytes)
        return body or _chunked_before(environ, read_before)
    if declared_bytes > max_bytes:
        raise BodyTooLarge(f"declared {declared_bytes} bytes, at most {max_bytes} are taken")
    body = _read_declared(stream or environ["wsgi.input"], declared_bytes)
    if len(body) != declared_bytes:
        body = read_before()
    if len(body) != declared_bytes:
        raise MalformedBody("the body ended before its declared length")
    return body


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


def _chunked_before(environ: WSGIEnvironment, read_before: Callable[[], bytes]) -> bytes:
    """Return the chunked body that earlier code has read; b"" if the request has no such body.

    An empty chunked body looks like one that earlier code consumed, or that the server does
    not pass on. The vendor must send it again: nothing would be kept of it.
    """
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return b""
    body = read_before()
    if not body:
        raise MalformedBody("the chunked body is empty, or was read before")
    return body
