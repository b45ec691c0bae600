"""A JWT in a header that is signed by one key of the sender's set of keys.

The settings name the address of the set. ``kid`` in the token chooses among the keys of this set,
and nothing else: not the algorithm, and no other set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hookkit.core.delivery import Delivery, Proof, VerifiedDelivery
from hookkit.core.errors import MalformedHeader, SignatureMismatch
from hookkit.core.scheme import PublicKey
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.jwk_set import KEY_ID
from hookkit.signatures.public_key import private_key_id

#: A header has four members in some 100 bytes; a much longer one is not decoded.
MAX_HEAD_CHARS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SetToken:
    """Check a JWT in a header, and the hashes in it, by a key that the token names.

    Attributes:
        token: What the token must say; its algorithm is one of ``jwk_set.READERS``.
    """

    token: HashedToken
    key_bases: Mapping[str, Sequence[str]] = field(default_factory=dict, init=False)
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=True, init=False)
    signed_fields: frozenset[str] = field(default=frozenset(), init=False)

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds."""
        return self.token.lifetime_s

    @property
    def signs_url(self) -> bool:
        """Whether the URL is signed."""
        return self.token.signs_url

    @property
    def public_url(self) -> str:
        """The URL that senders post to, without its query; empty if it is not known."""
        return self.token.public_url

    def tolerating(self, tolerance_s: float) -> SetToken:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, token=self.token.tolerating(tolerance_s))

    def at_url(self, public_url: str) -> SetToken:
        """Return the scheme of senders that post to *public_url*."""
        return replace(self, token=self.token.at_url(public_url))

    def read_proof(self, delivery: Delivery) -> Proof:
        """Return the proof in *delivery*, after checking what needs no key.

        Raises:
            SignatureMissing: There is no token.
            MalformedHeader: It is no JWT.
            SignatureMismatch: It has another algorithm, or names no key that there could be.
        """
        token = self.token.take_apart(delivery)
        if len(token.head) > MAX_HEAD_CHARS:
            raise MalformedHeader("the token's header is too long")
        key_id = self.token.check_head(token.head).get("kid")
        if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id) or not token.signature:
            raise SignatureMismatch("the token names no key that there could be")
        return Proof(
            delivery=delivery, key_id=key_id, signature=token.signature, signed=token.signed
        )

    def verify(self, proof: Proof, keys: Sequence[PublicKey]) -> VerifiedDelivery:
        """Return the delivery of *proof* as verified by the first of *keys* that fits.

        Raises:
            SignatureMismatch: None of them fits, the issuer or the audience is another, or a hash
                is that of something else.
            MalformedHeader: A claim is not written as it must be.
            TimestampExpired: It was signed too long ago, or says that it has expired.
            TimestampInFuture: It says that it is signed later than now.
        """
        for key in keys:
            if key.fits(proof.signature, proof.signed):
                token = self.token.take_apart(proof.delivery)
                named = self.token.check_claims(token, proof.delivery)
                return VerifiedDelivery(
                    delivery=proof.delivery,
                    secret_index=None,
                    body_authenticated=True,
                    key=key.jwk,
                    signed_hash=named,
                )
        raise SignatureMismatch("no key fits the signature")

    def sign(
        self,
        body: bytes,
        secret: bytes,
        signed_at: datetime,
        event_id: str = "",
        *,
        query: str = "",
    ) -> dict[str, str]:
        """Return the headers that prove *body*; *secret* is a private key.

        Raises:
            ValueError: It is no private key of this algorithm; the message repeats nothing.
        """
        key_id = private_key_id(secret)
        return self.token.sign(body, secret, signed_at, event_id, query=query, key_id=key_id)

    def check_secret(self, secret: bytes) -> None:
        """Accept every secret: none is used beside a set of keys."""
