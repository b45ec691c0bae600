"""Looks again and again for what Celery's workers have overlooked, and has them woken.

What was due and not claimed: its wake-up was lost with the broker or a worker, or its next
attempt has come, for which no wake-up was published.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import Protocol

from hookkit.core.entry import (
    Receipt,
)
from hookkit.core.errors import Unavailable
from hookkit.runners.base import Runner
from hookkit.runners.outage import Outage

_logger = logging.getLogger("hookkit")

#: How often it looks, in seconds.
SWEEP_S = 1.0


class Sweeping(Runner, Protocol):
    """A runner whose workers have to be woken."""

    def sweep(self) -> bool:
        """Wake workers if anything is due that nobody came for; tell whether there was."""


class Sweeper:
    """Sweeps in a thread of its own, beside a pool that may run handlers as well."""

    def __init__(self, pool: Runner, sweeping: Sweeping) -> None:
        self._pool = pool
        self._sweeping = sweeping
        self._outage = Outage()
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the pool and the thread, once."""
        self._pool.start()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="hookkit-sweep", daemon=True)
            self._thread.start()

    def finish(self, receipt: Receipt) -> Receipt:
        """Let the pool do its part."""
        return self._pool.finish(receipt)

    def after_fork(self) -> None:
        """Forget the parent's threads."""
        self._stop = Event()
        self._thread = None
        self._pool.after_fork()
        self._sweeping.after_fork()

    def stop(self) -> None:
        """End both, the pool as it does."""
        self._stop.set()
        self._pool.stop()
        self._sweeping.stop()

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_S):
            try:
                self._sweeping.sweep()
            except Unavailable as error:
                self._outage.tell_away(error)
            except Exception:
                _logger.exception("cannot sweep", extra={"action": "sweep_failed"})
            else:
                self._outage.tell_reachable()
