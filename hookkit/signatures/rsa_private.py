"""RSA private keys, for those who play the vendor: samples and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable
from hookkit.signatures.encodings import (
    decode,
    encode,
)

_ERROR = "must be a private RSA key without a password, as PEM or as a JWK"


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaPrivateKey:
    """A private key that makes RS256 signatures.

    Attributes:
        key_id: Of a JWK its ``kid``, else made of the public half.
        private: The key.
    """

    key_id: str
    private: RSAPrivateKey = field(repr=False)

    def sign(self, signed: bytes) -> str:
        """Return the signature over *signed* as base64url."""
        return encode(self.private.sign(signed, PKCS1v15(), SHA256()))


@lru_cache(maxsize=4)  # a key is used many times, and reading it takes longer than signing
def read_private_key(given: bytes) -> RsaPrivateKey:
    """Return the key that *given* spells: PEM, or a JWK as JSON.

    Raises:
        ValueError: It is none that can be used; the message repeats nothing.
    """
    key_id: object = None
    private: object
    try:
        if given.lstrip().startswith(b"{"):
            jwk = decode_body(given.strip())
            key_id, private = jwk.get("kid"), _from_jwk(dict(jwk))
        else:
            private = load_pem_private_key(given, password=None)
    except (ValueError, TypeError, BodyUnreadable):
        # What was raised may quote the key.
        raise ValueError(_ERROR) from None
    if not isinstance(private, RSAPrivateKey):
        raise ValueError(_ERROR)  # noqa: TRY004  # one error for all of them
    if not isinstance(key_id, str):
        modulus = private.public_key().public_numbers().n
        key_id = encode(sha256(str(modulus).encode()).digest()[:16])
    return RsaPrivateKey(key_id=key_id, private=private)


def _from_jwk(jwk: dict[str, Any]) -> RSAPrivateKey:
    n, e, d, p, q, dmp1, dmq1, iqmp = (
        int.from_bytes(decode(jwk.get(name, "")) or b"")
        for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    public = RSAPublicNumbers(n=n, e=e)
    return RSAPrivateNumbers(
        p=p, q=q, d=d, dmp1=dmp1, dmq1=dmq1, iqmp=iqmp, public_numbers=public
    ).private_key()
