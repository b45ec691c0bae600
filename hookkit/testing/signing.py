"""Make a delivery as the vendor would send it: a body and the headers that prove it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hookkit.core.errors import HookkitError
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, ProofInBody, Scheme
from hookkit.signatures.hashed_token import ALGORITHMS as TOKEN_ALGORITHMS
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.public_key import KeyedSignature, public_half, public_pem
from hookkit.signatures.rsa import read_private_key
from hookkit.signatures.shared_secret import BasicCredentials
from hookkit.signatures.standard_webhooks import PRIVATE, StandardWebhooks, public_secret
from hookkit.standalone import sign as prove


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """A delivery as its sender posts it.

    Attributes:
        body: The bytes to send; some schemes put their proof into them.
        headers: The content type and the headers that prove the body. They may hold the secret.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def sign(
    provider: Provider,
    payload: Mapping[str, Any] | bytes,
    *,
    secret: str | None,
    basic: str | None = None,
    headers: Mapping[str, str] | None = None,
    public_url: str | None = None,
    now: datetime | None = None,
    event_id: str = "",
) -> SignedDelivery:
    """Return *payload* as a delivery that *provider*'s scheme verifies.

    Args:
        provider: The vendor, whose scheme signs.
        payload: A document to encode, or the bytes to send. Bytes stay as they are, unless the
            scheme puts its proof into the body.
        secret: The endpoint's secret. For a vendor that signs with its own key: a private key
            as PEM or JWK, whose public key the endpoint has. None leaves the proof out.
        basic: HTTP Basic credentials, ``user:password``, for an endpoint that asks for some.
        headers: Further headers, which prove nothing, such as a sample's own.
        public_url: The URL to send to; needed if the scheme signs it.
        now: The time to sign, aware; None is the moment of the call.
        event_id: The id to sign, if the scheme signs one; empty makes a new one.

    Raises:
        HookkitError: The scheme cannot use *secret*, it signs a URL that is not given, or the
            body has no room for the proof, as it is no JSON object.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    proof: dict[str, str] = {}
    if secret is None:
        pass
    elif isinstance(provider.scheme, ProofInBody):
        body = provider.scheme.enclose(body, secret.encode(), now or datetime.now(UTC))
    else:
        proof = prove(provider, body, secret, event_id=event_id, now=now, public_url=public_url)
    if basic is not None:
        proof |= BasicCredentials().sign(body, basic.encode())
    usual = {"content-type": "application/json"}
    return SignedDelivery(body=body, headers={**usual, **(headers or {}), **proof})


def has_private_key(scheme: Scheme | KeyScheme) -> bool:
    """Tell whether the sender signs with a private key, and not with a secret."""
    return isinstance(scheme, KeyScheme | KeyedSignature)


def counterpart(provider: Provider, proof: str) -> str:
    """Return what an endpoint verifies with, if *proof* signs for *provider*.

    Args:
        provider: The vendor, whose scheme signs.
        proof: A secret, which is its own counterpart, or a private key.

    Raises:
        HookkitError: *proof* is no key that the scheme can use.
    """
    scheme, key = provider.scheme, proof.encode()
    try:
        if isinstance(scheme, KeyScheme):
            return public_pem(read_private_key(key).private)
        if isinstance(scheme, KeyedSignature):
            return public_half(key, scheme.algorithm)
        if isinstance(scheme, HashedToken) and TOKEN_ALGORITHMS[scheme.algorithm]:
            return public_half(key, TOKEN_ALGORITHMS[scheme.algorithm])
        if isinstance(scheme, StandardWebhooks) and proof.startswith(PRIVATE):
            return public_secret(proof)
    except ValueError as error:
        raise HookkitError(f"the secret or key {error}") from error
    return proof
