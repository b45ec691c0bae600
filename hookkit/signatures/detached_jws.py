"""A compact JWS with a detached payload, which is signed without being encoded.

https://www.rfc-editor.org/rfc/rfc7515#appendix-F (detached), and
https://www.rfc-editor.org/rfc/rfc7797 (``b64`` false: "the payload is not base64url encoded").

Rule 1: the header chooses nothing. It must name exactly what is supported, and the key is
        pinned to its algorithm (https://www.rfc-editor.org/rfc/rfc8725#section-3.1).
Rule 2: ``jku``, ``x5u``, ``jwk`` and ``x5c``, with which a sender could bring its own keys,
        are ignored.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from hookkit.core.errors import MalformedHeader, SignatureMismatch
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.rsa import ALGORITHM

#: A header has four members in some 60 bytes; a much longer one is not decoded.
MAX_HEADER_CHARS = 1024
#: The length of a signature by the longest RSA key.
MAX_SIGNATURE_CHARS = 1366

#: A key id becomes part of a URL, so it holds no character that means something there.
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

#: The header as ``write_header`` spells it, which is read faster so than by a JSON decoder.
_USUAL = re.compile(
    rb'\{"b64":false,"crit":\["b64"\],"kid":"([A-Za-z0-9_-]{1,64})","alg":"RS256"\}'
)


class DetachedJws(NamedTuple):
    """The parts of a token.

    Attributes:
        header: The header as it was sent, which is how it is signed.
        key_id: The id of the key that the sender names; it fits ``KEY_ID``.
        signature: The bytes of the signature.
    """

    header: str
    key_id: str
    signature: bytes

    def signed(self, payload: bytes) -> bytes:
        """Return the bytes that are signed."""
        return b"%b.%b" % (self.header.encode(), payload)


def read_token(token: str) -> DetachedJws:
    """Take *token* apart.

    Raises:
        MalformedHeader: It is not a JWS with a detached payload.
        SignatureMismatch: It has another algorithm or encoding, an unknown extension, or an
            impossible key id.
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


def _key_id(text: str) -> str:
    data = decode(text) or b""
    usual = _USUAL.fullmatch(data)
    if usual is not None:
        return usual[1].decode()
    try:
        header: Any = _decoder.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedHeader("the token's header is not JSON in base64url") from error
    if not isinstance(header, dict):
        raise MalformedHeader("the token's header is no object")
    if header.get("alg") != ALGORITHM:
        raise SignatureMismatch("the token has another algorithm")
    # ``is``, because Python takes 0 for False.
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
