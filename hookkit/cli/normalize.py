"""``hookkit normalize``: read a body as an endpoint would, and print the unified events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click

from hookkit.cli.http_text import read_request
from hookkit.cli.terminal import click_errors, show_json
from hookkit.core.body import Headers, encode_body
from hookkit.core.delivery import Item
from hookkit.core.errors import BodyUnreadable
from hookkit.core.event import Event, EventType
from hookkit.core.provider import Provider, normalize, split
from hookkit.providers import find_provider, load_providers
from hookkit.schemas.event import EventSchema
from hookkit.senders import SENDERS


def _header(context: click.Context, parameter: click.Parameter, lines: tuple[str, ...]) -> Headers:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter(f"{line!r} is not NAME: VALUE")
        headers[name.strip().lower()] = value.strip()
    return headers


@click.command("normalize")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--provider",
    "name",
    metavar="NAME",
    help="The vendor or sender. Default: the vendor whose payload it looks like.",
)
@click.option("--version", help="The payload version. Default: the one that the body shows.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_header,
    metavar="'NAME: VALUE'",
    help="A header that came with the body. Repeatable.",
)
@click.pass_context
def normalize_command(
    context: click.Context,
    *,
    file: BinaryIO,
    name: str | None,
    version: str | None,
    headers: Headers,
) -> None:
    """Print the unified events in FILE as JSON.

    FILE holds a body, or a whole HTTP request with its headers. - is the standard input. The
    payload is shown as it is, without the vendor's secret. The exit status is 1 if an event is
    not understood.
    """
    text = file.read()
    try:
        request = read_request(text)
    except ValueError as error:
        raise click.UsageError(f"FILE begins like an HTTP request, but {error}") from error
    body = text if request is None else request.body
    headers = headers if request is None else {**request.headers, **headers}
    with click_errors(click.UsageError):
        given = None if name is None else find_provider(name)
    provider = given or _detected(body, headers)
    if version is not None:
        provider = _pinned(provider, version)
    found = described(provider, body, headers)
    show_json(found)
    is_unknown = any(each["type"] == EventType.UNKNOWN for each in found["events"])
    context.exit(1 if is_unknown else 0)


def described(provider: Provider, body: bytes, headers: Headers) -> Mapping[str, Any]:
    """Return what *provider* reads in *body*, as JSON types.

    With an event, ``unread_fields`` names the paths of its ``raw`` that nothing else shows.
    """
    items = split_now(provider, body, headers)
    events = [normalize(provider, item) for item in items]
    dumped = EventSchema(many=True).dump(events)
    return {
        "provider": provider.name,
        "version": events[0].version or None,
        "events": [
            {**shown, **_unread(provider, item, event)}
            for shown, item, event in zip(dumped, items, events, strict=True)
        ],
    }


def split_now(provider: Provider, body: bytes, headers: Headers) -> Sequence[Item]:
    """Return the items of a body that arrives at this moment."""
    kept = provider.keep(headers)
    return split(provider, endpoint="", body=body, headers=kept, received_at=datetime.now(UTC))


#: Each path costs another reading: an event with more bytes than this is only read once.
MAX_PROBED_BYTES = 1 << 16


def _unread(provider: Provider, item: Item, event: Event) -> Mapping[str, list[str]]:
    """Return the paths without which *item* would be read as the same *event*, if any.

    They are fields that are not documented, or that the unified model has no place for.
    """
    is_empty = event.type in (EventType.UNKNOWN, EventType.OTHER)
    if is_empty or len(encode_body(item.raw)) > MAX_PROBED_BYTES:
        return {}
    seen = replace(event, raw={})

    def is_read(path: Sequence[str | int]) -> bool:
        changed = normalize(provider, replace(item, raw=_without(item.raw, path)))
        return replace(changed, raw={}) != seen

    def below(node: object, path: Sequence[str | int]) -> Iterator[str]:
        for key, value in _children(node):
            here = [*path, key]
            # The id and the word of the item are read before the item is.
            if value in (None, event.id, event.vendor_type):
                continue
            if is_read(here):
                yield from below(value, here)
            else:
                yield ".".join(map(str, here))

    found = list(below(item.raw, []))
    return {"unread_fields": found} if found else {}


def _children(node: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(node, Mapping):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def _without(node: Any, path: Sequence[str | int]) -> Any:
    """Return a copy of *node* that lacks the value at *path*; an element becomes null."""
    key, *rest = path
    copy: Any = dict(node) if isinstance(node, Mapping) else list(node)
    if rest:
        copy[key] = _without(copy[key], rest)
    elif isinstance(copy, dict):
        del copy[key]
    else:
        copy[int(key)] = None
    return copy


def _detected(body: bytes, headers: Headers) -> Provider:
    """Return the vendor that understands most of *body*.

    Raises:
        click.UsageError: None does, or several do equally well.
    """
    understood: dict[str, int] = {}
    for provider in load_providers().values():
        if provider.name not in SENDERS and _shows_version(provider, body, headers):
            events = [normalize(provider, item) for item in split_now(provider, body, headers)]
            understood[provider.name] = sum(each.type is not EventType.UNKNOWN for each in events)
    best = [name for name, count in understood.items() if count == max(understood.values())]
    if len(best) != 1:
        found = f"it could be {' or '.join(best)}" if best else "it looks like no vendor's payload"
        raise click.UsageError(f"{found}: give --provider")
    return find_provider(best[0])


def _shows_version(provider: Provider, body: bytes, headers: Headers) -> bool:
    try:
        document = provider.decode(body)
    except BodyUnreadable:
        return False
    return provider.version_of(document, provider.keep(headers)) in provider.versions


def _pinned(provider: Provider, version: str) -> Provider:
    """Return *provider* as one that reads every body as *version*."""
    if version not in provider.versions:
        known = ", ".join(provider.versions)
        raise click.UsageError(f"{provider.name} has no version {version!r}; it has {known}")
    return replace(provider, detect_version=lambda _document, _headers: version, pinnable=())
