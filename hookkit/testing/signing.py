"""Proves a payload to the receiver, as its vendor would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from hookkit.core.errors import HookkitError, Unavailable
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, ProofInBody, Scheme, UrlScheme
from hookkit.signatures.public_key import KeyedSignature
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
    headers: Mapping[str, str] | None = None,
    public_url: str | None = None,
    now: datetime | None = None,
) -> SignedDelivery:
    """Return *payload* as a delivery that *provider*'s scheme verifies.

    Args:
        provider: Whose scheme.
        payload: A document to encode, or the bytes to send as they are; only a proof that
            lies in the body is put into them.
        secret: The endpoint's; where a vendor signs with a key of its own, a private key as
            PEM or JWK whose public half the endpoint has in ``keys``. None sends none.
        basic: HTTP Basic credentials, ``user:password``, for an endpoint that asks for some.
        headers: What goes along that proves nothing, such as a sample's own.
        public_url: Where it is sent, for a scheme that signs the URL.
        now: The time that a proof names, where one does; None is the moment of the call.

    Raises:
        HookkitError: *secret* is no key, where it must be one.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    proof: dict[str, str] = {}
    scheme = provider.scheme
    now = now or datetime.now(UTC)
    if secret is not None:
        if isinstance(scheme, ProofInBody):
            body = scheme.enclose(body, secret.encode(), now)
        if isinstance(scheme, KeyScheme):
            proof = _by_key(scheme, body, secret, now)
        else:
            proof = _by_secret(scheme, body, secret, now, public_url)
    if basic is not None:
        proof |= BasicCredentials().sign(body, basic.encode())
    usual = {"content-type": "application/json"}
    return SignedDelivery(body=body, headers={**usual, **(headers or {}), **proof})


def takes_key(provider: Provider) -> bool:
    """Tell whether *provider*'s scheme is proven by a private key, and not by a secret."""
    return isinstance(provider.scheme, KeyScheme | KeyedSignature)


def _by_secret(
    scheme: Scheme, body: bytes, secret: str, now: datetime, public_url: str | None
) -> dict[str, str]:
    event_id = f"msg_{sha256(b'%b %b' % (str(now).encode(), body)).hexdigest()[:24]}"
    if isinstance(scheme, UrlScheme) and scheme.signs_url and public_url is not None:
        scheme = scheme.at_url(public_url)
    try:
        return scheme.sign(body, secret.encode(), now, event_id)
    except (ValueError, Unavailable) as error:
        raise HookkitError(f"the secret: {error}") from error


def _by_key(scheme: KeyScheme, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    try:
        return scheme.sign(body, secret.encode(), now)
    except ValueError as error:
        raise HookkitError(f"the key {error}") from error
