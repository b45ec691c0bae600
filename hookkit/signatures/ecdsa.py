"""Keys of the curve P-256, each pinned to ES256, and how a token spells their signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from hookkit.signatures.encodings import decode
from hookkit.signatures.rsa import read_purpose

ALGORITHM = "ES256"

#: The bytes of a coordinate, and of a number in a signature.
_P256_BYTES = 32

_ECDSA = ECDSA(SHA256())


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """A public key that checks ES256 signatures, and nothing else.

    Attributes:
        key_id: The owner's id of the key.
        public: The key.
        jwk: The key as JSON, which is kept as proof of who said what.
    """

    key_id: str
    public: EllipticCurvePublicKey = field(repr=False, compare=False)
    jwk: str = field(repr=False)

    def fits(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether the owner of this key has made *signature* over *signed*."""
        try:
            self.public.verify(as_der(signature), signed, _ECDSA)
        except InvalidSignature:
            return False
        return True


def read_ec_key(jwk: Mapping[str, object]) -> EcKey:
    """Return the public key that *jwk* spells.

    https://www.rfc-editor.org/rfc/rfc7518#section-6.2

    Raises:
        ValueError: It cannot be used; the message says why and does not repeat it.
    """
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise ValueError("is no JWK of a key of the curve P-256")
    key_id = read_purpose(jwk, ALGORITHM)
    if key_id is None:
        raise ValueError("is a JWK without a kid")
    x, y = _coordinate(jwk.get("x")), _coordinate(jwk.get("y"))
    # Raises ValueError for a point that is not on the curve.
    public = EllipticCurvePublicNumbers(x=x, y=y, curve=SECP256R1()).public_key()
    parts = {"crv": "P-256", "kid": key_id, "kty": "EC", "x": jwk["x"], "y": jwk["y"]}
    return EcKey(key_id=key_id, public=public, jwk=json.dumps(parts, separators=(",", ":")))


def as_der(signature: bytes) -> bytes:
    """Return the two numbers of a signature by ES256 as the library reads them."""
    if len(signature) != 2 * _P256_BYTES:
        return b""
    first, second = signature[:_P256_BYTES], signature[_P256_BYTES:]
    return encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))


def from_der(signature: bytes) -> bytes:
    """Return a signature of the library as a token spells it."""
    numbers = decode_dss_signature(signature)
    return b"".join(each.to_bytes(_P256_BYTES, "big") for each in numbers)


def _coordinate(text: object) -> int:
    number = decode(text) if isinstance(text, str) else None
    if number is None or len(number) != _P256_BYTES:
        raise ValueError("is a JWK whose x or y is no coordinate of P-256")
    return int.from_bytes(number)
