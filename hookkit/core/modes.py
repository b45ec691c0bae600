"""Payload versions side by side: which of them runs, and what a switch changes.

Rule 1: a fact has at most one owner. A live entry whose fact is free takes it and runs; one
        whose fact is owned by another version is a twin; within a version event ids decide.
Rule 2: a shadow entry takes nothing until it is promoted: by a switch to its version while it
        is younger than the twin window, or because that window is over and its twin never came.
Rule 3: an owner stays owner and runs in its own version, whatever is switched.
Rule 4: a body whose version is not known is always live: it has no twin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from hookkit.core.entry import State


class Mode(StrEnum):
    """What becomes of the events of a payload version."""

    #: They run.
    LIVE = "live"
    #: They are kept beside their live twins, and do not run.
    SHADOW = "shadow"
    #: Their ids are kept, so that they are counted once.
    IGNORE = "ignore"


#: mode -> the state of a new entry, before its fact is looked at.
STATES: Mapping[Mode, State] = {
    Mode.LIVE: State.PENDING,
    Mode.SHADOW: State.SHADOW,
    Mode.IGNORE: State.IGNORED,
}


class Change(NamedTuple):
    """A mode that somebody has switched.

    Attributes:
        vendor_type: ``""`` is the whole version, and undoes earlier changes of its types.
    """

    version: str
    vendor_type: str
    mode: Mode


class Owner(NamedTuple):
    """The entry that runs for a fact."""

    entry_id: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """The modes of an endpoint at one moment.

    Attributes:
        of_versions: By payload version; a version that is missing is ignored.
        of_types: By version and vendor type, where the mode differs from the version's.
        has_twins: Whether two versions may report one fact, so that owners must be kept.
    """

    of_versions: Mapping[str, Mode]
    of_types: Mapping[tuple[str, str], Mode]
    has_twins: bool = field(init=False)

    def __post_init__(self) -> None:
        heard = {name for name, mode in self.of_versions.items() if mode is not Mode.IGNORE}
        heard |= {name for (name, _), mode in self.of_types.items() if mode is not Mode.IGNORE}
        object.__setattr__(self, "has_twins", len(heard) > 1)

    def of(self, version: str, vendor_type: str) -> Mode:
        """Return the mode of a vendor type of *version*."""
        if not version:
            return Mode.LIVE
        of_version = self.of_versions.get(version, Mode.IGNORE)
        return self.of_types.get((version, vendor_type), of_version)

    def state_of(self, version: str, vendor_type: str) -> State:
        """Return the state of a new entry, before its fact is looked at."""
        return STATES[self.of(version, vendor_type)]


def modes_after(declared: Mapping[str, Mode], changes: Iterable[Change]) -> Modes:
    """Return the modes *declared* in the settings, with *changes* applied, oldest first."""
    of_versions = dict(declared)
    of_types: dict[tuple[str, str], Mode] = {}
    for change in changes:
        if change.vendor_type:
            of_types[change.version, change.vendor_type] = change.mode
            continue
        of_versions[change.version] = change.mode
        of_types = {key: mode for key, mode in of_types.items() if key[0] != change.version}
    return Modes(of_versions=of_versions, of_types=of_types)


def runs_beside(owner_version: str | None, version: str) -> bool:
    """Tell whether a live entry runs; *owner_version* is None while its fact is free."""
    return owner_version in (None, version)


def switch_changes(
    target: str,
    modes: Modes,
    uncounted: Mapping[str, Collection[str]],
    apart: Collection[str] = (),
) -> tuple[Change, ...]:
    """Return what a switch to *target* changes.

    Versions that were live go on in shadow: their redeliveries find their owners, a fact that
    only they have seen is noticed, and the way back stays open.

    Args:
        uncounted: By version, the vendor types that have no counterpart in *target*; they
            stay live where they are.
        apart: Versions that have nothing in common with *target*, and go on as they are.
    """
    changes = [Change(target, "", Mode.LIVE)]
    for version, mode in modes.of_versions.items():
        if version == target or version in apart or mode is not Mode.LIVE:
            continue
        changes.append(Change(version, "", Mode.SHADOW))
        changes += [
            Change(version, vendor_type, Mode.LIVE)
            for vendor_type in sorted(uncounted.get(version, ()))
        ]
    return tuple(changes)


def is_young(received_ms: int, *, now_ms: int, window_ms: int) -> bool:
    """Tell whether a shadow entry is promoted by a switch to its version if its fact is free."""
    return now_ms - received_ms < window_ms


def is_orphan(received_ms: int, *, switched_ms: int, now_ms: int, window_ms: int) -> bool:
    """Tell whether a shadow entry near a switch has waited for its twin long enough."""
    is_near = abs(received_ms - switched_ms) <= window_ms
    return is_near and not is_young(received_ms, now_ms=now_ms, window_ms=window_ms)


def is_over(*, switched_ms: int, now_ms: int, window_ms: int) -> bool:
    """Tell whether no entry near a switch can become an orphan any more."""
    return now_ms - switched_ms > 2 * window_ms
