"""How the sender of a delivery is proven: what every signature scheme can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hookkit.core.delivery import Delivery, VerifiedDelivery


class Scheme(Protocol):
    """How the sender of a delivery is proven."""

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified, or raise a subclass of ``Rejected``."""

    def sign(self, body: bytes, secret: bytes) -> dict[str, str]:
        """Return the headers that prove *body* to ``verify``."""


@runtime_checkable
class ProofInBody(Protocol):
    """A scheme whose proof lies in the body."""

    def enclose(self, body: bytes, secret: bytes) -> bytes:
        """Return *body* with its proof in it; ``sign`` is asked for headers after that."""
