"""What a delivery must show before it is taken, and the rules for what the settings ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hookkit.core.errors import Unavailable
from hookkit.core.scheme import Keys, Scheme

#: A secret that a person can remember can be guessed by a program.
MIN_SECRET_CHARS = 16

#: What a URL can carry without escapes, so that what is compared is what was sent.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")

#: Newest first; by the vendor's id of the webhook that they are for, where they differ by it.
SecretList: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]

#: As the settings have them.
Secrets: TypeAlias = SecretList | Callable[[], SecretList]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a delivery must show: everything that is set, and one of each.

    Attributes:
        scheme: How the sender signs; None is as the endpoint's provider does.
        secrets: For that scheme.
        basic: HTTP Basic credentials, each ``user:password``.
        path_token: What the URL has behind the endpoint's name.
        keys: For the scheme of a provider that signs with keys of its own.
        unsigned: No scheme is asked, and the settings say that this is meant.
    """

    scheme: Scheme | None = field(default=None, repr=False)
    secrets: Secrets | None = field(default=None, repr=False)
    keys: Keys | None = None
    basic: Secrets | None = field(default=None, repr=False)
    path_token: Secrets | None = field(default=None, repr=False)
    unsigned: bool = False

    def configured(self) -> Iterator[tuple[str, Secrets]]:
        """Yield what is set, by the name of its setting."""
        for name in CHECKS:
            secrets: Secrets | None = getattr(self, name)
            if secrets is not None:
                yield name, secrets

    @property
    def told(self) -> str | None:
        """The setting of whose secrets each delivery tells which one has proved it."""
        names = [name for name, _ in self.configured()]
        return names[-1] if names and self.keys is None else None


def current(name: str, secrets: Secrets, registration: str | None = None) -> list[bytes]:
    """Return the secrets of this moment, newest first; those of *registration* if they differ.

    Args:
        name: The setting that they come from.

    Raises:
        Unavailable: The callable in the settings raised, or returned no usable secret.
    """
    found = _asked(name, secrets) if callable(secrets) else secrets
    # Asking for a list first is cheaper, and it mostly is one.
    if not isinstance(found, list) and isinstance(found, Mapping):
        found = found.get(registration or "", ())
    return [secret.encode() for secret in found]


def all_lists(name: str, secrets: Secrets) -> list[list[bytes]]:
    """Return every list of secrets of this moment, newest first; as ``current`` otherwise."""
    found = _asked(name, secrets) if callable(secrets) else secrets
    lists = found.values() if isinstance(found, Mapping) else [found]
    return [[secret.encode() for secret in each] for each in lists]


def _asked(name: str, ask: Callable[[], SecretList]) -> SecretList:
    try:
        secrets = ask()
        CHECKS[name](secrets)
    except Exception as error:  # noqa: BLE001  # whatever the callable raises
        # What was raised may quote the secret.
        raise Unavailable(f"{type(error).__name__} from the callable in {name}") from None
    return secrets


def all_texts(secrets: Secrets) -> list[str]:
    """Return every secret that can be seen without calling anything."""
    if callable(secrets):
        return []
    lists = secrets.values() if isinstance(secrets, Mapping) else [secrets]
    return [secret for each in lists for secret in each]


def check_secrets(secrets: object) -> None:
    """Raise ``ValueError`` unless *secrets* can be compared with what is sent."""
    if not isinstance(secrets, Mapping):
        _check_list(secrets)
        return
    if not secrets:
        raise ValueError('holds no secret; unverified endpoints say "unsigned": True')
    for registration, its_secrets in secrets.items():
        if not isinstance(registration, str) or not registration:
            raise ValueError("every key must be the vendor's id of a webhook")
        try:
            _check_list(its_secrets)
        except ValueError as error:
            raise ValueError(f"{registration}: {error}") from error


def check_basic(secrets: object) -> None:
    """Raise ``ValueError`` unless *secrets* are credentials such as ``user:password``."""
    for credentials in _check_list(secrets):
        user, _, password = credentials.partition(":")
        if not user or not password:
            raise ValueError("every one must be spelt user:password")


def check_path_tokens(secrets: object) -> None:
    """Raise ``ValueError`` unless *secrets* can be the last part of a URL."""
    if not all(_TOKEN.fullmatch(token) for token in _check_list(secrets)):
        raise ValueError("a token may have letters, digits, '.', '_', '~' and '-' only")


#: setting -> what it must be, in the order in which the proofs are asked for.
CHECKS: Mapping[str, Callable[[object], None]] = {
    "path_token": check_path_tokens,
    "basic": check_basic,
    "secrets": check_secrets,
}


def _check_list(secrets: object) -> Sequence[str]:
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
    return secrets


def _can_be_sent(secret: str) -> bool:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return secret.isprintable()
