"""What ``hookkit send`` sends: a sample as a new event or the bytes of a file, with its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from hookkit.cli.normalize import split_now
from hookkit.cli.signer import Signer
from hookkit.cli.terminal import click_errors
from hookkit.core.body import Headers, decode_list
from hookkit.core.errors import BodyUnreadable, HookkitError
from hookkit.core.provider import Provider
from hookkit.testing import Sample, SignedDelivery, find_sample, freshen, set_path, sign
from hookkit.testing.fixture_files import Captured, read_fixture
from hookkit.testing.payloads import place_of
from hookkit.testing.samples import encoded_like


class Change(NamedTuple):
    """A value to set in a payload.

    Attributes:
        path: Where; a path that is not added may leave out its beginning.
        is_added: Whether the payload may lack the path.
    """

    path: str
    value: Any
    is_added: bool


Changes = tuple[Change, ...]

#: Takes the time at which an event happened; returns a payload, and headers beside the proof.
Source = Callable[[datetime], tuple[dict[str, Any] | bytes, Headers]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes deliveries, each of a new event unless the bytes of a file are sent.

    Attributes:
        url: Where they are sent.
        signer: Who signs them; without a proof they are not signed.
        basic: HTTP Basic credentials; None sends none.
        source: The payload.
        is_new: Whether each delivery holds a new event.
    """

    url: str
    signer: Signer
    basic: str | None
    source: Source
    is_new: bool

    def make(
        self, *, happened_at: datetime | None = None, signed_at: datetime | None = None
    ) -> SignedDelivery:
        """Return a delivery; None stands for now.

        Raises:
            click.UsageError: The payload cannot be made or cannot be signed.
        """
        payload, headers = self.source(happened_at or datetime.now(UTC))
        return self.prove(payload, headers, signed_at=signed_at)

    def prove(
        self,
        payload: Mapping[str, Any] | bytes,
        headers: Headers,
        *,
        signed_at: datetime | None = None,
    ) -> SignedDelivery:
        """Return *payload* with its proof.

        Raises:
            click.UsageError: It cannot be signed.
        """
        with click_errors(click.UsageError):
            try:
                return sign(
                    self.signer.provider,
                    payload,
                    secret=self.signer.proof,
                    basic=self.basic,
                    headers=headers,
                    public_url=self.signer.public_url or self.url,
                    now=signed_at,
                )
            except TypeError as error:  # the proof lies in the URL
                raise click.UsageError(f"{error}; give it in URL, and --unsigned") from error

    def unsigned(self) -> Maker:
        """Return what makes the same deliveries without a proof."""
        return replace(self, signer=replace(self.signer, proof=None))


def bytes_source(body: bytes) -> Source:
    """Return a source of *body*, as it is."""
    return lambda _happened_at: (body, {})


def sample_source(provider: Provider, sample: Sample, changes: Changes) -> Source:
    """Return a source of new events like *sample*, with *changes* in each.

    Raises:
        click.UsageError: The sample is no payload, or does not have the path of a change.
    """
    # Where samples are made from the scheme, their headers are a proof: it is made anew.
    headers = sample.headers if provider.samples else {}
    version = provider.versions[sample.version]
    with click_errors(click.UsageError):
        document = provider.decode(sample.body)
        changes = tuple(_placed(document, change) for change in changes)

    def make(happened_at: datetime) -> tuple[dict[str, Any] | bytes, Headers]:
        payload = freshen(document, version, now=happened_at)
        with click_errors(click.UsageError):
            for change in changes:
                set_path(payload, change.path, change.value)
        return encoded_like(sample.body, payload), headers

    return make


def _placed(document: Mapping[str, Any], change: Change) -> Change:
    """Return *change* with its whole path.

    Raises:
        HookkitError: *document* does not have it, or several places that end so.
    """
    if change.is_added:
        return change
    whole = place_of(document, change.path, to_add="use --add")
    return change._replace(path=whole)


def named_sample(provider: Provider, version: str | None, trigger: str | None) -> Sample:
    """Return a sample of *provider*.

    Raises:
        click.UsageError: There is none; the message names the nearest ones.
    """
    with click_errors(click.UsageError):
        return find_sample(provider, version, trigger)


def sample_in(file: Path, provider: Provider, version: str | None) -> Sample:
    """Return the payload in *file*, or the captured event, as a sample of *provider*.

    Raises:
        click.UsageError: It is no payload of a known version.
    """
    captured = _captured_in(file)
    if captured is not None and captured.provider != provider.name:
        raise click.UsageError(
            f"{str(file)!r} is an event of {captured.provider}: give --provider {captured.provider}"
        )
    if captured is None:
        body, headers = file.read_bytes(), dict[str, str]()
    else:
        body, headers = encoded_like(captured.like, captured.document), dict(captured.headers)
        version = version or captured.version
    found = version
    if version is None:
        with click_errors(click.UsageError):
            found = provider.version_of(provider.decode(body), {})
    if found is None or found not in provider.versions:
        known = ", ".join(provider.versions)
        raise click.UsageError(
            f"{provider.name} has no payload version like {str(file)!r}: give --version, one of"
            f" {known}"
        )
    return Sample(provider=provider.name, version=found, name=file.name, body=body, headers=headers)


def _captured_in(file: Path) -> Captured | None:
    """Return the event that ``flask hookkit capture`` has written to *file*, if it has."""
    try:
        return read_fixture(file)
    except HookkitError:
        return None


def read_changes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> Changes:
    """Return the changes that *texts* describe, each as ``PATH=VALUE``.

    Raises:
        click.BadParameter: One of them has no path or no equals sign.
    """
    return tuple(_change(text, is_added=parameter.name == "additions") for text in texts)


def _change(text: str, *, is_added: bool) -> Change:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise click.BadParameter(f"{text!r} is not PATH=VALUE")
    try:
        (decoded,) = decode_list(f"[{value}]".encode())["items"]
    except (BodyUnreadable, ValueError):  # not JSON, or not one value
        decoded = value
    return Change(path, decoded, is_added)


def describe(provider: Provider, delivery: SignedDelivery) -> str:
    """Return *delivery* on one line: provider, version, vendor types, event ids."""
    items = split_now(provider, delivery.body, delivery.headers)
    version = items[0].payload.version or "unknown version"
    types = dict.fromkeys(item.vendor_type or "unknown" for item in items)
    ids = [item.event_id for item in items]
    return f"{provider.name} {version} {'+'.join(types)} {' '.join(ids)}"
