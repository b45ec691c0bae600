"""Publishes wake-ups for Celery's workers, in a thread beside the requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Any

from hookkit.runners.base import Outage

#: The queue that workers must consume: ``celery worker -Q hookkit``.
QUEUE = "hookkit"

#: So many waiting wake-ups are enough: whoever reads one later also sees what is due now.
ENOUGH = 4

#: How long a connection and an answer of the broker may take, in seconds.
CONNECT_S = 1.0
ANSWER_S = 2.0

# https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.connection.html
_NO_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

#: The options of each kind of broker for the time that an answer may take.
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
        """Queue a wake-up and return True, or return False if enough of them wait already.

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
        """Return how many messages wait in the queue, which is made if it is missing."""
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


#: The pause between two wake-ups of this process: what comes meanwhile shares the next one.
PAUSE_S = 0.05

#: How long the broker is left alone after a failure.
BREAK_S = 3.0

#: The most wake-ups that are wanted at a time: each makes one more process look.
MOST_WANTED = 16

#: How long an ending process goes on publishing.
GRACE_S = 1.0


class WakeUps:
    """Publishes wake-ups in a thread, which starts when the first one is wanted.

    Args:
        publish: Publishes a wake-up for an entry id; returns False if enough wait already.
            It may raise anything, and take seconds.
    """

    def __init__(self, publish: Callable[[int | None], bool]) -> None:
        self._publish = publish
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: the parent publishes what it wanted itself."""
        self._condition = Condition()
        self._thread: Thread | None = None
        self._wanted = 0
        self._entry_id: int | None = None
        self._stop = Event()
        self._outage = Outage(
            "wake-ups cannot be published (%s); a sweep sees to what is due meanwhile",
            "wake-ups can be published again",
            ({"action": "broker_unavailable"}, {"action": "broker_available"}),
        )

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
        """End; publish what is wanted if that can be done at once."""
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
                # Otherwise enough wait, and whoever reads them sees what is due now.
                left = wanted - 1 if self._publish(entry_id) else 0
            except Exception as error:  # noqa: BLE001  # each broker's client has errors of its own
                left = wanted
                self._outage.begin(_reason_of(error))
            else:
                self._outage.end()
            with self._condition:
                self._wanted = min(self._wanted + left, MOST_WANTED)

    def _wait(self) -> bool:
        """Wait until a wake-up may be published; return False when none will be any more."""
        # It waits for the stop only: what is wanted meanwhile has to wait for the end of the pause.
        self._stop.wait(BREAK_S if self._outage.is_on else PAUSE_S)
        with self._condition:
            self._condition.wait_for(lambda: self._wanted or self._stop.is_set())
            return self._wanted > 0 and not (self._stop.is_set() and self._outage.is_on)


def _reason_of(error: BaseException) -> str:
    """Return the type of *error* and the system's reason; its own text may quote a URL."""
    name = type(error).__name__
    cause: BaseException | None = error
    for _ in range(10):
        if isinstance(cause, OSError) and cause.strerror:
            return f"{name}: {cause.strerror}"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return name
