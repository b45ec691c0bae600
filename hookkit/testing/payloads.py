"""Payloads for tests: a vendor's sample as a new event, or a captured one, with changed values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hookkit.core.errors import HookkitError
from hookkit.core.provider import Provider
from hookkit.providers import find_provider
from hookkit.testing.fixture_files import read_fixture
from hookkit.testing.samples import encoded_like, find_sample, fresh_id, freshen, set_path


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePayload:
    """A payload that a test delivers.

    Attributes:
        provider: The vendor.
        version: The payload version, in the vendor's spelling.
        name: The name of the sample, or of the file that it was read from.
        document: The payload. A test may change it further; ``set_path`` adds a field.
        headers: The vendor's headers that belong to it, without its proof.
        like: A body whose encoding the vendor uses.
        given: The bytes to send in place of the document; None sends the document.
    """

    provider: Provider = field(repr=False)
    version: str
    name: str
    document: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    like: bytes = field(default=b"{}", repr=False)
    given: bytes | None = field(default=None, repr=False)

    @property
    def is_form(self) -> bool:
        """Whether the vendor sends a form, and not JSON."""
        return not self.like.startswith((b"{", b"["))

    @property
    def body(self) -> bytes:
        """The document as the vendor encodes it: an object, a list or a form."""
        return encoded_like(self.like, self.document) if self.given is None else self.given


class PayloadMaker:
    """Makes payloads; the fixture ``hookkit_sample`` is one.

    Args:
        clock: Returns the time at which the events happen, aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def __call__(
        self,
        source: str | Path,
        changes: Mapping[str, Any] | None = None,
        /,
        *,
        version: str | None = None,
        trigger: str | None = None,
        **more_changes: Any,
    ) -> SamplePayload:
        """Return a payload as a new event: its ids are new, and its times are now.

        Args:
            source: A vendor (``"sunshine"``), or the ``Path`` of a file that
                ``flask hookkit capture`` has written.
            changes: Paths into the payload -> the values to put there. A path may leave out its
                beginning where the rest names one place: ``content.text`` stands for
                ``events.0.payload.message.content.text``.
            version: The payload version; None takes the newest that has the sample.
            trigger: The vendor's word, as ``find_sample`` takes it; None takes a customer's text
                message.
            more_changes: The same as *changes*: ``**{"content.text": "Hi"}``.

        Raises:
            HookkitError: There is no such vendor, version, sample or file, or a path names
                nothing in the payload; the message has the nearest names.
        """
        if isinstance(source, Path):
            if version is not None or trigger is not None:
                raise HookkitError(
                    f"{source} is an event of one version and one trigger: leave these out"
                )
            payload = _captured(source)
        else:
            payload = _sample(source, version, trigger)
        known = payload.provider.versions.get(payload.version)
        document = dict(payload.document)
        if known is not None:
            document = freshen(document, known, now=self._clock())
        for path, value in {**(changes or {}), **more_changes}.items():
            place = place_of(document, path, to_add="call set_path(payload.document, path, value)")
            set_path(document, place, value)
        return SamplePayload(
            provider=payload.provider,
            version=payload.version,
            name=payload.name,
            document=document,
            # Where an id is in a header, and not in the payload.
            headers={name: fresh_id(value) for name, value in payload.headers.items()},
            like=payload.like,
        )


def _sample(vendor: str, version: str | None, trigger: str | None) -> SamplePayload:
    provider = find_provider(vendor)
    sample = find_sample(provider, version, trigger)
    return SamplePayload(
        provider=provider,
        version=sample.version,
        name=sample.name,
        document=dict(provider.decode(sample.body)),
        # Where samples are made from the scheme, their headers are a proof: it is made anew.
        headers=sample.headers if provider.samples else {},
        like=sample.body,
    )


def _captured(file: Path) -> SamplePayload:
    captured = read_fixture(file)
    return SamplePayload(
        provider=find_provider(captured.provider),
        version=captured.version,
        name=file.name,
        document=captured.document,
        headers=captured.headers,
        like=captured.like,
    )


def place_of(document: Mapping[str, Any], path: str, *, to_add: str) -> str:
    """Return the whole path of the one place in *document* that *path* names, or ends.

    Args:
        to_add: What the message tells to do to add a field.

    Raises:
        HookkitError: It names no place, or several; the message lists the nearest ones.
    """
    places = list(_places(document))
    if path in places:
        return path
    ending = [place for place in places if place.endswith(f".{path}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise HookkitError(
            f"path {path!r} names {len(ending)} places in the payload; write more of the one you"
            f" mean: {_listed(ending)}"
        )
    near = _nearest(path, places)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {_listed(sorted(document))};"
    raise HookkitError(
        f"path {path!r} names nothing in the payload; {hint} to add a field, {to_add}"
    )


def _places(node: Any, before: str = "") -> Iterator[str]:
    """Yield the path of every value below *node*."""
    if isinstance(node, Mapping):
        inner = node.items()
    elif isinstance(node, list):
        inner = {str(index): each for index, each in enumerate(node)}.items()
    else:
        return
    for key, value in inner:
        yield f"{before}{key}"
        yield from _places(value, f"{before}{key}.")


def _nearest(path: str, places: list[str]) -> list[str]:
    """Return the places whose last steps, as many as *path* has, are most like it."""
    steps = path.count(".") + 1
    tails: dict[str, str] = {}
    for place in places:
        tails.setdefault(".".join(place.split(".")[-steps:]), place)
    near = difflib.get_close_matches(path, tails, n=3, cutoff=0.6)
    last = path.rpartition(".")[2]
    same_end = [place for place in places if place.rpartition(".")[2] == last]
    return [tails[tail] for tail in near] or same_end[:3]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown}, ..." if len(names) > 6 else shown
