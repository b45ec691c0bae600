"""A JWT in a header that signs the hash of the body, and perhaps the hash of the URL.

https://www.rfc-editor.org/rfc/rfc7519

Rule 1: the token chooses nothing. Its algorithm must be the one of the settings, and a key is
        bound to it (https://www.rfc-editor.org/rfc/rfc8725#section-3.1). ``kid``, ``jku``,
        ``jwk``, ``x5u`` and ``x5c`` are ignored, and a token with ``crit`` is refused. Where the
        settings name a set of keys, ``kid`` chooses among the keys of this set, see
        ``SetToken``.
Rule 2: nothing of the token is decoded before its signature fits, except the header that holds
        the ``kid``.
Rule 3: a body is proven by its hash alone. Only an empty one may be without.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from hookkit.core.body import Document, decode_body, encode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery, sent_header
from hookkit.core.errors import (
    BodyUnreadable,
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
)
from hookkit.signatures.ecdsa import as_der, from_der
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.public_key import check_key, key_checker, private_signer
from hookkit.signatures.signed_text import check_age, milliseconds_of

#: By the algorithm of a token, that of the public key; empty where the secret is shared.
ALGORITHMS: Mapping[str, str] = {"HS256": "", "RS256": "rsa-sha256", "ES256": "ecdsa-p256"}

#: Senders' tokens have some 500 characters.
MAX_TOKEN_CHARS = 4096


class Token(NamedTuple):
    """The parts of a token.

    Attributes:
        head: The header, as it was sent.
        claims: The payload, as it was sent.
        signature: Its bytes; empty if it is not written as base64url.
    """

    head: str
    claims: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return f"{self.head}.{self.claims}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedToken:
    """Check a JWT in a header, and the hashes in it.

    Attributes:
        header: The header's name in lower case.
        prefix: What stands before the token.
        algorithm: One of ``ALGORITHMS``.
        hash_claim: The claim with the SHA-256 of the body in hexadecimal.
        url_claim: The claim with the SHA-256 of the URL in hexadecimal; empty if it has none.
        time_claim: The claim with the time of signing, in seconds. ``exp`` counts as well.
        issuer: What ``iss`` must be; empty takes any.
        audience: What ``aud`` must be, or hold if it is a list; empty takes any.
        tolerance_s: How far the time may lie before or after now, in seconds.
        public_url: The URL that senders post to, without its query; needed if it is signed.
    """

    header: str = "authorization"
    prefix: str = "Bearer "
    algorithm: str = "HS256"
    hash_claim: str = "payload_hash"
    url_claim: str = ""
    time_claim: str = "iat"
    issuer: str = ""
    audience: str = ""
    tolerance_s: float = 300.0
    public_url: str = field(default="", repr=False)
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=True, init=False)
    signed_fields: frozenset[str] = field(default=frozenset(), init=False)

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds."""
        return 2 * self.tolerance_s

    @property
    def signs_url(self) -> bool:
        """Whether the URL is signed."""
        return bool(self.url_claim)

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first of *secrets* that fits.

        Raises:
            SignatureMissing: There is no token.
            MalformedHeader: It is no JWT, or a claim is not written as it must be.
            SignatureMismatch: Its algorithm, issuer or audience is another, no secret fits, or a
                hash is that of something else.
            TimestampExpired: It was signed too long ago, or says that it has expired.
            TimestampInFuture: It says that it is signed later than now.
            Unavailable: A key is not a key of this algorithm.
        """
        token = self.take_apart(delivery)
        fits = [self._fits(secret)(token.signature, token.signed) for secret in secrets]
        if True not in fits:
            raise SignatureMismatch(f"header {self.header} fits no configured secret")
        # https://www.rfc-editor.org/rfc/rfc8725#section-3.1
        self.check_head(token.head)
        named = self.check_claims(token, delivery)
        return VerifiedDelivery(
            delivery, fits.index(True), body_authenticated=True, signed_hash=named
        )

    def take_apart(self, delivery: Delivery) -> Token:
        """Return the token in *delivery*, of which nothing is proven.

        Raises:
            SignatureMissing: There is no token.
            MalformedHeader: It is no JWT.
        """
        sent = sent_header(delivery.headers, self.header)
        if not sent.startswith(self.prefix):
            raise SignatureMissing(f"header {self.header} has no token")
        parts = sent[len(self.prefix) :].split(".", 3)
        if len(parts) != 3 or len(sent) > MAX_TOKEN_CHARS or not sent.isascii():
            raise MalformedHeader(f"header {self.header} holds no token")
        head, claims, signature = parts
        return Token(head, claims, decode(signature) or b"")

    def sign(
        self,
        body: bytes,
        secret: bytes,
        signed_at: datetime,
        event_id: str = "",
        *,
        query: str = "",
        key_id: str = "",
    ) -> dict[str, str]:
        """Return the headers that ``verify`` accepts.

        Args:
            body: The bytes to be sent.
            secret: The secret, or the private key.
            signed_at: The time to sign.
            event_id: The id to sign; empty signs none.
            query: The part of the URL after the question mark.
            key_id: The ``kid`` to write; empty writes none.

        Raises:
            ValueError: *secret* is no private key of this algorithm; the message repeats nothing.
        """
        claims: dict[str, Any] = {self.time_claim: milliseconds_of(signed_at) // 1000}
        if self.issuer:
            claims["iss"] = self.issuer
        if self.audience:
            claims["aud"] = self.audience
        if event_id:
            claims["jti"] = event_id
        if self.url_claim:
            claims[self.url_claim] = self._url_hash(query)
        claims[self.hash_claim] = sha256(body).hexdigest()
        head = {"alg": self.algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
        text = f"{encode(encode_body(head))}.{encode(encode_body(claims))}"
        signature = encode(self._signature(text.encode(), secret))
        return {self.header: f"{self.prefix}{text}.{signature}"}

    def tolerating(self, tolerance_s: float) -> HashedToken:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def at_url(self, public_url: str) -> HashedToken:
        """Return the scheme of senders that post to *public_url*."""
        return replace(self, public_url=public_url)

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* can be one; the message repeats nothing."""
        if ALGORITHMS[self.algorithm]:
            check_key(secret, ALGORITHMS[self.algorithm])

    def mistakes(self) -> Iterator[str]:
        """Yield a sentence for each mistake in the configuration."""
        if self.algorithm not in ALGORITHMS:
            yield f"algorithm: must be one of {', '.join(ALGORITHMS)}"
        if not self.hash_claim:
            yield "hash_claim: is empty; a token without the hash of the body proves no body"

    def _fits(self, secret: bytes) -> Callable[[bytes, bytes], bool]:
        by_key = ALGORITHMS[self.algorithm]
        if not by_key:
            return lambda sent, text: hmac.compare_digest(sent, hmac.digest(secret, text, "sha256"))
        fits = key_checker(secret, by_key)
        return fits if self.algorithm == "RS256" else lambda sent, text: fits(as_der(sent), text)

    def _signature(self, text: bytes, secret: bytes) -> bytes:
        by_key = ALGORITHMS[self.algorithm]
        if not by_key:
            return hmac.digest(secret, text, "sha256")
        signature = private_signer(secret, by_key)(text)
        if self.algorithm == "RS256":
            return signature
        return from_der(signature)

    def check_head(self, text: str) -> Document:
        """Return the header of a token, whose algorithm is that of the settings.

        Raises:
            MalformedHeader: It is no JSON object.
            SignatureMismatch: It has another algorithm, or an extension.
        """
        head = _object(text)
        if head.get("alg") != self.algorithm:
            raise SignatureMismatch("the token has another algorithm")
        if "crit" in head:
            raise SignatureMismatch("the token has an unknown extension")
        return head

    def check_claims(self, token: Token, delivery: Delivery) -> str | None:
        """Refuse *delivery* unless the claims of its *token*, whose signature fits, are about it.

        Returns:
            What names its event, if the body does not: see ``VerifiedDelivery.signed_hash``.
        """
        claims = _object(token.claims)
        if self.issuer and claims.get("iss") != self.issuer:
            raise SignatureMismatch("the token has another issuer")
        if self.audience and self.audience not in _listed(claims.get("aud")):
            raise SignatureMismatch("the token is for another audience")
        now = delivery.received_at
        check_age(_seconds(claims, self.time_claim) * 1000, now, self.tolerance_s)
        if "exp" in claims and _seconds(claims, "exp") * 1000 <= milliseconds_of(now):
            raise TimestampExpired("the token has expired")
        is_hashed = self.hash_claim in claims or bool(delivery.body)
        if is_hashed and claims.get(self.hash_claim) != sha256(delivery.body).hexdigest():
            raise SignatureMismatch(f"claim {self.hash_claim} is that of another body")
        if self.url_claim and claims.get(self.url_claim) != self._url_hash(delivery.query):
            raise SignatureMismatch(f"claim {self.url_claim} is that of another URL")
        return self._url_hash(delivery.query) if self.url_claim and not delivery.body else None

    def _url_hash(self, query: str) -> str:
        url = f"{self.public_url}?{query}" if query else self.public_url
        return sha256(url.encode(errors="surrogatepass")).hexdigest()


def _object(text: str) -> Document:
    """Return the JSON object in a part of a token, whose keys are there once."""
    try:
        return decode_body(decode(text) or b"")
    except (BodyUnreadable, UnicodeError) as error:
        raise MalformedHeader("a part of the token is no JSON object in base64url") from error


def _listed(audience: object) -> list[object]:
    """Return the audiences: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3."""
    return audience if isinstance(audience, list) else [audience]


def _seconds(claims: Document, name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < 10**11:
        raise MalformedHeader(f"the token has no {name} that is a time in seconds")
    return value
