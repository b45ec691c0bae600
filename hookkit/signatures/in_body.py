"""Look for a proof in a JSON body without decoding the body.

To decode a large body takes up to a thousand times as long as to hash it, and fifty times its
memory. A stranger must not be able to ask for that. So a large body is searched for the key of
the proof, as bytes, and only what follows the key is decoded: a few bytes at a few places.

Rule 1: what is found says nothing about where it lies. So it opens the door for the decoder and
        for nothing else; the proof that counts is the one in the decoded document.
Rule 2: a key that is spelt with escapes is not found, nor is a key that only the middle of a
        body holds while there are many of its name before and after.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hookkit.core.body import MAX_UNPROVEN_BYTES, Document, decode_body
from hookkit.core.delivery import Delivery
from hookkit.core.errors import BodyUnreadable, MalformedBody, Rejected, SignatureMissing

T = TypeVar("T")

#: So many places from the front are looked at, and as many from the end: the key of the proof
#: may come first or last, and what people have written may hold the same key in between.
MAX_PLACES = 8

#: A longer text is no secret, and a longer object no signature.
MAX_TEXT_BYTES = 4096
MAX_OBJECT_BYTES = 1024

#: The longest secret whose text is looked at, with each of its bytes escaped.
MAX_SECRET_BYTES = 512

_OBJECT = re.compile(rb"(?:%b)?[ \t\r\n]{0,64}\{" % re.escape(codecs.BOM_UTF8))
_COLON = re.compile(rb"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}")
#: An object that holds no other; a brace in a text ends it as well, which no proof has.
_FLAT = re.compile(rb"\{[^{}\[\]]{0,%d}\}" % MAX_OBJECT_BYTES)
_decoder = json.JSONDecoder()


def read_document(
    delivery: Delivery,
    key: str,
    look_up: Callable[[bytes, str], Iterator[T]],
    prove: Callable[[T], object],
) -> Document:
    """Return the JSON object in the body, in which the proof lies.

    A large body is decoded only if something in it would be the proof.

    Args:
        delivery: The delivery; the document in it is returned, if there is one.
        key: The key of the proof.
        look_up: One of the functions below.
        prove: Raises a subclass of ``Rejected`` unless its argument is the proof.

    Raises:
        MalformedBody: The body is no JSON object.
        Rejected: Nothing in the large body is the proof.
    """
    if delivery.document is not None:
        return delivery.document
    if len(delivery.body) > MAX_UNPROVEN_BYTES:
        if not _OBJECT.match(delivery.body):
            raise MalformedBody("body: not a JSON object")
        _prove_any(look_up(delivery.body, key), prove, key)
    try:
        return decode_body(delivery.body)
    except BodyUnreadable as error:
        raise MalformedBody(str(error)) from error


def texts_under(body: bytes, key: str) -> Iterator[str]:
    """Yield the texts that stand under *key* somewhere in *body*."""
    for start in _places(body, key):
        if body[start : start + 1] == b'"':
            text = body[start : start + MAX_TEXT_BYTES].decode(errors="replace")
            try:
                yield _decoder.raw_decode(text)[0]
            except ValueError:  # not its end, or not a text
                continue


def objects_under(body: bytes, key: str) -> Iterator[dict[str, Any]]:
    """Yield the objects without objects in them that stand under *key* somewhere in *body*."""
    for start in _places(body, key):
        flat = _FLAT.match(body, start)
        if flat is not None:
            try:
                yield _decoder.decode(flat[0].decode())
            except ValueError:  # not JSON, or not UTF-8
                continue


def first_object_under(body: bytes, key: str) -> Iterator[dict[str, Any]]:
    """Yield the object under *key* that comes first in *body*, if it is small enough."""
    for start in itertools.islice(_places(body, key), 1):
        text = body[start : start + MAX_UNPROVEN_BYTES].decode(errors="replace")
        # Not its end, no JSON, or nested too deep.
        with contextlib.suppress(ValueError, RecursionError):
            found = _decoder.raw_decode(text)[0]
            if isinstance(found, dict):
                yield found


def _prove_any(found: Iterator[T], prove: Callable[[T], object], key: str) -> None:
    """Return if one of *found* is the proof; otherwise raise what is wrong with the first."""
    refusal: Rejected = SignatureMissing(f"field {key} is missing")
    for number, each in enumerate(found):
        try:
            prove(each)
        except Rejected as error:
            refusal = refusal if number else error
        else:
            return
    raise refusal


def _places(body: bytes, key: str) -> Iterator[int]:
    """Yield where a value of *key* may begin: the first places and the last ones."""
    name = json.dumps(key, ensure_ascii=False).encode()
    first: list[int] = []
    at = body.find(name)
    while at >= 0 and len(first) < MAX_PLACES:
        first.append(at)
        at = body.find(name, at + len(name))
    last: list[int] = []
    # Those from the end are needed only where there are more.
    at = body.rfind(name) if at >= 0 else -1
    while at >= 0 and at > first[-1] and len(last) < MAX_PLACES:
        last.append(at)
        at = body.rfind(name, 0, at)
    for each in (*first, *last):
        colon = _COLON.match(body, each + len(name))
        if colon is not None:
            yield colon.end()
