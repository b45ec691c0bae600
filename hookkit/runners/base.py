"""What runners have in common: their verbs, renewed leases, and an outage logged once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from hookkit.core.entry import Receipt
from hookkit.handling.worker import Worker

_logger = logging.getLogger("hookkit")


class Runner:
    """Sees to it that due entries are handled.

    This one leaves them to a worker in another process, which polls the inbox.
    """

    def start(self) -> None:
        """Begin in this process; calling it again changes nothing."""

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Have entries handled soon that have just become due."""

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
        self.is_on = False
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


def renew_until(done: Event, worker: Worker) -> None:
    """Renew the leases of *worker* three times per lease, until *done* is set."""
    while not done.wait(worker.assignment.lease_s / 3):
        try:
            worker.leases.renew()
        except Exception:
            _logger.exception("cannot renew leases", extra={"action": "renew_failed"})


@contextmanager
def leases_renewed(worker: Worker) -> Iterator[None]:
    """Renew the leases of *worker* until the end of the block."""
    done = Event()
    thread = Thread(target=renew_until, args=(done, worker), name="hookkit-leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
