"""An endpoint as the settings describe it, and what its deliveries must prove."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeAlias

from hookkit.core.errors import SignatureMissing, Unavailable
from hookkit.core.ids import fingerprint_of
from hookkit.core.modes import Mode
from hookkit.core.provider import Provider
from hookkit.core.scheme import Keys, Scheme

#: A list of secrets, newest first; or one list for each registration, by the vendor's id of it.
SecretList: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]

#: What a setting holds: the secrets, or a callable that is asked for them at every delivery.
Secrets: TypeAlias = SecretList | Callable[[], SecretList]

#: The settings of a protection that hold secrets, in the order in which they are checked.
SECRET_SETTINGS = ("path_token", "basic", "secrets")

#: Those that may stand beside every provider's own proof.
BESIDE_SETTINGS = ("path_token", "basic")

#: A token needs no escapes in a URL, so the bytes that are compared are the bytes that were sent.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")


class Candidates(NamedTuple):
    """The secrets that a delivery may be proven by.

    Attributes:
        secrets: Newest first.
        lists: All secrets, by registration; None if they do not differ by it.
    """

    secrets: list[bytes]
    lists: Mapping[str, Sequence[str]] | None

    def account(self, index: int) -> str | None:
        """Return the account of a secret: the first registration, by the alphabet, that has it.

        Registrations with a secret in common have one account, since its holder may speak for
        each of them.
        """
        if self.lists is None:
            return None
        secret = self.secrets[index].decode()
        return min(name for name, secrets in self.lists.items() if secret in secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a delivery must prove: everything that is set.

    Attributes:
        scheme: How the sender uses ``secrets``; None means the scheme of the provider.
        secrets: The signing secrets.
        basic: HTTP Basic credentials, each ``user:password``.
        path_token: What follows the endpoint's name in the URL.
        keys: The public keys of a provider that signs with keys of its own.
        unsigned: Whether the settings ask for neither ``secrets`` nor ``keys``, on purpose.
        beside: Those of ``BESIDE_SETTINGS`` that are set.
    """

    scheme: Scheme | None = field(default=None, repr=False)
    secrets: Secrets | None = field(default=None, repr=False)
    keys: Keys | None = None
    basic: Secrets | None = field(default=None, repr=False)
    path_token: Secrets | None = field(default=None, repr=False)
    unsigned: bool = False
    beside: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        beside = [name for name in BESIDE_SETTINGS if getattr(self, name) is not None]
        object.__setattr__(self, "beside", tuple(beside))

    def configured(self) -> Iterator[tuple[str, Secrets]]:
        """Yield the settings that hold secrets: the name of each, and what it holds."""
        for name in SECRET_SETTINGS:
            secrets: Secrets | None = getattr(self, name)
            if secrets is not None:
                yield name, secrets

    @property
    def is_open(self) -> bool:
        """Whether nothing has to be proven."""
        return self.keys is None and next(self.configured(), None) is None

    @property
    def proving_setting(self) -> str | None:
        """Name of the setting whose secret proves each delivery; None if no secret does."""
        names = [name for name, _ in self.configured()]
        return names[-1] if names and self.keys is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL to which one provider posts.

    Attributes:
        provider: The provider, with the options and the scheme of this endpoint.
        protection: What a delivery must prove; None refuses every payload version that is not
            in ``version_protections``.
        version_protections: By payload version, what its deliveries must prove instead.
        modes: The mode of each payload version that the settings name; None makes every
            version live.
        path: The URL's path, if it is not made of prefix and name.
        max_body_bytes: A larger body is refused.
        max_unproven_bytes: A larger body is not decoded before it proves anything, where only
            the decoded body shows what it must prove.
        max_items: A body of more events is kept as one, which is not understood.
        verify_token: The tokens, one of which a sender must name in its GET challenge.
        answer: The text that accepted deliveries are answered with; None answers in JSON.
        fingerprint: Returns the name of a secret for people who must not know the secret.
        depends_on_body: Whether a body says which secrets its sender must prove.
    """

    name: str
    provider: Provider
    protection: Protection | None
    version_protections: Mapping[str, Protection] = field(default_factory=dict)
    modes: Mapping[str, Mode] | None = None
    path: str | None = None
    max_body_bytes: int
    max_unproven_bytes: int
    max_items: int
    verify_token: Sequence[str] | Callable[[], Sequence[str]] | None = field(
        default=None, repr=False
    )
    answer: str | None = None
    fingerprint: Callable[[bytes], str] = field(default=partial(fingerprint_of, b""), repr=False)
    depends_on_body: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        secrets = None if self.protection is None else self.protection.secrets
        # A callable may return a mapping, and it is asked later than the body is decoded.
        is_by_registration = self.provider.registration_of is not None and (
            isinstance(secrets, Mapping) or callable(secrets)
        )
        depends = bool(self.version_protections) or is_by_registration
        object.__setattr__(self, "depends_on_body", depends)

    @property
    def protections(self) -> Iterator[Protection]:
        """The protection of the endpoint, and those of its payload versions."""
        if self.protection is not None:
            yield self.protection
        yield from self.version_protections.values()

    def protection_of(self, version: str | None) -> Protection | None:
        """Return what a delivery of *version* must prove; None if it must be refused.

        Args:
            version: None if the body does not show its version.
        """
        return self.version_protections.get(version or "", self.protection)

    def asks_for(self, setting: str) -> bool:
        """Tell whether any protection of the endpoint has *setting*."""
        return any(getattr(each, setting) is not None for each in self.protections)

    def secrets(
        self, protection: Protection, setting: str, registration: str | None = None
    ) -> list[bytes]:
        """Return the secrets of ``candidates``, newest first."""
        return self.candidates(protection, setting, registration).secrets

    def candidates(
        self, protection: Protection, setting: str, registration: str | None = None
    ) -> Candidates:
        """Return the secrets that a delivery may be proven by now.

        Args:
            protection: One of the endpoint's that has *setting*.
            setting: One of ``SECRET_SETTINGS``.
            registration: The vendor's id of the webhook, where secrets may differ by it.

        Raises:
            Unavailable: The callable in the settings raised, or returned no usable secret.
        """
        found = self._ask(setting, getattr(protection, setting))
        lists = None
        # To look for a list first is cheaper, and most are lists.
        if not isinstance(found, list) and isinstance(found, Mapping):
            lists, found = found, found.get(registration or "", ())
        return Candidates([secret.encode() for secret in found], lists)

    def candidates_of_all(self, protection: Protection, setting: str) -> Candidates:
        """Return the secrets of every registration; otherwise as ``candidates``."""
        found = self._ask(setting, getattr(protection, setting))
        lists = found if isinstance(found, Mapping) else None
        secrets = [each for one in lists.values() for each in one] if lists else found
        return Candidates([secret.encode() for secret in secrets], lists)

    def secret_lists(self, protection: Protection, setting: str) -> list[list[bytes]]:
        """Return the list of each registration, or the one list; otherwise as ``secrets``."""
        found = self._ask(setting, getattr(protection, setting))
        lists = found.values() if isinstance(found, Mapping) else [found]
        return [[secret.encode() for secret in each] for each in lists]

    @property
    def answers_challenges(self) -> bool:
        """Whether a GET may be answered: with a token, or where the sender asks for none."""
        challenge = self.provider.challenge
        return challenge is not None and (not challenge.token or self.verify_token is not None)

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Return the answer to a sender that asks by GET whether the URL is meant.

        Raises:
            Rejected: The query names none of the tokens.
            Unavailable: The callable in the settings raised, or returned no usable token.
        """
        challenge = self.provider.challenge
        if challenge is None:
            raise SignatureMissing("nothing is configured that could prove a challenge")
        if self.verify_token is None:
            return challenge.reply(query, [])
        tokens = self._ask("verify_token", self.verify_token)
        return challenge.reply(query, [token.encode() for token in tokens])

    @property
    def keys(self) -> list[Keys]:
        """The public keys of each protection that has some."""
        return [each.keys for each in self.protections if each.keys is not None]

    def _ask(self, setting: str, given: Secrets) -> SecretList:
        if not callable(given):
            return given
        try:
            secrets = given()
            CHECKS[setting](secrets)
        except Exception as error:  # noqa: BLE001  # whatever the callable raises
            # The message of the error may quote the secret.
            raise Unavailable(
                f"the {setting} of endpoint {self.name!r} cannot be had:"
                f" {type(error).__name__} from the callable in HOOKKIT_ENDPOINTS"
            ) from None
        return secrets


def _check_secrets(given: object) -> None:
    if not isinstance(given, Mapping):
        _check_list(given)
        return
    if not given:
        raise ValueError('holds no secret; unverified endpoints say "unsigned": True')
    for registration, secrets in given.items():
        if not isinstance(registration, str) or not registration:
            raise ValueError("every key must be the vendor's id of a webhook")
        try:
            _check_list(secrets)
        except ValueError as error:
            raise ValueError(f"{registration}: {error}") from error


def _check_basic(given: object) -> None:
    for credentials in _check_list(given):
        user, _, password = credentials.partition(":")
        if not user or not password:
            raise ValueError("every one must be spelt user:password")


def _check_path_tokens(given: object) -> None:
    if not all(_TOKEN.fullmatch(token) for token in _check_list(given)):
        raise ValueError("a token may have letters, digits, '.', '_', '~' and '-' only")


def _check_list(given: object) -> Sequence[str]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError("must be a list of texts, newest first, or a callable")  # noqa: TRY004
    if not given:
        raise ValueError('holds no secret; unverified endpoints say "unsigned": True')
    if not all(isinstance(secret, str) for secret in given):
        raise ValueError("every secret must be a text")
    if any(not secret.strip() for secret in given):
        raise ValueError("holds an empty secret")
    if any(secret != secret.strip() for secret in given):
        raise ValueError("a secret begins or ends with white space")
    if not all(_can_be_sent(secret) for secret in given):
        raise ValueError("a secret has characters that no header can carry")
    if len(set(given)) < len(given):
        raise ValueError("holds one secret twice")
    return given


def _can_be_sent(secret: str) -> bool:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return secret.isprintable()


#: Setting -> a function that raises ``ValueError`` unless its argument, which is not a callable,
#: is usable there. The message never repeats a secret.
CHECKS: Mapping[str, Callable[[object], object]] = {
    "secrets": _check_secrets,
    "basic": _check_basic,
    "path_token": _check_path_tokens,
    "verify_token": _check_list,
}
