"""HMAC of some fields of the body: who sent it is proven, and not the rest of what it says.

Whoever has seen one delivery can put another body around the signed fields, for as long as the
timestamp holds; so ``body_authenticated`` is False, and only a signed field can name the event.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from hookkit.core.body import decode_body, encode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import (
    BodyUnreadable,
    MalformedBody,
    SignatureMismatch,
    SignatureMissing,
)
from hookkit.signatures.signed_text import SignedText

#: Longer than any text that is signed so.
MAX_TEXT_CHARS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFields:
    """Compare a field of an object in the body with the HMAC-SHA-256 of its timestamp and token.

    Nothing stands between the two: a digit moved from one to the other makes another time,
    which is ten times as far away and never within the tolerance.

    Attributes:
        holder: The key of that object, at the top of the body.
        signature: The key of the signature in it, in hexadecimal.
        timestamp: The key of the timestamp, seconds since the epoch as text.
        token: The key of the token, which is there once.
        tolerance_s: How far the timestamp may lie before or after now, in seconds.
    """

    holder: str
    signature: str
    timestamp: str
    token: str
    tolerance_s: float = 300.0
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=False, init=False)

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits, its document read.

        Raises:
            MalformedBody: The body is no JSON object.
            SignatureMissing: A field is absent, empty or no text.
            SignatureMismatch: No secret fits.
            MalformedHeader: The timestamp is no number.
            TimestampExpired: It was signed too long ago.
            TimestampInFuture: It says that it is signed later than now.
        """
        try:
            document = delivery.document
            document = decode_body(delivery.body) if document is None else document
        except BodyUnreadable as error:
            raise MalformedBody(str(error)) from error
        found = document.get(self.holder)
        held = found if isinstance(found, Mapping) else {}
        sent, timestamp, token = (
            self._text(held, name) for name in (self.signature, self.timestamp, self.token)
        )
        SignedText(tolerance_s=self.tolerance_s).check_time(timestamp, delivery.received_at)
        signed = f"{timestamp}{token}".encode()
        fitting = [
            hmac.compare_digest(sent, hmac.digest(secret, signed, "sha256").hex())
            for secret in secrets
        ]
        if True not in fitting:
            raise SignatureMismatch(f"field {self.holder}.{self.signature} fits no secret")
        return VerifiedDelivery(
            replace(delivery, document=document), fitting.index(True), body_authenticated=False
        )

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return no header: the proof lies in the body."""
        return {}

    def enclose(self, body: bytes, secret: bytes, signed_at: datetime) -> bytes:
        """Return *body* with the object that ``verify`` accepts, its token made for it.

        What is not a JSON object has no room for it, and is returned as it is.
        """
        try:
            document = decode_body(body)
        except BodyUnreadable:
            return body
        timestamp = SignedText().write_time(signed_at)
        token = sha256(b"%b %b" % (str(signed_at).encode(), body)).hexdigest()[:50]
        mac = hmac.digest(secret, f"{timestamp}{token}".encode(), "sha256").hex()
        held = {self.timestamp: timestamp, self.token: token, self.signature: mac}
        return encode_body({**document, self.holder: held})

    def tolerating(self, tolerance_s: float) -> SignedFields:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def check_secret(self, secret: bytes) -> None:
        """Accept every secret: its text is the key."""

    def _text(self, held: Mapping[str, object], name: str) -> str:
        text = held.get(name)
        if not isinstance(text, str) or not text:
            raise SignatureMissing(f"field {self.holder}.{name} is missing")
        if not text.isascii() or len(text) > MAX_TEXT_CHARS:
            raise SignatureMismatch(f"field {self.holder}.{name} holds what is in none")
        return text
