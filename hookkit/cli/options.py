"""Options that several commands have, and how their mistakes are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from hookkit.core.errors import HookkitError
from hookkit.core.provider import Provider
from hookkit.testing import find_provider
from hookkit.testing.signing import takes_key

#: The longest private key has some 6500 characters.
MAX_KEY_CHARS = 1 << 16


@contextmanager
def usage_errors() -> Iterator[None]:
    """Tell what hookkit refuses as a mistake in the command's arguments."""
    try:
        yield
    except HookkitError as error:
        raise click.UsageError(str(error)) from error


def _provider(context: click.Context, parameter: click.Parameter, name: str) -> Provider:
    with usage_errors():
        return find_provider(name)


def _secret(context: click.Context, parameter: click.Parameter, secret: str | None) -> str | None:
    if secret is not None and (not secret.isprintable() or secret != secret.strip() or not secret):
        # Not shown: the terminal's log is no place for it.
        raise click.BadParameter("it is empty, or holds a character that no header can carry")
    return secret


def http_url(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Return *url* if it is one that can be posted to.

    Raises:
        click.BadParameter: It is not.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_usable = is_usable and parts.port != 0 and parts.username is None
    except ValueError:  # the port is none, or the brackets of an address are wrong
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
        raise click.BadParameter("it is no text") from error


def proof_of(provider: Provider, secret: str | None, key: str | None) -> str | None:
    """Return what proves a delivery to *provider*'s scheme; None when nothing is given.

    Raises:
        click.UsageError: It is of the other kind, or there are two.
    """
    is_by_key = takes_key(provider)
    if key is not None and not is_by_key:
        raise click.UsageError(f"{provider.name} has secrets and no keys: give --secret")
    # A variable that is there for other vendors is no contradiction.
    source = click.get_current_context().get_parameter_source("secret")
    if key is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("give --key or a secret, not both")
    return key if is_by_key and key is not None else secret


def missing_proof(provider: Provider) -> str:
    """Return what to give."""
    return "--key" if takes_key(provider) else "--secret or HOOKKIT_SECRET"


provider_option = click.option(
    "--provider",
    default="sunshine",
    show_default=True,
    callback=_provider,
    metavar="NAME",
    help="Whose payloads and whose proof.",
)

secret_option = click.option(
    "--secret",
    envvar="HOOKKIT_SECRET",
    show_envvar=True,
    callback=_secret,
    help="The endpoint's secret. Other users see arguments, so the variable is the safer way.",
)

key_option = click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILENAME",
    callback=_key,
    help="A file with a private key, for a vendor that signs with a key of its own: PEM, of 8x8"
    " also a JWK. The endpoint has its public half in keys (8x8) or in secrets.",
)
