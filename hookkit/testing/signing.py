"""Proves a payload to the receiver, as its vendor would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hookkit.core.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """What is sent to an endpoint.

    Attributes:
        body: The bytes that the headers prove.
        headers: The proof, and the content type; they may hold the secret.
    """

    body: bytes
    headers: Mapping[str, str] = field(repr=False)


def sign(
    provider: Provider, payload: Mapping[str, Any] | bytes, *, secret: str | None
) -> SignedDelivery:
    """Return *payload* as a delivery that *provider*'s scheme verifies.

    Args:
        provider: Whose scheme.
        payload: A document to encode, or the bytes to send as they are.
        secret: The endpoint's; None sends no proof.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    proof = {} if secret is None else provider.scheme.sign(body, secret.encode())
    return SignedDelivery(body=body, headers={"content-type": "application/json", **proof})
