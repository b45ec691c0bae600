"""What an inbox tells of replays of many entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hookkit.core.entry import Filter, State


class Ending(StrEnum):
    """How a replay of many entries has ended."""

    #: Every entry was looked at.
    DONE = "done"
    #: A person ended it.
    CANCELLED = "cancelled"
    #: It stopped itself: its first entries failed again.
    FAILING = "failing"


class Bulk(NamedTuple):
    """What a replay needs that housekeeping does, in whichever process has the time.

    Attributes:
        title: What people call it.
        per_second: The most entries that become due in a second, at least 1.
        up_to_id: The newest entry that there was when a person looked at what would run.
        previewed_count: How many entries would run, as that person saw it.
    """

    title: str
    per_second: int
    up_to_id: int
    previewed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRecord:
    """A replay of many entries, and how far it is.

    Attributes:
        wanted: Which entries it is about.
        handlers: The only handlers that it runs; None is all.
        who: Who asked for it, as they said; ``""`` for a program.
        ended_at: None while there are entries that it has not looked at.
        after_id: Every entry up to this id has been looked at.
        up_to_id: The newest entry that it is about.
        count: How many entries it has made due.
        title: What people call it; ``""`` for a program's and a command's.
        per_second: The most entries that housekeeping makes due in a second; None if the process
            that started it does it.
        previewed_count: How many were to run, as a person saw it before it began.
        next_at: Before that, housekeeping does no step.
        paused_at: When a person paused it; None while it goes on.
        ending: None while it has not ended.
        refused: How many entries could not run again, by the reason.
    """

    id: int
    wanted: Filter
    handlers: tuple[str, ...] | None
    reason: str
    who: str
    started_at: datetime
    ended_at: datetime | None
    after_id: int
    up_to_id: int
    count: int
    title: str = ""
    per_second: int | None = None
    previewed_count: int | None = None
    next_at: datetime | None = None
    paused_at: datetime | None = None
    ending: Ending | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry that somebody may want to replay.

    Attributes:
        handlers: Those that have run for it and would run again.
    """

    id: int
    endpoint: str
    state: State
    received_at: datetime
    has_body: bool
    handlers: frozenset[str]
