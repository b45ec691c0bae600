"""The payloads that are shipped with each provider, one file for each trigger and oddity.

A sample's name is the vendor's word with ``-`` for ``:``, and behind a dot its variant:
``conversation-message.image``. A leading ``_`` marks what no vendor documents.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from hookkit.core.content import Text
from hookkit.core.errors import HookkitError
from hookkit.core.event import MessageEvent
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider, normalize, split
from hookkit.providers import load_providers

#: A sample is read to see what it is, not when.
_ANY_TIME = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A payload as the vendor sends it.

    Attributes:
        provider: The name of its provider.
        version: The payload version, in the vendor's spelling.
        name: The file's name without its ending.
        body: The bytes of the file.
    """

    provider: str
    version: str
    name: str
    body: bytes = field(repr=False)

    def document(self) -> dict[str, Any]:
        """Return the payload, decoded anew with every call."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def find_provider(name: str) -> Provider:
    """Return the provider of this name.

    Raises:
        HookkitError: There is none; the message names those there are.
    """
    providers = load_providers()
    if name not in providers:
        known = ", ".join(sorted(providers))
        raise HookkitError(f"provider {name!r} is not known; known are {known}")
    return providers[name]


def list_samples(provider: Provider, version: str | None = None) -> list[Sample]:
    """Return the samples of *version*, None for every version, in the order of their names.

    Raises:
        HookkitError: The provider has no such version; the message names those it has.
    """
    if version is not None and version not in provider.versions:
        known = ", ".join(provider.versions)
        raise HookkitError(f"{provider.name} has no version {version!r}; it has {known}")
    versions = list(provider.versions) if version is None else [version]
    return [sample for each in versions for sample in _load(provider.name, each)]


def find_sample(
    provider: Provider, version: str | None = None, trigger: str | None = None
) -> Sample:
    """Return one sample.

    Args:
        provider: Whose.
        version: None is the newest that has the sample; a provider names its newest last.
        trigger: The vendor's word (``conversation:message``), or the sample's own name; both
            take a variant (``conversation:message.image``). None is a customer's text message.

    Raises:
        HookkitError: There is none; the message names the nearest ones.
    """
    versions = list(provider.versions)[::-1] if version is None else [version]
    for each in versions:
        found = _find(provider, list_samples(provider, each), trigger)
        if found is not None:
            return found
    newest = list_samples(provider, versions[0])
    missing = "sample of a customer's text message" if trigger is None else f"sample {trigger!r}"
    raise HookkitError(f"{provider.name} {versions[0]} has no {missing}{_nearest(trigger, newest)}")


def _find(provider: Provider, samples: list[Sample], trigger: str | None) -> Sample | None:
    if trigger is None:
        return next((each for each in samples if _is_text_of_user(provider, each)), None)
    name = trigger.replace(":", "-")
    return next((each for each in samples if each.name == name), None)


def _load(provider_name: str, version: str) -> Iterator[Sample]:
    folder = files("hookkit.providers").joinpath(provider_name, "samples", version)
    if not folder.is_dir():  # a version may have no sample yet, a foreign provider has none here
        return
    names = {file.name.removesuffix(".json"): file for file in folder.iterdir()}
    for name, file in sorted(names.items()):
        if file.name.endswith(".json") and not name.endswith(".expected"):
            yield Sample(provider=provider_name, version=version, name=name, body=file.read_bytes())


def _is_text_of_user(provider: Provider, sample: Sample) -> bool:
    items = split(provider, endpoint="", body=sample.body, headers={}, received_at=_ANY_TIME)
    event = normalize(provider, items[0])
    return (
        isinstance(event, MessageEvent)
        and isinstance(event.message.content, Text)
        and event.actor is not None
        and event.actor.type is AuthorType.USER
    )


def _nearest(trigger: str | None, samples: list[Sample]) -> str:
    names = [sample.name for sample in samples]
    wanted = (trigger or "").replace(":", "-")
    if not wanted:
        return ""
    # What it is a part of is nearer than what looks like it: "offer" is offerControl.
    holding = [name for name in names if wanted.lower() in name.lower()]
    near = holding[:3] or difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
