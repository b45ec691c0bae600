"""Runs the handlers in the workers of the user's own Celery application.

The inbox stays the source of truth. A task only says that something is due: the worker that
gets it claims and runs whatever is due, for a while. If a task is lost, doubled or late, no
event is lost or doubled.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from celery import Celery

from hookkit.core.entry import Receipt
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.handling.worker import Worker
from hookkit.operating.housekeeping import PROMOTE_S, promote, prune, replay
from hookkit.operating.presence import Presence
from hookkit.runners.base import Outage, Runner, leases_kept
from hookkit.runners.celery.wake_ups import ENOUGH, CeleryQueue, WakeUps

_logger = logging.getLogger("hookkit")

WAKE = "hookkit.wake"
SWEEP = "hookkit.sweep"
PRUNE = "hookkit.prune"

#: A task claims nothing more after so many seconds or entries: other tasks want their turn, and
#: a worker that is told to end waits for its tasks.
DRAIN_S = 5.0
DRAIN_ENTRIES = 5000

#: When nothing is left, a task waits so long, so that what arrives meanwhile shares one claim.
LINGER_S = 0.02

#: An entry that has been due for so long was overlooked by the workers that were woken for it.
OVERDUE_S = 1.0

#: A sweep that no worker has read by then is useless: others have followed it.
SWEEP_EXPIRES_S = 10.0

#: The pause between two sweeps.
SWEEP_S = 1.0

#: What all tasks have in common.
#: https://docs.celeryq.dev/en/stable/userguide/tasks.html#list-of-options
_OPTIONS: dict[str, Any] = {
    # A task uses the inbox of this application, whatever other applications the process has.
    "shared": False,
    "acks_late": True,
    "reject_on_worker_lost": True,
    "ignore_result": True,
    "max_retries": 0,
    "serializer": "json",
}


def celery_app_of(extensions: Mapping[str, Any]) -> Celery:
    """Return the Celery application among an application's *extensions*.

    Raises:
        ConfigurationError: There is none.
    """
    found = extensions.get("celery")
    if not isinstance(found, Celery):
        raise ConfigurationError(
            "HOOKKIT_RUNNER: 'celery' needs your Celery application in app.extensions['celery'];"
            " put it there before you register hookkit"
        )
    return found


class CeleryRunner(Runner):
    """Wakes Celery's workers, and does what their tasks ask for.

    Args:
        next_due_at: Returns when the next entry becomes claimable, None when none waits; may
            raise ``Unavailable``.
        prune: Deletes what has been kept long enough; as ``Upkeep.prune``.
        promote: Makes due what a switch of versions held back; returns how many entries.
        replay: Does what is due of replays; as ``Replaying.advance``.
        presence: Says that this process runs handlers.
    """

    def __init__(
        self,
        worker: Worker,
        celery_app: Celery,
        *,
        next_due_at: Callable[[], datetime | None],
        prune: Callable[[Callable[[float], bool]], tuple[int, int]],
        promote: Callable[[], int],
        replay: Callable[[], float | None],
        presence: Presence,
    ) -> None:
        self._worker = worker
        self._next_due_at = next_due_at
        self._prune = prune
        self._promote = promote
        self._replay = replay
        self._presence = presence
        self._promote_at = self._replay_at = 0.0
        self._outage = Outage()
        self._add_tasks(celery_app)

    def _add_tasks(self, celery_app: Celery) -> None:
        def wake(entry_id: int | None = None) -> None:
            self.drain(entry_id)

        def sweep() -> None:
            self._keep_house()
            self.drain()

        def prune_now() -> None:
            prune(self._prune, Event().wait)

        task = celery_app.task(wake, name=WAKE, **_OPTIONS)
        celery_app.task(sweep, name=SWEEP, expires=SWEEP_EXPIRES_S, **_OPTIONS)
        celery_app.task(prune_now, name=PRUNE, expires=SWEEP_EXPIRES_S, **_OPTIONS)
        self._queue = CeleryQueue(celery_app, task)
        self._wake_ups = WakeUps(self._queue.put)

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Have wake-ups published soon, without waiting for that."""
        if entry_ids:
            self._wake_ups.want(len(entry_ids), entry_ids[-1])

    def answer(self, receipt: Receipt) -> Receipt:
        """Wake for the new entries; return *receipt* as it is."""
        self.wake(receipt.new_ids)
        return receipt

    def after_fork(self) -> None:
        """Forget the parent's thread and connection."""
        self._outage = Outage()
        self._presence.after_fork()
        self._queue.after_fork()
        self._wake_ups.after_fork()

    def stop(self) -> None:
        """Publish the wake-ups that are still wanted, if the broker can be reached."""
        self._wake_ups.stop()
        self._presence.leave()

    def with_sweep(self, pool: Runner) -> Sweeper:
        """Return a runner that runs *pool* and sweeps beside it."""
        return Sweeper(pool, self)

    def sweep(self) -> bool:
        """Wake workers if they have overlooked a due entry; return whether they had.

        For a process that runs no Celery tasks, about every second. Nothing is published while
        enough wake-ups wait in the broker's queue.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        due_at = self._next_due_at()
        is_overdue = (
            due_at is not None
            and due_at + timedelta(seconds=OVERDUE_S) <= self._worker.assignment.clock()
        )
        if is_overdue:
            self._wake_ups.want(ENOUGH)
        return is_overdue

    def drain(self, entry_id: int | None = None) -> int:
        """Claim and run what is due, for a while; return the number of entries.

        Args:
            entry_id: The entry that this process was woken for; others may be due earlier.
        """
        end = time.monotonic() + DRAIN_S
        count = 0
        try:
            with leases_kept(self._worker, self._presence.beat), ExitStack() as stack:
                # No other task may come to this process.
                stack.callback(self._worker.pipeline.leave)
                while count < DRAIN_ENTRIES and time.monotonic() < end:
                    limit = self._worker.pipeline.group_size
                    worked = self._worker.work(limit=limit)
                    self._outage.end()
                    if not worked:
                        return count
                    if count:
                        # More is due than this process was woken for.
                        self._wake_ups.want(1, entry_id)
                    count += len(worked)
                    if len(worked) < limit:
                        time.sleep(LINGER_S)
        except Unavailable as error:
            # A wake-up would be read at once, and its task would fail in the same way.
            self._outage.begin(error)
            return count
        self._wake_ups.want(1, entry_id)
        return count

    def _keep_house(self) -> None:
        """Do what is due of replays, for a second, and promote now and then."""
        end = time.monotonic() + SWEEP_S
        while self._replay_at <= time.monotonic() < end:
            pause_s = replay(self._replay)
            self._replay_at = time.monotonic() + pause_s
            if self._replay_at < end:
                time.sleep(pause_s)
        if time.monotonic() >= self._promote_at:
            self._promote_at = time.monotonic() + PROMOTE_S
            promote(self._promote)


class Sweeper(Runner):
    """Sweeps in a thread of its own, beside a pool that may run handlers as well.

    Args:
        pool: Runs the handlers of this process.
        celery_runner: Wakes Celery's workers.
    """

    def __init__(self, pool: Runner, celery_runner: CeleryRunner) -> None:
        self._pool = pool
        self._celery_runner = celery_runner
        self._outage = Outage()
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the pool and the thread, once."""
        self._pool.start()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="hookkit-sweep", daemon=True)
            self._thread.start()

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Wake the pool."""
        self._pool.wake(entry_ids)

    def after_fork(self) -> None:
        """Forget the parent's threads."""
        self._stop = Event()
        self._thread = None
        self._pool.after_fork()
        self._celery_runner.after_fork()

    def stop(self) -> None:
        """End the sweep and the pool, and publish what is still wanted."""
        self._stop.set()
        self._pool.stop()
        self._celery_runner.stop()

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_S):
            try:
                self._celery_runner.sweep()
            except Unavailable as error:
                self._outage.begin(error)
            except Exception:
                _logger.exception("cannot sweep", extra={"action": "sweep_failed"})
            else:
                self._outage.end()
