"""Move an endpoint from one payload version to another: compare, rehearse, switch, retire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hookkit.core.entry import Filter
from hookkit.core.errors import ConfigurationError, SwitchRefused
from hookkit.core.handlers import Handler, HandlerRegistry
from hookkit.core.modes import Change, Mode, Modes, modes_after, switch_changes
from hookkit.core.provider import Provider
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Kept, Switched, from_ms, to_ms
from hookkit.receiving.endpoint import Endpoint
from hookkit.switching.comparison import Row, obstacles, watched_s
from hookkit.switching.counterparts import (
    counterparts,
    has_counterparts,
    is_registered_by_name,
    kind_of,
    waits_for,
    words_of,
    words_without_counterpart,
)
from hookkit.switching.evidence import Evidence
from hookkit.switching.rehearsal import Rehearsal, never, rehearse

#: How many of the newest events are read for a comparison, and how many at once.
LOOK_AT = 10_000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Concern:
    """A handler that a switch concerns: it waits for events of either version.

    Attributes:
        words: The words that it is registered for.
        loses: Old-version words that it receives and whose new-version counterparts it would miss.
    """

    handler: str
    words: tuple[str, ...]
    loses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A trigger that must be ticked at the vendor for the webhook of the new version.

    Attributes:
        instead_of: The words of the old version that it replaces.
        has_come: Whether the new version has reported it, so that it is ticked already.
    """

    word: str
    instead_of: tuple[str, ...]
    has_come: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The payload versions of one endpoint.

    Attributes:
        modes: The mode of each version.
        last_seen: When each version was last received, among the newest events.
        log: The switches that were made, oldest first.
        old: The version in use, the last one if there are several; None if there is nothing to
            compare.
        new: The version to come.
        rows: The comparison, one row for each event type.
        staying: Vendor types of the old version that stay live there after a switch.
        handlers: The handlers that a switch concerns.
        triggers: What to tick at the vendor for the new version.
        obstacles: The reasons against a switch.
        watched_s: For how long both versions have been seen, in seconds.
        window_s: How long they must have been, for the comparison to mean anything: as long as
            the twin of a fact may take to arrive.
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
    watched_s: float = 0.0
    window_s: float = 0.0

    @property
    def reasons(self) -> Sequence[str]:
        """What speaks against a switch now: the obstacles, or that too little was seen."""
        if self.obstacles or self.watched_s >= self.window_s:
            return self.obstacles
        needed = f"{self.watched_s:.0f} s, and are judged after {self.window_s:.0f} s"
        return (f"not enough seen yet: both versions have been watched for {needed}",)

    @property
    def is_safe(self) -> bool:
        """Whether nothing speaks against a switch."""
        return not self.reasons

    @property
    def is_undecided(self) -> bool:
        """Whether nothing speaks against a switch but that too little was seen."""
        return not self.obstacles and not self.is_safe


def _kept_entries(inbox: Inbox, endpoint: str) -> Iterator[Kept]:
    """Yield the newest entries of *endpoint* with their bodies, newest first."""
    ids = [each.entry_id for each in inbox.reading.glimpses(endpoint, limit=LOOK_AT)]
    for first in range(0, len(ids), _PAGE):
        these = Filter(entry_ids=ids[first : first + _PAGE])
        yield from inbox.kept(wanted=these, limit=_PAGE)


def _wanted(handlers: Sequence[Handler], provider: Provider, version: str) -> set[str]:
    """Return the event types of *version* that any of *handlers* waits for."""
    return {
        kind_of(provider, version, word)
        for word in words_of(provider, version)
        if any(waits_for(handler, provider, version, word) for handler in handlers)
    }


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
    reported: Collection[tuple[str, str]],
    old: str,
    new: str,
) -> list[Tick]:
    """Return the triggers of *new* that replace what was reported or what handlers name."""
    needed: dict[str, list[str]] = {}
    for version in (old, new):
        for word in words_of(provider, version):
            is_named = any(
                is_registered_by_name(handler, provider, version, word) for handler in handlers
            )
            if is_named or (version == old and (old, word) in reported):
                for other in counterparts(provider, word, new):
                    instead_of = needed.setdefault(other, [])
                    instead_of += [word] if version == old else []
    return [
        Tick(word, tuple(needed[word]), (new, word) in reported)
        for word in words_of(provider, new)
        if word in needed
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointVersions:
    """The payload versions of one application's endpoints, and what a person may do to them.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: The endpoints that the application serves, by name.
        registry: The handlers.
        run_soon: Has entries run that became due, given their ids.
        window_s: How long the twin of a fact may take to arrive, in seconds.
        evidence: What this process has read of each endpoint.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    endpoints: Mapping[str, Endpoint]
    registry: HandlerRegistry
    run_soon: Callable[[Sequence[int]], None]
    window_s: float
    evidence: dict[str, Evidence] = field(default_factory=dict)

    def status(self, name: str, new: str | None = None) -> Status:
        """Return the modes of endpoint *name*, and a comparison of two of its versions.

        Args:
            new: The version to compare with the one in use; default is the one in shadow.

        Raises:
            ConfigurationError: There is no such endpoint or version, or the settings name no
                modes for it.
            Unavailable: The inbox cannot be reached.
        """
        modes = self._modes(name, new)
        endpoint = self.endpoints[name]
        live, new = _sides(endpoint.provider, modes, new)
        status = Status(
            endpoint=name,
            modes=modes.of_versions,
            last_seen={},
            log=self.inbox().switches.log(name),
            old=live[-1] if live else None,
            new=new,
        )
        return self._compared(status, endpoint, live)

    def _compared(self, status: Status, endpoint: Endpoint, live: Collection[str]) -> Status:
        """Return *status* with everything that the kept entries show of its two versions.

        The events of all *live* versions are counted together: look-alike bodies of one webhook
        may be detected as different versions.
        """
        old, new, provider = status.old, status.new, endpoint.provider
        last_seen: dict[str, datetime] = {}
        reported: set[tuple[str, str]] = set()
        staying = set[tuple[str, str]]()
        if new is not None:
            staying = {
                (each, word)
                for each in live
                for word in words_without_counterpart(provider, each, new)
            }
        compared = []
        for seen in self.inbox().reading.glimpses(endpoint.name, limit=LOOK_AT):
            what = seen.version, seen.vendor_type
            last_seen.setdefault(seen.version, from_ms(seen.received_ms))
            reported.add(what)
            if seen.version in live and what not in staying:
                compared.append((seen, old or ""))
            elif seen.version == new:
                compared.append((seen, new))
        status = replace(status, last_seen=last_seen)
        if old is None or new is None:
            return status
        now_ms, window_ms = to_ms(self.clock()), round(self.window_s * 1000)
        sightings, rows = self._evidence_of(endpoint).compare(
            compared, old=old, new=new, now_ms=now_ms, window_ms=window_ms
        )
        ours = [
            each
            for each in self.registry.handlers.values()
            if each.condition.endpoint in (None, endpoint.name)
        ]
        return replace(
            status,
            rows=rows,
            staying=sorted({word for _, word in staying}),
            handlers=list(_concerns(ours, provider, old, new)),
            triggers=_triggers(ours, provider, reported, old, new),
            watched_s=watched_s(sightings, now_ms),
            window_s=self.window_s,
            obstacles=obstacles(rows, old=old, new=new, wanted=_wanted(ours, provider, old)),
        )

    def _evidence_of(self, endpoint: Endpoint) -> Evidence:
        found = self.evidence.get(endpoint.name)
        if found is None:
            made = Evidence(endpoint.name, endpoint.provider, self.inbox)
            found = self.evidence.setdefault(endpoint.name, made)
        return found

    def after_fork(self) -> None:
        """Forget in a child process what the parent has read, and who held the locks."""
        self.evidence.clear()

    def switch(self, name: str, version: str, *, who: str, is_forced: bool = False) -> int:
        """Make *version* live in place of the others; return the number of promoted entries.

        Args:
            who: The person who switches, for the log.
            is_forced: Switch in spite of the obstacles that ``status`` reports.

        Raises:
            ConfigurationError: As ``status``.
            SwitchRefused: *version* alone is live already; or there are obstacles, and
                *is_forced* is false.
            Unavailable: The inbox cannot be reached.
        """
        modes = self._modes(name, version)
        if _of_mode(modes, Mode.LIVE) == [version]:
            raise SwitchRefused(f"{version} is what is live at {name} already")
        if not is_forced and (in_the_way := self.status(name, version).reasons):
            raise SwitchRefused(*in_the_way)
        provider = self.endpoints[name].provider
        staying = {
            each: words_without_counterpart(provider, each, version)
            for each in modes.of_versions
            if each in provider.versions
        }
        apart = [each for each in staying if not has_counterparts(provider, each, version)]
        return self._change(name, switch_changes(version, modes, staying, apart), who)

    def retire(self, name: str, version: str, *, who: str, is_forced: bool = False) -> None:
        """Ignore *version* from now on.

        Args:
            who: The person who retires it, for the log.
            is_forced: Retire it although it is live, or handlers wait for what only it reports.

        Raises:
            ConfigurationError: As ``status``.
            SwitchRefused: No other version is live; or there are reasons to keep it, and
                *is_forced* is false.
            Unavailable: The inbox cannot be reached.
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

    def rehearse(
        self, name: str, new: str | None = None, *, is_over: Callable[[], bool] = never
    ) -> Rehearsal:
        """Try a switch of endpoint *name* on its kept deliveries, without running handlers.

        Args:
            new: The version to switch to; default is the one in shadow.
            is_over: Tells whether the time for it is over.

        Raises:
            ConfigurationError: As ``status``.
            SwitchRefused: There are no two versions, or no delivery of one of them is kept; or
                the time is over.
            Unavailable: The inbox cannot be reached.
        """
        modes = self._modes(name, new)
        provider = self.endpoints[name].provider
        live, new = _sides(provider, modes, new)
        if new is None:
            raise SwitchRefused(f"there are no two versions at {name} to switch between")
        kept = _kept_entries(self.inbox(), name)
        return rehearse(provider, kept, live=live, new=new, window_s=self.window_s, is_over=is_over)

    def promote_held_back(self) -> int:
        """Run events that a switch held back and whose twins never came; return their number.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        if all(each.modes is None for each in self.endpoints.values()):
            return 0
        promoted = self.inbox().switches.promote_orphans(now=self.clock(), window_s=self.window_s)
        self.run_soon(promoted)
        return len(promoted)

    def _change(self, name: str, changes: Sequence[Change], who: str) -> int:
        promoted = self.inbox().switches.change(
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
        log = self.inbox().switches.log(name)
        return modes_after(
            endpoint.modes, [Change(one.version, one.vendor_type, one.mode) for one in log]
        )

    def _reasons_to_keep(self, name: str, version: str, live: Collection[str]) -> list[str]:
        provider = self.endpoints[name].provider
        words = set.intersection(
            *(set(words_without_counterpart(provider, version, each)) for each in live)
        )
        return [
            f"{word}: only {version} reports it, and handler {handler.name} waits for it"
            for word in sorted(words)
            for handler in self.registry.handlers.values()
            if is_registered_by_name(handler, provider, version, word)
        ]


def _of_mode(modes: Modes, wanted: Mode) -> list[str]:
    return [version for version, mode in modes.of_versions.items() if mode is wanted]


def _sides(provider: Provider, modes: Modes, new: str | None) -> tuple[list[str], str | None]:
    """Return the versions in use and the one to come; ([], None) if there are no two.

    Versions that have nothing in common with the one to come, such as webhooks of apps, are
    left out.
    """
    if new is None:
        new = next(iter(_of_mode(modes, Mode.SHADOW)), None)
    if new is None:
        return [], None
    live = [
        version
        for version in _of_mode(modes, Mode.LIVE)
        if version != new and has_counterparts(provider, version, new)
    ]
    return (live, new) if live else ([], None)
