"""How an inbox stands, for callers that ask often: it is read once in a while, by one thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar

from hookkit.core.entry import State, seconds_overdue
from hookkit.core.errors import Unavailable
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox
from hookkit.log import BoundedLog
from hookkit.operating.checkup import MAX_OVERDUE_S
from hookkit.operating.silence import Silence, find_silent

_T = TypeVar("_T")

#: How long an answer is given again, in seconds: one about readiness, and one about all the rest.
READY_S = 1.0
SEEN_S = 10.0

#: How long a caller waits for the very first answer, in seconds.
FIRST_S = 1.0

#: An older answer is not given any more, even while a new one takes long, in seconds.
STALE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How an inbox stood a moment ago; empty where it could not be read.

    Attributes:
        error: Why it could not be read; None if it could.
        entries: The number of entries in each state; 1001 stands for more.
        overdue_s: How long what is due first has waited for a worker, in seconds.
        last_at: When the last proven delivery to each endpoint came, to the minute.
        silent: The endpoints that have fallen silent, by name.
    """

    error: str | None = None
    entries: Mapping[State, int] = field(default_factory=dict)
    overdue_s: float = 0.0
    last_at: Mapping[str, datetime] = field(default_factory=dict)
    silent: Mapping[str, Silence] = field(default_factory=dict)

    @property
    def concerns(self) -> list[str]:
        """What a person should look at, a sentence each; empty if nothing needs one."""
        concerns = [] if self.error is None else [f"inbox: {self.error}"]
        if self.overdue_s > MAX_OVERDUE_S:
            concerns.append(f"inbox: what is due first has waited for {self.overdue_s:.0f} s")
        dead = self.entries.get(State.DEAD, 0)
        if dead:
            concerns.append(f"inbox: {counted(dead, 'event is dead', 'events are dead')}")
        return [*concerns, *map(str, self.silent.values())]


class Watch:
    """Looks into an inbox for health checks and metrics, which strangers may cause.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: The names of the endpoints that the application serves.
    """

    def __init__(
        self,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        endpoints: Collection[str],
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._endpoints = endpoints
        self._log = BoundedLog()
        self.after_fork()

    def after_fork(self) -> None:
        """Forget in a child process what the parent has seen, and who held the locks."""
        late = "the inbox has not answered in time"
        self._ready: _Remembered[str | None] = _Remembered(self._problem, READY_S, otherwise=late)
        self._seen = _Remembered(self._see, SEEN_S, otherwise=Seen(error=late))

    def problem(self) -> str | None:
        """Return why events can be neither stored nor handled now; None if they can."""
        return self._ready.get()

    def look(self) -> Seen:
        """Return how the inbox stands."""
        return self._seen.get()

    def _problem(self) -> str | None:
        try:
            self._inbox().next_due_at(self._endpoints)
        except Unavailable as error:
            self._warn(error)
            return str(error)
        return None

    def _see(self) -> Seen:
        now = self._clock()
        try:
            inbox = self._inbox()
            entries, due_at = inbox.standing(self._endpoints)
            last_at, silent = find_silent(inbox.rhythm, self._endpoints, now)
            return Seen(
                entries=entries,
                overdue_s=seconds_overdue(due_at, now),
                last_at=last_at,
                silent=silent,
            )
        except Unavailable as error:
            self._warn(error)
            return Seen(error=str(error))

    def _warn(self, error: Unavailable) -> None:
        self._log.write(
            logging.WARNING,
            (),
            "cannot tell how the inbox stands: %s",
            error,
            extra={"action": "watch_unavailable"},
            at_once=1,
        )


class _Remembered(Generic[_T]):
    """An answer that is found anew after *for_s* seconds, by one thread at a time.

    Other threads get the last answer meanwhile. If there is none, or it is too old, they get
    *otherwise*.
    """

    def __init__(self, find: Callable[[], _T], for_s: float, *, otherwise: _T) -> None:
        self._find = find
        self._for_s = for_s
        self._otherwise = otherwise
        self._found: tuple[float, _T] | None = None
        self._lock = Lock()

    def get(self) -> _T:
        found = self._found
        if found is not None and time.monotonic() - found[0] < self._for_s:
            return found[1]
        # The first ones wait for it: a process that has just started is not broken.
        if not self._lock.acquire(timeout=FIRST_S if found is None else 0):
            is_stale = found is None or time.monotonic() - found[0] > STALE_S
            return self._otherwise if found is None or is_stale else found[1]
        try:
            latest = self._found
            if latest is not None and time.monotonic() - latest[0] < self._for_s:
                return latest[1]
            answer = self._find()
            self._found = (time.monotonic(), answer)
            return answer
        finally:
            self._lock.release()
