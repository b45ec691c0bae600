"""Rehearsals of switches in threads of their own: one at a time, with a limit; results are kept.

They are kept in the process that made them, and gone with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Lock, Thread

from flask import Flask

from hookkit.core.errors import HookkitError
from hookkit.switching.rehearsal import Rehearsal

#: When a rehearsal is given up, in seconds.
LIMIT_S = 30.0

#: How long a result is shown.
KEPT = timedelta(hours=1)

_EXTENSION = "hookkit_rehearsals"

#: Rehearses a switch, as long as the function that it is given does not say that time is over.
Run = Callable[[Callable[[], bool]], Rehearsal]


class Rehearsed:
    """A rehearsal that was begun.

    Attributes:
        began_at: Aware UTC.
        ended: Set once it has ended.
        found: Its result; None before that, and if it failed.
        error: Why there is no result.
    """

    def __init__(self, began_at: datetime) -> None:
        self.began_at = began_at
        self.ended: Event = Event()
        self.found: Rehearsal | None = None
        self.error: HookkitError | None = None

    def run(self, run: Run) -> None:
        """Run it to its end."""
        over_at_s = time.monotonic() + LIMIT_S
        try:
            self.found = run(lambda: time.monotonic() > over_at_s)
        except HookkitError as error:
            self.error = error
        finally:
            self.ended.set()


class Rehearsals:
    """The rehearsals of one application in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: dict[tuple[str, str], Rehearsed] = {}

    def begin(self, endpoint: str, version: str, now: datetime, run: Run) -> Rehearsed | None:
        """Begin a rehearsal of a switch of *endpoint* to *version*; None while another runs."""
        with self._lock:
            if any(not each.ended.is_set() for each in self._last.values()):
                return None
            begun = self._last[endpoint, version] = Rehearsed(now)
        Thread(target=begun.run, args=(run,), name="hookkit-rehearsal", daemon=True).start()
        return begun

    def last(self, endpoint: str, version: str, now: datetime) -> Rehearsed | None:
        """Return the last rehearsal of this switch, None if there was none lately."""
        found = self._last.get((endpoint, version))
        return None if found is None or found.began_at < now - KEPT else found


def rehearsals_of(app: Flask) -> Rehearsals:
    """Return the rehearsals of *app*."""
    found: Rehearsals = app.extensions.setdefault(_EXTENSION, Rehearsals())
    return found
