"""Bytes -> the fields of a form, strictly: every byte counts.

https://url.spec.whatwg.org/#application/x-www-form-urlencoded. The tolerant readers of other
libraries drop what they do not understand, and what was dropped would not be signed.
"""

from __future__ import annotations

import re

from hookkit.core.delivery import Document
from hookkit.core.errors import BodyUnreadable

#: No sender has more than about 50.
MAX_FIELDS = 1000

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def decode_form(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of the form in *body*, in their order.

    Raises:
        BodyUnreadable: It is no form.
    """
    try:
        return read_pairs(body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise BodyUnreadable("body: not a form") from error


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a form, or of a URL's query.

    Raises:
        BodyUnreadable: It is none.
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
    """Return a form as an object: a text by name, a list of texts where a name comes again.

    Raises:
        BodyUnreadable: It is no form, or an empty one.
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
