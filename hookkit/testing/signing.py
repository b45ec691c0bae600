"""Proves a payload to the receiver, as its vendor would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hookkit.core.provider import Provider
from hookkit.core.scheme import ProofInBody
from hookkit.signatures.shared_secret import BasicCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """What is sent to an endpoint.

    Attributes:
        body: The bytes that are proven; the proof may lie in them.
        headers: The proof, and the content type; they may hold the secret.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def sign(
    provider: Provider,
    payload: Mapping[str, Any] | bytes,
    *,
    secret: str | None,
    basic: str | None = None,
) -> SignedDelivery:
    """Return *payload* as a delivery that *provider*'s scheme verifies.

    Args:
        provider: Whose scheme.
        payload: A document to encode, or the bytes to send as they are; only a proof that
            lies in the body is put into them.
        secret: The endpoint's; None sends none.
        basic: HTTP Basic credentials, ``user:password``, for an endpoint that asks for some.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    proof: dict[str, str] = {}
    if secret is not None:
        if isinstance(provider.scheme, ProofInBody):
            body = provider.scheme.enclose(body, secret.encode())
        proof = provider.scheme.sign(body, secret.encode())
    if basic is not None:
        proof |= BasicCredentials().sign(body, basic.encode())
    return SignedDelivery(body=body, headers={"content-type": "application/json", **proof})
