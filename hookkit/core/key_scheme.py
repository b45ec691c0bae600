"""Proof by public keys: what a scheme asks of a key, and what is asked of a scheme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from hookkit.core.delivery import Delivery, Proof, VerifiedDelivery


class PublicKey(Protocol):
    """A key that checks signatures by the one algorithm that it is pinned to."""

    @property
    def jwk(self) -> str:
        """The key as JSON, to be kept as proof."""

    def fits(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether the key's owner has made *signature* over *signed*."""


@runtime_checkable
class KeyScheme(Protocol):
    """How the sender of a delivery is proven by public keys.

    It names the key that it needs, and others find it: a scheme never fetches.
    """

    def read_proof(self, delivery: Delivery) -> Proof:
        """Return what *delivery* brings as proof, or raise a subclass of ``Rejected``."""

    def verify(self, proof: Proof, keys: Sequence[PublicKey]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise a subclass of ``Rejected``."""

    def sign(self, body: bytes, secret: bytes, signed_at: datetime) -> dict[str, str]:
        """Return the headers that prove *body*, by the private key that *secret* spells."""
