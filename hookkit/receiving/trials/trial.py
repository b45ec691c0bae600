"""What would have verified: endpoints and deliveries that differ in one thing from the real ones.

A trial is a pair of an endpoint and a delivery. If it verifies, the one thing that was changed is
what is wrong. Nothing of a trial is ever accepted: it is made after the refusal, for its log line.

Rule 1: nothing asks the user's code, the network or the clock. ``settled`` takes out of an
        endpoint what would.
Rule 2: a trial costs one or a few MACs over the body, and there are at most some 40 of them.
Rule 3: no text holds a secret, a part of one, its length, or a signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from hookkit.core.delivery import Delivery
from hookkit.core.errors import HookkitError
from hookkit.core.scheme import KeyBook, KeyScheme, KnownId, PublicKey, Scheme, SigningScheme
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.receiving.verification import verify
from hookkit.signatures.shared_secret import (
    BasicCredentials,
    SharedSecretField,
    SharedSecretHeader,
    SharedSecretQuery,
)

#: A tolerance that every time is within, in seconds.
FOR_EVER_S = 1e15

AnyScheme = Scheme | KeyScheme

#: Schemes by which the secret itself is sent along.
SENT_ALONG = (SharedSecretHeader, SharedSecretQuery, SharedSecretField, BasicCredentials)


class Found(NamedTuple):
    """What is wrong with a delivery.

    Attributes:
        cause: The machine word for it.
        text: The sentence that says it, and what to do.
    """

    cause: str
    text: str


class Trial(NamedTuple):
    """An endpoint and a delivery that differ in one thing from the real ones.

    Attributes:
        meaning: What is wrong if it verifies; by the secret that fits, if guesses at the secret
            are tried.
    """

    meaning: Found | Mapping[bytes, Found]
    endpoint: Endpoint
    delivery: Delivery

    def run(self) -> Found | None:
        """Return what is wrong, if the delivery would be accepted."""
        try:
            secret = verify(self.endpoint, self.delivery)[1]
        except (HookkitError, ValueError):  # a scheme that cannot read these secrets
            return None
        return self.meaning if isinstance(self.meaning, Found) else self.meaning[secret or b""]


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """Public keys that are known already: nothing is looked up."""

    known: Sequence[PublicKey] = ()

    def find(self, key_id: str, address: str = "") -> Sequence[PublicKey]:
        """Return all of them: the proof names the one that was found."""
        return self.known

    def key_ids(self, book: KeyBook) -> Sequence[KnownId]:
        """Return none: a trial is not looked at by people."""
        return ()

    def note_proof(self, key_id: str, address: str) -> None:
        """Note nothing: a trial proves nothing."""

    def use_book(self, book: Callable[[], KeyBook]) -> None:
        """Keep nothing."""

    def save(self) -> None:
        """Keep nothing."""

    def after_fork(self) -> None:
        """There is nothing to forget."""


def settled(endpoint: Endpoint, delivery: Delivery) -> Endpoint:
    """Return *endpoint* with the secrets and the keys that it has now, asked for once.

    Raises:
        HookkitError: They cannot be had.
    """

    def settle(protection: Protection) -> Protection:
        given: dict[str, Any] = {}
        for setting, _ in protection.configured():
            found = endpoint.candidates_of_all(protection, setting)
            texts = [secret.decode() for secret in found.secrets]
            given[setting] = texts if found.lists is None else found.lists
        if protection.keys is not None:
            proof = cast("KeyScheme", endpoint.provider.scheme).read_proof(delivery)
            given["keys"] = KnownKeys(protection.keys.find(proof.key_id, delivery.address))
        return replace(protection, **given)

    return with_protections(endpoint, settle)


def with_protections(endpoint: Endpoint, change: Callable[[Protection], Protection]) -> Endpoint:
    """Return *endpoint* with each of its protections changed."""
    own = endpoint.protection
    return replace(
        endpoint,
        protection=None if own is None else change(own),
        version_protections={
            name: change(each) for name, each in endpoint.version_protections.items()
        },
    )


def with_schemes(endpoint: Endpoint, change: Callable[[AnyScheme], AnyScheme]) -> Endpoint:
    """Return *endpoint* with each of its schemes changed."""

    def changed(protection: Protection) -> Protection:
        own = protection.scheme
        scheme = None if own is None else cast("Scheme", change(own))
        return replace(protection, scheme=scheme)

    provider = replace(endpoint.provider, scheme=change(endpoint.provider.scheme))
    return replace(with_protections(endpoint, changed), provider=provider)


def schemes_of(endpoint: Endpoint) -> list[AnyScheme]:
    """Return the schemes that deliveries to *endpoint* may be proven by, each once."""
    found = [each.scheme or endpoint.provider.scheme for each in endpoint.protections]
    return list(dict.fromkeys(found))


def tolerant(endpoint: Endpoint) -> Endpoint:
    """Return *endpoint* with a tolerance that every time is within."""
    return with_schemes(endpoint, tolerating)


def tolerating(scheme: AnyScheme) -> AnyScheme:
    """Return *scheme* with a tolerance that every time is within, if it signs one."""
    if isinstance(scheme, SigningScheme | KeyScheme):
        return scheme.tolerating(FOR_EVER_S)
    return scheme
