"""Prove a payload as the settings of an endpoint ask: the other side of ``verify``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

from hookkit.core.errors import BodyUnreadable, HookkitError, Unavailable
from hookkit.core.scheme import KeyScheme, ProofInBody, Scheme, SigningScheme
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.signatures.shared_secret import BasicCredentials
from hookkit.testing.payloads import SamplePayload
from hookkit.testing.signing import SignedDelivery, has_private_key


class Proven(NamedTuple):
    """A delivery as it is posted.

    Attributes:
        sent: The body and the headers.
        path_token: What follows the endpoint's name in the URL; None if nothing does.
    """

    sent: SignedDelivery
    path_token: str | None


def prove(
    endpoint: Endpoint, payload: SamplePayload, secret: str | None, signed_at: datetime
) -> Proven:
    """Return *payload* as a delivery that *endpoint* accepts.

    Args:
        endpoint: Where it goes to.
        payload: What it says.
        secret: The secret or the private key to sign with; None takes the newest secret of the
            settings.
        signed_at: The time to sign, aware UTC.

    Raises:
        HookkitError: Nothing is there to sign with; the message says what to do.
    """
    protection = protection_of(endpoint, payload)
    body, headers = payload.body, {"content-type": content_type_of(payload), **payload.headers}
    path_token = None
    if protection.path_token is not None:
        path_token = _newest(endpoint, protection, "path_token", "")
    if protection.keys is not None or protection.secrets is not None:
        secret = secret or secret_of(endpoint, payload)
        scheme = scheme_of(endpoint, protection)
        try:
            if isinstance(scheme, ProofInBody):
                body = scheme.enclose(body, secret.encode(), signed_at)
            else:
                event_id = f"msg_{uuid.uuid4().hex}"
                headers |= scheme.sign(body, secret.encode(), signed_at, event_id)
        except (ValueError, BodyUnreadable) as error:
            raise HookkitError(f"endpoint {endpoint.name!r}: cannot sign: {error}") from error
    if protection.basic is not None:
        credentials = _newest(endpoint, protection, "basic", "")
        headers |= BasicCredentials().sign(body, credentials.encode())
    return Proven(SignedDelivery(body=body, headers=headers), path_token)


def content_type_of(payload: SamplePayload) -> str:
    """Return the content type of the body of *payload*."""
    return "application/x-www-form-urlencoded" if payload.is_form else "application/json"


def protection_of(endpoint: Endpoint, payload: SamplePayload) -> Protection:
    """Return what *payload* must prove at *endpoint*.

    Raises:
        HookkitError: The settings refuse every delivery of its version.
    """
    provider = endpoint.provider
    version = provider.version_of(payload.document, provider.keep(payload.headers))
    protection = endpoint.protection_of(version)
    if protection is None:
        known = ", ".join(endpoint.version_protections)
        raise HookkitError(
            f"endpoint {endpoint.name!r} refuses version {version}: its settings say how {known}"
            " is proven, and nothing else; take a sample of such a version"
        )
    return protection


def scheme_of(endpoint: Endpoint, protection: Protection) -> Scheme | KeyScheme:
    """Return how the sender uses what *protection* holds."""
    return protection.scheme or endpoint.provider.scheme


def signs_body(endpoint: Endpoint, protection: Protection) -> bool:
    """Tell whether a body that was changed after it was signed is refused."""
    if protection.secrets is None and protection.keys is None:
        return False
    scheme = scheme_of(endpoint, protection)
    if isinstance(scheme, SigningScheme):
        return scheme.covers_body
    return isinstance(scheme, KeyScheme)


def secret_of(endpoint: Endpoint, payload: SamplePayload) -> str:
    """Return the newest secret of the settings that proves *payload* at *endpoint*.

    Raises:
        HookkitError: They hold none: the vendor signs with its own key, the secrets are of other
            registrations, or their callable has failed.
    """
    protection = protection_of(endpoint, payload)
    if has_private_key(scheme_of(endpoint, protection)):
        raise HookkitError(
            f"endpoint {endpoint.name!r}: {endpoint.provider.name} signs with a key of its own,"
            " and settings hold only its public half: put the public key of a test into the"
            " settings, and pass the private one as secret=, or by the fixture hookkit_secrets"
        )
    registration = endpoint.provider.registration(payload.document)
    return _newest(endpoint, protection, "secrets", registration or "")


def _newest(endpoint: Endpoint, protection: Protection, setting: str, registration: str) -> str:
    try:
        found = endpoint.secrets(protection, setting, registration)
    except Unavailable as error:
        raise HookkitError(
            f"{error}; pass a secret to the test, by secret= or by the fixture hookkit_secrets"
        ) from error
    if not found:
        raise HookkitError(
            f"endpoint {endpoint.name!r} has {setting} by registration, and none for"
            f" {registration!r}, which the payload names: change that in the payload"
        )
    return found[0].decode()


def other_secret(secret: str) -> str:
    """Return a secret of the same form that is not *secret*."""
    places = [index for index, each in enumerate(secret) if each.isascii() and each.isalnum()]
    middle = places[len(places) // 2] if places else 0
    return f"{secret[:middle]}{_neighbour(secret[middle])}{secret[middle + 1 :]}"


def _neighbour(character: str) -> str:
    """Return another character of the same alphabet: a digit, or a letter that is hexadecimal."""
    for letters in ("0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz"):
        if character in letters:
            return letters[(letters.index(character) + 1) % len(letters)]
    return "H" if character == "G" else "G"
