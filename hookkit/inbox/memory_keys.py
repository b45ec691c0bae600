"""The vendors' public keys that have proved deliveries, in the memory of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from hookkit.core.scheme import KeptKey
from hookkit.inbox.base import MAX_KEPT_KEYS


class MemoryKeys:
    """The ``KeyBook`` of a memory inbox.

    Args:
        lock: Returns the inbox's own.
    """

    def __init__(self, lock: Callable[[], Lock]) -> None:
        self._lock = lock
        self._kept: dict[str, dict[str, KeptKey]] = {}

    def load(self, server: str) -> Sequence[KeptKey]:
        """Return the keys of *server*, the one that was fetched last first."""
        with self._lock():
            return sorted(self._kept.get(server, {}).values(), key=_newest_first)

    def keep(self, server: str, key: KeptKey) -> None:
        """Keep *key*, unless the same was fetched later by somebody else."""
        with self._lock():
            kept = self._kept.setdefault(server, {})
            if key.key_id not in kept or kept[key.key_id].fetched_at <= key.fetched_at:
                kept[key.key_id] = key
            for oldest in sorted(kept.values(), key=_newest_first)[MAX_KEPT_KEYS:]:
                del kept[oldest.key_id]

    def drop(self, server: str, key_id: str, fetched_at: datetime) -> None:
        """Forget a key that the server has no more, unless it was fetched later than that."""
        with self._lock():
            kept = self._kept.get(server, {})
            if key_id in kept and kept[key_id].fetched_at <= fetched_at:
                del kept[key_id]


def _newest_first(key: KeptKey) -> tuple[float, str]:
    return -key.fetched_at.timestamp(), key.key_id
