"""The sender proves itself by sending the secret along, in a header."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import SignatureMismatch, SignatureMissing


@dataclass(frozen=True, slots=True)
class SharedSecretHeader:
    """Compare a header with the endpoint's secrets.

    The secret says who sent the request and nothing about what is in it: the body is
    protected by TLS alone, so ``body_authenticated`` is False.

    Attributes:
        header: The header's name in lower case.
    """

    header: str

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits.

        Every secret is compared, so the time taken does not tell which one fitted.

        Raises:
            SignatureMissing: The header is absent or empty.
            SignatureMismatch: No secret fits.
        """
        sent = delivery.headers.get(self.header)
        if not sent:
            raise SignatureMissing(f"header {self.header} is missing")
        try:
            sent_bytes = sent.encode("latin-1")  # as WSGI decodes headers
        except UnicodeEncodeError as error:
            raise SignatureMismatch(f"header {self.header} is none that HTTP can send") from error
        # Digests are compared because they have one length: the time tells no secret's.
        sent_digest = sha256(sent_bytes).digest()
        fitting = [
            index
            for index, secret in enumerate(secrets)
            if hmac.compare_digest(sent_digest, sha256(secret).digest())
        ]
        if not fitting:
            raise SignatureMismatch(f"header {self.header} fits no configured secret")
        return VerifiedDelivery(
            delivery=delivery, secret_index=fitting[0], body_authenticated=False
        )

    def sign(self, body: bytes, secret: bytes) -> dict[str, str]:
        """Return the header that ``verify`` accepts; it is the same for every body."""
        return {self.header: secret.decode("latin-1")}
