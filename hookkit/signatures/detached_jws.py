"""A JWS in compact form whose payload is sent beside it, and signed as it is.

https://www.rfc-editor.org/rfc/rfc7515#appendix-F (detached), and
https://www.rfc-editor.org/rfc/rfc7797 (``b64`` false: "the payload is not base64url encoded").

Rule 1: the header chooses nothing. It must say exactly what is supported, and the key is
        pinned to its algorithm (https://www.rfc-editor.org/rfc/rfc8725#section-3.1).
Rule 2: ``jku``, ``x5u``, ``jwk`` and ``x5c``, by which a sender would bring keys of its own,
        are not looked at.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from hookkit.core.errors import MalformedHeader, SignatureMismatch
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.rsa import ALGORITHM

#: A header says four things in some 60 bytes; what is longer is not worth decoding.
MAX_HEADER_CHARS = 1024
#: An RSA signature of the longest key.
MAX_SIGNATURE_CHARS = 1366

#: A key id ends up in a URL: nothing in it may mean anything there.
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class DetachedJws(NamedTuple):
    """The parts of a token.

    Attributes:
        header: As it was sent, for it is signed so.
        key_id: The key that the sender says it has used; fits ``KEY_ID``.
        signature: The bytes.
    """

    header: str
    key_id: str
    signature: bytes

    def signed(self, payload: bytes) -> bytes:
        """Return what the signature is over."""
        return b"%b.%b" % (self.header.encode(), payload)


def read_token(token: str) -> DetachedJws:
    """Take *token* apart.

    Raises:
        MalformedHeader: It is no JWS with a detached payload.
        SignatureMismatch: It is one that is not accepted: another algorithm, another way of
            encoding, an extension that is not understood, a key id that no key has.
    """
    header, middle, signature_text = _parts(token)
    if middle or len(header) > MAX_HEADER_CHARS or len(signature_text) > MAX_SIGNATURE_CHARS:
        raise MalformedHeader("the token is no JWS with a detached payload")
    key_id = _key_id(header)
    signature = decode(signature_text)
    if not signature:
        raise SignatureMismatch("the signature is not written as base64url")
    return DetachedJws(header, key_id, signature)


def write_header(key_id: str) -> str:
    """Return the header of a token, as 8x8 writes it."""
    header = {"b64": False, "crit": ["b64"], "kid": key_id, "alg": ALGORITHM}
    return encode(json.dumps(header, separators=(",", ":")).encode())


def _parts(token: str) -> list[str]:
    parts = token.split(".", maxsplit=3)
    if len(parts) != 3:
        raise MalformedHeader("the token has not three parts")
    return parts


@lru_cache(maxsize=64)  # all deliveries under one key have the same header
def _key_id(text: str) -> str:
    data = decode(text)
    try:
        header: Any = _decoder.decode((data or b"").decode())
    except (ValueError, RecursionError) as error:
        raise MalformedHeader("the token's header is not JSON in base64url") from error
    if not isinstance(header, dict):
        raise MalformedHeader("the token's header is no object")
    if header.get("alg") != ALGORITHM:
        raise SignatureMismatch("the token has another algorithm")
    # Python's False == 0 and [False] == [0] are no JSON.
    if header.get("b64") is not False or header.get("crit") != ["b64"]:
        raise SignatureMismatch("the token has another encoding, or an unknown extension")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise SignatureMismatch("the token names no key that there could be")
    return key_id


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return *pairs*: "the Header Parameter names [...] MUST be unique" (RFC 7515, 4)."""
    header = dict(pairs)
    if len(header) < len(pairs):
        raise ValueError("a name is there twice")
    return header


_decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates)
