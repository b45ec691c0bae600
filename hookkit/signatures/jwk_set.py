"""A JWK Set: the public keys of a sender, by their ids.

https://www.rfc-editor.org/rfc/rfc7517#section-5

Rule 1: the settings name the algorithm, and each key is pinned to it. A key for another one is
        passed over, as are shared secrets and private keys: a set may hold keys for other uses.
Rule 2: an id names one key. Where two keys have the same id, neither is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable
from hookkit.core.scheme import PublicKey
from hookkit.signatures import ecdsa, rsa
from hookkit.signatures.ecdsa import read_ec_key
from hookkit.signatures.rsa import read_key

#: A sender has a handful of keys. A set of many would only cost time to read.
MAX_KEYS = 50

#: An id of a key in a set. It is compared and gets into no URL.
KEY_ID = re.compile(r"[!-~]{1,64}", re.ASCII)

#: By the algorithm of the tokens, what reads a JWK as a key of it.
READERS: Mapping[str, Callable[[Mapping[str, object]], PublicKey]] = {
    rsa.ALGORITHM: read_key,
    ecdsa.ALGORITHM: read_ec_key,
}


def read_set(body: bytes, algorithm: str) -> dict[str, PublicKey]:
    """Return the keys in *body* that check signatures by *algorithm*, by their ids.

    Raises:
        ValueError: It is no set, too large a one, or none of its keys can be used; the message
            repeats nothing.
    """
    try:
        listed = decode_body(body).get("keys")
    except BodyUnreadable as error:
        raise ValueError("is no JSON object") from error
    if not isinstance(listed, list):
        raise ValueError("is no JWK Set")  # noqa: TRY004  # one error for all of them
    if len(listed) > MAX_KEYS:
        raise ValueError(f"is a JWK Set of more than {MAX_KEYS} keys")
    found: dict[str, PublicKey] = {}
    twice: set[str] = set()
    for jwk in listed:
        named = _named(jwk, algorithm)
        if named is not None:
            key_id, key = named
            if found.setdefault(key_id, key).jwk != key.jwk:
                twice.add(key_id)
    keys = {key_id: key for key_id, key in found.items() if key_id not in twice}
    if not keys:
        raise ValueError(f"is a JWK Set without a key for {algorithm}")
    return keys


def read_kept(jwk: str, algorithm: str) -> PublicKey:
    """Return the key that *jwk* spells, as ``PublicKey.jwk`` does.

    Raises:
        ValueError: It is no key for *algorithm*.
    """
    try:
        return READERS[algorithm](decode_body(jwk.encode()))
    except BodyUnreadable as error:
        raise ValueError("is no JWK: not JSON") from error


def _named(jwk: object, algorithm: str) -> tuple[str, PublicKey] | None:
    """Return the id and the key in *jwk*; None if it has no id or no such key."""
    if not isinstance(jwk, dict):
        return None
    key_id = jwk.get("kid")
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        return None
    try:
        return key_id, READERS[algorithm](jwk)
    except ValueError:
        return None
