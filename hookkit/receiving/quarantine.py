"""Keeps deliveries that were refused for their proof, so that a wrong secret loses no event.

Some vendors never send again what was answered 401. What is kept here is verified once more when
the secret is mended (``Receiver.readmit``).

Rule 1: the answer does not depend on it. Whatever fails here is counted in the log.
Rule 2: a flood costs nothing: how much is kept is limited before anything is written, for each
    endpoint and each network (``Rates``). How much stays is limited in the inbox.
Rule 3: what is kept is not read, and holds no secret (``concealment``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

from hookkit.core.delivery import Delivery
from hookkit.core.errors import (
    MalformedHeader,
    Rejected,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
    Unavailable,
)
from hookkit.core.rates import Bucket, network_of, remember
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Room
from hookkit.log import BoundedLog
from hookkit.receiving.concealment import concealed
from hookkit.receiving.endpoint import Endpoint

#: Refusals of deliveries whose proof did not fit.
_MISFITS = (SignatureMismatch, TimestampExpired, TimestampInFuture)
#: Weak refusals: the delivery has no proof that could fit later. Most come from scanners, and fewer
#: are kept.
_WEAK = (SignatureMissing, MalformedHeader)
_WEAK_CODES = frozenset(each.code for each in _WEAK)

#: The most bytes of bodies that are kept for all endpoints together.
MAX_BYTES = 32 << 20
#: The share of an endpoint's rows that weak refusals may take.
WEAK_SHARE = 0.1

#: A delivery counts as one for each piece of its body of this size; the last may be smaller.
BYTES_OF_ONE = 64 << 10

#: How many deliveries this process keeps for an endpoint: at once, and then in each second.
ENDPOINT_BURST, ENDPOINT_PER_S = 200, 2.0
#: How many of the burst only such networks may take as had fewer than FEW refused a moment ago.
RESERVED, FEW = 100, 5
#: How many it keeps of one network, and of weak refusals.
NETWORK_BURST, NETWORK_PER_S = 50, 1.0
WEAK_BURST, WEAK_PER_S = 5, 0.1
#: How many networks are remembered for each endpoint.
MAX_NETWORKS = 1000

#: How long nothing is kept after the inbox could not be reached, in seconds.
PAUSE_S = 10.0


class Quarantine:
    """Keeps what endpoints refuse, as far as there is room.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        most: How many deliveries are kept in all; 0 keeps none.
        endpoint_count: Among how many endpoints they are shared out.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self,
        inbox: Callable[[], Inbox],
        most: int,
        endpoint_count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        rows = max(1, most // endpoint_count) if most else 0
        self.room: Room = Room(
            rows=rows,
            bytes=MAX_BYTES // endpoint_count,
            weak_codes=_WEAK_CODES,
            weak_rows=max(1, int(rows * WEAK_SHARE)),
        )
        self._inbox = inbox
        self._clock = clock
        self._log = BoundedLog()
        self.after_fork()

    def after_fork(self) -> None:
        """Forget in a child process what its parent has kept, and who held the lock."""
        self._lock = Lock()
        self._rates: dict[str, Rates] = {}
        self._paused_until_s = 0.0

    def offer(self, endpoint: Endpoint, delivery: Delivery, refusal: Rejected) -> None:
        """Keep *delivery*, which *endpoint* refused, if it should be kept and there is room."""
        if not self.room.rows or not isinstance(refusal, _MISFITS + _WEAK):
            return
        network, size_bytes = network_of(delivery.address), len(delivery.body)
        is_weak = isinstance(refusal, _WEAK)
        if not self._may_keep(endpoint.name, network, size_bytes, is_weak=is_weak):
            return
        try:
            hidden = concealed(endpoint, delivery)
            if hidden is not None:
                self._inbox().quarantine.keep(hidden, refusal.code, network, size_bytes, self.room)
        except Unavailable as error:
            self._paused_until_s = self._clock() + PAUSE_S
            self._report(endpoint, error, None)
        except Exception as error:  # noqa: BLE001  # the vendor gets its answer
            self._report(endpoint, type(error).__name__, error)

    def _may_keep(self, endpoint: str, network: str, size_bytes: int, *, is_weak: bool) -> bool:
        now_s = self._clock()
        with self._lock:
            if now_s < self._paused_until_s:
                return False
            rates = self._rates.get(endpoint)
            if rates is None:
                rates = self._rates[endpoint] = Rates(now_s)
            return rates.take(network, now_s, 1 + size_bytes // BYTES_OF_ONE, is_weak=is_weak)

    def _report(self, endpoint: Endpoint, why: object, error: BaseException | None) -> None:
        self._log.write(
            logging.WARNING,
            (endpoint.name,),
            "cannot keep what %s refuses now: %s",
            endpoint.name,
            why,
            error=error,
            extra={"action": "quarantine_failed", "endpoint": endpoint.name},
            at_once=1,
        )


class Rates:
    """How fast an endpoint keeps what it refuses; times are seconds that only grow."""

    def __init__(self, now_s: float) -> None:
        self._all = Bucket(ENDPOINT_BURST, ENDPOINT_PER_S, now_s)
        self._weak = Bucket(WEAK_BURST, WEAK_PER_S, now_s)
        # Ordered by their last use, the oldest first.
        self._networks: dict[str, Bucket] = {}

    def take(self, network: str, now_s: float, count: int, *, is_weak: bool) -> bool:
        """Return whether one more delivery from *network* may be kept, and count it.

        Args:
            count: As how many it counts.
        """
        if is_weak:
            return self._weak.take(now_s, count=count)
        bucket = self._networks.pop(network, None)
        bucket = bucket or Bucket(NETWORK_BURST, NETWORK_PER_S, now_s)
        remember(self._networks, network, bucket, MAX_NETWORKS)
        is_fresh = bucket.take(now_s, count=count, leaving=NETWORK_BURST - FEW)
        if not is_fresh and not bucket.take(now_s, count=count):
            return False
        # What is not kept counts as well: who is refused again and again is not fresh.
        return self._all.take(now_s, count=count, leaving=0 if is_fresh else RESERVED)
