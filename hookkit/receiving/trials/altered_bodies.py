"""What a sender may have signed, where something on the way has written its body anew.

Each of the functions takes the bytes that arrived and yields guesses at the bytes that were sent.
A guess that verifies is a proof; nothing else is.
"""

from __future__ import annotations

import codecs
import json
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlencode

from hookkit.core.body import decode_body, decode_list
from hookkit.core.errors import BodyUnreadable
from hookkit.core.form import decode_form

#: A larger body is not parsed: that would take longer than all else together.
MAX_PARSED_BYTES = 64 << 10

#: The same, for writing it with indentation.
MAX_INDENTED_BYTES = 4 << 10

#: No more than this is unpacked of a compressed body.
MAX_UNPACKED_BYTES = 1 << 20

_GZIP = b"\x1f\x8b"


class Guess(NamedTuple):
    """Bytes that may have been signed.

    Attributes:
        cause: The machine word for what has changed them.
        how: What has been done to them on the way, as the end of "the body was ...".
    """

    cause: str
    how: str
    body: bytes


def guesses(body: bytes, *, is_bytewise: bool = True) -> Iterator[Guess]:
    """Yield what may have been signed where *body* arrived, each text of bytes once.

    Args:
        is_bytewise: Whether the very bytes are signed. If not, the body is decoded to find the
            proof in it, so that another way of writing makes no difference.
    """
    seen = {body}
    anew = (_ends, _json, _forms) if is_bytewise else ()
    for each in (_packed, _charsets, *anew):
        for guess in each(body):
            if guess.body not in seen:
                seen.add(guess.body)
                yield guess


def _ends(body: bytes) -> Iterator[Guess]:
    bare = body.rstrip(b" \t\r\n")
    ending = partial(Guess, "body_newline")
    yield ending("given white space at its end", bare)
    yield ending("stripped of the line break at its end", bare + b"\n")
    yield ending("stripped of the line break at its end", bare + b"\r\n")
    lines = body.replace(b"\r\n", b"\n")
    yield ending("given other line breaks (CRLF for LF)", lines)
    yield ending("given other line breaks (LF for CRLF)", lines.replace(b"\n", b"\r\n"))
    yield Guess("body_bom", "given a byte order mark", body.removeprefix(codecs.BOM_UTF8))
    yield Guess("body_bom", "stripped of its byte order mark", codecs.BOM_UTF8 + body)


def _packed(body: bytes) -> Iterator[Guess]:
    """Yield the body unpacked, if it arrived compressed."""
    is_gzip = body.startswith(_GZIP)
    windows = [zlib.MAX_WBITS | 16] if is_gzip else [zlib.MAX_WBITS, -zlib.MAX_WBITS]
    if body[:1] in (b"{", b"[", b""):
        return
    for window in windows:
        unpacker = zlib.decompressobj(window)
        try:
            plain = unpacker.decompress(body, MAX_UNPACKED_BYTES)
        except zlib.error:
            continue
        if unpacker.eof:
            yield Guess("body_compressed", "compressed", plain)
            return


def _charsets(body: bytes) -> Iterator[Guess]:
    if body.isascii():
        return
    how = "decoded and written again in another charset"
    for read, written in (
        ("utf-8", "latin-1"),
        ("utf-8", "cp1252"),
        ("latin-1", "utf-8"),
        ("cp1252", "utf-8"),
    ):
        try:
            yield Guess(
                "body_charset", f"{how} ({written} was signed)", body.decode(read).encode(written)
            )
        except UnicodeError:
            continue
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    for form in ("NFC", "NFD"):
        how = f"normalized as Unicode (its {form} was signed)"
        yield Guess("body_charset", how, unicodedata.normalize(form, text).encode())


_Dump = Callable[[Any], str]

# A decoded document has no circles.
_spaced = partial(json.dumps, check_circular=False)
_compact = partial(_spaced, separators=(",", ":"))


def _for_html(document: Any) -> str:
    text = _compact(document, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


#: How most languages write JSON, and the words for it.
_USUAL: tuple[tuple[str, _Dump], ...] = (
    ("without spaces, letters as they are", partial(_compact, ensure_ascii=False)),
    ("without spaces, letters as \\u escapes", _compact),
    ("with spaces, letters as \\u escapes", _spaced),
)
_OTHERS: tuple[tuple[str, _Dump], ...] = (
    ("with spaces, letters as they are", partial(_spaced, ensure_ascii=False)),
    ("as PHP does, with \\/", lambda each: _compact(each).replace("/", "\\/")),
    ("as Go and Rails do, with \\u0026", _for_html),
    ("with sorted keys", partial(_compact, sort_keys=True, ensure_ascii=False)),
    ("with sorted keys and spaces", partial(_spaced, sort_keys=True)),
)
#: Python is slow at these.
_INDENTED: tuple[tuple[str, _Dump], ...] = (
    ("indented by 2", partial(_spaced, indent=2, ensure_ascii=False)),
    ("indented by 4", partial(_spaced, indent=4, ensure_ascii=False)),
)


def _json(body: bytes) -> Iterator[Guess]:
    document = _document(body)
    if document is None:
        yield from _json_of_form(body)
        return
    is_small = len(body) <= MAX_INDENTED_BYTES
    for writers, ends in (
        (_USUAL, (b"", b"\n", b"\r\n")),
        (_OTHERS, (b"",)),
        (_INDENTED if is_small else (), (b"", b"\n")),
    ):
        for name, dump in writers:
            how = f"parsed and written again as JSON (the sender wrote it {name})"
            text = dump(document).encode(errors="surrogatepass")
            for end in ends:
                yield Guess("body_reencoded", how, text + end)
    if isinstance(document, dict) and all(isinstance(each, str) for each in document.values()):
        how = "made JSON on the way; the sender had sent a form"
        yield Guess("body_form", how, urlencode(document, errors="surrogatepass").encode())


def _document(body: bytes) -> Any:
    """Return the JSON object or list in *body*; None if there is none, or it is too large."""
    if len(body) > MAX_PARSED_BYTES:
        return None
    is_list = body.lstrip()[:1] == b"["
    try:
        return decode_list(body)["items"] if is_list else decode_body(body)
    except BodyUnreadable:
        return None


def _pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of the form in *body*; none if it is no form, or too large."""
    if len(body) > MAX_PARSED_BYTES:
        return []
    try:
        return decode_form(body.rstrip(b"\r\n"))
    except BodyUnreadable:
        return []


def _json_of_form(body: bytes) -> Iterator[Guess]:
    pairs = _pairs(body)
    if not pairs:
        return
    try:
        document = {name.decode(): value.decode() for name, value in pairs}
    except UnicodeDecodeError:
        return
    how = "made a form on the way; the sender had sent JSON"
    for _, dump in _USUAL:
        yield Guess("body_form", how, dump(document).encode())


def _forms(body: bytes) -> Iterator[Guess]:
    pairs = _pairs(body)
    how = "parsed and written again as a form"
    for quoted in (quote_plus, quote):
        for safe in ("", "*", "/", ":/"):
            text = urlencode(pairs, quote_via=quoted, safe=safe)
            yield Guess("body_form", how, text.encode())
    if pairs:
        yield Guess(
            "body_form", f"{how}, its fields in another order", urlencode(sorted(pairs)).encode()
        )
