"""Moving an endpoint from one payload version to another: look, switch, retire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from hookkit.core.errors import ConfigurationError, SwitchRefused
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler, HandlerRegistry
from hookkit.core.modes import Change, Mode, Modes, modes_after, switch_changes
from hookkit.core.provider import Provider
from hookkit.handling.reading import Reader
from hookkit.inbox.base import Inbox, to_ms
from hookkit.inbox.records import Kept, Switched
from hookkit.receiving.endpoint import Endpoint
from hookkit.switching.comparison import Row, Sighting, compare, obstacles
from hookkit.switching.counterparts import (
    counterparts,
    kind_of,
    names,
    succeeds,
    uncounted,
    waits_for,
    words_of,
)
from hookkit.switching.rehearsal import Rehearsal, rehearse

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What people may do to the versions of one application's endpoints.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: Those that the application serves, by name.
        registry: The handlers.
        run_soon: Sees to entries that became due.
        window_s: How long the twin of a fact may take to arrive.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    endpoints: Mapping[str, Endpoint]
    registry: HandlerRegistry
    run_soon: Callable[[Sequence[int]], None]
    window_s: float

    def status(self, name: str, new: str | None = None) -> Status:
        """Return how the versions of endpoint *name* stand.

        Args:
            new: The version to compare with the one in use; default is the one in shadow.
        """
        modes = self._modes(name)
        provider = self.endpoints[name].provider
        live, new = _of_interest(provider, modes, new)
        inbox = self.inbox()
        return compared(
            Status(
                endpoint=name,
                modes=modes.of_versions,
                last_seen={},
                log=inbox.versions.log(name),
                old=live[-1] if live else None,
                new=new,
            ),
            self.endpoints[name],
            kept_entries(inbox, name),
            self.registry.handlers.values(),
            live=live,
            now=self.clock(),
            window_s=self.window_s,
        )

    def switch(self, name: str, version: str, *, who: str, is_forced: bool = False) -> int:
        """Make *version* live in place of the others; return how many entries it promoted.

        Raises:
            ConfigurationError: There is no such endpoint or version, or its modes are not named.
            SwitchRefused: The comparison is not clean, and *is_forced* is not given.
        """
        modes = self._modes(name, version)
        if _of_mode(modes, Mode.LIVE) == [version]:
            raise SwitchRefused(f"{version} is what is live at {name} already")
        if not is_forced and (in_the_way := self.status(name, version).obstacles):
            raise SwitchRefused(*in_the_way)
        provider = self.endpoints[name].provider
        staying = {
            each: uncounted(provider, each, version)
            for each in modes.of_versions
            if each in provider.versions
        }
        apart = [each for each in staying if not succeeds(provider, version, each)]
        return self._change(name, switch_changes(version, modes, staying, apart), who)

    def retire(self, name: str, version: str, *, who: str, is_forced: bool = False) -> None:
        """Ignore *version* from now on.

        Raises:
            ConfigurationError: There is no such endpoint or version, or its modes are not named.
            SwitchRefused: It is live, or handlers want what only it reports, and *is_forced*
                is not given.
        """
        modes = self._modes(name, version)
        live = [each for each in _of_mode(modes, Mode.LIVE) if each != version]
        if not live:
            raise SwitchRefused(f"nothing else is live at {name}: switch to another version first")
        if not is_forced:
            in_the_way = self._reasons_to_keep(name, version, live)
            if modes.of_versions[version] is Mode.LIVE:
                in_the_way.insert(0, f"{version} is live: switch to another version first")
            if in_the_way:
                raise SwitchRefused(*in_the_way)
        self._change(name, [Change(version, "", Mode.IGNORE)], who)

    def rehearse(self, name: str, new: str | None = None) -> Rehearsal:
        """Try a switch of endpoint *name* on its kept deliveries; nothing is handled.

        Args:
            new: The version to switch to; default is the one in shadow.

        Raises:
            ConfigurationError: There is no such endpoint, or its modes are not named.
            SwitchRefused: There are no two versions, or nothing is kept of one of them.
        """
        modes = self._modes(name, new)
        provider = self.endpoints[name].provider
        live, new = _of_interest(provider, modes, new)
        if new is None:
            raise SwitchRefused(f"there are no two versions at {name} to switch between")
        kept = kept_entries(self.inbox(), name)
        return rehearse(provider, kept, live=live, new=new, window_s=self.window_s)

    def sweep(self) -> int:
        """Run what is left near a switch and whose twin never came; return how many that were."""
        if all(each.modes is None for each in self.endpoints.values()):
            return 0
        promoted = self.inbox().versions.promote_orphans(now=self.clock(), window_s=self.window_s)
        self.run_soon(promoted)
        return len(promoted)

    def _change(self, name: str, changes: Sequence[Change], who: str) -> int:
        promoted = self.inbox().versions.change(
            name, changes, who=who, now=self.clock(), window_s=self.window_s
        )
        self.run_soon(promoted)
        return len(promoted)

    def _modes(self, name: str, version: str | None = None) -> Modes:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            known = ", ".join(self.endpoints)
            raise ConfigurationError(f"no endpoint has the name {name!r}; known are {known}")
        if endpoint.modes is None:
            why = (
                "its vendor changes the version of a webhook in place, so that there is nothing"
                " to switch here"
                if not endpoint.provider.parallel
                else "give each version a mode there, deploy that, and come back"
            )
            raise ConfigurationError(f"HOOKKIT_ENDPOINTS.{name}.versions: names no modes; {why}")
        if version is not None and version not in endpoint.modes:
            known = ", ".join(endpoint.modes)
            raise ConfigurationError(
                f"HOOKKIT_ENDPOINTS.{name}.versions: does not list {version!r}; it lists {known}"
            )
        log = self.inbox().versions.log(name)
        return modes_after(
            endpoint.modes, [Change(one.version, one.vendor_type, one.mode) for one in log]
        )

    def _reasons_to_keep(self, name: str, version: str, live: Collection[str]) -> list[str]:
        provider = self.endpoints[name].provider
        words = set.intersection(*(set(uncounted(provider, version, each)) for each in live))
        return [
            f"{word}: only {version} reports it, and handler {handler.name} waits for it"
            for word in sorted(words)
            for handler in self.registry.handlers.values()
            if names(handler, provider, version, word)
        ]


def _of_mode(modes: Modes, wanted: Mode) -> list[str]:
    return [version for version, mode in modes.of_versions.items() if mode is wanted]


def _of_interest(provider: Provider, modes: Modes, new: str | None) -> tuple[list[str], str | None]:
    """Return the versions in use and the one to come; none and None where there are no two.

    What has nothing in common with the one to come, as webhooks of apps, is not looked at.
    """
    if new is None:
        new = next(iter(_of_mode(modes, Mode.SHADOW)), None)
    if new is None:
        return [], None
    live = [
        version
        for version in _of_mode(modes, Mode.LIVE)
        if version != new and succeeds(provider, new, version)
    ]
    return (live, new) if live else ([], None)
