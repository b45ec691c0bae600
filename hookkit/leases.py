"""The leases that this process holds: renewed while handlers run, and asked before they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from threading import Lock

from hookkit.core.outcome import Entry
from hookkit.inbox.base import Inbox


class Leases:
    """What is claimed in this process, by entry, and until when.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        lease_s: How long a lease lasts, in seconds.
    """

    def __init__(
        self, inbox: Callable[[], Inbox], clock: Callable[[], datetime], lease_s: float
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._lease_s = lease_s
        self._until: dict[int, tuple[Entry, datetime]] = {}
        self._lock = Lock()

    def hold(self, entries: Iterable[Entry], claimed_at: datetime) -> list[Entry]:
        """Note that *entries* were claimed; return those that do not run here already.

        A clock that is set forward makes leases look over that are not, and the claim takes
        an entry from a thread beside this one. That thread goes on, under the new lease.
        """
        until = claimed_at + timedelta(seconds=self._lease_s)
        with self._lock:
            new = [entry for entry in entries if entry.id not in self._until]
            self._until.update((entry.id, (entry, until)) for entry in entries)
        return new

    def drop(self, entries: Iterable[Entry]) -> None:
        """Forget *entries*: they are settled, or somebody else's."""
        with self._lock:
            for entry in entries:
                self._until.pop(entry.id, None)

    def latest(self, entry: Entry) -> Entry:
        """Return *entry* as this process has claimed it last."""
        with self._lock:
            held = self._until.get(entry.id)
        return entry if held is None else held[0]

    @property
    def count(self) -> int:
        """How many are held."""
        with self._lock:
            return len(self._until)

    def is_held(self, entry: Entry) -> bool:
        """Tell whether *entry* is still ours; one whose lease is over is asked back for.

        Raises:
            Unavailable: That cannot be told now.
        """
        with self._lock:
            held = self._until.get(entry.id)
        if held is None:
            return False
        return self._clock() < held[1] or self._renew(entry)

    def renew(self) -> None:
        """Extend all of them; one that belongs to another claim by now is forgotten.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        with self._lock:
            held = [entry for entry, _ in self._until.values()]
        for entry in held:
            self._renew(entry)

    def _renew(self, entry: Entry) -> bool:
        now = self._clock()
        is_ours = self._inbox().renew(entry, now=now, lease_s=self._lease_s)
        with self._lock:
            # Not one that was dropped, or claimed anew, while it was asked for.
            if self._until.get(entry.id, (None, None))[0] is entry:
                if is_ours:
                    self._until[entry.id] = (entry, now + timedelta(seconds=self._lease_s))
                else:
                    del self._until[entry.id]
        return is_ours
