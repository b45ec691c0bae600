"""An endpoint as the settings name it, and the rules for its secrets."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hookkit.core.errors import Unavailable
from hookkit.core.provider import Provider

#: A secret that a person can remember can be guessed by a program.
MIN_SECRET_CHARS = 16

Secrets = Sequence[str] | Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL to which one provider posts.

    Attributes:
        configured_secrets: Newest first, or a callable that returns them.
        unsigned: Nothing proves the sender, and the settings say that this is meant.
        path: An existing URL that is used instead of prefix and name.
        max_body_bytes: A larger body is refused.
        repeat_window_s: Replaces the provider's own, for items without id and time.
    """

    name: str
    provider: Provider
    configured_secrets: Secrets = field(repr=False)
    unsigned: bool = False
    path: str | None = None
    max_body_bytes: int
    repeat_window_s: float | None = None

    def secrets(self) -> list[bytes]:
        """Return the secrets of this moment, newest first.

        Raises:
            Unavailable: The callable in the settings raised, or returned no usable secret.
        """
        secrets = self.configured_secrets
        if callable(secrets):
            try:
                secrets = secrets()
                check_secrets(secrets)
            except Exception as error:  # noqa: BLE001  # whatever the callable raises
                # What was raised may quote the secret.
                raise Unavailable(
                    f"the secrets of endpoint {self.name!r} cannot be had:"
                    f" {type(error).__name__} from the callable in HOOKKIT_ENDPOINTS"
                ) from None
        return [secret.encode() for secret in secrets]


def warn_of_short_secrets(endpoints: Iterable[Endpoint]) -> None:
    """Warn of secrets that can be guessed."""
    for endpoint in endpoints:
        if callable(endpoint.configured_secrets):
            continue
        if any(len(secret) < MIN_SECRET_CHARS for secret in endpoint.configured_secrets):
            warnings.warn(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.secrets: one is shorter than"
                f" {MIN_SECRET_CHARS} characters and may be guessed",
                stacklevel=4,
            )


def check_secrets(secrets: object) -> None:
    """Raise ``ValueError`` unless *secrets* can be compared with what is sent."""
    if isinstance(secrets, str) or not isinstance(secrets, Sequence):
        raise ValueError("must be a list of texts, newest first, or a callable")  # noqa: TRY004
    if not secrets:
        raise ValueError('holds no secret; unverified endpoints say "unsigned": True')
    if not all(isinstance(secret, str) for secret in secrets):
        raise ValueError("every secret must be a text")
    if any(not secret.strip() for secret in secrets):
        raise ValueError("holds an empty secret")
    if any(secret != secret.strip() for secret in secrets):
        raise ValueError("a secret begins or ends with white space")
    if not all(_can_be_sent(secret) for secret in secrets):
        raise ValueError("a secret has characters that no header can carry")
    if len(set(secrets)) < len(secrets):
        raise ValueError("holds one secret twice")


def _can_be_sent(secret: str) -> bool:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return secret.isprintable()
