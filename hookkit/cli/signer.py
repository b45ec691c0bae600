"""Who signs: the vendor, its scheme and its secret, as the options of a command name them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from marshmallow import ValidationError

from hookkit.cli.options import (
    FILE,
    key_option,
    missing_proof,
    proof_of,
    provider_option,
    secret_option,
)
from hookkit.cli.terminal import click_errors
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme, UrlScheme
from hookkit.core.text import visible
from hookkit.providers import find_provider, load_providers
from hookkit.settings.endpoint import ENDPOINT_LIMITS, read_endpoint, visible_secrets
from hookkit.settings.scheme import SCHEMES, read_scheme
from hookkit.testing.signing import has_private_key

#: The largest file of settings that is read.
MAX_SETTINGS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs.

    Attributes:
        provider: The vendor, with the scheme that signs.
        proof: The secret or the private key; None if none is given.
        public_url: The URL that the settings say is signed; None if they say none.
    """

    provider: Provider
    proof: str | None = field(repr=False)
    public_url: str | None = None

    @property
    def signs_url(self) -> bool:
        """Whether a URL is signed that is not known yet."""
        scheme = self.provider.scheme
        return isinstance(scheme, UrlScheme) and scheme.signs_url and self.public_url is None

    def required_proof(self, *alternatives: str) -> str:
        """Return the secret or the key.

        Raises:
            click.UsageError: There is none; the message names the options for it, and
                *alternatives* to it.
        """
        if self.proof is None:
            ways = [f"give {missing_proof(self.provider)}", *alternatives]
            raise click.UsageError(", or ".join(ways))
        return self.proof


def _scheme(
    context: click.Context, parameter: click.Parameter, words: tuple[str, ...]
) -> Scheme | KeyScheme | None:
    """Return the scheme of the sender that is named, or the one that the words describe."""
    if not words:
        return None
    declared: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            declared[key] = {"true": True, "false": False}.get(value, value)
        elif word in SCHEMES:
            declared["type"] = word
        elif len(words) > 1:
            raise click.BadParameter(f"{word!r} is not KEY=VALUE, and no type of a scheme")
        else:
            with click_errors(click.UsageError):
                return find_provider(word).scheme
    try:
        return read_scheme(declared)
    except ValidationError as error:
        raise click.BadParameter("; ".join(map(str, error.messages))) from error


def _settings(
    context: click.Context, parameter: click.Parameter, file: Path | None
) -> Mapping[str, Any] | None:
    """Return the settings in *file*, which are not checked yet."""
    if file is None:
        return None
    with file.open("rb") as stream:
        text = stream.read(MAX_SETTINGS_BYTES)
    try:
        is_toml = file.suffix.lower() == ".toml"
        found = tomllib.loads(text.decode()) if is_toml else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if file.suffix.lower() == ".toml" else "JSON"
        raise click.BadParameter(f"{str(file)!r} is not {kind}") from error
    if not isinstance(found, dict):
        raise click.BadParameter(f"{str(file)!r} does not hold the settings of one endpoint")
    return found


def _of_settings(settings: Mapping[str, Any], secret: str | None, key: str | None) -> Signer:
    """Return who signs what an endpoint with *settings* accepts.

    Raises:
        click.UsageError: There are mistakes in the settings, or options that contradict them.
    """
    for other in ("provider", "scheme"):
        if _is_given(other):
            raise click.UsageError(f"--{other}: the file of --settings says it; leave one out")
    # HOOKKIT_SECRET may be set for other endpoints: only --secret overrules the file.
    if "secrets" not in settings and secret is not None:
        settings = {**settings, "secrets": [secret]}
    limits = dict.fromkeys(ENDPOINT_LIMITS, 1)
    endpoint, mistakes = read_endpoint("endpoint", settings, load_providers(), limits)
    if endpoint is None:
        raise click.UsageError("--settings: " + "; ".join(map(visible, mistakes)))
    provider = endpoint.provider
    if (
        not has_private_key(provider.scheme)
        and not _is_given("secret")
        and endpoint.protection is not None
    ):
        secret = next(iter(visible_secrets(endpoint.protection.secrets or ())), secret)
    proof = proof_of(provider, secret, key)
    return Signer(provider=provider, proof=proof, public_url=settings.get("public_url"))


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


scheme_option = click.option(
    "--scheme",
    multiple=True,
    callback=_scheme,
    metavar="NAME|KEY=VALUE",
    help="How it is signed, if not as the vendor does: the name of another sender (stripe), or"
    " keys of the setting scheme (type=hmac, header=x-signature). Repeatable.",
)

settings_option = click.option(
    "--settings",
    type=FILE,
    metavar="FILENAME",
    callback=_settings,
    help="A JSON or TOML file with the settings of one endpoint: provider, scheme, secrets.",
)


def signer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options for who signs, and the argument ``signer``: a ``Signer``."""

    @wraps(command)
    def with_signer(
        *,
        provider: Provider,
        scheme: Scheme | KeyScheme | None,
        settings: Mapping[str, Any] | None,
        secret: str | None,
        key: str | None,
        **others: Any,
    ) -> None:
        if settings is not None:
            signer = _of_settings(settings, secret, key)
        else:
            provider = provider if scheme is None else replace(provider, scheme=scheme)
            signer = Signer(provider=provider, proof=proof_of(provider, secret, key))
        command(signer=signer, **others)

    for option in (key_option, secret_option, settings_option, scheme_option, provider_option):
        with_signer = option(with_signer)
    return with_signer
