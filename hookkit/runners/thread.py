"""A pool of threads inside the process that serves: the default runner.

A delivery to this process wakes a thread. The threads also poll the inbox: for entries that
other processes admitted, that became due, or that were left by a process that died.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Condition, Event, Thread, current_thread

from hookkit.core.delivery import Envelope
from hookkit.core.entry import Lease, Receipt
from hookkit.core.errors import Unavailable
from hookkit.core.text import counted
from hookkit.handling.worker import Worker
from hookkit.operating.housekeeping import PROMOTE_S, REPLAY_S, promote, prune, replay
from hookkit.operating.presence import Presence
from hookkit.runners.base import LeaseKeeper, Outage, Runner

_logger = logging.getLogger("hookkit")

#: How long an idle thread waits before it looks into the inbox again.
POLL_S = 1.0

#: The same when entries are due and none could be claimed: they are held up, or others were faster.
HELD_UP_POLL_S = 0.05

#: A thread that has handled so many entries takes part in what is left to others: the log, a stop.
MOST_AT_ONCE = 1000

#: When old entries are deleted first, after the start, and the pause between two such runs.
UPKEEP_FIRST_S = 60.0
UPKEEP_S = 3600.0

#: How often counts are written. Deliveries do it when nobody has for twice as long.
COUNTS_S = 5.0

#: How long running handlers may go on after the pool was told to stop.
GRACE_S = 10.0


class ThreadRunner(Runner):
    """Runs a worker in *threads* threads of this process.

    Args:
        prune: Deletes what has been kept long enough; as ``Upkeep.prune``.
        promote: Makes due what a switch of versions held back; returns how many entries.
        replay: Does what is due of replays; as ``Replaying.advance``.
        write_counts: Writes what deliveries were counted as; never raises.
        presence: Says that this process runs handlers.
        poll_s: How long an idle thread waits before it looks again.
        grace_s: How long ``stop`` waits for running handlers and housekeeping.
    """

    def __init__(  # noqa: PLR0913  # one for each thing that it does
        self,
        worker: Worker,
        *,
        threads: int,
        prune: Callable[[Callable[[float], bool]], tuple[int, int]],
        promote: Callable[[], int],
        replay: Callable[[], float | None],
        write_counts: Callable[[], None],
        presence: Presence,
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._worker = worker
        self._thread_count = threads
        self._prune = prune
        self._promote = promote
        self._replay = replay
        self._write_counts = write_counts
        self._presence = presence
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._threads: list[Thread] = []
        self._condition = Condition()
        self._wakeups = 0
        self._stop = Event()
        self._has_stopped = False
        self._keeper: LeaseKeeper | None = None
        self._upkeep: Thread | None = None
        self._outage = Outage()

    def start(self) -> None:
        """Start the threads, once."""
        with self._condition:
            if self._threads or self._stop.is_set():
                return
            names = [f"hookkit-worker-{number}" for number in range(self._thread_count)]
            self._threads = [Thread(target=self._work, name=name, daemon=True) for name in names]
            self._keeper = LeaseKeeper(self._worker, self._presence.beat)
            self._upkeep = Thread(target=self._keep_house, name="hookkit-upkeep", daemon=True)
            for thread in (*self._threads, self._upkeep):
                thread.start()

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Wake one thread per entry."""
        if entry_ids:
            self._worker.pipeline.stir()
            self._wake(len(entry_ids))

    def _wake(self, count: int) -> None:
        if count:
            with self._condition:
                self._wakeups = min(self._wakeups + count, self._thread_count)
                self._condition.notify(count)

    def offer(self) -> Lease | None:
        """Return the lease of a delivery while the threads are idle enough to handle it next."""
        return self._worker.pipeline.offer() if self._threads else None

    def take(self, envelope: Envelope, receipt: Receipt, lease: Lease) -> None:
        """Handle what a delivery has stored under *lease*, before what is in the inbox."""
        self._wake(self._worker.pipeline.take(envelope, receipt, lease))

    def answer(self, receipt: Receipt) -> Receipt:
        """Wake for the new entries; return *receipt* as it is."""
        self.wake(receipt.new_ids)
        return receipt

    def after_fork(self) -> None:
        """Forget the parent's threads; ``start`` makes new ones for this process."""
        self._forget_threads()
        self._presence.after_fork()

    def stop(self) -> None:
        """Start nothing new, and wait up to ``grace_s`` seconds for what runs to end."""
        with self._condition:
            if self._has_stopped:
                return  # it has waited already
            self._has_stopped = True
            self._stop.set()
            self._condition.notify_all()
        self._worker.pipeline.close()
        self._log_waiting()
        # The wall clock may be set while we wait.
        give_up_at = time.monotonic() + self._grace_s
        for thread in (*self._threads, self._upkeep):
            if thread is not None and thread is not current_thread():
                thread.join(max(0.0, give_up_at - time.monotonic()))
        self._worker.pipeline.end()
        # Until now: handlers that were still running needed their leases.
        if self._keeper is not None:
            self._keeper.stop()
            self._presence.leave()
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
                worked = self._worker.work(limit=MOST_AT_ONCE)
                self._outage.end()
                if len(worked) >= MOST_AT_ONCE:
                    continue
                if self._worker.pipeline.is_held_up:
                    pause_s = min(self._poll_s, HELD_UP_POLL_S)
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

    def _keep_house(self) -> None:
        now = time.monotonic()
        prune_at, promote_at = now + UPKEEP_FIRST_S, now + PROMOTE_S
        counts_at, replay_at = now + COUNTS_S, now + REPLAY_S
        while not self._stop.wait(max(0.0, min(counts_at, replay_at, promote_at, prune_at) - now)):
            if time.monotonic() >= counts_at:
                counts_at = time.monotonic() + COUNTS_S
                self._write_counts()
            if time.monotonic() >= replay_at:
                pause_s = replay(self._replay)
                replay_at = time.monotonic() + pause_s
            if time.monotonic() >= promote_at:
                promote_at = time.monotonic() + PROMOTE_S
                promote(self._promote)
            if time.monotonic() >= prune_at:
                prune_at = time.monotonic() + UPKEEP_S
                prune(self._prune, self._stop.wait)
            now = time.monotonic()
