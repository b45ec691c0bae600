"""Arguments and options that ``hookkit send`` and ``hookkit sign`` share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from hookkit.cli.terminal import click_errors
from hookkit.core.provider import Provider
from hookkit.testing import find_provider
from hookkit.testing.signing import has_private_key

#: The longest private key has some 6500 characters.
MAX_KEY_CHARS = 1 << 16


def _provider(context: click.Context, parameter: click.Parameter, name: str) -> Provider:
    with click_errors(click.UsageError):
        return find_provider(name)


def _secret(context: click.Context, parameter: click.Parameter, secret: str | None) -> str | None:
    if secret is not None and (not secret.isprintable() or secret != secret.strip() or not secret):
        # The message does not show it: a secret must not get into a terminal's log.
        raise click.BadParameter("it is empty, or holds a character that no header can carry")
    return secret


def http_url(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Return *url* if it can be posted to.

    Raises:
        click.BadParameter: It is no http or https URL, or it holds a user name.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_usable = is_usable and parts.port != 0 and parts.username is None
    except ValueError:  # a wrong port, or wrong brackets around an address
        is_usable = False
    if not is_usable:
        raise click.BadParameter("it must be http://host/path or https://host/path")
    return url


def _key(context: click.Context, parameter: click.Parameter, file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8") as stream:
            return stream.read(MAX_KEY_CHARS)
    except ValueError as error:
        raise click.BadParameter("it is not text") from error


def proof_of(provider: Provider, secret: str | None, key: str | None) -> str | None:
    """Return the secret or key that *provider*'s scheme signs with; None if none is given.

    Raises:
        click.UsageError: A key is given and the scheme takes secrets, or both are given.
    """
    is_by_key = has_private_key(provider.scheme)
    if key is not None and not is_by_key:
        raise click.UsageError(f"{provider.name} has secrets and no keys: give --secret")
    # HOOKKIT_SECRET may be set for other vendors: only --secret contradicts --key.
    source = click.get_current_context().get_parameter_source("secret")
    if key is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("give --key or a secret, not both")
    return key if is_by_key and key is not None else secret


def missing_proof(provider: Provider) -> str:
    """Return the options that give a proof for *provider*, for an error message."""
    return "--key" if has_private_key(provider.scheme) else "--secret or HOOKKIT_SECRET"


#: A file that is there.
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

provider_option = click.option(
    "--provider",
    default="sunshine",
    show_default=True,
    callback=_provider,
    metavar="NAME",
    help="The vendor whose payloads and proof are used.",
)

secret_option = click.option(
    "--secret",
    envvar="HOOKKIT_SECRET",
    show_envvar=True,
    callback=_secret,
    help="The endpoint's secret. Other users of the machine can see arguments: the variable is"
    " safer.",
)

key_option = click.option(
    "--key",
    type=FILE,
    metavar="FILENAME",
    callback=_key,
    help="A file with a private key, for a vendor that signs with its own key: PEM, or for 8x8"
    " also a JWK. The endpoint holds the public key in keys (8x8) or in secrets.",
)
