"""Publishes wake-ups beside the requests, not in them: few, and none while the broker is away.

Rule 1: whoever wants a wake-up is not held up; a thread publishes it.
Rule 2: a wake-up is for whatever is due when it is read, so few stand for many.
Rule 3: after a failure nothing is tried for a while, then once (a circuit breaker).
Rule 4: what is lost here costs time alone: the entry is in the inbox, and a sweep finds it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Event, Thread

_logger = logging.getLogger("hookkit")

#: Between two wake-ups of this process, in seconds: what comes meanwhile shares the next.
PAUSE_S = 0.05

#: How long the broker is left alone after a failure.
BREAK_S = 3.0

#: How many wake-ups are wanted at most: each is one process more that has a look.
MOST_WANTED = 16

#: How long an ending process goes on publishing what is wanted.
GRACE_S = 1.0


class WakeUps:
    """Has wake-ups published by a thread, which is started when one is wanted first.

    Args:
        publish: Publishes one for an entry unless enough wait to be read; tells whether it
            did. May raise anything, and wait for seconds.
    """

    def __init__(self, publish: Callable[[int | None], bool]) -> None:
        self._publish = publish
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: what the parent wants, the parent publishes."""
        self._condition = Condition()
        self._thread: Thread | None = None
        self._wanted = 0
        self._entry_id: int | None = None
        self._stop = Event()
        self._is_away = False

    def want(self, count: int, entry_id: int | None = None) -> None:
        """Have up to *count* wake-ups published soon, for *entry_id* and whatever else is due."""
        with self._condition:
            if self._stop.is_set():
                return
            if self._thread is None:
                self._thread = Thread(target=self._run, name="hookkit-wake-ups", daemon=True)
                self._thread.start()
            self._wanted = min(self._wanted + count, MOST_WANTED)
            self._entry_id = entry_id
            self._condition.notify()

    def stop(self) -> None:
        """Publish what is wanted if that can be done at once, and end."""
        with self._condition:
            self._stop.set()
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join(GRACE_S)

    def _run(self) -> None:
        while self._wait():
            with self._condition:
                wanted, self._wanted = self._wanted, 0
                entry_id = self._entry_id
            try:
                # Those that wait to be read will see whatever is due now.
                left = wanted - 1 if self._publish(entry_id) else 0
            except Exception as error:  # noqa: BLE001  # each broker's client has errors of its own
                left = wanted
                self._tell_away(error)
            else:
                self._tell_reachable()
            with self._condition:
                self._wanted = min(self._wanted + left, MOST_WANTED)

    def _wait(self) -> bool:
        """Wait until a wake-up may be published; return False when none will be any more."""
        # Not on the condition: what is wanted meanwhile waits for the end of the pause.
        self._stop.wait(BREAK_S if self._is_away else PAUSE_S)
        with self._condition:
            self._condition.wait_for(lambda: self._wanted or self._stop.is_set())
            return self._wanted > 0 and not (self._stop.is_set() and self._is_away)

    def _tell_away(self, error: Exception) -> None:
        if not self._is_away:  # once, not every few seconds
            self._is_away = True
            _logger.warning(
                "wake-ups cannot be published (%s); a sweep sees to what is due meanwhile",
                _reason_of(error),
                extra={"action": "broker_unavailable"},
            )

    def _tell_reachable(self) -> None:
        if self._is_away:
            self._is_away = False
            _logger.warning("wake-ups can be published again", extra={"action": "broker_available"})


def _reason_of(error: BaseException) -> str:
    """Return what *error* is and what the system said; not its own words, which may quote a URL."""
    name = type(error).__name__
    cause: BaseException | None = error
    for _ in range(10):
        if isinstance(cause, OSError) and cause.strerror:
            return f"{name}: {cause.strerror}"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return name
