"""Verify the sender of a delivery, by what the settings of its endpoint ask for.

Rule 1: which proof is required depends on the payload version alone, detected exactly as it
    is when the body is parsed.
Rule 2: a version without a protection of its own needs the protection of the endpoint. So does
    a body whose version cannot be detected: no body avoids the secret by claiming a version.
Rule 3: a delivery must prove everything that its protection names. The scheme of a version
    belongs to its protection: a proof by another version's scheme, or by the endpoint's, does
    not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable, SignatureMissing
from hookkit.core.scheme import KeyScheme, Scheme
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.signatures.shared_secret import BasicCredentials, PathToken

#: The settings whose scheme is the same for every provider.
_BESIDE: Mapping[str, PathToken | BasicCredentials] = {
    "path_token": PathToken(),
    "basic": BasicCredentials(),
}


def verify(endpoint: Endpoint, delivery: Delivery) -> tuple[VerifiedDelivery, str | None]:
    """Return *delivery* as verified, and the fingerprint of the secret that proved it.

    The fingerprint is None if no secret did: the endpoint asks for none, or for a key.

    Raises:
        Rejected: The sender is not proven.
        Unavailable: The secrets or keys cannot be had now.
    """
    if _depends_on_body(endpoint):
        delivery = _decoded(endpoint, delivery)
    provider = endpoint.provider
    protection = _required(endpoint, delivery)
    secret_index = fingerprint = None
    for setting, beside in _BESIDE.items():
        if getattr(protection, setting) is not None:
            secrets = endpoint.secrets(protection, setting)
            secret_index = beside.verify(delivery, secrets).secret_index
            fingerprint = endpoint.fingerprint(secrets[secret_index or 0])
    # The settings give keys and secrets only to a scheme of their kind. An ``isinstance`` of
    # the scheme would take longer than the comparison of a secret.
    if protection.keys is not None:
        by_key = cast("KeyScheme", provider.scheme)
        proof = by_key.read_proof(delivery)
        verified = by_key.verify(proof, protection.keys.find(proof.key_id, delivery.address))
        protection.keys.note_proof(proof.key_id, delivery.address)
        return verified, None
    if protection.secrets is None:
        verified = VerifiedDelivery(
            delivery=delivery, secret_index=secret_index, body_authenticated=False
        )
        return verified, fingerprint
    registration = None if delivery.document is None else provider.registration(delivery.document)
    secrets = endpoint.secrets(protection, "secrets", registration)
    scheme = cast("Scheme", protection.scheme or provider.scheme)
    verified = scheme.verify(delivery, secrets)
    return verified, endpoint.fingerprint(secrets[verified.secret_index or 0])


def _required(endpoint: Endpoint, delivery: Delivery) -> Protection:
    """Return the protection that *delivery* must satisfy, or refuse it."""
    version = None
    if endpoint.version_protections and delivery.document is not None:
        provider = endpoint.provider
        version = provider.version_of(delivery.document, provider.keep(delivery.headers))
    protection = endpoint.protection_of(version)
    if protection is None:
        raise SignatureMissing("nothing is configured that could prove this payload version")
    return protection


def _depends_on_body(endpoint: Endpoint) -> bool:
    """Tell whether the body says which secrets its sender must prove."""
    if endpoint.version_protections:
        return True
    if endpoint.provider.registration_of is None or endpoint.protection is None:
        return False
    secrets = endpoint.protection.secrets
    # A callable may return a mapping, and it is asked later than the body is decoded.
    return isinstance(secrets, Mapping) or callable(secrets)


def _decoded(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    """Return *delivery* with its document, if the body can be decoded."""
    try:
        return replace(delivery, document=endpoint.provider.decode(delivery.body))
    except BodyUnreadable:
        return delivery
