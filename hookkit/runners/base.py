"""What runners have in common: their verbs, renewed leases, and an outage logged once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from hookkit.core.delivery import Envelope
from hookkit.core.entry import Lease, Receipt
from hookkit.core.errors import Unavailable
from hookkit.handling.pipeline import LEFT_S
from hookkit.handling.worker import Worker
from hookkit.operating.presence import BEAT_S

_logger = logging.getLogger("hookkit")


class Runner:
    """Sees to it that due entries are handled.

    This one leaves them to a worker in another process, which polls the inbox.
    """

    def start(self) -> None:
        """Begin in this process; calling it again changes nothing."""

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Have entries handled soon that have just become due."""

    def offer(self) -> Lease | None:
        """Return the lease under which a delivery is stored that this process handles next.

        None has it stored for whoever claims it.
        """
        return None

    def take(self, envelope: Envelope, receipt: Receipt, lease: Lease) -> None:
        """Handle what a delivery has stored under *lease*, which was offered."""

    def answer(self, receipt: Receipt) -> Receipt:
        """Have the new entries of a delivery handled; return what the vendor is answered."""
        return receipt

    def after_fork(self) -> None:
        """Begin anew in a child process, which has none of the parent's threads."""

    def stop(self) -> None:
        """End what runs, and give it time to settle."""


#: The ``extra`` of the log lines at the beginning and at the end of an outage.
_EXTRAS = ({"action": "worker_unavailable"}, {"action": "worker_available"})


class Outage:
    """Logs once that something is away, and once that it is back.

    Args:
        away: The message at the beginning, with a place for the reason.
        back: The message at the end.
        extras: The ``extra`` of the first log line, and of the second.
    """

    def __init__(
        self,
        away: str = "the inbox cannot be reached: %s",
        back: str = "the inbox can be reached again",
        extras: tuple[Mapping[str, str], Mapping[str, str]] = _EXTRAS,
    ) -> None:
        self.is_on: bool = False
        self._away = away
        self._back = back
        self._extras = extras

    def begin(self, reason: object) -> None:
        """Log *reason*, unless the outage has begun already."""
        if not self.is_on:
            self.is_on = True
            _logger.warning(self._away, reason, extra=self._extras[0])

    def end(self) -> None:
        """Log the end of the outage, if there is one."""
        if self.is_on:
            self.is_on = False
            _logger.warning(self._back, extra=self._extras[1])


#: The pause between two tries to write what nobody else writes, while the inbox is away.
UNAVAILABLE_S = 1.0


def _nothing() -> None:
    """Be no beat: a request that runs handlers is no process that people look for."""


class LeaseKeeper:
    """A thread that renews the leases of *worker*, and writes what its threads leave unwritten.

    Args:
        beat: Called at the start and at least every ``BEAT_S`` seconds; never raises.
    """

    def __init__(self, worker: Worker, beat: Callable[[], None]) -> None:
        self._worker = worker
        self._beat = beat
        self._done = Event()
        # What is stopped is what was started, also when the process was forked meanwhile.
        self._pipeline = worker.pipeline
        self._thread = Thread(target=self._keep, name="hookkit-leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self._pipeline.stir()
        self._thread.join()

    def _keep(self) -> None:
        pause_s = self._worker.assignment.lease_s / 3
        renew_at = time.monotonic() + pause_s
        while not self._done.is_set():
            self._beat()
            left_s = min(BEAT_S, max(0.0, renew_at - time.monotonic()))
            if self._pipeline.wait_for_unwritten(self._done, left_s):
                self._done.wait(LEFT_S)
                self._flush_left()
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + pause_s
                self._renew(pause_s)

    def _flush_left(self) -> None:
        try:
            self._pipeline.flush_left()
        except Unavailable:  # the threads report it, and it is kept
            self._done.wait(UNAVAILABLE_S)
        except Exception:
            _logger.exception("cannot settle", extra={"action": "settle_failed"})

    def _renew(self, pause_s: float) -> None:
        try:
            self._worker.leases.renew()
            self._pipeline.give_back(idle_for_s=pause_s)
        except Exception:
            _logger.exception("cannot renew leases", extra={"action": "renew_failed"})


@contextmanager
def leases_kept(worker: Worker, beat: Callable[[], None] = _nothing) -> Iterator[None]:
    """Renew the leases of *worker*, and call *beat* as ``LeaseKeeper`` does, until the end."""
    keeper = LeaseKeeper(worker, beat)
    try:
        yield
    finally:
        keeper.stop()
