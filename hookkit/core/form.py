"""Decode a form strictly: what ``application/x-www-form-urlencoded`` may hold, and nothing else.

A form may have to be read before its sender is proven. So all escapes are decoded by one call
that is written in C, and the names and values stay bytes until somebody wants a text.
"""

from __future__ import annotations

from binascii import a2b_qp
from collections.abc import Iterator

from hookkit.core.body import Document
from hookkit.core.errors import BodyUnreadable

#: No sender has more than about 50.
MAX_FIELDS = 1000

# Stand for the separators while escapes are decoded. No text in UTF-8 has these bytes.
_AND, _IS = b"\xfe", b"\xff"

#: ``%41`` becomes ``=41``, which is an escape of quoted-printable.
_MARKS = bytes.maketrans(b"&=+%", _AND + _IS + b" =")
_AS_ASCII = bytes.maketrans(_AND + _IS, b"&=")

#: Small enough for a processor's cache.
_PIECE_BYTES = 1 << 14


def decode_form(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a form, or of a URL's query, in their order.

    They may be no text: whoever wants one decodes them.

    Raises:
        BodyUnreadable: It is no form.
    """
    if not body:
        return []
    fields = _unescape(body).split(_AND, MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise BodyUnreadable(f"body: a form of more than {MAX_FIELDS} fields")
    pairs = []
    for each in fields:
        name, equals, value = each.partition(_IS)
        if not equals:
            raise BodyUnreadable("body: not a form")
        pairs.append((name, value.translate(_AS_ASCII) if _IS in value else value))
    return pairs


def form_document(body: bytes) -> Document:
    """Return a form as an object: each name has a text, or a list of texts if it is repeated.

    Raises:
        BodyUnreadable: The body is not a form, or is empty.
    """
    document: dict[str, str | list[str]] = {}
    try:
        pairs = [(name.decode(), value.decode()) for name, value in decode_form(body)]
    except UnicodeDecodeError as error:
        raise BodyUnreadable("body: not a form") from error
    for name, value in pairs:
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
    return b"".join([_unescape_piece(each) for each in _pieces(body)])


def _pieces(body: bytes) -> Iterator[bytes]:
    """Yield *body* in pieces, none of which ends within an escape."""
    start = 0
    while start < len(body):
        piece = body[start : start + _PIECE_BYTES]
        begun = piece.find(b"%", -2) if start + len(piece) < len(body) else -1
        piece = piece[:begun] if begun > 0 else piece
        yield piece
        start += len(piece)


def _unescape_piece(piece: bytes) -> bytes:
    plain = a2b_qp(piece.translate(_MARKS))
    # Each escape makes three bytes one; what is no escape makes less or no difference.
    is_whole = len(plain) == len(piece) - 2 * _count(piece, b"%")
    if not is_whole or _count(plain, _AND + _IS) != _count(piece, b"&="):
        raise BodyUnreadable("body: not a form")
    return plain


def _count(data: bytes, wanted: bytes) -> int:
    """Return how many bytes of *data* are among *wanted*, in the same time for all data."""
    return len(data) - len(data.translate(None, wanted))
