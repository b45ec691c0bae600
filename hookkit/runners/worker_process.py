"""A process that runs handlers and serves no requests: ``flask hookkit worker``."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.handling.dispatch import Assignment
from hookkit.runners.base import Outage, Runner


def check_worker_process(
    assignment: Assignment,
    runner: str,
    endpoints: Collection[str],
    *,
    sweeps: bool = False,
    is_idle: bool = False,
) -> None:
    """Refuse a worker process that would do nothing, or harm.

    Args:
        assignment: What the application's worker serves.
        runner: The name of the runner in the settings.
        endpoints: The names of the endpoints to serve; empty for all.
        sweeps: Whether the process wakes Celery's workers.
        is_idle: Whether it runs no handlers itself.

    Raises:
        ConfigurationError: The process makes no sense; every reason is listed.
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

#: The pause between two tries to open the inbox at the start.
OPEN_AGAIN_S = 1.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class WorkerProcess:
    """Runs *runner* until SIGTERM or SIGINT. Only the main thread may use it.

    Args:
        runner: Runs the handlers.
        serves: What it handles, for the log.
        open_inbox: Opens the inbox; may raise ``Unavailable`` or ``ConfigurationError``.
        running_count: Returns how many entries this process has begun and not settled.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        serves: str,
        open_inbox: Callable[[], object],
        running_count: Callable[[], int],
    ) -> None:
        self._runner = runner
        self._serves = serves
        self._open_inbox = open_inbox
        self._running_count = running_count
        # A signal handler may call its put() in the middle of its get().
        self._signals: SimpleQueue[int] = SimpleQueue()

    def run(self) -> bool:
        """Return after a signal: True if every handler that was running has ended.

        Raises:
            ConfigurationError: The setting names something that cannot hold an inbox.
        """
        with self._listening():
            if not self._wait_for_inbox():
                return True
            _logger.info("handling %s", self._serves, extra={"action": "worker_started"})
            self._runner.start()
            name = signal.Signals(self._signals.get()).name
            _logger.info(
                "%s: claiming nothing more; another signal ends this process at once",
                name,
                extra={"action": "worker_stopping"},
            )
            self._runner.stop()
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
        """Return True once the inbox is open, False if a signal came first."""
        outage = Outage(away="waiting for the inbox: %s")
        while True:
            try:
                self._open_inbox()
            except Unavailable as error:
                outage.begin(error)
            else:
                return True
            try:
                self._signals.get(timeout=OPEN_AGAIN_S)
            except Empty:
                continue
            return False
