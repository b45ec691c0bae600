"""Decode a JSON body strictly, look into it, and encode it again without its secrets."""

from __future__ import annotations

import codecs
import gc
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

from hookkit.core.errors import BodyUnreadable

#: An object from a JSON decoder: its values may have any type.
Document: TypeAlias = Mapping[str, Any]

#: Header names in lower case; a header sent twice is joined with a comma, as WSGI does.
Headers: TypeAlias = Mapping[str, str]

#: No vendor nests deeper than about 12; a very deep body would exhaust a reader's stack.
MAX_DEPTH = 100

#: A body up to this size is decoded before its sender is proven; whatever it holds, that takes
#: less than a millisecond and a megabyte.
MAX_UNPROVEN_BYTES = 8 << 10

#: Stands in the place of a secret.
BLANK = "***"


def decode_body(body: bytes) -> Document:
    """Return the JSON object in *body*.

    Raises:
        BodyUnreadable: Not UTF-8, not strict JSON, not an object, nested too deep, or with a
            key twice in one object.
    """
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BodyUnreadable("body: not UTF-8") from error
    try:
        document = _decode(text) if len(text) < _LARGE_CHARS else _decode_large(text)
    except RecursionError as error:
        raise BodyUnreadable(f"body: nested deeper than {MAX_DEPTH}") from error
    except _KeyTwiceError as error:
        raise BodyUnreadable("body: a key twice in one object") from error
    except ValueError as error:  # also for an integer with more digits than Python reads
        raise BodyUnreadable("body: not JSON") from error
    if not isinstance(document, dict):
        raise BodyUnreadable("body: not a JSON object")
    # The count includes brackets inside texts, so the few bodies above the bound are walked.
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        raise BodyUnreadable(f"body: nested deeper than {MAX_DEPTH}")
    return document


def decode_list(body: bytes) -> Document:
    """Return the JSON list in *body* as ``{"items": [...]}``.

    Raises:
        BodyUnreadable: As ``decode_body`` does.
    """
    # Anything but one list breaks the object or adds another key to it.
    document = decode_body(b'{"items":' + body.removeprefix(codecs.BOM_UTF8) + b"}")
    if len(document) != 1 or not isinstance(document["items"], list):
        raise BodyUnreadable("body: not a JSON list")
    return document


def blank(document: Document, keys: Iterable[str]) -> Document:
    """Return *document* with ``BLANK`` under each of *keys* that it has.

    The very same object is returned if there is nothing to blank.
    """
    found = [key for key in keys if document.get(key) not in (None, BLANK)]
    return {**document, **dict.fromkeys(found, BLANK)} if found else document


def blank_bytes(body: bytes, keys: Iterable[str]) -> bytes:
    """Return the undecodable *body* with every visible text under *keys* blanked.

    The rest stays, so that a person can see what arrived.
    """
    return replace_texts(body, keys, lambda _: BLANK)


def replace_texts(body: bytes, keys: Iterable[str], put: Callable[[bytes], str]) -> bytes:
    """Return *body*, which is not decoded, with every visible text under *keys* replaced.

    Args:
        put: Returns what stands in the place of a text; needs no escapes in JSON.
    """
    for key in keys:
        text = rb'("%s"\s*:\s*)"((?:[^"\\]|\\.)*)"?' % re.escape(key.encode())
        body = re.sub(
            text,
            lambda found: b'%s"%s"' % (found[1], put(_unescaped(found[2])).encode()),
            body,
            flags=re.DOTALL,
        )
    return body


def _unescaped(text: bytes) -> bytes:
    """Return the text that stands between two quotes, if it can be read; else as it stands."""
    try:
        return str(_decoder.decode(f'"{text.decode()}"')).encode(errors="surrogatepass")
    except ValueError:
        return text


def dig(document: object, *path: str) -> Any:
    """Return what lies at *path* of a decoded document; None if nothing does.

    Args:
        document: What the first step is taken from.
        path: Keys of objects, and places in arrays: ``"events", "0", "id"``.
    """
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit() and len(step) < 6:
            document = document[int(step)] if int(step) < len(document) else None
        else:
            return None
    return document


def dig_text(document: object, *path: str) -> str | None:
    """Return the text at *path*; None for anything else, also for the empty text."""
    value = dig(document, *path)
    return value if isinstance(value, str) and value else None


def dig_id(document: object, *path: str) -> str | None:
    """Return the id at *path* as text; None for anything else, also for the empty text."""
    value = dig(document, *path)
    return (value if isinstance(value, str) else id_text(value)) or None


def id_text(value: object) -> str | None:
    """Return an id as text, a number too; None if *value* is of another type."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def encode_body(document: Document) -> bytes:
    """Return bytes that ``decode_body`` reads as an object equal to *document*."""
    return json.dumps(document, separators=(",", ":")).encode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # 1e999 can be parsed, but infinity cannot be written as JSON
        raise ValueError(f"{digits[:20]} is out of range")
    return number


class _KeyTwiceError(ValueError):
    """Readers differ in which of the two values counts, and a sender could mean either."""


#: From here on the collector of garbage looks through the objects of the process again and again
#: while a body is decoded, which may take four times as long as the decoding.
_LARGE_CHARS = 1 << 16


def _decode(text: str) -> Any:
    # Nearly every body is an object without space around it, and needs no search for that.
    if text.startswith("{"):
        document, end = _decoder.raw_decode(text)
        if end == len(text):
            return document
    return _decoder.decode(text)


def _decode_large(text: str) -> Any:
    is_on = gc.isenabled()
    gc.disable()
    try:
        return _decoder.decode(text)
    finally:
        if is_on:  # if not, it is for somebody else to switch on again
            gc.enable()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # https://www.rfc-editor.org/rfc/rfc8259#section-4
    document = {}
    for key, value in pairs:
        document[key] = value  # noqa: PERF403  # a comprehension and ``dict(pairs)`` take longer
    if len(document) < len(pairs):
        raise _KeyTwiceError
    return document


_decoder = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
)


def _depth(document: dict[str, Any]) -> int:
    depth = 0
    level: list[Any] = [document]
    while level:
        depth += 1
        inside = [node.values() if type(node) is dict else node for node in level]
        level = [child for children in inside for child in children if type(child) in _CONTAINERS]
    return depth


#: The types of what has a level of its own.
_CONTAINERS = {dict, list}
