"""A pool of threads inside the process that serves: the default runner.

The threads are woken when something is admitted here, and poll for what was admitted by
other processes, became due, or was left by one that died.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Event, Thread, current_thread

from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.handling.worker import Worker
from hookkit.operating.housekeeping import PROMOTE_S, promote, prune
from hookkit.runners.base import Outage, renew_until

_logger = logging.getLogger("hookkit")

#: How long an entry of another process may wait for an idle pool.
POLL_S = 1.0

#: How long it rests when all that it looked at is held up, or claimed by others meanwhile.
HELD_UP_POLL_S = 0.05

#: How long the first pruning waits after the start, and each one for the next.
UPKEEP_FIRST_S = 60.0
UPKEEP_S = 3600.0

#: How long a handler may go on after the process was told to end.
GRACE_S = 10.0


class ThreadRunner:
    """Runs a worker in *threads* threads of this process.

    Args:
        has_due: Tells whether there is anything to claim; may raise ``Unavailable``.
        prune: Deletes what has been kept long enough; waits by the given function, and
            ends when that returns True.
        sweep: Makes due what was held back beside a switch of versions.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        threads: int,
        has_due: Callable[[], bool],
        prune: Callable[[Callable[[float], bool]], tuple[int, int]],
        sweep: Callable[[], int] = lambda: 0,
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._worker = worker
        self._thread_count = threads
        self._has_due = has_due
        self._prune = prune
        self._sweep = sweep
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._threads: list[Thread] = []
        self._condition = Condition()
        self._wakeups = 0
        self._stop = Event()
        self._stop_renewing = Event()
        self._outage = Outage()

    def start(self) -> None:
        """Start the threads, once."""
        with self._condition:
            if self._threads or self._stop.is_set():
                return
            names = [f"hookkit-worker-{number}" for number in range(self._thread_count)]
            self._threads = [Thread(target=self._work, name=name, daemon=True) for name in names]
            renewing = Thread(
                # Not on the condition: a wake-up is for a thread that works.
                target=renew_until,
                args=(self._stop_renewing, self._worker),
                name="hookkit-leases",
                daemon=True,
            )
            upkeep = Thread(target=self._keep_house, name="hookkit-upkeep", daemon=True)
            for thread in (*self._threads, renewing, upkeep):
                thread.start()

    def finish(self, receipt: Receipt) -> Receipt:
        """Wake one thread per new entry."""
        if receipt.new_count:
            with self._condition:
                self._wakeups = min(self._wakeups + receipt.new_count, self._thread_count)
                self._condition.notify(receipt.new_count)
        return receipt

    def after_fork(self) -> None:
        """Forget the parent's threads; ``start`` makes some of this process's own."""
        self._forget_threads()

    def stop(self) -> None:
        """Let running handlers end within the grace period, once; start nothing new."""
        with self._condition:
            if self._stop_renewing.is_set():
                return  # what has not ended by now is given no second period
            self._stop.set()
            self._condition.notify_all()
        self._worker.give_back()
        self._tell_waiting()
        # Not by the clock that tells times: that one may be set while we wait.
        give_up_at = time.monotonic() + self._grace_s
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(max(0.0, give_up_at - time.monotonic()))
        # Leases were renewed until now, for the handlers that were still running.
        self._stop_renewing.set()
        still_running = sum(thread.is_alive() for thread in self._threads)
        if still_running:
            _logger.warning(
                "%d threads still run a handler after %g s; their entries are claimed again"
                " when the lease is over",
                still_running,
                self._grace_s,
                extra={"action": "stop_incomplete"},
            )

    def _tell_waiting(self) -> None:
        running = self._worker.running_count
        if running:
            _logger.info(
                "waiting up to %g s for %d entries that are being handled",
                self._grace_s,
                running,
                extra={"action": "stop_waiting"},
            )

    def _work(self) -> None:
        while not self._stop.is_set():
            pause_s = self._poll_s
            try:
                has_due = self._worker.has_set_aside or self._has_due()
                worked = has_due and self._worker.work(limit=self._worker.usual_count)
                self._outage.tell_reachable()
                if worked:
                    continue
                pause_s = min(self._poll_s, HELD_UP_POLL_S) if has_due else self._poll_s
            except Unavailable as error:
                self._outage.tell_away(error)
            except BaseException:
                # A thread that dies, of a bug or of what a user's code raises, would stop
                # its share of the handling in silence.
                _logger.exception("a worker failed", extra={"action": "worker_failed"})
            self._rest(pause_s)

    def _rest(self, pause_s: float) -> None:
        """Wait until something was admitted here, or for so many seconds."""
        with self._condition:
            woken = self._condition.wait_for(lambda: self._wakeups or self._stop.is_set(), pause_s)
            if woken:
                self._wakeups = max(0, self._wakeups - 1)

    def _keep_house(self) -> None:
        prune_at = time.monotonic() + UPKEEP_FIRST_S
        while not self._stop.wait(min(PROMOTE_S, max(0.0, prune_at - time.monotonic()))):
            promote(self._sweep)
            if time.monotonic() >= prune_at:
                prune_at = time.monotonic() + UPKEEP_S
                prune(self._prune, self._stop.wait)
