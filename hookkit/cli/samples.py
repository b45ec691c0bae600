"""``hookkit samples``: the vendors' sample payloads, listed and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from hookkit.cli.normalize import described, split_now
from hookkit.cli.options import provider_option
from hookkit.cli.terminal import aligned, click_errors, show, show_bytes, show_json
from hookkit.core.body import Document
from hookkit.core.errors import HookkitError
from hookkit.core.event import Event
from hookkit.core.provider import Provider, normalize
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.testing import Sample, find_provider, find_sample, list_samples


@click.group()
def samples() -> None:
    """List and show the vendors' sample payloads."""


def _one_or_all(
    context: click.Context, parameter: click.Parameter, name: str | None
) -> list[Provider]:
    """Return the provider that is named, or else all that have samples in several types."""
    with click_errors(click.UsageError):
        if name is not None:
            return [find_provider(name)]
        return [each for each in load_providers().values() if each.name not in SENDERS]


@samples.command("list", short_help="List samples.")
@click.option(
    "--provider",
    "providers",
    callback=_one_or_all,
    metavar="NAME",
    help="Only samples of this vendor or sender. Default: all vendors, and no senders.",
)
@click.option("--version", help="Only samples of this payload version.")
@click.option("--trigger", help="Only samples whose name or vendor type begins with this word.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for machines.")
def list_command(
    *, providers: list[Provider], version: str | None, trigger: str | None, is_json: bool
) -> None:
    """List samples, by vendor and version.

    Each line has the provider, the version, the name and the event types. Any name can be given
    to hookkit samples show, and as --trigger to hookkit send.
    """
    rows = [
        _row(provider, sample)
        for provider in providers
        for sample in _of(provider, version, is_only=len(providers) == 1)
        if _is_wanted(provider, sample, trigger)
    ]
    if not rows:
        raise click.UsageError("there is no such sample; hookkit samples list shows them all")
    if is_json:
        show_json(rows)
        return
    texts = [[row["provider"], row["version"], row["name"], " ".join(row["types"])] for row in rows]
    show(*aligned(texts))


def _of(provider: Provider, version: str | None, *, is_only: bool) -> Iterable[Sample]:
    """Return the samples of *version*; none if another provider may be meant."""
    if version is not None and version not in provider.versions and not is_only:
        return []
    with click_errors(click.UsageError):
        return list_samples(provider, version)


def _is_wanted(provider: Provider, sample: Sample, trigger: str | None) -> bool:
    if trigger is None:
        return True
    words = {sample.name, *(event.vendor_type for event in _events(provider, sample))}
    wanted = trigger.replace(":", "-")
    return any(word.replace(":", "-").startswith(wanted) for word in words)


def _events(provider: Provider, sample: Sample) -> list[Event]:
    items = split_now(provider, sample.body, sample.headers)
    return [normalize(provider, item) for item in items]


def _row(provider: Provider, sample: Sample) -> Mapping[str, Any]:
    types = dict.fromkeys(event.type.value for event in _events(provider, sample))
    return {
        "provider": provider.name,
        "version": sample.version,
        "name": sample.name,
        "types": list(types),
    }


@samples.command("show")
@click.argument("name", required=False)
@provider_option
@click.option("--version", help="The payload version. Default: the newest that has the sample.")
@click.option("--raw", is_flag=True, help="Print the bytes of the file, and nothing else.")
@click.option("--event", "is_event", is_flag=True, help="Print the unified event that is read.")
def show_command(
    *, name: str | None, provider: Provider, version: str | None, raw: bool, is_event: bool
) -> None:
    """Show the sample NAME: its payload as JSON.

    NAME is the vendor's word (conversation:message), with a variant if you like, or a name that
    hookkit samples list shows. Default: a customer's text message.
    """
    if raw and is_event:
        raise click.UsageError("give --raw or --event, not both")
    with click_errors(click.UsageError):
        sample = find_sample(provider, version, name)
    if raw:
        show_bytes(sample.body)
    elif is_event:
        show_json(described(provider, sample.body, sample.headers))
    else:
        show_json(_payload(provider, sample))


def _payload(provider: Provider, sample: Sample) -> Document:
    try:
        return provider.decode(sample.body)
    except HookkitError as error:  # a sample of what is not understood
        raise click.ClickException(f"{error}; --raw prints the bytes") from error
