"""An entry's kept bytes -> the event they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from hookkit.core.body import Headers
from hookkit.core.delivery import Item
from hookkit.core.event import Event
from hookkit.core.provider import Provider, normalize, split


class Readable(Protocol):
    """An entry with the bytes of its delivery, claimed or not."""

    @property
    def endpoint(self) -> str: ...  # noqa: D102

    @property
    def event_id(self) -> str: ...  # noqa: D102

    @property
    def position(self) -> int: ...  # noqa: D102

    @property
    def received_at(self) -> datetime: ...  # noqa: D102

    @property
    def body(self) -> bytes | None: ...  # noqa: D102

    @property
    def headers(self) -> Headers: ...  # noqa: D102


class Reader:
    """Reads entries by the provider of their endpoint.

    The entries of one body mostly come one after another, so the items of the last body are
    remembered: a body of many events is split once.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._last: tuple[object, tuple[Item, ...]] = (None, ())

    def read(self, entry: Readable) -> Event:
        """Return the event of *entry*, of type ``unknown`` if its body is not readable."""
        provider = self._providers[entry.endpoint]
        items = self._items(provider, entry)
        # Newer code may split differently; the position and the id stay as admitted.
        item = items[min(entry.position, len(items) - 1)]
        return normalize(provider, replace(item, event_id=entry.event_id))

    def _items(self, provider: Provider, entry: Readable) -> tuple[Item, ...]:
        key = (entry.endpoint, entry.received_at, entry.body, entry.headers)
        last_key, items = self._last  # read at once: another thread may replace it
        if key != last_key:
            items = split(
                provider,
                endpoint=entry.endpoint,
                body=entry.body or b"",
                headers=entry.headers,
                received_at=entry.received_at,
            )
            self._last = (key, items)
        return items
