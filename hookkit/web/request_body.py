"""Reads a request's body whole, or says why not."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_content_length, get_input_stream

from hookkit.core.errors import BodyTooLarge, MalformedBody

if TYPE_CHECKING:  # the module exists for type checkers alone
    from _typeshed.wsgi import WSGIEnvironment

_CHUNK_BYTES = 1 << 16


def read_body(environ: WSGIEnvironment, max_bytes: int) -> bytes:
    """Return the bytes of the current request's body.

    The application's limit is for its forms; the endpoint's holds here, so the stream is
    read past Flask.

    Raises:
        BodyTooLarge: Declared or sent larger than *max_bytes*; no more than that is read.
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
    """Return as many bytes; fewer only when the sender, or somebody before us, left no more."""
    try:
        body = stream.read(declared_bytes)
        while len(body) < declared_bytes and (rest := stream.read(declared_bytes - len(body))):
            body += rest
    except OSError:
        return b""
    return body


def _read_stream(stream: IO[bytes], max_bytes: int) -> bytes:
    """Return the bytes of a chunked body; Flask's own limit would cut it and say nothing."""
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
    """Return the chunked body that somebody before us has read; b"" when there was none.

    Nothing tells a body of no bytes from one that is used up, or that the server does not
    hand on: what cannot be told must be sent again rather than be kept as nothing.
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
