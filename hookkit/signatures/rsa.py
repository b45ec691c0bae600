"""RSA keys, each pinned to RS256: the algorithm is the key's, never the sender's.

Private keys are for samples and tests, which sign in the vendor's place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicKey,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable
from hookkit.signatures.encodings import decode, encode

ALGORITHM = "RS256"

#: "A key of size 2048 bits or larger MUST be used" (RFC 7518). A larger key takes longer, and
#: it may come from a server that an attacker controls.
MIN_BITS = 2048
MAX_BITS = 8192
MAX_EXPONENT = 1 << 32

_PADDING = PKCS1v15()
_HASH = SHA256()


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaKey:
    """A public key that checks RS256 signatures, and nothing else.

    Attributes:
        key_id: The owner's id of the key; None fits any id that a sender names.
        public: The key.
        jwk: The key as JSON, which is kept as proof of who said what.
    """

    key_id: str | None
    public: RSAPublicKey = field(repr=False, compare=False)
    jwk: str = field(repr=False)

    def fits(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether the owner of this key has made *signature* over *signed*."""
        try:
            self.public.verify(signature, signed, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True


def read_key(given: object) -> RsaKey:
    """Return the public key *given* as a JWK, as JSON text of one, or as PEM.

    Raises:
        ValueError: It cannot be used; the message says why and does not repeat it.
    """
    if isinstance(given, Mapping):
        return _from_jwk(given)
    if not isinstance(given, str):
        raise ValueError("must be a JWK or PEM")  # noqa: TRY004  # one error for all of them
    text = given.strip()
    if text.startswith("{"):
        try:
            return _from_jwk(decode_body(text.encode(errors="replace")))
        except BodyUnreadable as error:
            raise ValueError("is no JWK: not JSON") from error
    if "PRIVATE KEY" in text:
        raise ValueError("is a private key; only the public half belongs here")
    return _from_pem(text)


def read_keys(text: str) -> list[RsaKey]:
    """Return the keys in *text*: those of a JWK Set, or one as ``read_key`` takes it.

    Keys of another kind than RSA are passed over in a set:
    https://www.rfc-editor.org/rfc/rfc7517#section-5

    Raises:
        ValueError: No key can be used; the message says why and repeats nothing.
    """
    try:
        found = decode_body(text.encode(errors="replace")).get("keys")
    except BodyUnreadable:  # PEM, or nothing
        found = None
    if not isinstance(found, list):
        return [read_key(text)]
    keys = [read_key(each) for each in found if isinstance(each, dict) and each.get("kty") == "RSA"]
    if not keys:
        raise ValueError("is a JWK Set without an RSA key")
    return keys


def _from_jwk(jwk: Mapping[str, object]) -> RsaKey:
    if jwk.get("kty") != "RSA":
        raise ValueError("is no JWK of an RSA key")
    key_id = read_purpose(jwk, ALGORITHM)
    numbers = [_number(jwk.get(name)) for name in ("n", "e")]
    return _checked(RSAPublicNumbers(n=numbers[0], e=numbers[1]), key_id)


def read_purpose(jwk: Mapping[str, object], algorithm: str) -> str | None:
    """Return the id of the key in *jwk*, if it has one.

    Raises:
        ValueError: The key is private, or for something else than signatures by *algorithm*.
    """
    if "d" in jwk:
        raise ValueError("is a private key; only the public half belongs here")
    # 8x8 sends none of alg, use and key_ops; if one is there, it must agree.
    operations = jwk.get("key_ops", ["verify"])
    if (
        jwk.get("alg") not in (None, algorithm)
        or jwk.get("use") not in (None, "sig")
        or not (isinstance(operations, list) and "verify" in operations)
    ):
        raise ValueError(f"is a JWK for something else than {algorithm} signatures")
    key_id = jwk.get("kid")
    if key_id is not None and not (isinstance(key_id, str) and key_id):
        raise ValueError("is a JWK whose kid is no text")
    return key_id


def _from_pem(text: str) -> RsaKey:
    try:
        public = load_pem_public_key(text.encode(errors="replace"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("must be a JWK or PEM") from error
    if not isinstance(public, RSAPublicKey):
        raise ValueError("is no RSA key")  # noqa: TRY004  # one error for all of them
    return _checked(public.public_numbers(), None)


def _number(text: object) -> int:
    number = decode(text) if isinstance(text, str) else None
    if not number or len(number) > MAX_BITS // 8:
        raise ValueError("is a JWK whose n or e is no number of a fitting size")
    return int.from_bytes(number)


def _checked(numbers: RSAPublicNumbers, key_id: str | None) -> RsaKey:
    if not MIN_BITS <= numbers.n.bit_length() <= MAX_BITS:
        raise ValueError(f"must have {MIN_BITS} to {MAX_BITS} bits")
    if not 3 <= numbers.e < MAX_EXPONENT or not numbers.e & numbers.n & 1:
        raise ValueError("has an exponent or a modulus that makes no signature safe")
    return RsaKey(key_id=key_id, public=numbers.public_key(), jwk=_written(numbers, key_id))


def _written(numbers: RSAPublicNumbers, key_id: str | None) -> str:
    parts = {"e": _text(numbers.e), "kty": "RSA", "n": _text(numbers.n)}
    if key_id is not None:
        parts["kid"] = key_id
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def _text(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8))


_ERROR = "must be a private RSA key without a password, as PEM or as a JWK"


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaPrivateKey:
    """A private key that makes RS256 signatures.

    Attributes:
        key_id: The ``kid`` of a JWK, or else an id derived from the public key.
        private: The key.
    """

    key_id: str
    private: RSAPrivateKey = field(repr=False)

    def sign(self, signed: bytes) -> str:
        """Return the signature over *signed* as base64url."""
        return encode(self.private.sign(signed, PKCS1v15(), SHA256()))


@lru_cache(maxsize=4)  # a key is used many times, and reading it takes longer than signing
def read_private_key(given: bytes) -> RsaPrivateKey:
    """Return the private key *given* as PEM, or as JSON text of a JWK.

    Raises:
        ValueError: It cannot be used; the message does not repeat it.
    """
    key_id: object = None
    private: object
    try:
        if given.lstrip().startswith(b"{"):
            jwk = decode_body(given.strip())
            key_id, private = jwk.get("kid"), _private_from_jwk(dict(jwk))
        else:
            private = load_pem_private_key(given, password=None)
    except (ValueError, TypeError, BodyUnreadable):
        # The original error may quote the key.
        raise ValueError(_ERROR) from None
    if not isinstance(private, RSAPrivateKey):
        raise ValueError(_ERROR)  # noqa: TRY004  # one error for all of them
    if not isinstance(key_id, str):
        modulus = private.public_key().public_numbers().n
        key_id = encode(sha256(str(modulus).encode()).digest()[:16])
    return RsaPrivateKey(key_id=key_id, private=private)


def _private_from_jwk(jwk: dict[str, Any]) -> RSAPrivateKey:
    n, e, d, p, q, dmp1, dmq1, iqmp = (
        int.from_bytes(decode(jwk.get(name, "")) or b"")
        for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    public = RSAPublicNumbers(n=n, e=e)
    return RSAPrivateNumbers(
        p=p, q=q, d=d, dmp1=dmp1, dmq1=dmq1, iqmp=iqmp, public_numbers=public
    ).private_key()
