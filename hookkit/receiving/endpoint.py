"""An endpoint as the settings name it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from hookkit.core.errors import SignatureMissing, Unavailable
from hookkit.core.ids import fingerprint_of
from hookkit.core.modes import Mode
from hookkit.core.provider import Provider
from hookkit.receiving.protection import (
    MIN_SECRET_CHARS,
    Protection,
    Secrets,
    all_lists,
    all_texts,
    current,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL to which one provider posts.

    Attributes:
        provider: With the options of this endpoint.
        protection: What a delivery must show; None when the settings name none, and every
            payload version that may come has its own.
        version_protections: Instead of ``protection``, by payload version.
        modes: What becomes of each payload version; None where the settings name no modes,
            so that every version is live.
        path: An existing URL that is used instead of prefix and name.
        max_body_bytes: A larger body is refused.
        verify_token: What a sender names that asks by GET whether the URL is meant.
        fingerprint: Returns the name of a secret for people who must not know it.
    """

    name: str
    provider: Provider
    protection: Protection | None
    version_protections: Mapping[str, Protection] = field(default_factory=dict)
    modes: Mapping[str, Mode] | None = None
    path: str | None = None
    max_body_bytes: int
    verify_token: Secrets | None = field(default=None, repr=False)
    fingerprint: Callable[[bytes], str] = field(default=partial(fingerprint_of, b""), repr=False)

    @property
    def protections(self) -> Iterator[Protection]:
        """Every protection that a delivery to it may have to show."""
        if self.protection is not None:
            yield self.protection
        yield from self.version_protections.values()

    def protection_of(self, version: str | None) -> Protection | None:
        """Return what a delivery of *version* must show; None when nothing would do."""
        return self.version_protections.get(version or "", self.protection)

    def asks_for(self, name: str) -> bool:
        """Tell whether any delivery must show what the setting *name* holds."""
        return any(getattr(each, name) is not None for each in self.protections)

    def credentials(
        self, protection: Protection, name: str, registration: str | None = None
    ) -> list[bytes]:
        """Return what the setting *name* of *protection* holds at this moment, newest first.

        Raises:
            Unavailable: The callable in the settings raised, or returned nothing usable.
        """
        try:
            return current(name, getattr(protection, name), registration)
        except Unavailable as error:
            raise Unavailable(
                f"the {name} of endpoint {self.name!r} cannot be had: {error} of HOOKKIT_ENDPOINTS"
            ) from None

    def credential_lists(self, protection: Protection, name: str) -> list[list[bytes]]:
        """Return every list in the setting *name* of *protection*, newest first.

        Raises:
            Unavailable: The callable in the settings raised, or returned nothing usable.
        """
        return all_lists(name, getattr(protection, name))

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Return what to answer a sender that asks by GET whether the URL is meant.

        Raises:
            Rejected: It does not name the token.
            Unavailable: The callable in the settings raised, or returned nothing usable.
        """
        if self.provider.challenge is None or self.verify_token is None:
            raise SignatureMissing("nothing is configured that could prove a challenge")
        return self.provider.challenge.reply(query, current("secrets", self.verify_token))

    def after_fork(self) -> None:
        """Forget in a child process what goes on in its parent."""
        for protection in self.protections:
            if protection.keys is not None:
                protection.keys.after_fork()

    def secrets(self, registration: str | None = None) -> list[bytes]:
        """Return the endpoint's own secrets of this moment, newest first.

        Raises:
            Unavailable: The callable in the settings raised, or returned no usable secret.
        """
        if self.protection is None or self.protection.secrets is None:
            return []
        return self.credentials(self.protection, "secrets", registration)


def warn_of_short_secrets(endpoints: Iterable[Endpoint]) -> None:
    """Warn of secrets that can be guessed."""
    for endpoint in endpoints:
        short = {
            name
            for protection in endpoint.protections
            for name, secrets in protection.configured()
            if any(len(_guessed(name, text)) < MIN_SECRET_CHARS for text in all_texts(secrets))
        }
        for name in sorted(short):
            warnings.warn(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.{name}: one is shorter than"
                f" {MIN_SECRET_CHARS} characters and may be guessed",
                stacklevel=4,
            )


def warn_of_shadow_alone(endpoints: Iterable[Endpoint]) -> None:
    """Warn of endpoints whose settings let nothing run."""
    for endpoint in endpoints:
        modes = endpoint.modes
        if modes is not None and Mode.LIVE not in modes.values():
            warnings.warn(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.versions: none is live, so that nothing runs"
                " unless `flask hookkit versions switch` has made one live",
                stacklevel=4,
            )


def warn_of_shared_secrets(endpoints: Iterable[Endpoint]) -> None:
    """Warn of secrets that two endpoints have: who knows one's could speak for the other."""
    owners: dict[str, set[str]] = {}
    for endpoint in endpoints:
        for protection in endpoint.protections:
            for text in all_texts(protection.secrets or ()):
                owners.setdefault(text, set()).add(endpoint.name)
    for names in sorted({tuple(sorted(each)) for each in owners.values() if len(each) > 1}):
        warnings.warn(
            f"HOOKKIT_ENDPOINTS: {' and '.join(names)} have the same secret; give each its own",
            stacklevel=4,
        )


def _guessed(name: str, text: str) -> str:
    """Return the part of *text* that somebody would have to guess."""
    return text.partition(":")[2] if name == "basic" else text
