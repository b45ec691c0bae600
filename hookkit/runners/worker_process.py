"""A process that runs handlers and serves no requests: ``flask hookkit worker``."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.handling.run import Assignment
from hookkit.runners.base import Runner


def check_dedicated(
    assignment: Assignment,
    runner: str,
    endpoints: Collection[str],
    *,
    sweeps: bool = False,
    is_idle: bool = False,
) -> None:
    """Refuse a process for handlers alone that would do nothing, or harm.

    Args:
        sweeps: Whether it is to wake Celery's workers.
        is_idle: Whether it is to run no handlers itself.

    Raises:
        ConfigurationError: It would; every reason is listed.
    """
    mistakes = [
        f"endpoint {name!r} is not in HOOKKIT_ENDPOINTS; known are"
        f" {', '.join(assignment.providers)}"
        for name in endpoints
        if name not in assignment.providers
    ]
    if not assignment.registry.names:
        mistakes.append(
            "no handler is registered, and every event would be settled as unhandled; have the"
            " application import the modules that hold its handlers"
        )
    if sweeps and runner != "celery":
        mistakes.append(
            f"HOOKKIT_RUNNER: --sweep wakes the workers of Celery, and the runner is {runner!r}"
        )
    if is_idle and not sweeps:
        mistakes.append("--concurrency 0 runs no handlers, which is for --sweep alone")
    if runner == "inline":
        mistakes.append(
            'HOOKKIT_RUNNER: with "inline" the handlers run before the answer, and a worker that'
            ' is faster makes it a 503; set it to "none" here and where the application serves'
        )
    if mistakes:
        raise ConfigurationError(*mistakes)


_logger = logging.getLogger("hookkit")

#: How often the inbox is tried that cannot be opened at the start.
OPEN_AGAIN_S = 1.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class WorkerProcess:
    """Runs *pool* until a signal says that it is enough. For the main thread.

    Args:
        pool: Runs the handlers.
        serves: What it runs, for the log.
        open_inbox: Opens the inbox; may raise ``Unavailable`` or ``ConfigurationError``.
        running_count: Returns how many entries are claimed here and not settled.
    """

    def __init__(
        self,
        pool: Runner,
        *,
        serves: str,
        open_inbox: Callable[[], object],
        running_count: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._serves = serves
        self._open_inbox = open_inbox
        self._running_count = running_count
        # Its put() may interrupt its get(), which is what a signal does.
        self._signals: SimpleQueue[int] = SimpleQueue()

    def run(self) -> bool:
        """Return after a signal; whether every handler that was running has ended.

        Raises:
            ConfigurationError: The setting names something that cannot hold an inbox.
        """
        with self._listening():
            if not self._wait_for_inbox():
                return True
            _logger.info("handling %s", self._serves, extra={"action": "worker_started"})
            self._pool.start()
            name = signal.Signals(self._signals.get()).name
            _logger.info(
                "%s: claiming nothing more; another signal ends this process at once",
                name,
                extra={"action": "worker_stopping"},
            )
            self._pool.stop()
        is_clean = self._running_count() == 0
        if is_clean:
            _logger.info("all that was claimed is settled", extra={"action": "worker_stopped"})
        return is_clean

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def receive(number: int, _: object) -> None:
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            self._signals.put(number)

        before = {each: signal.signal(each, receive) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _wait_for_inbox(self) -> bool:
        """Return once the inbox is open; False when a signal came first."""
        is_told = False
        while True:
            try:
                self._open_inbox()
            except Unavailable as error:
                if not is_told:
                    is_told = True
                    _logger.warning(
                        "waiting for the inbox: %s", error, extra={"action": "worker_unavailable"}
                    )
            else:
                return True
            try:
                self._signals.get(timeout=OPEN_AGAIN_S)
            except Empty:
                continue
            return False
