"""A pool of threads inside the process that serves: the default runner.

The threads are woken when something is admitted here, and poll for what was admitted by
other processes, became due, or was left by one that died.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Condition, Event, Thread, current_thread

from hookkit.core.errors import Unavailable
from hookkit.core.outcome import Receipt
from hookkit.worker import Worker

_logger = logging.getLogger("hookkit")

#: How long an entry of another process may wait for an idle pool.
POLL_S = 1.0

#: How long a handler may go on after the process was told to end.
GRACE_S = 10.0


class ThreadRunner:
    """Runs a worker in *threads* threads of this process.

    Args:
        next_due_at: Returns when the next entry becomes claimable; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        threads: int,
        next_due_at: Callable[[], datetime | None],
        clock: Callable[[], datetime],
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._worker = worker
        self._thread_count = threads
        self._next_due_at = next_due_at
        self._clock = clock
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._threads: list[Thread] = []
        self._condition = Condition()
        self._wakeups = 0
        self._stop = Event()

    def start(self) -> None:
        """Start the threads, once."""
        with self._condition:
            if self._threads or self._stop.is_set():
                return
            names = [f"hookkit-worker-{number}" for number in range(self._thread_count)]
            self._threads = [
                *(Thread(target=self._work, name=name, daemon=True) for name in names),
                Thread(target=self._renew_leases, name="hookkit-leases", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def finish(self, receipt: Receipt) -> Receipt:
        """Wake one thread per new entry."""
        if receipt.new_count:
            with self._condition:
                self._wakeups = min(self._wakeups + receipt.new_count, self._thread_count)
                self._condition.notify(receipt.new_count)
        return receipt

    def after_fork(self) -> None:
        """Start again in the child if the parent's pool was running."""
        was_running = bool(self._threads)
        self._forget_threads()
        if was_running:
            self.start()

    def stop(self) -> None:
        """Let running handlers end within the grace period; start nothing new."""
        with self._condition:
            self._stop.set()
            self._condition.notify_all()
        deadline = self._clock() + timedelta(seconds=self._grace_s)
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(max(0.0, (deadline - self._clock()).total_seconds()))
        still_running = [thread.name for thread in self._threads if thread.is_alive()]
        if still_running:
            _logger.warning(
                "%d threads still run a handler after %g s; their entries are claimed again"
                " when the lease is over",
                len(still_running),
                self._grace_s,
                extra={"action": "stop_incomplete"},
            )

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                if self._is_due() and self._worker.work():
                    continue
            except Unavailable as error:
                _logger.warning(
                    "the inbox cannot be reached: %s", error, extra={"action": "worker_unavailable"}
                )
            except Exception:
                # A worker that dies of a bug would stop all handling in silence.
                _logger.exception("a worker failed", extra={"action": "worker_failed"})
            self._rest()

    def _is_due(self) -> bool:
        """Ask before claiming: an idle pool must not take the inbox's write lock."""
        due_at = self._next_due_at()
        return due_at is not None and due_at <= self._clock()

    def _rest(self) -> None:
        """Wait until something was admitted here, or for the time between two polls."""
        with self._condition:
            woken = self._condition.wait_for(
                lambda: self._wakeups or self._stop.is_set(), self._poll_s
            )
            if woken:
                self._wakeups = max(0, self._wakeups - 1)

    def _renew_leases(self) -> None:
        # Not on the condition: a wake-up is for a thread that works.
        while not self._stop.wait(self._worker.job.lease_s / 3):
            try:
                self._worker.renew_leases()
            except Exception:
                _logger.exception("cannot renew leases", extra={"action": "renew_failed"})
