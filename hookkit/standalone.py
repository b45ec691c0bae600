"""``verify`` and ``sign`` for programs without Flask: no inbox, no settings, no web framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme, UrlScheme
from hookkit.providers import load_providers


def verify(
    scheme: str | Provider | Scheme,
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
        secrets: Newest first; of senders that sign with a key of their own, its public half.
        now: When it arrived, aware; None is the moment of the call.
        public_url: Where the sender posts, without the query, if it signs the URL.
        query: What the URL has behind its question mark.

    Raises:
        Rejected: The sender is not proven; ``code`` says why.
        ConfigurationError: There is no secret, or one is none; the scheme is not known, or
            signs a URL that is not given.
    """
    found = _scheme(scheme, public_url)
    if isinstance(secrets, str) or not secrets or not all(secrets):
        raise ConfigurationError("secrets: must be a list of texts, newest first, and none empty")
    as_bytes = [secret.encode() for secret in secrets]
    if isinstance(found, SigningScheme):
        try:
            for secret in as_bytes:
                found.check_secret(secret)
        except ValueError as error:
            raise ConfigurationError(f"secrets: one {error}") from error
    delivery = Delivery(
        endpoint="",
        body=body,
        headers={name.lower(): value for name, value in headers.items()},
        received_at=datetime.now(UTC) if now is None else now,
        query=query,
    )
    return found.verify(delivery, as_bytes)


def sign(
    scheme: str | Provider | Scheme,
    body: bytes,
    secret: str,
    *,
    event_id: str = "",
    now: datetime | None = None,
    public_url: str | None = None,
) -> dict[str, str]:
    """Return the headers that ``verify`` accepts with *body*.

    Args:
        scheme: As ``verify`` takes it.
        body: The bytes to be sent.
        secret: The secret; where a key signs, its private half.
        event_id: The id that is signed, where one is.
        now: The time that is signed; None is the moment of the call.
        public_url: As ``verify`` takes it.

    Raises:
        ConfigurationError: The scheme is not known, or *secret* is none of its.
    """
    found = _scheme(scheme, public_url)
    signed_at = datetime.now(UTC) if now is None else now
    try:
        return found.sign(body, secret.encode(), signed_at, event_id)
    except (ValueError, Unavailable) as error:
        raise ConfigurationError(f"secret: {error}") from error


def _scheme(scheme: str | Provider | Scheme, public_url: str | None) -> Scheme:
    if isinstance(scheme, str):
        providers = load_providers()
        if scheme not in providers:
            known = ", ".join(sorted(providers))
            raise ConfigurationError(f"provider {scheme!r} is not known; known are {known}")
        scheme = providers[scheme]
    found = scheme.scheme if isinstance(scheme, Provider) else scheme
    if isinstance(found, KeyScheme):
        raise ConfigurationError("a vendor that signs with keys to be fetched needs an endpoint")
    if isinstance(found, UrlScheme) and found.signs_url:
        if public_url is None:
            raise ConfigurationError("public_url: missing; the URL is signed, and is not guessed")
        return found.at_url(public_url)
    return found
