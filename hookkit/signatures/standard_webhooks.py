"""Standard Webhooks: an id, a timestamp and the body, signed by HMAC (v1) or Ed25519 (v1a).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Dots join the fields, so an id with a dot could move the boundary: "a" signed at "1" with the
body "2.x" reads as "a.1" signed at "2" with the body "x". Such ids are refused.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from hookkit.core.delivery import Delivery, VerifiedDelivery, sent_header
from hookkit.core.errors import MalformedHeader, SignatureMismatch, Unavailable
from hookkit.signatures.encodings import from_base64, secret_from_base64
from hookkit.signatures.public_key import ed25519_key, private_signer, public_half
from hookkit.signatures.signed_text import MAX_SIGNATURES, SignedText

SECRET, PUBLIC, PRIVATE = "whsec_", "whpk_", "whsk_"

#: "We recommend the secret to be between 24 bytes and 64 bytes"; Svix has published shorter
#: ones, and 16 bytes can still not be guessed.
MIN_SECRET_BYTES = 16

#: The signatures by private keys that are looked at: those of the old key and of the new one.
#: Each of them hashes the whole body anew.
MAX_KEY_SIGNATURES = 2

#: Prefixes of the headers: the standard's own, and those of senders that are older than it.
HEADERS = ("webhook", "svix")


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhooks:
    """Check ``webhook-signature``, or ``svix-signature`` where there is none.

    Attributes:
        tolerance_s: How far the timestamp may lie before or after now, in seconds.
    """

    tolerance_s: float = 300.0
    #: The same for both sets of headers.
    signed_headers: frozenset[str] = field(
        default=frozenset(
            f"{set_name}-{name}" for set_name in HEADERS for name in ("id", "timestamp")
        ),
        init=False,
    )
    covers_body: bool = field(default=True, init=False)
    signed_fields: frozenset[str] = field(default=frozenset(), init=False)
    #: What is signed, by the set of headers.
    signed: Mapping[str, SignedText] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signed = {name: _signed(name, self.tolerance_s) for name in HEADERS}
        object.__setattr__(self, "signed", signed)

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds."""
        return 2 * self.tolerance_s

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret or public key that fits.

        Raises:
            Rejected: The sender is not proven; ``SignedText.of`` lists the reasons.
            Unavailable: A secret is not written as the standard has it.
        """
        headers = delivery.headers
        name = "webhook"
        if not headers.get("webhook-signature") and headers.get("svix-signature"):
            name = "svix"
        entries = sent_header(headers, f"{name}-signature").split(" ", MAX_SIGNATURES)
        if len(entries) > MAX_SIGNATURES:
            raise MalformedHeader(f"header {name}-signature has more than {MAX_SIGNATURES} entries")
        if sum(each.startswith(_BY_KEY) for each in entries) > MAX_KEY_SIGNATURES:
            raise MalformedHeader(
                f"header {name}-signature has more than {MAX_KEY_SIGNATURES} entries by keys"
            )
        (pieces,) = self.signed[name].of(delivery, None)
        webhook_id, svix_id = headers.get("webhook-id"), headers.get("svix-id")
        if webhook_id and svix_id and webhook_id != svix_id:
            # One of them is not signed, and could be taken for the event's id.
            raise MalformedHeader("headers webhook-id and svix-id name two events")
        fitting = [_checker(secret)(entries, pieces) for secret in secrets]
        if True not in fitting:
            raise SignatureMismatch(f"header {name}-signature fits no configured secret")
        index = fitting.index(True)
        return VerifiedDelivery(delivery, index, body_authenticated=True)

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return the headers that ``verify`` accepts; a private key begins with ``whsk_``.

        Raises:
            ValueError: *secret* is not written as the standard has it; the message repeats
                nothing.
        """
        signed = self.signed["webhook"]
        timestamp = signed.write_time(signed_at)
        text = signed.to_sign(body, event_id, timestamp)
        if secret.startswith(PRIVATE.encode()):
            sign = private_signer(secret[len(PRIVATE) :], "ed25519")
            signature = _BY_KEY + b64encode(sign(text)).decode()
        else:
            mac = hmac.digest(_hmac_key(secret), text, "sha256")
            signature = "v1," + b64encode(mac).decode()
        return {**signed.headers(event_id, timestamp), "webhook-signature": signature}

    def tolerating(self, tolerance_s: float) -> StandardWebhooks:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* is the standard's; the message repeats nothing."""
        _read(secret)


def public_secret(secret: str) -> str:
    """Return what verifies what *secret* signs, a private key that begins with ``whsk_``.

    Raises:
        ValueError: It is no such key; the message repeats nothing.
    """
    key = load_pem_public_key(public_half(secret[len(PRIVATE) :].encode(), "ed25519").encode())
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"{PUBLIC}{b64encode(raw).decode()}"


#: The beginning of a signature by a private key.
_BY_KEY = "v1a,"

#: Takes the entries of the signature header and the signed pieces; tells whether one fits.
_Fits = Callable[[Sequence[str], Sequence[bytes]], bool]


def _signed(name: str, tolerance_s: float) -> SignedText:
    return SignedText(
        template="{id}.{timestamp}.{body}",
        id_header=f"{name}-id",
        timestamp_header=f"{name}-timestamp",
        tolerance_s=tolerance_s,
    )


@lru_cache(maxsize=256)  # reading a secret takes longer than using it
def _checker(secret: bytes) -> _Fits:
    try:
        return _read(secret)
    except ValueError as error:
        raise Unavailable(f"a secret {error}") from None


def _read(secret: bytes) -> _Fits:
    if secret.startswith(PRIVATE.encode()):
        raise ValueError("is a private key; only its public half belongs here")
    if secret.startswith(PUBLIC.encode()):
        return _by_key(secret[len(PUBLIC) :])
    keyed = hmac.new(_hmac_key(secret), digestmod="sha256")

    def fits(entries: Sequence[str], pieces: Sequence[bytes]) -> bool:
        mac = keyed.copy()
        for piece in pieces:
            mac.update(piece)
        expected = "v1," + b64encode(mac.digest()).decode()
        found = False
        for each in entries:
            if each.isascii() and hmac.compare_digest(each, expected):
                found = True
        return found

    return fits


def _by_key(text: bytes) -> _Fits:
    key = ed25519_key(secret_from_base64(text.decode("ascii", "replace")) or b"")

    def fits(entries: Sequence[str], pieces: Sequence[bytes]) -> bool:
        signed = b"".join(pieces)
        for each in entries:
            signature = from_base64(each[len(_BY_KEY) :]) if each.startswith(_BY_KEY) else None
            try:
                key.verify(signature or b"", signed)
            except InvalidSignature:
                continue
            return True
        return False

    return fits


def _hmac_key(secret: bytes) -> bytes:
    """Return the key that follows ``whsec_``; Svix allows to leave that prefix out.

    Some dashboards show ``v1,whsec_``, as a signature is written.
    """
    text = secret.decode("ascii", "replace").removeprefix("v1,")
    bare = text.removeprefix(SECRET)
    # Nearly every long text could be a key without its padding: only the prefix says that it is,
    # and one that is there twice is a mistake.
    is_twice = bare.startswith((SECRET, PUBLIC, PRIVATE))
    read = secret_from_base64 if bare != text and not is_twice else from_base64
    key = read(bare)
    if key is None or len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"is not {SECRET} and base64 of {MIN_SECRET_BYTES} bytes or more")
    return key
