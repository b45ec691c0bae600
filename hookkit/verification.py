"""Is the sender of a delivery proven? By what its endpoint's settings ask for.

Rule 1: what is asked for hangs on the payload version alone, told as reading will tell it.
Rule 2: a version without a protection of its own needs the endpoint's; so does whatever
    cannot be told, and a body never talks itself out of a secret by claiming a version.
Rule 3: everything that a protection names must fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hookkit.core.body import decode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable, SignatureMissing
from hookkit.core.provider import Provider
from hookkit.endpoint import Endpoint
from hookkit.signatures.shared_secret import BasicCredentials, PathToken

_PATH_TOKEN = PathToken()
_BASIC = BasicCredentials()


def verify(endpoint: Endpoint, delivery: Delivery) -> VerifiedDelivery:
    """Return *delivery* as verified by what its endpoint asks for.

    Raises:
        Rejected: The sender is not proven.
        Unavailable: The secrets cannot be had now.
    """
    provider = endpoint.provider
    protection = endpoint.protection
    if _hangs_on_the_body(endpoint):
        delivery = _opened(delivery)
        protection = endpoint.protection_of(_version_of(provider, delivery))
    if protection is None:
        raise SignatureMissing("nothing is configured that could prove this payload version")
    verified = None
    if protection.path_token is not None:
        tokens = endpoint.credentials(protection, "path_token")
        verified = _PATH_TOKEN.verify(delivery, tokens)
    if protection.basic is not None:
        verified = _BASIC.verify(delivery, endpoint.credentials(protection, "basic"))
    if protection.secrets is not None:
        registration = None
        if delivery.document is not None:
            registration = provider.registration(delivery.document)
        secrets = endpoint.credentials(protection, "secrets", registration)
        verified = provider.scheme.verify(delivery, secrets)
    return verified or VerifiedDelivery(
        delivery=delivery, secret_index=None, body_authenticated=False
    )


def _hangs_on_the_body(endpoint: Endpoint) -> bool:
    """Tell whether the body must be read to know what its sender has to show."""
    if endpoint.version_protections:
        return True
    if endpoint.provider.registration_of is None or endpoint.protection is None:
        return False
    secrets = endpoint.protection.secrets
    # What a callable returns is known too late.
    return isinstance(secrets, Mapping) or callable(secrets)


def _version_of(provider: Provider, delivery: Delivery) -> str | None:
    """Return the payload version as reading will tell it: by what is kept alone."""
    if delivery.document is None:
        return None
    return provider.version_of(delivery.document, provider.keep(delivery.headers))


def _opened(delivery: Delivery) -> Delivery:
    """Return *delivery* with its document, if it has one."""
    try:
        return replace(delivery, document=decode_body(delivery.body))
    except BodyUnreadable:
        return delivery
