"""A JSON Web Token in a header that holds the hash of the body, by a shared secret.

Rule 1: the algorithm is HS256 and comes from here: what the token says of it changes nothing.
Rule 2: nothing of the token is decoded before its signature fits.
Rule 3: a token without the hash of this very body proves nothing: it could be put on any body.

https://www.rfc-editor.org/rfc/rfc7519
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from hookkit.core.body import Document, decode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import (
    BodyUnreadable,
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
)
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.signed_text import check_age, milliseconds_of, sent_header

#: No sender's token is as long.
MAX_TOKEN_CHARS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedToken:
    """Check the token in a header, and the hash of the body in it.

    Attributes:
        header: The header's name in lower case.
        prefix: What stands before the token.
        hash_claim: The claim that holds the SHA-256 of the body in hexadecimal.
        time_claim: The claim that says when it was signed, in seconds since the epoch.
        tolerance_s: How far that time may lie before or after now, in seconds.
    """

    header: str = "authorization"
    prefix: str = "Bearer "
    hash_claim: str = "payload_hash"
    time_claim: str = "iat"
    tolerance_s: float = 300.0
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    signed_fields: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=True, init=False)

    @property
    def lifetime_s(self) -> float | None:
        """How long a token can be accepted at most, in seconds."""
        return 2 * self.tolerance_s

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits.

        Raises:
            SignatureMissing: The header is absent, or has no token.
            SignatureMismatch: No secret fits, or the token is of another body.
            MalformedHeader: The token has not three parts, or no time.
            TimestampExpired: It was signed too long ago, or says that it has ended.
            TimestampInFuture: It says that it is signed later than now.
        """
        sent = sent_header(delivery.headers, self.header)
        if not sent.startswith(self.prefix):
            raise SignatureMissing(f"header {self.header} has no token")
        signed, _, signature = sent[len(self.prefix) :].rpartition(".")
        if len(sent) > MAX_TOKEN_CHARS or signed.count(".") != 1 or not sent.isascii():
            raise MalformedHeader(f"header {self.header} holds no token")
        found = decode(signature) or b""
        fitting = [
            hmac.compare_digest(hmac.digest(secret, signed.encode(), "sha256"), found)
            for secret in secrets
        ]
        if True not in fitting:
            raise SignatureMismatch(f"header {self.header} fits no configured secret")
        self._check(_claims(signed.partition(".")[2]), delivery)
        return VerifiedDelivery(delivery, fitting.index(True), body_authenticated=True)

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return the header that ``verify`` accepts."""
        claims = {
            self.time_claim: milliseconds_of(signed_at) // 1000,
            "jti": event_id,
            self.hash_claim: sha256(body).hexdigest(),
        }
        parts = [{"alg": "HS256", "typ": "JWT"}, claims]
        signed = ".".join(encode(json.dumps(each).encode()) for each in parts)
        signature = encode(hmac.digest(secret, signed.encode(), "sha256"))
        return {self.header: f"{self.prefix}{signed}.{signature}"}

    def tolerating(self, tolerance_s: float) -> HashedToken:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def check_secret(self, secret: bytes) -> None:
        """Accept every secret: its text is the key."""

    def _check(self, claims: Document, delivery: Delivery) -> None:
        """Refuse a token that is of another body, or of another time."""
        said = claims.get(self.hash_claim)
        expected = sha256(delivery.body).hexdigest()
        if not isinstance(said, str) or not said.isascii():
            raise SignatureMismatch(f"the token has no {self.hash_claim}")
        if not hmac.compare_digest(said, expected):
            raise SignatureMismatch("the token is of another body")
        signed_at_s, ends_at_s = claims.get(self.time_claim), claims.get("exp")
        if type(signed_at_s) is not int:
            raise MalformedHeader(f"the token has no {self.time_claim}")
        check_age(signed_at_s * 1000, delivery.received_at, self.tolerance_s)
        if type(ends_at_s) is int and ends_at_s * 1000 <= milliseconds_of(delivery.received_at):
            raise TimestampExpired("the token has ended")


def _claims(text: str) -> Document:
    try:
        return decode_body(decode(text) or b"")
    except BodyUnreadable as error:
        raise MalformedHeader("the token holds no claims") from error
