"""The vendors' sample payloads: find them, make new events of them, change them."""

from __future__ import annotations

import copy
import difflib
import json
import secrets
import string
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from hookkit.core.content import Text
from hookkit.core.errors import HookkitError
from hookkit.core.event import MessageEvent
from hookkit.core.parts import Author, AuthorType
from hookkit.core.provider import PayloadVersion, Provider, normalize, split

#: A sample is read to see what it is, so any time will do.
_ANY_TIME = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A payload as the vendor sends it.

    Attributes:
        provider: The name of its provider.
        version: The payload version, in the vendor's spelling.
        name: The file's name without its ending.
        body: The bytes of the file.
        headers: The vendor's headers that belong to it; empty if it needs none.
    """

    provider: str
    version: str
    name: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        """Return the payload, decoded anew with every call."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def list_samples(provider: Provider, version: str | None = None) -> list[Sample]:
    """Return the samples of *version* in the order of their names; None means all versions.

    Raises:
        HookkitError: The provider has no such version; the message lists its versions.
    """
    if version is not None and version not in provider.versions:
        known = ", ".join(provider.versions)
        raise HookkitError(f"{provider.name} has no version {version!r}; it has {known}")
    versions = list(provider.versions) if version is None else [version]
    return [sample for each in versions for sample in _load(provider, each)]


def find_sample(
    provider: Provider, version: str | None = None, trigger: str | None = None
) -> Sample:
    """Return one sample.

    Args:
        provider: The provider to search.
        version: None takes the newest version that has the sample.
        trigger: The vendor's word (``conversation:message``) or the sample's own name, with a
            variant if you like (``conversation:message.image``). None takes a customer's text
            message, or anybody's if the vendor sends none of customers.

    Raises:
        HookkitError: There is no such sample; the message names the nearest ones.
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
    if trigger is None and provider.samples:
        return samples[0]
    if trigger is None:
        return _text(provider, samples)
    name = trigger.replace(":", "-")
    return next((each for each in samples if each.name == name), None)


def _load(provider: Provider, version: str) -> Iterator[Sample]:
    for each in provider.samples:
        yield Sample(
            provider=provider.name,
            version=version,
            name=each.name.replace(":", "-"),
            body=each.body,
            headers=each.headers,
        )
    package = provider.package or f"hookkit.providers.{provider.name}"
    try:
        folder = files(package).joinpath("samples", version)
    except ModuleNotFoundError:  # another package's provider may have no samples
        return
    if not folder.is_dir():  # a version may have no sample yet
        return
    texts = {file.name: file for file in folder.iterdir() if file.name.endswith(".json")}
    for name in sorted(file_name.removesuffix(".json") for file_name in texts):
        if name.endswith((".expected", ".headers")):
            continue
        headers = texts.get(f"{name}.headers.json")
        yield Sample(
            provider=provider.name,
            version=version,
            name=name,
            body=texts[f"{name}.json"].read_bytes(),
            headers={} if headers is None else json.loads(headers.read_bytes()),
        )


def _text(provider: Provider, samples: list[Sample]) -> Sample | None:
    """Return a customer's text message, or anybody's if the vendor sends none of customers."""
    texts = [(each, author) for each in samples if (author := _author_of_text(provider, each))]
    theirs = [each for each, author in texts if author.type is AuthorType.USER]
    return next(iter([*theirs, *(each for each, _ in texts)]), None)


def _author_of_text(provider: Provider, sample: Sample) -> Author | None:
    items = split(
        provider, endpoint="", body=sample.body, headers=sample.headers, received_at=_ANY_TIME
    )
    event = normalize(provider, items[0])
    is_text = isinstance(event, MessageEvent) and isinstance(event.message.content, Text)
    return event.actor if is_text else None


def _nearest(trigger: str | None, samples: list[Sample]) -> str:
    names = [sample.name for sample in samples]
    wanted = (trigger or "").replace(":", "-")
    if not wanted:
        return ""
    # A name that contains the word is nearer than a similar one: "offer" finds offerControl.
    holding = [name for name in names if wanted.lower() in name.lower()]
    near = holding[:3] or difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def encoded_like(body: bytes, document: Mapping[str, Any]) -> bytes:
    """Return *document* in the encoding of *body*: an object, a list or a form."""
    if body.startswith(b"{"):
        return json.dumps(document).encode()
    if body.startswith(b"["):
        return json.dumps(document["items"]).encode()
    return urlencode(document, doseq=True).encode()


_HEX = "0123456789abcdef"

#: Up to here every language reads a number in JSON exactly.
_MAX_NUMBER = 1 << 53

#: Unix seconds pass this in the year 5138, unix milliseconds passed it in 1973.
_MILLISECONDS_FROM = 1e11


def freshen(
    document: Mapping[str, Any], version: PayloadVersion, *, now: datetime | None = None
) -> dict[str, Any]:
    """Return a copy of *document* that is a new event, with new ids and present times.

    New ids look like the old ones, except that numbers become larger. Equal ids stay equal.
    Times keep their format. Paths that the document does not have are skipped.

    Args:
        document: The payload.
        version: Its payload version, which names the paths of ids and times.
        now: The time to write, aware; None is the moment of the call.
    """
    fresh: dict[str, Any] = copy.deepcopy(dict(document))
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    new_ids: dict[str | int, str | int] = {}

    def new_id(old: Any) -> Any:
        if isinstance(old, int) and not isinstance(old, bool):
            return new_ids.setdefault(old, secrets.randbelow(_MAX_NUMBER))
        if not isinstance(old, str) or not old:
            return old
        return new_ids.setdefault(old, _similar_id(old))

    for path in version.fresh_ids:
        _replace(fresh, path.split("."), new_id)
    for path in version.fresh_times:
        _replace(fresh, path.split("."), lambda old: _same_form(old, moment))
    return fresh


def fresh_id(header: str) -> str:
    """Return another id of the same form if *header* is one, and *header* if it is a word."""
    is_id = len(header) >= 16 and any(each.isdigit() for each in header) and " " not in header
    return _similar_id(header) if is_id else header


def set_path(document: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* at *path* of *document*: ``events.0.payload.message.content.text``.

    Missing objects on the way are created; elements of an array must exist.

    Raises:
        HookkitError: The path leads through a value that is neither an object nor an array, or
            to an element that does not exist.
    """
    node: Any = document
    steps = path.split(".")
    for depth, step in enumerate(steps, 1):
        place = ".".join(steps[:depth])
        key: str | int = step
        if isinstance(node, list):
            key = _index(step, node, place)
        elif not isinstance(node, dict):
            raise HookkitError(f"path {path!r}: nothing can be put at {place!r}")
        if depth == len(steps):
            node[key] = value
        elif isinstance(node, dict):
            node = node.setdefault(key, {})
        else:
            node = node[key]


def _index(step: str, array: Sequence[Any], place: str) -> int:
    if not step.isascii() or not step.isdigit() or int(step) >= len(array):
        there = f"elements 0 to {len(array) - 1}" if array else "no elements"
        raise HookkitError(f"path {place!r}: the array has {there}")
    return int(step)


def _replace(node: Any, steps: Sequence[str], make: Callable[[Any], Any]) -> None:
    """Replace the value at the end of *steps*; ``*`` means every element of an array."""
    step, *rest = steps
    keys: list[Any] = []
    if step == "*" and isinstance(node, list):
        keys = list(range(len(node)))
    elif isinstance(node, dict) and step in node:
        keys = [step]
    for key in keys:
        if rest:
            _replace(node[key], rest, make)
        else:
            node[key] = make(node[key])


def _similar_id(old: str) -> str:
    """Return a random id of the same form: a UUID, hexadecimal, or letters and digits."""
    try:
        if str(uuid.UUID(old)) == old.lower():
            fresh = str(uuid.uuid4())
            return fresh if old.islower() else fresh.upper()
    except ValueError:
        pass
    kinds = [_HEX] if set(old) <= set(_HEX) and not old.isdigit() else []
    kinds += [string.digits, string.ascii_lowercase, string.ascii_uppercase]
    return "".join(
        next((secrets.choice(kind) for kind in kinds if character in kind), character)
        for character in old
    )


def _same_form(old: Any, moment: datetime) -> Any:
    """Return *moment* in the format of *old*: Unix time, or ISO 8601."""
    if isinstance(old, str):
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(old, int | float) and not isinstance(old, bool):
        is_in_ms = abs(old) > _MILLISECONDS_FROM
        return round(moment.timestamp() * 1000) if is_in_ms else round(moment.timestamp(), 3)
    return old
