"""Signatures by the sender's private key, checked with its public one.

A key is bound to its algorithm when it is read: nothing in a delivery chooses one. Public keys
take the place of secrets, newest first, each as one line of text: the middle of a PEM (base64 of
a SubjectPublicKeyInfo), or the 32 bytes of an Ed25519 key as base64 or hexadecimal.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from hookkit.core.delivery import Delivery, VerifiedDelivery, sent_header
from hookkit.core.errors import SignatureMismatch, Unavailable
from hookkit.signatures.encodings import encode, from_base64, from_hex, secret_from_base64
from hookkit.signatures.rsa import MAX_BITS, MIN_BITS
from hookkit.signatures.text_scheme import TextScheme

ALGORITHMS = ("ed25519", "ecdsa-p256", "rsa-sha256")
ENCODINGS = ("hex", "base64")

#: The longest RSA signature in hexadecimal.
MAX_SIGNATURE_CHARS = MAX_BITS // 4

#: Points of small order, without the sign of x: a signature under one of them fits any text.
#: https://www.rfc-editor.org/rfc/rfc7748#section-6.1 and the list of libsodium.
_SMALL_ORDER = frozenset(
    bytes.fromhex(each)
    for each in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)

_PADDING, _SHA256, _ECDSA = PKCS1v15(), SHA256(), ECDSA(SHA256())

#: By algorithm, the arguments of a key's ``verify`` after the signature and the text.
_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "ed25519": (),
    "ecdsa-p256": (_ECDSA,),
    "rsa-sha256": (_PADDING, _SHA256),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedSignature(TextScheme):
    """Check a header with the sender's public key.

    Attributes:
        header: The header's name in lower case.
        algorithm: One of ``ALGORITHMS``; the hash is always SHA-256 if there is a choice.
        encoding: How the signature is written, one of ``ENCODINGS``.
    """

    header: str
    algorithm: str
    encoding: str = "base64"

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first of the keys *secrets* that fits.

        Raises:
            Rejected: The sender is not proven; ``SignedText.of`` lists the reasons.
            Unavailable: A key is not a key of this algorithm.
        """
        sent = sent_header(delivery.headers, self.header)
        signature = None
        if len(sent) <= MAX_SIGNATURE_CHARS:
            signature = from_hex(sent) if self.encoding == "hex" else from_base64(sent)
        texts = [b"".join(pieces) for pieces in self.signed.of(delivery, None)]
        for number, secret in enumerate(secrets) if signature else ():
            fits = key_checker(secret, self.algorithm)
            if any(fits(signature or b"", text) for text in texts):
                return VerifiedDelivery(
                    delivery=delivery,
                    secret_index=number,
                    body_authenticated=self.covers_body,
                    signed_hash=self.signed.identify(delivery),
                )
        raise SignatureMismatch(f"header {self.header} fits no configured key")

    def sign(
        self,
        body: bytes,
        secret: bytes,
        signed_at: datetime,
        event_id: str = "",
        *,
        query: str = "",
    ) -> dict[str, str]:
        """Return the headers that ``verify`` accepts; *secret* is a private key.

        Raises:
            ValueError: It is no private key of this algorithm; the message repeats nothing.
        """
        timestamp = self.signed.write_time(signed_at)
        signature = private_signer(secret, self.algorithm)(
            self.signed.to_sign(body, event_id, timestamp, query)
        )
        text = signature.hex() if self.encoding == "hex" else b64encode(signature).decode()
        return {self.header: text, **self.signed.headers(event_id, timestamp)}

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* is a key; the message repeats nothing."""
        check_key(secret, self.algorithm)

    def mistakes(self) -> Iterator[str]:
        """Yield a sentence for each mistake in the configuration."""
        yield from self.signed.mistakes()
        if self.algorithm not in ALGORITHMS:
            yield f"algorithm: must be one of {', '.join(ALGORITHMS)}"
        if self.encoding not in ENCODINGS:
            yield f"encoding: must be one of {', '.join(ENCODINGS)}"
        if "secret" in self.signed.names:
            yield "signed: {secret} goes with a hash only"
        if self.signed.timestamp_prefix:
            yield "timestamp_prefix: goes with an HMAC only"


def ed25519_key(raw: bytes) -> Ed25519PublicKey:
    """Return the public key in the 32 bytes *raw*.

    Raises:
        ValueError: They are no key, or one under which anybody can sign.
    """
    if len(raw) != 32:
        raise ValueError("is no Ed25519 key of 32 bytes")
    if raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
        raise ValueError("is an Ed25519 key of small order, under which anybody can sign")
    return Ed25519PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=64)  # reading a key takes longer than using it
def key_checker(secret: bytes, algorithm: str) -> Callable[[bytes, bytes], bool]:
    """Return a function that tells whether a signature, then a text, fits the key *secret*.

    Raises:
        Unavailable: It is no key of this algorithm; the message repeats nothing.
    """
    try:
        key = check_key(secret, algorithm)
    except ValueError as error:
        raise Unavailable(f"a key {error}") from None

    check: Callable[..., None] = key.verify
    arguments = _ARGUMENTS[algorithm]

    def fits(signature: bytes, text: bytes) -> bool:
        try:
            check(signature, text, *arguments)
        except InvalidSignature:
            return False
        return True

    return fits


def check_key(
    secret: bytes, algorithm: str
) -> Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey:
    """Return the public key that *secret* spells.

    Raises:
        ValueError: It is no key of this algorithm; the message repeats nothing.
    """
    text = secret.decode("ascii", "replace").strip()
    raw = _raw(text)
    if algorithm == "ed25519" and raw is not None and len(raw) == 32:
        return ed25519_key(raw)
    try:
        key = (
            load_pem_public_key(secret)
            if text.startswith("-----BEGIN PUBLIC")
            else load_der_public_key(raw or b"")
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("is no public key") from error
    if algorithm == "ed25519" and isinstance(key, Ed25519PublicKey):
        return ed25519_key(key.public_bytes_raw())
    if algorithm == "ecdsa-p256" and isinstance(key, EllipticCurvePublicKey):
        if isinstance(key.curve, SECP256R1):
            return key
        raise ValueError("is a key of another curve than P-256")
    if algorithm == "rsa-sha256" and isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        if MIN_BITS <= key.key_size <= MAX_BITS and numbers.e >= 3 and numbers.e & numbers.n & 1:
            return key
        raise ValueError(f"is an RSA key of less than {MIN_BITS} bits, or of none that is safe")
    raise ValueError(f"is no public key of {algorithm}")


@lru_cache(maxsize=8)
def private_signer(secret: bytes, algorithm: str) -> Callable[[bytes], bytes]:
    """Return a function that signs bytes with the private key *secret*.

    Args:
        secret: PEM, base64 of a PKCS #8 key, or the bytes of an Ed25519 key as base64 or
            hexadecimal.
        algorithm: One of ``ALGORITHMS``.

    Raises:
        ValueError: It is no private key of this algorithm; the message repeats nothing.
    """
    key = _private_key(secret, is_ed25519=algorithm == "ed25519")
    if algorithm == "ed25519" and isinstance(key, Ed25519PrivateKey):
        return key.sign
    if (
        algorithm == "ecdsa-p256"
        and isinstance(key, EllipticCurvePrivateKey)
        and isinstance(key.curve, SECP256R1)
    ):
        return lambda signed: key.sign(signed, _ECDSA)
    if algorithm == "rsa-sha256" and isinstance(key, RSAPrivateKey):
        return lambda signed: key.sign(signed, _PADDING, _SHA256)
    raise ValueError(f"is no private key of {algorithm}")


def private_key_id(secret: bytes) -> str:
    """Return an id for the private key *secret*, made from its public half.

    Raises:
        ValueError: It is no private key; the message repeats nothing.
    """
    public = _private_key(secret, is_ed25519=False).public_key()
    spelt = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encode(sha256(spelt).digest()[:16])


def public_half(secret: bytes, algorithm: str) -> str:
    """Return the public key to the private key *secret*, as PEM.

    Args:
        secret: As ``private_signer`` takes it.
        algorithm: One of ``ALGORITHMS``.

    Raises:
        ValueError: It is no private key; the message repeats nothing.
    """
    return public_pem(_private_key(secret, is_ed25519=algorithm == "ed25519"))


def public_pem(key: PrivateKeyTypes) -> str:
    """Return the public half of *key* as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private_key(secret: bytes, *, is_ed25519: bool) -> PrivateKeyTypes:
    text = secret.decode("ascii", "replace").strip()
    raw = _raw(text) or b""
    try:
        if is_ed25519 and len(raw) in (32, 64):
            return Ed25519PrivateKey.from_private_bytes(raw[:32])
        if text.startswith("-----BEGIN"):
            return load_pem_private_key(secret, password=None)
        return load_der_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The original error may quote the key.
        raise ValueError("is no private key") from None


def _raw(text: str) -> bytes | None:
    if len(text) == 64:
        return from_hex(text.lower()) or secret_from_base64(text)
    return secret_from_base64(text)
