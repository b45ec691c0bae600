"""Decode a form strictly: what ``application/x-www-form-urlencoded`` may hold, and nothing else.

A form may have to be read before its sender is proven. So all escapes are decoded by one call
that is written in C, and the names and values stay bytes until somebody wants a text.
"""

from __future__ import annotations

import codecs
from binascii import a2b_qp

from hookkit.core.body import Document
from hookkit.core.errors import BodyUnreadable

#: No sender has more than about 50.
MAX_FIELDS = 1000

# Stand for the separators while escapes are decoded. No text in UTF-8 has these bytes.
_AND, _IS = b"\xfe", b"\xff"

#: ``%41`` becomes ``=41``, which is an escape of quoted-printable.
_MARKS = bytes.maketrans(b"&=+%", _AND + _IS + b" =")
_AS_ASCII = bytes.maketrans(_AND + _IS, b"&=")

#: A text can take four times the memory of its bytes, so it is checked piece by piece.
_PIECE_BYTES = 1 << 15
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


def decode_form(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a form, or of a URL's query, in their order, as UTF-8.

    Raises:
        BodyUnreadable: It is no form.
    """
    if not body:
        return []
    if body.count(b"&") >= MAX_FIELDS:
        raise BodyUnreadable(f"body: a form of more than {MAX_FIELDS} fields")
    pairs = []
    for each in _unescape(body).split(_AND):
        name, equals, value = each.partition(_IS)
        if not equals:
            raise BodyUnreadable("body: not a form")
        pairs.append((name, value.replace(_IS, b"=")))
    return pairs


def form_document(body: bytes) -> Document:
    """Return a form as an object: each name has a text, or a list of texts if it is repeated.

    Raises:
        BodyUnreadable: The body is not a form, or is empty.
    """
    document: dict[str, str | list[str]] = {}
    for name, value in ((name.decode(), value.decode()) for name, value in decode_form(body)):
        before = document.get(name)
        if before is None:
            document[name] = value
        else:
            document[name] = [*([before] if isinstance(before, str) else before), value]
    if not document:
        raise BodyUnreadable("body: empty")
    return document


def _unescape(body: bytes) -> bytes:
    """Return *body* without escapes, and with ``_AND`` and ``_IS`` for its separators."""
    # In quoted-printable an escaped line break means nothing; a form has no bare ones.
    if not body.isascii() or b"\n" in body or b"\r" in body:
        raise BodyUnreadable("body: not a form")
    plain = a2b_qp(body.translate(_MARKS))
    # Each escape makes three bytes one; what is no escape makes less or no difference.
    is_whole = len(plain) == len(body) - 2 * body.count(b"%")
    is_unmarked = plain.count(_AND) == body.count(b"&") and plain.count(_IS) == body.count(b"=")
    if not is_whole or not is_unmarked or not _is_text(plain):
        raise BodyUnreadable("body: not a form")
    return plain


def _is_text(plain: bytes) -> bool:
    decoder = _Utf8Decoder()
    try:
        for start in range(0, len(plain), _PIECE_BYTES):
            decoder.decode(plain[start : start + _PIECE_BYTES].translate(_AS_ASCII))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
