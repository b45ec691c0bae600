"""How the payload versions of an endpoint stand: what they report, and what a switch would mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler
from hookkit.core.modes import (
    Mode,
)
from hookkit.core.provider import Provider
from hookkit.handling.reading import (
    Reader,
)
from hookkit.inbox.base import Inbox, to_ms
from hookkit.inbox.records import Kept, Switched
from hookkit.receiving.endpoint import (
    Endpoint,
)
from hookkit.switching.comparison import (
    Row,
    Sighting,
    compare,
    obstacles,
)
from hookkit.switching.counterparts import (
    counterparts,
    kind_of,
    names,
    uncounted,
    waits_for,
    words_of,
)

#: How many of the newest events a comparison looks at.
LOOK_AT = 10_000
_PAGE = 200


class Concern(NamedTuple):
    """A handler that waits for what either of two versions reports.

    Attributes:
        words: As it is registered.
        loses: Words of the old version that it is given, and whose counterparts it is not.
    """

    handler: str
    words: tuple[str, ...]
    loses: tuple[str, ...]


class Tick(NamedTuple):
    """A trigger that the webhook of the new version needs.

    Attributes:
        instead_of: The words of the old version that it stands for.
        has_come: Whether it is ticked already, since the new version has reported it.
    """

    word: str
    instead_of: tuple[str, ...]
    has_come: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the versions of an endpoint stand.

    Attributes:
        old: The version in use, of several the last; None when there are no two to compare.
        new: The version to come.
        last_seen: By version, among the newest events.
        log: What was switched, oldest first.
        rows: The comparison, a row per event type.
        staying: Vendor types of the old version that a switch leaves live there.
        handlers: Those that wait for what either version reports.
        triggers: What to tick at the vendor for the new version.
        obstacles: What is in the way of a switch.
    """

    endpoint: str
    modes: Mapping[str, Mode]
    last_seen: Mapping[str, datetime]
    log: Sequence[Switched]
    old: str | None
    new: str | None
    rows: Sequence[Row] = ()
    staying: Sequence[str] = ()
    handlers: Sequence[Concern] = ()
    triggers: Sequence[Tick] = ()
    obstacles: Sequence[str] = ("there are no two versions to compare",)


def kept_entries(inbox: Inbox, endpoint: str, limit: int = LOOK_AT) -> Iterator[Kept]:
    """Yield the newest entries of *endpoint* with their bytes, newest first."""
    below_id = None
    while limit > 0:
        page = inbox.versions.kept(endpoint, below_id=below_id, limit=min(limit, _PAGE))
        yield from page
        if not page:
            return
        below_id, limit = page[-1].id, limit - len(page)


def compared(
    status: Status,
    endpoint: Endpoint,
    kept: Iterable[Kept],
    handlers: Collection[Handler],
    *,
    live: Collection[str],
    now: datetime,
    window_s: float,
) -> Status:
    """Return *status* with what *kept* tells of its two versions.

    Args:
        live: The versions in use. What several report is counted as one version's: where
            bodies look alike, one webhook's are told as of several.
    """
    old, new, provider = status.old, status.new, endpoint.provider
    reader = Reader({endpoint.name: provider})
    last_seen: dict[str, datetime] = {}
    spoken: set[tuple[str, str]] = set()
    sightings = []
    if new is not None:
        staying = {(each, word) for each in live for word in uncounted(provider, each, new)}
    else:
        staying = set()
    for one in kept:
        last_seen.setdefault(one.version, one.received_at)
        spoken.add((one.version, one.vendor_type))
        if one.version not in (*live, new) or (one.version, one.vendor_type) in staying:
            continue
        sighting = _sighting(reader, provider, one)
        sightings.append(sighting if one.version == new else sighting._replace(version=old or ""))
    status = replace(status, last_seen=last_seen)
    if old is None or new is None:
        return status
    rows = compare(sightings, old=old, new=new, now_ms=to_ms(now), window_ms=round(window_s * 1000))
    ours = [each for each in handlers if each.condition.endpoint in (None, endpoint.name)]
    wanted = {
        kind_of(provider, old, word)
        for word in words_of(provider, old)
        if any(waits_for(handler, provider, old, word) for handler in ours)
    }
    return replace(
        status,
        rows=rows,
        staying=sorted({word for _, word in staying}),
        handlers=list(_concerns(ours, provider, old, new)),
        triggers=_triggers(ours, provider, spoken, old, new),
        obstacles=obstacles(rows, old=old, new=new, wanted=wanted),
    )


def _sighting(reader: Reader, provider: Provider, one: Kept) -> Sighting:
    event: Event | None = None
    kind = kind_of(provider, one.version, one.vendor_type)
    if one.body is not None:
        # The vendor's own item is compared by nobody, and large.
        event = replace(reader.read(one), raw={})
        if event.type not in (EventType.OTHER, EventType.UNKNOWN):
            kind = event.type.value
    return Sighting(
        entry_id=one.id,
        version=one.version,
        kind=kind,
        fact=one.fact,
        received_ms=to_ms(one.received_at),
        lane=one.lane,
        event=event,
    )


def _concerns(
    handlers: Iterable[Handler], provider: Provider, old: str, new: str
) -> Iterator[Concern]:
    for handler in handlers:
        given = {
            version: [
                word
                for word in words_of(provider, version)
                if waits_for(handler, provider, version, word)
            ]
            for version in (old, new)
        }
        if given[old] or given[new]:
            loses = tuple(
                word
                for word in given[old]
                if (others := counterparts(provider, word, new))
                and not set(others) & set(given[new])
            )
            yield Concern(handler.name, tuple(each.word for each in handler.triggers), loses)


def _triggers(
    handlers: Sequence[Handler],
    provider: Provider,
    spoken: Collection[tuple[str, str]],
    old: str,
    new: str,
) -> list[Tick]:
    """Return what of *new* stands for what *old* reports, or is waited for by name."""
    needed: dict[str, list[str]] = {}
    for version in (old, new):
        for word in words_of(provider, version):
            is_named = any(names(handler, provider, version, word) for handler in handlers)
            if is_named or (version == old and (old, word) in spoken):
                for other in counterparts(provider, word, new):
                    instead_of = needed.setdefault(other, [])
                    instead_of += [word] if version == old else []
    return [
        Tick(word, tuple(needed[word]), (new, word) in spoken)
        for word in words_of(provider, new)
        if word in needed
    ]
