"""Trials of the secret: another endpoint's, another spelling, another encoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from hookkit.core.delivery import Delivery
from hookkit.core.errors import HookkitError
from hookkit.core.scheme import SigningScheme
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.receiving.trials.spellings import secret_spellings, sent_secrets
from hookkit.receiving.trials.trial import (
    SENT_ALONG,
    AnyScheme,
    Found,
    Trial,
    schemes_of,
    with_protections,
    with_schemes,
)
from hookkit.signatures.keyed_hash import SECRET_ENCODINGS, KeyedHash
from hookkit.signatures.shared_secret import SharedSecretField
from hookkit.signatures.signed_items import SignedItems

#: How many other endpoints are looked at.
MAX_OTHERS = 50


def secret_trials(
    endpoint: Endpoint, delivery: Delivery, others: Iterable[Endpoint]
) -> Iterator[Trial]:
    """Yield the endpoint with guesses at its secrets, all of them at once."""
    for setting in ("path_token", "basic"):
        if endpoint.asks_for(setting):
            yield _without(endpoint, delivery, setting)
    meanings: dict[bytes, Found] = {}
    for secret, meaning in _guessed_secrets(endpoint, list(islice(others, MAX_OTHERS))):
        if secret and _is_usable(endpoint, secret):
            meanings.setdefault(secret.encode(errors="surrogatepass"), meaning)
    if meanings:
        guessed = [secret.decode(errors="surrogatepass") for secret in meanings]

        def given(protection: Protection) -> Protection:
            name = protection.proving_setting
            changes: dict[str, Any] = {} if name is None else {name: guessed}
            return replace(protection, **changes)

        yield Trial(meanings, with_protections(endpoint, given), delivery)
    for encoding in SECRET_ENCODINGS:
        yield from _decoded_otherwise(endpoint, delivery, encoding)


def _without(endpoint: Endpoint, delivery: Delivery, setting: str) -> Trial:
    """Return the trial of an endpoint that does not ask for *setting*."""
    name = "token in the URL" if setting == "path_token" else "name and password (HTTP Basic)"
    text = (
        f"the {name} is missing or is not the one in {setting}, and nothing else is wrong; give the"
        " vendor the URL with what the settings hold"
    )

    def asking_less(protection: Protection) -> Protection:
        changes: dict[str, Any] = {setting: None}
        return replace(protection, **changes)

    return Trial(Found(setting, text), with_protections(endpoint, asking_less), delivery)


def _guessed_secrets(endpoint: Endpoint, others: Sequence[Endpoint]) -> Iterator[tuple[str, Found]]:
    own = secrets_of(endpoint)
    for secret in own:
        text = (
            "the secret is one of this endpoint, but that of another payload version or another"
            " webhook; check in the settings which of them has which secret"
        )
        yield secret, Found("secret_of_other_version", text)
    for other in others:
        text = (
            f"the secret is that of the endpoint {other.name!r}; the webhook has the URL of the"
            " wrong endpoint, or two secrets are exchanged in the settings"
        )
        for secret in secrets_of(other):
            yield secret, Found("secret_of_other_endpoint", text)
    is_sent = any(isinstance(each, SENT_ALONG) for each in schemes_of(endpoint))
    for number, secret in enumerate(own):
        for spelling in secret_spellings(secret):
            text = f"secret #{number} {spelling.fault}; correct it in the settings or at the vendor"
            yield spelling.text, Found("secret_form", text)
        for spelling in sent_secrets(secret) if is_sent else ():
            text = f"secret #{number} {spelling.fault}; correct what the vendor sends, or the proxy"
            yield spelling.text, Found("secret_form", text)


def secrets_of(endpoint: Endpoint) -> list[str]:
    """Return the secrets that prove deliveries to *endpoint*, each once; none if there are none."""
    found: dict[str, None] = {}
    for protection in endpoint.protections:
        setting = protection.proving_setting
        if setting is not None:
            try:
                secrets = endpoint.candidates_of_all(protection, setting).secrets
            except HookkitError:  # of another endpoint, whose callable fails
                continue
            found |= dict.fromkeys(secret.decode() for secret in secrets)
    return list(found)


def _is_usable(endpoint: Endpoint, secret: str) -> bool:
    """Tell whether each scheme can use *secret*."""
    try:
        text = secret.encode(errors="surrogatepass")
        for scheme in schemes_of(endpoint):
            if isinstance(scheme, SigningScheme | SharedSecretField):
                scheme.check_secret(text)
    except ValueError:
        return False
    return True


def _decoded_otherwise(endpoint: Endpoint, delivery: Delivery, encoding: str) -> Iterator[Trial]:
    """Yield the trial of secrets read as *encoding*, where a scheme reads them otherwise."""
    schemes = [each for each in schemes_of(endpoint) if isinstance(each, KeyedHash | SignedItems)]
    if not any(each.secret_encoding != encoding for each in schemes):
        return

    def read_so(scheme: AnyScheme) -> AnyScheme:
        if isinstance(scheme, KeyedHash | SignedItems):
            return replace(scheme, secret_encoding=encoding)
        return scheme

    text = (
        f"the vendor reads the secret as {encoding}, and the scheme in the settings does not; set"
        f' "secret_encoding": "{encoding}" in it'
    )
    yield Trial(Found("secret_form", text), with_schemes(endpoint, read_so), delivery)
