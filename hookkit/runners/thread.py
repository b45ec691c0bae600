"""A pool of threads inside the process that serves: the default runner.

A delivery to this process wakes a thread. The threads also poll the inbox: for entries that
other processes admitted, that became due, or that were left by a process that died.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Condition, Event, Thread, current_thread

from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.core.text import counted
from hookkit.handling.worker import Worker
from hookkit.operating.housekeeping import PROMOTE_S, promote, prune
from hookkit.runners.base import Outage, Runner, renew_until

_logger = logging.getLogger("hookkit")

#: How long an idle thread waits before it looks into the inbox again.
POLL_S = 1.0

#: The same when entries are due and none could be claimed: they are held up, or others were faster.
HELD_UP_POLL_S = 0.05

#: When old entries are deleted first, after the start, and the pause between two such runs.
UPKEEP_FIRST_S = 60.0
UPKEEP_S = 3600.0

#: How long running handlers may go on after the pool was told to stop.
GRACE_S = 10.0


class ThreadRunner(Runner):
    """Runs a worker in *threads* threads of this process.

    Args:
        has_due: Returns whether there is anything to claim; may raise ``Unavailable``.
        prune: Deletes what has been kept long enough; as ``Upkeep.prune``.
        promote: Makes due what a switch of versions held back; returns how many entries.
        poll_s: How long an idle thread waits before it looks again.
        grace_s: How long ``stop`` waits for running handlers.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        threads: int,
        has_due: Callable[[], bool],
        prune: Callable[[Callable[[float], bool]], tuple[int, int]],
        promote: Callable[[], int],
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._worker = worker
        self._thread_count = threads
        self._has_due = has_due
        self._prune = prune
        self._promote = promote
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
                # It must not wait for the condition, or it would take a worker's wake-up.
                target=renew_until,
                args=(self._stop_renewing, self._worker),
                name="hookkit-leases",
                daemon=True,
            )
            upkeep = Thread(target=self._prune_and_promote, name="hookkit-upkeep", daemon=True)
            for thread in (*self._threads, renewing, upkeep):
                thread.start()

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Wake one thread per entry."""
        count = len(entry_ids)
        if count:
            with self._condition:
                self._wakeups = min(self._wakeups + count, self._thread_count)
                self._condition.notify(count)

    def answer(self, receipt: Receipt) -> Receipt:
        """Wake for the new entries; return *receipt* as it is."""
        self.wake(receipt.new_ids)
        return receipt

    def after_fork(self) -> None:
        """Forget the parent's threads; ``start`` makes new ones for this process."""
        self._forget_threads()

    def stop(self) -> None:
        """Start nothing new, and wait up to ``grace_s`` seconds for running handlers."""
        with self._condition:
            if self._stop_renewing.is_set():
                return  # it has waited already
            self._stop.set()
            self._condition.notify_all()
        self._worker.give_back()
        self._log_waiting()
        # The wall clock may be set while we wait.
        give_up_at = time.monotonic() + self._grace_s
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(max(0.0, give_up_at - time.monotonic()))
        # Until now: handlers that were still running needed their leases.
        self._stop_renewing.set()
        still_running = sum(thread.is_alive() for thread in self._threads)
        if still_running:
            _logger.warning(
                "%s a handler after %g s; what they handle is claimed again when the lease is over",
                counted(still_running, "thread still runs", "threads still run"),
                self._grace_s,
                extra={"action": "stop_incomplete"},
            )

    def _log_waiting(self) -> None:
        running = self._worker.leases.count
        if running:
            _logger.info(
                "waiting up to %g s for %s",
                self._grace_s,
                counted(running, "entry that is being handled", "entries that are being handled"),
                extra={"action": "stop_waiting"},
            )

    def _work(self) -> None:
        while not self._stop.is_set():
            pause_s = self._poll_s
            try:
                has_due = self._worker.has_claimed_ahead or self._has_due()
                worked = has_due and self._worker.work(limit=self._worker.batch_size)
                self._outage.end()
                if worked:
                    continue
                pause_s = min(self._poll_s, HELD_UP_POLL_S) if has_due else self._poll_s
            except Unavailable as error:
                self._outage.begin(error)
            except BaseException:
                # Whatever it is, a bug or what a user's code raised: if the thread died of it,
                # its share of the work would stop in silence.
                _logger.exception("a worker failed", extra={"action": "worker_failed"})
            self._rest(pause_s)

    def _rest(self, pause_s: float) -> None:
        """Wait for a wake-up, for *pause_s* seconds at most."""
        with self._condition:
            woken = self._condition.wait_for(lambda: self._wakeups or self._stop.is_set(), pause_s)
            if woken:
                self._wakeups = max(0, self._wakeups - 1)

    def _prune_and_promote(self) -> None:
        prune_at = time.monotonic() + UPKEEP_FIRST_S
        while not self._stop.wait(min(PROMOTE_S, max(0.0, prune_at - time.monotonic()))):
            promote(self._promote)
            if time.monotonic() >= prune_at:
                prune_at = time.monotonic() + UPKEEP_S
                prune(self._prune, self._stop.wait)
