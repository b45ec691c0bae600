"""Counts what endpoints are sent, in this process, until it is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeAlias

from hookkit.core.entry import Receipt
from hookkit.core.errors import Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.log import BoundedLog

#: The next delivery writes what was counted if nothing else has for this long, in seconds. A
#: process that is killed loses the counts of this time.
WRITE_S = 10.0

#: The most counts that wait while the inbox cannot be reached; beyond it the oldest are forgotten.
MAX_WAITING = 10_000

#: A minute since the epoch, an endpoint and a code.
_Key: TypeAlias = tuple[int, str, str]


class MinuteCounts:
    """Counts events and refusals by minute, endpoint and code.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the seconds since the epoch.
    """

    def __init__(self, inbox: Callable[[], Inbox], clock: Callable[[], float] = time.time) -> None:
        self._inbox = inbox
        self._clock = clock
        self._log = BoundedLog()
        self.after_fork()

    def after_fork(self) -> None:
        """Forget in a child process what its parent has counted, and who held the lock."""
        self._counts: dict[_Key, int] = {}
        self._lock = Lock()
        self._write_at_s = time.monotonic() + WRITE_S

    def note(self, endpoint: str, code: str, count: int = 1) -> None:
        """Count, and write what was counted if nobody has for ``WRITE_S``."""
        key = int(self._clock()) // 60, endpoint, code
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + count
        if time.monotonic() >= self._write_at_s:
            self.write()

    def note_duplicates(self, endpoint: str, receipt: Receipt) -> None:
        """Count the events of a delivery that were received before."""
        conflicts = sum(one.is_conflict for one in receipt.admitted)
        duplicates = receipt.duplicate_count - conflicts
        for code, count in (("duplicate", duplicates), ("conflict", conflicts)):
            if count:
                self.note(endpoint, code, count)

    def write(self) -> None:
        """Add what was counted to the inbox; keep it, and log that, if this is not possible."""
        with self._lock:
            self._write_at_s = time.monotonic() + WRITE_S
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            self._inbox().minutes.add(counts)
        except Unavailable as error:
            self._keep(counts)
            self._report(error, None)
        except Exception as error:  # noqa: BLE001  # a count must not decide about a delivery
            self._report(type(error).__name__, error)

    def _keep(self, counts: dict[_Key, int]) -> None:
        with self._lock:
            for key, count in counts.items():
                self._counts[key] = self._counts.get(key, 0) + count
            for oldest in sorted(self._counts)[: max(0, len(self._counts) - MAX_WAITING)]:
                del self._counts[oldest]

    def _report(self, why: object, error: BaseException | None) -> None:
        self._log.write(
            logging.WARNING,
            (),
            "cannot write the counts of deliveries now: %s",
            why,
            error=error,
            extra={"action": "counts_failed"},
            at_once=1,
        )
