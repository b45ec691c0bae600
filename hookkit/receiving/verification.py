"""Is the sender of a delivery proven? By what its endpoint's settings ask for.

Rule 1: what is asked for hangs on the payload version alone, told as reading will tell it.
Rule 2: a version without a protection of its own needs the endpoint's; so does whatever
    cannot be told, and a body never talks itself out of a secret by claiming a version.
Rule 3: everything that a protection names must fit. A version's scheme is part of it: what
    fits the scheme of another version, or of the endpoint, is of no use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable, SignatureMissing
from hookkit.core.scheme import KeyScheme, Scheme
from hookkit.receiving.endpoint import Endpoint
from hookkit.signatures.shared_secret import BasicCredentials, PathToken

#: setting -> how it is compared, for what does not hang on the provider.
_BESIDE: Mapping[str, PathToken | BasicCredentials] = {
    "path_token": PathToken(),
    "basic": BasicCredentials(),
}


def verify(endpoint: Endpoint, delivery: Delivery) -> tuple[VerifiedDelivery, str | None]:
    """Return *delivery* as verified by what its endpoint asks for.

    Returns:
        Beside it, the fingerprint of the secret that proved it; None where none did.

    Raises:
        Rejected: The sender is not proven.
        Unavailable: The secrets or keys cannot be had now.
    """
    if _hangs_on_the_body(endpoint):
        delivery = _opened(endpoint, delivery)
    provider = endpoint.provider
    version = None
    if endpoint.version_protections and delivery.document is not None:
        version = provider.version_of(delivery.document, provider.keep(delivery.headers))
    protection = endpoint.protection_of(version)
    if protection is None:
        raise SignatureMissing("nothing is configured that could prove this payload version")
    secret_index = name_of_secret = None
    for name, beside in _BESIDE.items():
        if getattr(protection, name) is not None:
            credentials = endpoint.credentials(protection, name)
            secret_index = beside.verify(delivery, credentials).secret_index
            name_of_secret = endpoint.fingerprint(credentials[secret_index or 0])
    # The settings see to it that keys and secrets are given to a scheme of their kind; asking
    # the scheme itself would take longer than to compare a secret.
    if protection.keys is not None:
        by_key = cast("KeyScheme", provider.scheme)
        proof = by_key.read_proof(delivery)
        return by_key.verify(proof, protection.keys.find(proof.key_id)), None
    if protection.secrets is None:
        verified = VerifiedDelivery(
            delivery=delivery, secret_index=secret_index, body_authenticated=False
        )
        return verified, name_of_secret
    registration = None if delivery.document is None else provider.registration(delivery.document)
    secrets = endpoint.credentials(protection, "secrets", registration)
    scheme = cast("Scheme", protection.scheme or provider.scheme)
    verified = scheme.verify(delivery, secrets)
    return verified, endpoint.fingerprint(secrets[verified.secret_index or 0])


def _hangs_on_the_body(endpoint: Endpoint) -> bool:
    """Tell whether the body must be read to know what its sender has to show."""
    if endpoint.version_protections:
        return True
    if endpoint.provider.registration_of is None or endpoint.protection is None:
        return False
    secrets = endpoint.protection.secrets
    # What a callable returns is known too late.
    return isinstance(secrets, Mapping) or callable(secrets)


def _opened(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    """Return *delivery* with its document, if it has one, decoded as it will be read."""
    try:
        return replace(delivery, document=endpoint.provider.decode(delivery.body))
    except BodyUnreadable:
        return delivery
