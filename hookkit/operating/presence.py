"""Says that this process runs handlers, so that people see whether any does."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import metadata

from hookkit.core.errors import Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import WorkerRecord

_logger = logging.getLogger("hookkit")

#: How often a process says that it is there, in seconds: one small write.
BEAT_S = 30.0

#: A process that was not seen for longer has ended, or hangs.
GONE_AFTER = timedelta(seconds=3 * BEAT_S)


_EXTRA = {"action": "presence_failed"}


class Presence:
    """This process, as others see it.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        name: What the application is called.
        threads: How many threads run handlers; with 0 nothing is said.
        endpoints: The names of the endpoints whose entries are claimed.
    """

    def __init__(
        self,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        name: str,
        threads: int,
        endpoints: Collection[str],
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._name = name
        self._threads = threads
        self._endpoints = tuple(endpoints)
        self.after_fork()

    def after_fork(self) -> None:
        """Begin in a child process as a process of its own."""
        self._record: WorkerRecord | None = None
        self._beat_at_s = 0.0

    def beat(self) -> None:
        """Say that this process is there, if it is time to; never raises."""
        if not self._threads or time.monotonic() < self._beat_at_s:
            return
        self._beat_at_s = time.monotonic() + BEAT_S
        try:
            self._record = self._now()
            self._inbox().workers.see(self._record)
        except Unavailable:  # what runs handlers reports it
            return
        except Exception:
            _logger.exception("cannot say that this process is there", extra=_EXTRA)

    def leave(self) -> None:
        """Say that this process runs nothing more; never raises."""
        if self._record is None:
            return
        try:
            self._inbox().workers.leave(self._record.id)
        except Unavailable:  # others see that it is not there any more
            return
        except Exception:
            _logger.exception("cannot say that this process ends", extra=_EXTRA)

    def _now(self) -> WorkerRecord:
        now = self._clock()
        if self._record is not None:
            return replace(self._record, seen_at=now)
        return WorkerRecord(
            id=secrets.token_hex(16),
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_version(),
            threads=self._threads,
            endpoints=self._endpoints,
            started_at=now,
            seen_at=now,
        )


def _version() -> str:
    try:
        return metadata.version("hookkit")
    except metadata.PackageNotFoundError:  # its folder alone was copied
        return ""


def workers_seen(inbox: Inbox, now: datetime) -> Sequence[WorkerRecord]:
    """Return the processes that run handlers now, the last seen first.

    With the runner ``inline``, none does; a worker of Celery is seen while it has something to do.
    """
    return inbox.workers.seen(now - GONE_AFTER)
