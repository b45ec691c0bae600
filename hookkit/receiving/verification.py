"""Verify the sender of a delivery, by what the settings of its endpoint ask for.

Rule 1: which proof is required depends on the payload version alone, detected exactly as it
    is when the body is parsed.
Rule 2: a version without a protection of its own needs the protection of the endpoint. So does
    a body whose version cannot be detected: no body avoids the secret by claiming a version.
Rule 3: a delivery must prove everything that its protection names. The scheme of a version
    belongs to its protection: a proof by another version's scheme, or by the endpoint's, does
    not count.
Rule 4: a large body is decoded only once it satisfies one of the protections, whichever. Then
    rules 1 to 3 are applied as to every body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import (
    BodyTooLarge,
    BodyUnreadable,
    HookkitError,
    Rejected,
    SignatureMissing,
    Unavailable,
)
from hookkit.core.scheme import KeyScheme, Scheme
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.signatures.shared_secret import BasicCredentials, PathToken

#: The schemes of ``BESIDE_SETTINGS``.
BESIDE: Mapping[str, PathToken | BasicCredentials] = {
    "path_token": PathToken(),
    "basic": BasicCredentials(),
}

#: If no protection fits, the refusal with the lowest rank is raised. All others have rank 2.
_RANKS: Mapping[type[HookkitError], int] = {Unavailable: 0, BodyTooLarge: 1, SignatureMissing: 3}


def verify(endpoint: Endpoint, delivery: Delivery) -> tuple[VerifiedDelivery, bytes | None]:
    """Return *delivery* as verified, and the secret that proved it.

    The secret is None if none did: the endpoint asks for none, or for a key.

    Raises:
        Rejected: The sender is not proven.
        Unavailable: The secrets or keys cannot be had now.
    """
    if endpoint.depends_on_body:
        delivery = _decoded(endpoint, delivery)
    return _prove(endpoint, _required(endpoint, delivery), delivery)


def _prove(
    endpoint: Endpoint, protection: Protection, delivery: Delivery
) -> tuple[VerifiedDelivery, bytes | None]:
    """Return what ``verify`` does, for a delivery that must satisfy *protection*."""
    provider = endpoint.provider
    secret_index = proving = None
    for setting in protection.beside:
        secrets = endpoint.secrets(protection, setting)
        secret_index = BESIDE[setting].verify(delivery, secrets).secret_index
        proving = secrets[secret_index or 0]
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
        return verified, proving
    if delivery.document is None and endpoint.depends_on_body:
        # Which registration it is, and so which secret counts, shows in the document alone.
        candidates = endpoint.candidates_of_all(protection, "secrets")
    else:
        document = delivery.document
        registration = None if document is None else provider.registration(document)
        candidates = endpoint.candidates(protection, "secrets", registration)
    scheme = cast("Scheme", protection.scheme or provider.scheme)
    verified = scheme.verify(delivery, candidates.secrets)
    fitting = verified.secret_index or 0
    account = candidates.account(fitting)
    if account is not None:
        verified = verified._replace(account=account)
    return verified, candidates.secrets[fitting]


def _required(endpoint: Endpoint, delivery: Delivery) -> Protection:
    """Return the protection that *delivery* must satisfy, or refuse it."""
    version = None
    if endpoint.version_protections and delivery.document is not None:
        provider = endpoint.provider
        version = provider.version_of(delivery.document, provider.keep(delivery.headers))
    protection = endpoint.protection_of(version)
    if protection is None:
        raise SignatureMissing(
            "nothing is configured that could prove this payload version", is_unconfigured=True
        )
    return protection


def _decoded(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    """Return *delivery* with its document, if the body can be decoded.

    Raises:
        BodyTooLarge: The body is too large to be decoded before a proof, and the endpoint has a
            protection that asks for none.
        Rejected: The body is that large, and no protection fits.
    """
    if len(delivery.body) > endpoint.max_unproven_bytes:
        delivery = _screened(endpoint, delivery)
    if delivery.document is not None:
        return delivery
    try:
        return replace(delivery, document=endpoint.provider.decode(delivery.body))
    except BodyUnreadable:
        return delivery


def _screened(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    """Return *delivery* if it satisfies any protection; the one that counts is known later."""
    refusals: list[HookkitError] = []
    for protection in endpoint.protections:
        if protection.is_open:
            refusals.append(
                BodyTooLarge(f"at most {endpoint.max_unproven_bytes} bytes are read without proof")
            )
            continue
        try:
            return _prove(endpoint, protection, delivery)[0].delivery
        except (Rejected, Unavailable) as error:
            refusals.append(error)
    # Unavailable comes first: what could not be had may be what proves the delivery. A wrong proof
    # says more than a missing one.
    raise min(refusals, key=_rank)


def _rank(error: HookkitError) -> int:
    return _RANKS.get(type(error), 2)
