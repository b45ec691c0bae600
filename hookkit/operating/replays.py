"""Runs entries again for a person: one, or many at a pace, so that it can be interrupted."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hookkit.core.entry import Filter, why_not_again
from hookkit.core.errors import ConfigurationError, ReplayRefused, not_known
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.replay_records import Bulk, Candidate, Ending, ReplayRecord

_logger = logging.getLogger("hookkit")

#: So many entries one step looks at.
STEP = 100

#: A preview counts no further.
MAX_PREVIEWED = 10_000


@dataclass(slots=True)
class Preview:
    """What a replay would do, if it began now.

    Attributes:
        count: How many entries would run.
        handlers: How many entries each handler would run for, by its name and the endpoint: the
            chosen ones, or those that have run before. Others may want an event as well.
        first_at: When the first of the entries was received.
        last_at: When the last of them was.
        refused: How many entries cannot run, by the reason.
        examples: A sentence about the newest entry with each reason.
        is_whole: Whether every entry was counted; otherwise there are more than these.
    """

    count: int = 0
    handlers: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True

    def add(self, entry: Candidate, handlers: Collection[str] | None) -> None:
        """Count *entry*, unless there are enough."""
        if self.count + self.refused.total() >= MAX_PREVIEWED:
            self.is_whole = False
            return
        how = {"has_body": entry.has_body, "is_chosen": handlers is not None}
        reason = why_not_again("an entry", entry.state, **how)
        if reason is not None:
            example = why_not_again(f"entry {entry.id}", entry.state, **how)
            self.refused[reason] += 1
            self.examples.setdefault(reason, example or reason)
            return
        self.count += 1
        at = entry.received_at
        self.first_at = at if self.first_at is None else min(at, self.first_at)
        self.last_at = at if self.last_at is None else max(at, self.last_at)
        names = entry.handlers if handlers is None else handlers
        self.handlers.update((name, entry.endpoint) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """Replays the entries of one application's inbox.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        registry: The handlers.
        endpoints: The names of the endpoints that the application serves.
        run_soon: Has entries run that became due, given their ids.
        wait: Waits so many seconds.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    registry: HandlerRegistry
    endpoints: Collection[str]
    run_soon: Callable[[Sequence[int]], None]
    wait: Callable[[float], None] = time.sleep

    def one(
        self,
        entry_id: int,
        *,
        handlers: Collection[str] | None = None,
        replays: int | None = None,
    ) -> None:
        """Run one entry again; see ``HookKit.replay``, and of *replays* ``Inbox.replay``."""
        self._check_handlers(handlers)
        self.inbox().replay(entry_id, now=self.clock(), handlers=handlers, replays=replays)
        self.run_soon([entry_id])

    def start(
        self,
        wanted: Filter,
        *,
        handlers: Collection[str] | None = None,
        reason: str = "",
        who: str = "",
        bulk: Bulk | None = None,
    ) -> ReplayRecord:
        """Record a replay of every entry that *wanted* fits now.

        Args:
            bulk: What it takes to leave it to ``advance``; None if ``go_on`` does it.

        Raises:
            ConfigurationError: A handler or the endpoint is not known.
        """
        self._check(wanted, handlers)
        return self.inbox().replays.start(
            wanted, handlers=handlers, reason=reason, who=who, now=self.clock(), bulk=bulk
        )

    def advance(self) -> float | None:
        """Do a step of each replay that was left to housekeeping and is due.

        Any process may call this at any time: together they keep to what was asked for, and none
        runs an entry twice.

        Returns:
            In how many seconds the next step is due; None if there is nothing left to do.
        """
        replays = self.inbox().replays
        pauses_s = []
        for record in replays.left_to_housekeeping():
            if not self._knows(record.handlers):
                continue  # it is for another application of this inbox, or for newer code
            entry_ids, now = replays.advance(record.id, now=self.clock(), limit=STEP)
            self.run_soon(entry_ids)
            if now is not None and now.ended_at is not None:
                _log_end(now)
            elif now is not None and now.next_at is not None:
                pauses_s.append((now.next_at - self.clock()).total_seconds())
        return max(0.0, min(pauses_s)) if pauses_s else None

    def go_on(
        self,
        replay_id: int,
        *,
        per_second: int | None = None,
        progress: Callable[[ReplayRecord], None] | None = None,
    ) -> ReplayRecord:
        """Make entries due until the replay has ended, and return how far it is then.

        It can be interrupted anywhere, and gone on with by another process.

        Args:
            per_second: The most entries that become due in a second; None sets no bound.
            progress: Called after each step that has made entries due.

        Raises:
            ReplayRefused: There is no such replay, or it has ended.
            ConfigurationError: A handler or the endpoint is not known any more.
        """
        replays = self.inbox().replays
        record = replays.read(replay_id)
        if record is None or record.ended_at is not None:
            why = "there is no" if record is None else "nothing is left to do of"
            raise ReplayRefused(f"{why} replay {replay_id}")
        if record.per_second is not None:
            raise ReplayRefused(
                f"replay {replay_id} was left to the processes that run handlers: they go on with"
                " it, unless it is paused"
            )
        self._check(record.wanted, record.handlers)
        limit = STEP if per_second is None else min(STEP, per_second)
        while record is not None and record.ended_at is None:
            entry_ids, record = replays.step(replay_id, now=self.clock(), limit=limit)
            self.run_soon(entry_ids)
            if progress is not None and record is not None and entry_ids:
                progress(record)
            if per_second is not None and record is not None and record.ended_at is None:
                self.wait(len(entry_ids) / per_second)
        if record is None:
            raise ReplayRefused(f"replay {replay_id} is gone")
        return record

    def end(self, replay_id: int) -> None:
        """End a replay that was interrupted, where it is.

        Raises:
            ReplayRefused: There is no such replay, or it has ended.
        """
        if not self.inbox().replays.end(replay_id, now=self.clock()):
            raise ReplayRefused(f"there is no replay {replay_id} that has not ended")

    def pause(self, replay_id: int) -> None:
        """Have housekeeping leave a replay alone.

        Raises:
            ReplayRefused: Housekeeping does not do it now.
        """
        if not self.inbox().replays.pause(replay_id, now=self.clock()):
            raise ReplayRefused(f"replay {replay_id} does not run now: it cannot be paused")

    def unpause(self, replay_id: int) -> None:
        """Have housekeeping go on with a replay that was paused.

        Raises:
            ReplayRefused: It was not paused.
        """
        if not self.inbox().replays.unpause(replay_id):
            raise ReplayRefused(f"replay {replay_id} is not paused")

    def newest(self) -> Sequence[ReplayRecord]:
        """Return 20 replays: those that have not ended before the others, newest first."""
        return self.inbox().replays.find(limit=20)

    def preview(
        self,
        wanted: Filter,
        handlers: Collection[str] | None = None,
        *,
        up_to_id: int | None = None,
        is_brief: bool = False,
    ) -> Preview:
        """Return what a replay of what *wanted* fits would do; change nothing.

        It stops counting at ``MAX_PREVIEWED`` entries.

        Args:
            up_to_id: The newest entry that is meant; None is the newest that there is.
            is_brief: Whether it ends after one look, which a person may wait for: what no index
                leads to is counted among the newest 100,000 entries.

        Raises:
            ConfigurationError: A handler or the endpoint is not known.
        """
        self._check(wanted, handlers)
        replays = self.inbox().replays
        newest_id = replays.newest_id()
        up_to_id = newest_id if up_to_id is None else min(up_to_id, newest_id)
        preview = Preview()
        below_id: int | None = up_to_id + 1
        while below_id is not None and preview.is_whole:
            found, below_id = replays.candidates(wanted, below_id=below_id)
            for each in found:
                preview.add(each, handlers)
            if is_brief and below_id is not None:
                preview.is_whole = False
        return preview

    def why_not(self, wanted: Filter, handlers: Collection[str] | None) -> str | None:
        """Return a sentence about why the newest entry that *wanted* fits cannot run again.

        None if it can, or if there is none for no reason but that there is nothing to do; and if
        there is none among the newest that one look goes through.
        """
        reading = self.inbox().reading
        for entry in reading.find(wanted, limit=1).records:
            return why_not_again(
                f"entry {entry.id}",
                entry.state,
                has_body=entry.has_body,
                is_chosen=handlers is not None,
            )
        if wanted.entry_ids:
            return f"there is no entry {', '.join(map(str, wanted.entry_ids))} that fits"
        if wanted.type is None:
            return None
        of_type = reading.find(Filter(type=wanted.type), limit=1)
        is_mistyped = not of_type.records and of_type.next_id is None
        return f"no entry has the type {wanted.type!r}" if is_mistyped else None

    def _check(self, wanted: Filter, handlers: Collection[str] | None) -> None:
        """Refuse names of handlers and endpoints that nothing has: nothing would run, unnoticed."""
        self._check_handlers(handlers)
        if wanted.untried_by is not None:
            self._check_handlers([wanted.untried_by])  # else every entry would fit
        if wanted.endpoint is not None and wanted.endpoint not in self.endpoints:
            raise ConfigurationError(
                f"endpoint {not_known(wanted.endpoint, sorted(self.endpoints))}"
            )

    def _knows(self, handlers: Collection[str] | None) -> bool:
        return handlers is None or set(handlers) <= set(self.registry.names)

    def _check_handlers(self, handlers: Collection[str] | None) -> None:
        if handlers is None:
            return
        unknown = sorted(set(handlers) - set(self.registry.names))
        if unknown or not handlers:
            named = ", ".join(map(repr, unknown)) or "(none is given)"
            raise ConfigurationError(
                f"no handler has the name {named}; known are {', '.join(self.registry.names)}"
            )


def _log_end(record: ReplayRecord) -> None:
    made_due = counted(record.count, "entry", "entries")
    if record.ending is Ending.FAILING:
        _logger.warning(
            "replay %d has stopped itself after %s: most of the first ones have failed again",
            record.id,
            made_due,
            extra={"action": "replay_stopped"},
        )
    else:
        _logger.info(
            "replay %d has made %s due", record.id, made_due, extra={"action": "replay_ended"}
        )
