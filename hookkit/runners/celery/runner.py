"""Runs the handlers in the workers of the user's own Celery application.

The inbox stays the source of truth. A task says that something is due and nothing more: the
worker that gets it claims and runs whatever is due, for a while. One that is lost, doubled or
late loses and doubles nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event
from typing import Any

from celery import Celery

from hookkit.core.entry import Receipt
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.handling.worker import Worker
from hookkit.operating.housekeeping import PROMOTE_S, promote, prune
from hookkit.runners.base import Outage, leases_renewed
from hookkit.runners.celery.wake_ups import ENOUGH, CeleryQueue, WakeUps

WAKE = "hookkit.wake"
SWEEP = "hookkit.sweep"
PRUNE = "hookkit.prune"

#: A task takes nothing more after so long or so many entries: other tasks want their turn, and
#: a worker that is told to end waits for it.
DRAIN_S = 5.0
DRAIN_ENTRIES = 5000

#: Nothing was left just now: what comes within so long is worth one claim, not one each.
LINGER_S = 0.02

#: What is due for so long has been overlooked by those who were woken for it.
OVERDUE_S = 1.0

#: A sweep that nobody has read until then is of no use: others have followed it.
SWEEP_EXPIRES_S = 10.0

#: What both kinds of task have in common.
#: https://docs.celeryq.dev/en/stable/userguide/tasks.html#list-of-options
_OPTIONS: dict[str, Any] = {
    # The inbox behind it is this application's, not that of others in the process.
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


class CeleryRunner:
    """Wakes Celery's workers, and is what they run.

    Args:
        next_due_at: Returns when the next entry becomes claimable, None when none waits; may
            raise ``Unavailable``.
        prune: Deletes what has been kept long enough; as ``Upkeep.prune``.
        promote: Makes due what was held back beside a switch of versions.
    """

    def __init__(
        self,
        worker: Worker,
        celery_app: Celery,
        *,
        next_due_at: Callable[[], datetime | None],
        prune: Callable[[Callable[[float], bool]], tuple[int, int]],
        promote: Callable[[], int],
    ) -> None:
        self._worker = worker
        self._next_due_at = next_due_at
        self._prune = prune
        self._promote = promote
        self._promote_at = 0.0
        self._outage = Outage()
        self._add_tasks(celery_app)

    def _add_tasks(self, celery_app: Celery) -> None:
        def wake(entry_id: int | None = None) -> None:
            self.drain(entry_id)

        def sweep() -> None:
            self._promote_now_and_then()
            self.drain()

        def prune_now() -> None:
            prune(self._prune, Event().wait)

        task = celery_app.task(wake, name=WAKE, **_OPTIONS)
        celery_app.task(sweep, name=SWEEP, expires=SWEEP_EXPIRES_S, **_OPTIONS)
        celery_app.task(prune_now, name=PRUNE, expires=SWEEP_EXPIRES_S, **_OPTIONS)
        self._queue = CeleryQueue(celery_app, task)
        self._wake_ups = WakeUps(self._queue.put)

    def start(self) -> None:
        """Do nothing: what publishes wake-ups begins with the first."""

    def finish(self, receipt: Receipt) -> Receipt:
        """Have a wake-up published for what is new; that is soon, and not waited for."""
        if receipt.new_count:
            self._wake_ups.want(receipt.new_count, receipt.admitted[-1].entry_id)
        return receipt

    def after_fork(self) -> None:
        """Forget the parent's thread and connection."""
        self._outage = Outage()
        self._queue.after_fork()
        self._wake_ups.after_fork()

    def stop(self) -> None:
        """Publish what is wanted still, if the broker is there."""
        self._wake_ups.stop()

    def sweep(self) -> bool:
        """Wake workers if anything is due that nobody came for; tell whether there was.

        For a process that runs no Celery tasks, about every second. What the broker's queue
        holds already is not added to.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        due_at = self._next_due_at()
        is_overdue = (
            due_at is not None and due_at + timedelta(seconds=OVERDUE_S) <= self._worker.clock()
        )
        if is_overdue:
            self._wake_ups.want(ENOUGH)
        return is_overdue

    def drain(self, entry_id: int | None = None) -> int:
        """Claim and run what is due, for a while; return how many entries that were.

        Args:
            entry_id: The entry that this process was woken for; others may be due before it.
        """
        end = time.monotonic() + DRAIN_S
        count = 0
        try:
            with leases_renewed(self._worker):
                while count < DRAIN_ENTRIES and time.monotonic() < end:
                    limit = self._worker.usual_count
                    worked = self._worker.work(limit=limit)
                    self._outage.tell_reachable()
                    if not worked:
                        return count
                    if count:
                        # More was due than this process was woken for.
                        self._wake_ups.want(1, entry_id)
                    count += len(worked)
                    if len(worked) < limit:
                        time.sleep(LINGER_S)
        except Unavailable as error:
            # No wake-up for this: it would come back at once, and find the same.
            self._outage.tell_away(error)
            return count
        self._wake_ups.want(1, entry_id)
        return count

    def _promote_now_and_then(self) -> None:
        if time.monotonic() >= self._promote_at:
            self._promote_at = time.monotonic() + PROMOTE_S
            promote(self._promote)
