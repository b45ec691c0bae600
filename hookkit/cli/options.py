"""Options that several commands have, and how their mistakes are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import click

from hookkit.core.errors import HookkitError
from hookkit.core.provider import Provider
from hookkit.testing import find_provider


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
