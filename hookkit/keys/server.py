"""Fetches public keys from a vendor's server, each look-up in a thread of its own."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Thread

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable, KeyPending, Unavailable
from hookkit.core.ids import bounded_id
from hookkit.core.scheme import PublicKey
from hookkit.keys.budget import Charge, LookupBudget, Standing
from hookkit.keys.https_get import Download
from hookkit.keys.memory import KnownKey
from hookkit.keys.shared import SharedKeys
from hookkit.signatures.detached_jws import KEY_ID
from hookkit.signatures.rsa import RsaKey, read_key

#: How long a request waits for the key server, everything included.
TIMEOUT_S = 2.0
#: How many look-ups run at a time, also those that nobody waits for; and how many of them are
#: left to addresses that have proved a delivery, and to keys that were known before.
MAX_THREADS = 32
RESERVED_THREADS = 8
#: How many requests wait at a time.
MAX_WAITING = 32
#: What is longer is no IP address.
_MAX_ADDRESS_CHARS = 64

_TOO_LATE = "the key server gave no answer in time"


@dataclass(slots=True)
class _Lookup:
    """One question to the server, and its result.

    Attributes:
        charge: What it has taken out of the budget; None for a key that was known before.
        give_up_at_s: When it has taken too long, by ``time.monotonic``.
        is_waited_for: Whether requests wait for the result.
        landed: Set once there is nothing more to wait for.
        key: The result; None if the server has no such key, or ``error`` is set.
        download: The request that is under way.
        is_given_up: Whether nobody waits any more.
    """

    key_id: str
    charge: Charge | None = None
    give_up_at_s: float = 0.0
    is_waited_for: bool = True
    landed: Event = field(default_factory=Event)
    key: RsaKey | None = None
    error: Unavailable | None = None
    download: Download | None = None
    is_given_up: bool = False

    @property
    def is_overdue(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() >= self.give_up_at_s


class KeyServer(SharedKeys):
    """Fetches keys from a vendor, at ``<base>/<key id>/public``, and remembers them.

    Requests for the same key wait for one look-up. Keys that have proved a delivery are kept in
    a book, from which every process takes them.

    Args:
        bases: The addresses to ask, one after another until one has the key.
        context: How certificates are checked; None checks them as the system does.
        clock: Returns seconds, from any start, for what is remembered.
        timeout_s: How long a request waits.
        wall_clock: Returns the time as aware UTC, for what is kept.
    """

    def __init__(
        self,
        bases: Sequence[str],
        *,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.bases: tuple[str, ...] = tuple(base.rstrip("/") for base in bases)
        super().__init__(
            bounded_id(" ".join(self.bases)),
            read_key,
            context=context,
            clock=clock,
            wall_clock=wall_clock,
            timeout_s=timeout_s,
        )
        self._budget = LookupBudget(clock())

    def after_fork(self) -> None:
        """Forget in a child process the look-ups of its parent; the keys stay known."""
        super().after_fork()
        self._lookups: dict[str, _Lookup] = {}
        self._threads = 0
        self._waiting = 0

    def find(self, key_id: str, address: str = "") -> PublicKey | None:
        """Return the key of this id; None if there is none.

        Args:
            address: Where the delivery comes from that names the key.

        Raises:
            KeyPending: It is not known yet, and not waited for.
            Unavailable: The server gives no usable answer.
        """
        if not KEY_ID.fullmatch(key_id):
            return None
        address = address[:_MAX_ADDRESS_CHARS]
        self._give_up_overdue()
        self._load_unless_known(key_id)
        with self._lock:
            now_s = self._clock()
            known = self._memory.usable(key_id, now_s)
            if known is not None and self._is_good_enough(known, key_id, now_s):
                return known.key
            if known is None and self._memory.is_held(key_id, now_s):
                return None
            begun, awaited = self._join_or_begin(key_id, address, now_s)
        if begun is not None:
            self._start(begun)
        if awaited is None:
            raise KeyPending("the key that it names is not known yet")
        return self._await(awaited, is_mine=awaited is begun)

    def note_proof(self, key_id: str, address: str) -> None:
        """Note that a delivery from *address* was proved by the key of this id."""
        with self._lock:
            self._memory.note_proof(key_id)
            self._budget.note_proof(address[:_MAX_ADDRESS_CHARS])

    def _is_good_enough(self, known: KnownKey, key_id: str, now_s: float) -> bool:
        """Tell whether a known key is used without asking whether it still is the key."""
        is_fresh = now_s < known.fresh_until_s
        return is_fresh or key_id in self._lookups or self._threads >= MAX_THREADS

    def _join_or_begin(
        self, key_id: str, address: str, now_s: float
    ) -> tuple[_Lookup | None, _Lookup | None]:
        """Return the look-up to be started, and the one to wait for."""
        begun = None
        awaited = self._lookups.get(key_id)
        has_proved = self._budget.standing(address, now_s) is Standing.PROVED
        if awaited is None:
            begun = self._begin(key_id, now_s, address, has_proved=has_proved)
            if begun is None or begun.key_id != key_id:
                return begun, None
            awaited = begun
            awaited.is_waited_for = begun.charge is None or self._budget.may_wait(
                address, begun.charge, now_s
            )
        if self._waiting >= MAX_WAITING or not (awaited.is_waited_for or has_proved):
            return begun, None
        self._waiting += 1
        return begun, awaited

    def _begin(
        self, key_id: str, now_s: float, address: str, *, has_proved: bool
    ) -> _Lookup | None:
        """Return a look-up that may begin now: of this id, or of one that has waited for longer."""
        charge = None
        was_known = self._memory.was_known(key_id)
        free_threads = MAX_THREADS - self._threads
        if free_threads <= (0 if has_proved or was_known else RESERVED_THREADS):
            return None
        if not was_known:
            charge = self._budget.take(address, now_s, is_down=self._memory.is_down)
            if charge is None:
                turn = self._budget.want(key_id, now_s)
                if turn is None:
                    return None
                key_id, charge = turn
        self._threads += 1
        self._budget.forget_wanted(key_id)
        give_up_at_s = time.monotonic() + self._timeout_s
        lookup = self._lookups[key_id] = _Lookup(key_id, charge, give_up_at_s)
        return lookup

    def _start(self, lookup: _Lookup) -> None:
        try:
            Thread(target=self._run, args=(lookup,), name="hookkit-keys", daemon=True).start()
        except RuntimeError:  # the process can have no more threads
            lookup.error = Unavailable("no thread can be had to ask the key server")
            self._end(lookup)

    def _await(self, lookup: _Lookup, *, is_mine: bool) -> PublicKey | None:
        try:
            lookup.landed.wait(self._timeout_s)
        finally:  # also when the server takes the request's thread away
            with self._lock:
                self._waiting -= 1
            if is_mine and not lookup.landed.is_set():
                self._give_up(lookup)
        if lookup.key is not None or (lookup.landed.is_set() and lookup.error is None):
            return lookup.key
        with self._lock:
            known = self._memory.usable(lookup.key_id, self._clock())
        if known is None:
            raise lookup.error or Unavailable(_TOO_LATE)
        return known.key

    def _give_up_overdue(self) -> None:
        """Break off look-ups that take too long, and that nobody may be waiting for."""
        with self._lock:
            overdue = [each for each in self._lookups.values() if each.is_overdue]
        for each in overdue:
            self._give_up(each)

    def _give_up(self, lookup: _Lookup) -> None:
        lookup.error = lookup.error or Unavailable(_TOO_LATE)
        lookup.is_given_up = True
        if lookup.download is not None:
            lookup.download.abort()
        self._land(lookup)

    def _run(self, lookup: _Lookup) -> None:
        """Ask the bases, in a thread of its own."""
        try:
            lookup.key = self._fetch(lookup)
        except Unavailable as error:
            lookup.error = lookup.error or error
        except Exception as error:  # noqa: BLE001  # whatever it is, a request waits for the result
            lookup.error = Unavailable(f"asking the key server: {type(error).__name__}")
        self._end(lookup)

    def _end(self, lookup: _Lookup) -> None:
        with self._lock:
            self._threads -= 1
        self._land(lookup)

    def _fetch(self, lookup: _Lookup) -> RsaKey | None:
        if self._context is None:
            self._context = ssl.create_default_context()
        deadline_s = time.monotonic() + self._timeout_s
        failure: Unavailable | None = None
        for asked, base in enumerate(self.bases):
            lookup.download = Download(f"{base}/{lookup.key_id}/public", self._context)
            if lookup.is_given_up:
                break
            # A base that hangs leaves time for the next.
            share_s = (deadline_s - time.monotonic()) / (len(self.bases) - asked)
            try:
                answer = lookup.download.run(share_s)
                if answer is not None:
                    return _read(answer, lookup.key_id, lookup.download.host)
            except Unavailable as error:
                failure = error
        if failure is not None:
            raise failure
        return None

    def _land(self, lookup: _Lookup) -> None:
        """Remember the result of *lookup*, and wake those who wait for it.

        A look-up that is given up lands, and lands again when its thread ends: a key that comes
        late is remembered too.
        """
        lost_at = None
        with self._lock:
            now_s, key_id = self._clock(), lookup.key_id
            is_first = self._lookups.get(key_id) is lookup
            if is_first:
                del self._lookups[key_id]
            if lookup.key is not None:
                self._memory.learn(key_id, lookup.key, now_s, self._wall_clock())
            elif is_first and lookup.error is not None:
                self._memory.note_failure(key_id, now_s)
            elif is_first:
                lost_at = self._memory.note_absent(key_id, now_s)
            if is_first and lookup.charge is not None:
                self._settle(lookup, lookup.charge)
        if is_first:
            self._report(key_id, is_found=lookup.key is not None, error=lookup.error)
        lookup.landed.set()
        if lost_at is not None:
            self._drop(key_id, lost_at)

    def _settle(self, lookup: _Lookup, charge: Charge) -> None:
        if lookup.key is not None:
            self._budget.found(charge)
        elif lookup.error is not None:
            self._budget.failed(charge)


def _read(answer: bytes, key_id: str, host: str) -> RsaKey:
    """Return the key in *answer*.

    Raises:
        Unavailable: It is no usable key, or the key of another id.
    """
    try:
        key = read_key({"kid": key_id, **decode_body(answer)})
    except (BodyUnreadable, ValueError) as error:
        raise Unavailable(f"key server {host}: the answer {error}") from error
    if key.key_id != key_id:
        raise Unavailable(f"key server {host}: the answer is the key of another id")
    return key
