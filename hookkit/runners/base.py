"""What every runner does, and what several share: renewed leases, and an outage logged once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.handling.worker import Worker

_logger = logging.getLogger("hookkit")


class Outage:
    """Whether the workers of this process can reach the inbox."""

    def __init__(self) -> None:
        self._is_away = False

    def tell_away(self, error: Unavailable) -> None:
        """Log that the inbox cannot be reached, if that is new."""
        if not self._is_away:
            self._is_away = True
            _logger.warning(
                "the inbox cannot be reached: %s", error, extra={"action": "worker_unavailable"}
            )

    def tell_reachable(self) -> None:
        """Log that the inbox can be reached again, if it could not be."""
        if self._is_away:
            self._is_away = False
            _logger.warning("the inbox can be reached again", extra={"action": "worker_available"})


_logger = logging.getLogger("hookkit")


def renew_until(done: Event, worker: Worker) -> None:
    """Renew what *worker* holds three times per lease, until *done* is set."""
    while not done.wait(worker.assignment.lease_s / 3):
        try:
            worker.renew_leases()
        except Exception:
            _logger.exception("cannot renew leases", extra={"action": "renew_failed"})


@contextmanager
def leases_renewed(worker: Worker) -> Iterator[None]:
    """Keep the leases of *worker* until the end of the block."""
    done = Event()
    thread = Thread(target=renew_until, args=(done, worker), name="hookkit-leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Runner(Protocol):
    """Sees to it that admitted entries are worked on."""

    def start(self) -> None:
        """Begin, in this process; calling it again changes nothing."""

    def finish(self, receipt: Receipt) -> Receipt:
        """Do the runner's part of a delivery, and return what its sender is told."""

    def after_fork(self) -> None:
        """Begin anew in a child process, where no thread of the parent exists."""

    def stop(self) -> None:
        """End what runs, and give it time to settle."""


class IdleRunner:
    """Runs nothing: a worker in another process polls the inbox."""

    def start(self) -> None:
        """Do nothing."""

    def finish(self, receipt: Receipt) -> Receipt:
        """Return *receipt* as it is."""
        return receipt

    def after_fork(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
