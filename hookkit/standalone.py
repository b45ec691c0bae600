"""``verify`` and ``sign``, which need no Flask, no settings and no inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme, UrlScheme
from hookkit.providers import find_provider
from hookkit.signatures.rsa import read_keys

#: A provider's name, a provider, or a scheme.
Named: TypeAlias = str | Provider | Scheme | KeyScheme


def verify(
    scheme: Named,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    *,
    now: datetime | None = None,
    public_url: str | None = None,
    query: str = "",
) -> VerifiedDelivery:
    """Return a delivery as verified, or raise a subclass of ``Rejected``.

    Args:
        scheme: How the sender signs: a provider's name (``"stripe"``), a provider or a scheme.
        headers: In any case.
        body: The bytes, exactly as they arrived.
        secrets: Newest first; for a sender that signs with its own key, its public keys. Those
            of 8x8 are PEM, JWK or JWK Sets, as text; none is fetched.
        now: When it arrived, aware; None is the moment of the call.
        public_url: The URL that the sender posts to, without the query, if it signs the URL.
        query: The part of the URL after the question mark.

    Raises:
        Rejected: The sender is not proven; ``code`` says why.
        ConfigurationError: There is no secret, or the scheme cannot use one of them; the
            scheme is not known, or signs a URL that is not given.
    """
    found = _scheme(scheme, public_url)
    if isinstance(secrets, str) or not secrets or not all(each.strip() for each in secrets):
        raise ConfigurationError("secrets: must be a list of texts, newest first, and none empty")
    delivery = Delivery(
        endpoint="",
        body=body,
        headers={name.lower(): value for name, value in headers.items()},
        received_at=datetime.now(UTC) if now is None else now,
        query=query,
    )
    if isinstance(found, KeyScheme):
        return _by_key(found, delivery, secrets)
    as_bytes = [secret.encode() for secret in secrets]
    if isinstance(found, SigningScheme):
        try:
            for secret in as_bytes:
                found.check_secret(secret)
        except ValueError as error:
            raise ConfigurationError(f"secrets: one {error}") from error
    return found.verify(delivery, as_bytes)


def sign(
    scheme: Named,
    body: bytes,
    secret: str,
    *,
    event_id: str = "",
    now: datetime | None = None,
    public_url: str | None = None,
    query: str = "",
) -> dict[str, str]:
    """Return the headers with which ``verify`` accepts *body*.

    Args:
        scheme: As ``verify`` takes it.
        body: The bytes to be sent.
        secret: The secret, or the private key of a sender that signs with one.
        event_id: The id to sign, if the scheme signs one; empty makes a new one.
        now: The time to sign, aware; None is the moment of the call.
        public_url: As ``verify`` takes it.
        query: As ``verify`` takes it.

    Raises:
        ConfigurationError: The scheme is not known, it cannot use *secret*, or it signs a URL
            that is not given.
        TypeError: The proof lies in the body, as with ``livechat`` and ``adyen``:
            ``hookkit.testing.sign`` returns the body with its proof.
    """
    found = _scheme(scheme, public_url)
    signed_at = datetime.now(UTC) if now is None else now
    event_id = event_id or _new_id(body, signed_at)
    try:
        if isinstance(found, UrlScheme) and found.signs_url:
            return found.sign(body, secret.encode(), signed_at, event_id, query=query)
        return found.sign(body, secret.encode(), signed_at, event_id)
    except (ValueError, Unavailable) as error:
        raise ConfigurationError(f"secret: {error}") from error


def _new_id(body: bytes, signed_at: datetime) -> str:
    return f"msg_{sha256(b'%b %b' % (str(signed_at).encode(), body)).hexdigest()[:24]}"


def _by_key(scheme: KeyScheme, delivery: Delivery, secrets: Sequence[str]) -> VerifiedDelivery:
    try:
        keys = [key for text in secrets for key in read_keys(text)]
    except ValueError as error:
        raise ConfigurationError(f"secrets: one {error}") from error
    proof = scheme.read_proof(delivery)
    named = [key for key in keys if key.key_id == proof.key_id]
    return scheme.verify(proof, named or [key for key in keys if key.key_id is None])


def _scheme(scheme: Named, public_url: str | None) -> Scheme | KeyScheme:
    if isinstance(scheme, str):
        scheme = find_provider(scheme)
    found = scheme.scheme if isinstance(scheme, Provider) else scheme
    if isinstance(found, UrlScheme) and found.signs_url:
        if public_url is None:
            raise ConfigurationError("public_url: missing; the URL is signed, and is not guessed")
        return found.at_url(public_url)
    return found
