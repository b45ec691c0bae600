"""The leases that this process holds, renewed while handlers run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from hookkit.core.entry import Entry
from hookkit.inbox.inbox import Inbox


class Leases:
    """What has begun in this process, as it was claimed last.

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
        self._held: dict[int, Entry] = {}
        self._lock = Lock()

    def hold(self, entry: Entry) -> bool:
        """Note that *entry* has begun; False when it runs here already.

        A clock that is set forward makes leases look over that are not, and the claim takes
        an entry from a thread beside this one. That thread goes on, under the new lease.
        """
        with self._lock:
            is_new = entry.id not in self._held
            self._held[entry.id] = entry
        return is_new

    def drop(self, entry: Entry) -> None:
        """Forget *entry*: it is settled, or somebody else's."""
        with self._lock:
            self._held.pop(entry.id, None)

    def latest(self, entry: Entry) -> Entry:
        """Return *entry* as this process has claimed it last."""
        with self._lock:
            return self._held.get(entry.id, entry)

    @property
    def count(self) -> int:
        """How many are held."""
        with self._lock:
            return len(self._held)

    def renew(self) -> None:
        """Extend all of them; one that belongs to another claim by now is forgotten.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        with self._lock:
            held = list(self._held.values())
        for entry in held:
            is_ours = self._inbox().renew(entry, now=self._clock(), lease_s=self._lease_s)
            with self._lock:
                # Not one that was claimed anew while it was asked for.
                if not is_ours and self._held.get(entry.id) is entry:
                    del self._held[entry.id]
