"""Decode a body, JSON or a form, strictly; and encode it again without its secrets."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

from hookkit.core.errors import BodyUnreadable

#: An object from a JSON decoder: its values may have any type.
Document: TypeAlias = Mapping[str, Any]

#: Header names in lower case; a header sent twice is joined with a comma, as WSGI does.
Headers: TypeAlias = Mapping[str, str]

#: No vendor nests deeper than about 12; a very deep body would exhaust a reader's stack.
MAX_DEPTH = 100

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
        document = _decoder.decode(text)
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
    for key in keys:
        text = rb'("%s"\s*:\s*)"(?:[^"\\]|\\.)*"?' % re.escape(key.encode())
        body = re.sub(text, rb'\1"%s"' % BLANK.encode(), body, flags=re.DOTALL)
    return body


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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # https://www.rfc-editor.org/rfc/rfc8259#section-4
    document = dict(pairs)
    if len(document) < len(pairs):
        raise _KeyTwiceError
    return document


_decoder = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
)


def _depth(document: dict[str, Any]) -> int:
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [document]
    while level:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth


#: No sender has more than about 50.
MAX_FIELDS = 1000

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def decode_form(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of the form in *body*, in their order.

    Raises:
        BodyUnreadable: The body is not a form.
    """
    try:
        return read_pairs(body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise BodyUnreadable("body: not a form") from error


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a form, or of a URL's query.

    Raises:
        BodyUnreadable: The text is not a form.
    """
    if not text:
        return []
    fields = text.split("&", MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise BodyUnreadable(f"body: a form of more than {MAX_FIELDS} fields")
    pairs = []
    for each in fields:
        name, equals, value = each.partition("=")
        if not equals:
            raise BodyUnreadable("body: not a form")
        pairs.append((_unescape(name), _unescape(value)))
    return pairs


def form_document(body: bytes) -> Document:
    """Return a form as an object: each name has a text, or a list of texts if it is repeated.

    Raises:
        BodyUnreadable: The body is not a form, or is empty.
    """
    document: dict[str, str | list[str]] = {}
    for name, value in decode_form(body):
        before = document.get(name)
        if before is None:
            document[name] = value
        else:
            document[name] = [*([before] if isinstance(before, str) else before), value]
    if not document:
        raise BodyUnreadable("body: empty")
    return document


def _unescape(text: str) -> str:
    try:
        spaced = text.encode("ascii").replace(b"+", b" ")
        plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), spaced)
        if spaced.count(b"%") > len(_ESCAPE.findall(spaced)):
            raise BodyUnreadable("body: not a form")
        return plain.decode()
    except UnicodeError as error:
        raise BodyUnreadable("body: not a form") from error
