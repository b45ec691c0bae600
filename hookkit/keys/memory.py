"""What is known of the keys of one key server, and of the ids that it has no key for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hookkit.core.errors import Unavailable
from hookkit.core.scheme import KeptKey, PublicKey

#: How long a key is used before the server is asked again; how long at most if that fails.
FRESH_S = 24 * 3600.0
STALE_S = 7 * 24 * 3600.0
#: How long after a failure a stale key is used before the server is asked again.
STALE_HOLD_S = 60.0
#: How long an id is not asked for again: one that no key has, and one whose lookup failed.
ABSENT_S = 60.0
FAILED_S = 5.0
#: A vendor has a handful of keys; a server that went bad may have any number.
MAX_KEYS = 100
#: How many ids are held back at most; then the first is forgotten.
MAX_HELD = 10_000


@dataclass(slots=True)
class KnownKey:
    """A key that the server had.

    Attributes:
        fetched_at: When the server said so; aware UTC.
        fresh_until_s: From then on the server is asked again.
        stale_until_s: From then on the key is not used, even if the server gives no answer.
        has_proved: Whether a delivery was proved by it.
        is_saved: Whether other processes can know it.
    """

    key: PublicKey
    fetched_at: datetime
    fresh_until_s: float
    stale_until_s: float
    has_proved: bool = False
    is_saved: bool = False


class _Hold(NamedTuple):
    """Until when a key id is not asked for, and whether because its lookup has failed."""

    until_s: float
    is_failure: bool


class KeyMemory:
    """What is known of one key server. Times are the seconds of its clock.

    Attributes:
        is_down: Whether the server gave no answer the last time.
        has_unsaved: Whether a key has proved a delivery, and other processes cannot know it.
    """

    def __init__(self) -> None:
        self.has_unsaved: bool = False
        self.is_down: bool = False
        self._known: dict[str, KnownKey] = {}
        self._held: dict[str, _Hold] = {}

    def usable(self, key_id: str, now_s: float) -> KnownKey | None:
        """Return the key of this id, fresh or stale; None if it is not known or too old."""
        known = self._known.get(key_id)
        return known if known is not None and now_s < known.stale_until_s else None

    def was_known(self, key_id: str) -> bool:
        """Tell whether the server had a key of this id, however long ago: nobody invented it."""
        return key_id in self._known

    @property
    def known_ids(self) -> list[str]:
        """The ids of all keys that the server had when it was asked last."""
        return list(self._known)

    def is_held(self, key_id: str, now_s: float) -> bool:
        """Tell whether the server has said a moment ago that it has no such key.

        Raises:
            Unavailable: It gave no answer a moment ago.
        """
        hold = self._held.get(key_id)
        if hold is None or now_s >= hold.until_s:
            return False
        if hold.is_failure:
            raise Unavailable("the key server gave no answer a moment ago")
        return True

    def learn(self, key_id: str, key: PublicKey, now_s: float, fetched_at: datetime) -> None:
        """Note that the server has this key."""
        self.is_down = False
        fresh_until_s, stale_until_s = now_s + FRESH_S, now_s + STALE_S
        self._put(key_id, KnownKey(key, fetched_at, fresh_until_s, stale_until_s))

    def restore(self, kept: KeptKey, key: PublicKey, now_s: float, age_s: float) -> None:
        """Take over a key that has proved a delivery, unless a later answer is known.

        Args:
            key: What *kept* spells.
            age_s: How long ago it was fetched.
        """
        known = self._known.get(kept.key_id)
        if known is not None and known.fetched_at >= kept.fetched_at:
            return
        fetched_at_s = now_s - age_s
        restored = KnownKey(
            key,
            kept.fetched_at,
            fetched_at_s + FRESH_S,
            fetched_at_s + STALE_S,
            has_proved=True,
            is_saved=True,
        )
        self._put(kept.key_id, restored)

    def note_proof(self, key_id: str) -> None:
        """Note that a delivery was proved by the key of this id."""
        known = self._known.get(key_id)
        if known is not None:
            known.has_proved = True
            self.has_unsaved |= not known.is_saved

    def note_absent(self, key_id: str, now_s: float) -> datetime | None:
        """Note that the server has no such key, or has it no more.

        Returns:
            When a key was fetched that it has no more; None if it never had one.
        """
        self.is_down = False
        known = self._known.pop(key_id, None)
        self._hold(key_id, _Hold(now_s + ABSENT_S, is_failure=False))
        return None if known is None else known.fetched_at

    def note_failure(self, key_id: str, now_s: float) -> None:
        """Note that the server gave no answer; a key that it had stays usable until it is stale."""
        self.is_down = True
        known = self.usable(key_id, now_s)
        if known is not None:
            known.fresh_until_s = min(now_s + STALE_HOLD_S, known.stale_until_s)
        else:
            self._hold(key_id, _Hold(now_s + FAILED_S, is_failure=True))

    def take_unsaved(self) -> list[KeptKey]:
        """Return the keys that are to be saved, and count them as saved."""
        unsaved = []
        self.has_unsaved = False
        for key_id, known in self._known.items():
            if known.has_proved and not known.is_saved:
                known.is_saved = True
                unsaved.append(KeptKey(key_id, known.key.jwk, known.fetched_at))
        return unsaved

    def save_again(self, key_id: str) -> None:
        """Note that a key could not be saved."""
        known = self._known.get(key_id)
        if known is not None:
            known.is_saved = False
            self.has_unsaved = True

    def _put(self, key_id: str, known: KnownKey) -> None:
        self._held.pop(key_id, None)
        if key_id not in self._known and len(self._known) >= MAX_KEYS:
            # A server that has a key for every id must not push out what the vendor signs with.
            unproved = (other for other, each in self._known.items() if not each.has_proved)
            del self._known[next(unproved, next(iter(self._known)))]
        self._known[key_id] = known

    def _hold(self, key_id: str, hold: _Hold) -> None:
        self._held.pop(key_id, None)
        self._held[key_id] = hold
        if len(self._held) > MAX_HELD:
            del self._held[next(iter(self._held))]
