"""Keeps the leases of this process while its handlers run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from hookkit.handling.worker import (
    Worker,
)

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
