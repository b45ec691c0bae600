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

#: Refusals of deliveries that have a proof which did not fit.
_OF_A_PROOF = (SignatureMismatch, TimestampExpired, TimestampInFuture)
#: Refusals of deliveries that nothing can prove as they are: mostly of scanners. Less is kept.
_WEAK = (SignatureMissing, MalformedHeader)
_WEAK_CODES = frozenset(each.code for each in _WEAK)

#: Of all that is kept: bytes of bodies, and the share of an endpoint's that is left to weak ones.
MAX_BYTES = 32 << 20
WEAK_SHARE = 0.1

#: A delivery counts once for each so many bytes of its body, begun or whole.
BYTES_OF_ONE = 64 << 10

#: What an endpoint keeps in this process: so many at once, and so many in each second after that.
ENDPOINT_BURST, ENDPOINT_PER_S = 200, 2.0
#: So many of them are left to networks that had fewer than so many refused a moment ago.
RESERVED, FEW = 100, 5
#: The same of one network, and of deliveries that nothing can prove.
NETWORK_BURST, NETWORK_PER_S = 50, 1.0
WEAK_BURST, WEAK_PER_S = 5, 0.1
#: So many networks are remembered for each endpoint.
MAX_NETWORKS = 1000

#: For so long nothing is kept after the inbox could not be reached.
PAUSE_S = 10.0


class Quarantine:
    """Keeps what endpoints refuse, as far as there is room.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        most: So many deliveries are kept in all; 0 keeps none.
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
        if not self.room.rows or not isinstance(refusal, _OF_A_PROOF + _WEAK):
            return
        network, size = network_of(delivery.address), len(delivery.body)
        if not self._may_keep(endpoint.name, network, size, is_weak=isinstance(refusal, _WEAK)):
            return
        try:
            hidden = concealed(endpoint, delivery)
            if hidden is not None:
                self._inbox().quarantine.keep(hidden, refusal.code, network, size, self.room)
        except Unavailable as error:
            self._paused_until_s = self._clock() + PAUSE_S
            self._report(endpoint, error, None)
        except Exception as error:  # noqa: BLE001  # the vendor gets its answer
            self._report(endpoint, type(error).__name__, error)

    def _may_keep(self, endpoint: str, network: str, size: int, *, is_weak: bool) -> bool:
        now_s = self._clock()
        with self._lock:
            if now_s < self._paused_until_s:
                return False
            rates = self._rates.get(endpoint)
            if rates is None:
                rates = self._rates[endpoint] = Rates(now_s)
            return rates.take(network, now_s, 1 + size // BYTES_OF_ONE, is_weak=is_weak)

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
        # The last was used last.
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
