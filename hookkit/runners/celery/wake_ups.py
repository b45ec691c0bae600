"""Wake-ups for Celery's workers: published beside the requests, and for what was overlooked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Any, Protocol

from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.runners.base import Outage, Runner

#: The queue that workers must consume: ``celery worker -Q hookkit``.
QUEUE = "hookkit"

#: As many waiting wake-ups are enough: each is read later than now, so it sees what is due now.
ENOUGH = 4

#: How long a connection and an answer of the broker may take, in seconds.
CONNECT_S = 1.0
ANSWER_S = 2.0

# https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.connection.html
_NO_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

#: What each kind of broker calls the time that an answer may take.
_TIMEOUTS: dict[str, dict[str, float]] = {
    "redis": {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S},
    "amqp": {"read_timeout": ANSWER_S, "write_timeout": ANSWER_S},
}


class CeleryQueue:
    """Puts wake-ups into the queue, from one thread.

    Args:
        celery_app: The user's Celery application.
        task: The task that a wake-up calls, with an entry's id.
    """

    def __init__(self, celery_app: Any, task: Any) -> None:
        self._celery_app = celery_app
        self._task = task
        self._connection: Any = None

    def after_fork(self) -> None:
        """Forget the connection, which is the parent's."""
        self._connection = None

    def put(self, entry_id: int | None) -> bool:
        """Queue a wake-up, unless enough wait to be read; tell which.

        Raises:
            Exception: Whatever the broker's client raises.
        """
        try:
            producer = self._celery_app.amqp.Producer(self._connected(), auto_declare=False)
            if self._waiting(producer.channel) >= ENOUGH:
                return False
            self._task.apply_async(
                args=[entry_id], queue=QUEUE, producer=producer, retry=False, ignore_result=True
            )
        except BaseException:
            self._disconnect()
            raise
        return True

    def _connected(self) -> Any:
        if self._connection is None:
            usual = self._celery_app.connection_for_write()
            timeouts = _TIMEOUTS.get(usual.transport.driver_type, {})
            options = {**(usual.transport_options or {}), **_NO_RETRIES, **timeouts}
            self._connection = usual.clone(connect_timeout=CONNECT_S, transport_options=options)
        return self._connection

    def _waiting(self, channel: Any) -> int:
        """Return how many messages wait in the queue; it is made where there is none."""
        queue = self._celery_app.amqp.queues[QUEUE].bind(channel)
        counts: list[int] = []
        queue.on_declared = lambda *answer: counts.append(answer[1])
        queue.queue_declare()
        return counts[0]

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.collapse()


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


_logger = logging.getLogger("hookkit")

#: How often it looks, in seconds.
SWEEP_S = 1.0


class Sweeping(Runner, Protocol):
    """A runner whose workers have to be woken."""

    def sweep(self) -> bool:
        """Wake workers if anything is due that nobody came for; tell whether there was."""


class Sweeper:
    """Sweeps in a thread of its own, beside a pool that may run handlers as well."""

    def __init__(self, pool: Runner, sweeping: Sweeping) -> None:
        self._pool = pool
        self._sweeping = sweeping
        self._outage = Outage()
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the pool and the thread, once."""
        self._pool.start()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="hookkit-sweep", daemon=True)
            self._thread.start()

    def finish(self, receipt: Receipt) -> Receipt:
        """Let the pool do its part."""
        return self._pool.finish(receipt)

    def after_fork(self) -> None:
        """Forget the parent's threads."""
        self._stop = Event()
        self._thread = None
        self._pool.after_fork()
        self._sweeping.after_fork()

    def stop(self) -> None:
        """End both, the pool as it does."""
        self._stop.set()
        self._pool.stop()
        self._sweeping.stop()

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_S):
            try:
                self._sweeping.sweep()
            except Unavailable as error:
                self._outage.tell_away(error)
            except Exception:
                _logger.exception("cannot sweep", extra={"action": "sweep_failed"})
            else:
                self._outage.tell_reachable()
