"""How many look-ups of unknown key ids may begin, for whom, and who may wait for the result.

Whether a key id is forged shows only when the vendor's server is asked for it. So anybody who
posts to an endpoint can make hookkit ask, and the number of look-ups must be limited.

Rule 1: a look-up begins at once for an address that has proved a delivery, and for a network that
        is not known for forged ids. The total is limited, and a share of it is reserved for the
        proven addresses.
Rule 2: all others share a small budget, and the id that was named most often is looked up next. A
        vendor names its key with every delivery. A stranger gains nothing by repeating an id,
        since an id without a key is not looked up again.
Rule 3: few requests wait for a result, except those of proven addresses. The others are answered
        503 while the look-up runs, and the vendor sends again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from hookkit.core.rates import Bucket, network_of, remember

#: Look-ups of rule 1: so many at once, and so many in each second after that.
TOTAL_PER_S = 128
#: How many of them are left to addresses that have proved a delivery.
RESERVED = 16
#: Look-ups of rule 2, of all networks together: so many at once, and so many a second after that.
SUSPECT_BURST = 5
SUSPECTS_PER_S = 2.0
#: Requests that wait for the result, of those that have proved nothing: as above. The half is
#: left to networks that are not known for forged ids.
WAIT_BURST = 8
WAITS_PER_S = 2.0
#: A network that has named so many ids that no key has is known for forged ids, for so long.
MAX_MISSES = 5
MISSES_S = 3600.0
#: How long it counts that an id was named: nobody can save up for later.
WANTED_S = 60.0
#: How many of each are remembered; what was used least recently is forgotten first.
MAX_NETWORKS = 10_000
MAX_PROVED = 1_000
MAX_WANTED = 5_000


class Standing(Enum):
    """What is known of the address that a delivery comes from."""

    PROVED = 0
    FRESH = 1
    SUSPECT = 2


@dataclass(slots=True)
class Charge:
    """What a look-up has taken out of the budget.

    Attributes:
        buckets: What is given back if a key is found.
        network: Whose miss it is, unless a key is found or the server gives no answer.
    """

    buckets: list[Bucket] = field(default_factory=list)
    network: str | None = None


@dataclass(slots=True)
class _Count:
    """How often something has happened, and until when that counts."""

    number: int
    until_s: float


class LookupBudget:
    """The budget of one key server. Times are the seconds of a clock that never goes back."""

    def __init__(self, now_s: float) -> None:
        self._total = Bucket(TOTAL_PER_S, TOTAL_PER_S, now_s)
        self._suspects = Bucket(SUSPECT_BURST, SUSPECTS_PER_S, now_s)
        self._waits = Bucket(WAIT_BURST, WAITS_PER_S, now_s)
        # The last of each was used last.
        self._proved: dict[str, None] = {}
        self._misses: dict[str, _Count] = {}
        self._wanted: dict[str, _Count] = {}

    def note_proof(self, address: str) -> None:
        """Note that a delivery from *address* was proved."""
        self._proved.pop(address, None)
        remember(self._proved, address, None, MAX_PROVED)

    def standing(self, address: str, now_s: float) -> Standing:
        """Return what is known of *address*."""
        if address in self._proved:
            return Standing.PROVED
        misses = self._misses.get(network_of(address))
        if misses is None or misses.until_s <= now_s or misses.number < MAX_MISSES:
            return Standing.FRESH
        return Standing.SUSPECT

    def take(self, address: str, now_s: float, *, is_down: bool) -> Charge | None:
        """Return what a look-up for *address* that may begin at once is charged; None if none may.

        Args:
            is_down: Whether the server gave no answer the last time.
        """
        standing = self.standing(address, now_s)
        if standing is Standing.PROVED:
            return Charge([self._total]) if self._total.take(now_s) else None
        if standing is Standing.SUSPECT or is_down:
            return None
        if not self._total.take(now_s, leaving=RESERVED):
            return None
        network = network_of(address)
        self._add_miss(network, now_s)
        return Charge([self._total], network)

    def want(self, key_id: str, now_s: float) -> tuple[str, Charge] | None:
        """Note that *key_id* is to be asked for; return the id whose turn it is, if one may be."""
        wanted = self._wanted.pop(key_id, None)
        if wanted is None or now_s >= wanted.until_s:
            wanted = _Count(0, now_s + WANTED_S)
        wanted.number += 1
        remember(self._wanted, key_id, wanted, MAX_WANTED)
        if not self._suspects.take(now_s):
            return None
        in_time = (named for named, it in reversed(self._wanted.items()) if now_s < it.until_s)
        next_id = max(in_time, key=lambda named: self._wanted[named].number)
        del self._wanted[next_id]
        return next_id, Charge([self._suspects])

    def forget_wanted(self, key_id: str) -> None:
        """Note that *key_id* is asked for, or need not be asked for any more."""
        self._wanted.pop(key_id, None)

    def may_wait(self, address: str, charge: Charge, now_s: float) -> bool:
        """Tell whether a request from *address* may wait for a look-up with this charge."""
        standing = self.standing(address, now_s)
        if standing is Standing.PROVED:
            return True
        leaving = WAIT_BURST / 2 if standing is Standing.SUSPECT else 0
        if not self._waits.take(now_s, leaving=leaving):
            return False
        charge.buckets.append(self._waits)
        return True

    def found(self, charge: Charge) -> None:
        """Note that a look-up has found a key: it does not count."""
        for bucket in charge.buckets:
            bucket.give_back()
        self.failed(charge)

    def failed(self, charge: Charge) -> None:
        """Note that a look-up had no answer, which is nobody's miss."""
        misses = None if charge.network is None else self._misses.get(charge.network)
        if misses is not None:
            misses.number -= 1

    def _add_miss(self, network: str, now_s: float) -> None:
        misses = self._misses.pop(network, None)
        count = 0 if misses is None or misses.until_s <= now_s else misses.number
        remember(self._misses, network, _Count(count + 1, now_s + MISSES_S), MAX_NETWORKS)
