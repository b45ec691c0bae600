"""The queue of wake-ups at the broker, by the client of the user's own Celery application.

What the client does by itself is made for jobs that must not be lost: it tries again, for
minutes. A wake-up may be lost, so here every wait is bounded and nothing is tried again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

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
