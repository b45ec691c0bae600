"""What is remembered of a key server: its keys, what it does not have, when it failed.

Decisions alone: the time comes in, nothing waits, and the caller holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookkit.core.errors import Unavailable
from hookkit.signatures.rsa import (
    RsaKey,
)

#: How long a key is good without asking again, and how long at most while that fails.
FRESH_S = 24 * 3600.0
STALE_S = 7 * 24 * 3600.0
#: How long such a key is used before the server that failed is asked again.
STALE_HOLD_S = 60.0
#: How long an id that no key has is not asked for again, and one whose asking failed.
ABSENT_S = 60.0
FAILED_S = 5.0
#: Lookups of unknown ids: so many at once, and one more after each such interval. One that
#: finds a key does not count.
LOOKUP_BURST = 5
LOOKUP_INTERVAL_S = 10.0
#: A vendor has a handful; a server that went bad may have more.
MAX_KEYS = 100


@dataclass(slots=True)
class KnownKey:
    """A key that the server had.

    Attributes:
        fresh_until: After this the server is asked again.
        stale_until: After this the key is not used, even when the server cannot be asked.
    """

    key: RsaKey
    fresh_until: float
    stale_until: float


class KeyMemory:
    """What is known of one key server."""

    def __init__(self, now: float) -> None:
        self._known: dict[str, KnownKey] = {}
        #: key id -> until when it is not asked for, and whether for want of an answer
        self._held: dict[str, tuple[float, bool]] = {}
        self._budget = float(LOOKUP_BURST)
        self._budget_at = now
        self._is_down = False

    def usable(self, key_id: str, now: float) -> KnownKey | None:
        """Return the key that is known by this id, fresh or stale."""
        known = self._known.get(key_id)
        return known if known is not None and now < known.stale_until else None

    def may_ask(self, key_id: str, now: float) -> bool:
        """Tell whether an unknown id may be asked for now; saying so counts as a lookup.

        Raises:
            Unavailable: Not now, because the server gave no answer a moment ago.
        """
        held_until, is_failure = self._held.get(key_id, (now, False))
        is_held = now < held_until
        # Whoever sends ids that no key has must not learn how to make 503s: that is an
        # answer only while the server is known to be away.
        if is_held or not self._has_budget(now):
            if is_failure if is_held else self._is_down:
                raise Unavailable("the key server gave no answer a moment ago")
            return False
        self._budget -= 1
        return True

    def learn(self, key_id: str, key: RsaKey, now: float) -> None:
        """Note that the server has this key."""
        self._is_down = False
        self._held.pop(key_id, None)
        if key_id not in self._known:
            self._budget += 1
            if len(self._known) >= MAX_KEYS:
                del self._known[next(iter(self._known))]
        self._known[key_id] = KnownKey(key, now + FRESH_S, now + STALE_S)

    def note_absent(self, key_id: str, now: float) -> None:
        """Note that the server has no such key, or has it no more."""
        self._is_down = False
        self._known.pop(key_id, None)
        self._hold(key_id, now, now + ABSENT_S, is_failure=False)

    def note_failure(self, key_id: str, now: float) -> None:
        """Note that the server gave no answer; a key that it had stays good for a while."""
        self._is_down = True
        known = self.usable(key_id, now)
        if known is not None:
            known.fresh_until = min(now + STALE_HOLD_S, known.stale_until)
        else:
            self._hold(key_id, now, now + FAILED_S, is_failure=True)

    def _has_budget(self, now: float) -> bool:
        refill = (now - self._budget_at) / LOOKUP_INTERVAL_S
        self._budget = min(self._budget + refill, LOOKUP_BURST)
        self._budget_at = now
        return self._budget >= 1

    def _hold(self, key_id: str, now: float, until: float, *, is_failure: bool) -> None:
        self._held = {other: held for other, held in self._held.items() if now < held[0]}
        self._held[key_id] = (until, is_failure)
