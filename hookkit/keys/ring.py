"""The public keys of an endpoint, by their id: from the settings, or from the vendor's server.

``KeyMemory`` decides whether the server is asked, ``KeyServer`` asks it, and ``KeyRing`` is what
the verification of a delivery sees.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import NamedTuple

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable, Unavailable
from hookkit.keys.https_get import Download
from hookkit.signatures.detached_jws import KEY_ID
from hookkit.signatures.rsa import RsaKey, read_key

#: How long a key is used before the server is asked again; how long at most if that fails.
FRESH_S = 24 * 3600.0
STALE_S = 7 * 24 * 3600.0
#: How long after a failure a stale key is used before the server is asked again.
STALE_HOLD_S = 60.0
#: How long an id is not asked for again: one that no key has, and one whose lookup failed.
ABSENT_S = 60.0
FAILED_S = 5.0
#: Lookups of unknown ids: so many at once, and one more after each interval. A lookup that
#: finds a key does not count.
LOOKUP_BURST = 5
LOOKUP_INTERVAL_S = 10.0
#: A vendor has a handful of keys; a server that went bad may have any number.
MAX_KEYS = 100
#: How long a request waits for the key server, everything included.
TIMEOUT_S = 2.0
#: How many lookups run at a time, also those that nobody waits for any more.
MAX_THREADS = 8

_TOO_LATE = "the key server gave no answer in time"

_logger = logging.getLogger("hookkit")


@dataclass(slots=True)
class KnownKey:
    """A key that the server had.

    Attributes:
        fresh_until_s: From then on the server is asked again.
        stale_until_s: From then on the key is not used, even if the server gives no answer.
    """

    key: RsaKey
    fresh_until_s: float
    stale_until_s: float


class _Hold(NamedTuple):
    """Until when a key id is not asked for, and whether because its lookup has failed."""

    until_s: float
    is_failure: bool


class LookupBudget:
    """How many lookups of unknown ids may begin: ``LOOKUP_BURST``, refilled one by one."""

    def __init__(self, now_s: float) -> None:
        self._left = float(LOOKUP_BURST)
        self._counted_at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one lookup out of the budget; return False if none is left."""
        refill = (now_s - self._counted_at_s) / LOOKUP_INTERVAL_S
        self._left = min(self._left + refill, LOOKUP_BURST)
        self._counted_at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Return a lookup that has found a key, so that it does not count."""
        self._left += 1


class KeyMemory:
    """What is known of one key server. Times are the seconds of its clock."""

    def __init__(self, now_s: float) -> None:
        self._known: dict[str, KnownKey] = {}
        self._held: dict[str, _Hold] = {}
        self._budget = LookupBudget(now_s)
        self._is_down = False

    def usable(self, key_id: str, now_s: float) -> KnownKey | None:
        """Return the key of this id, fresh or stale; None if it is not known or too old."""
        known = self._known.get(key_id)
        return known if known is not None and now_s < known.stale_until_s else None

    def may_ask(self, key_id: str, now_s: float) -> bool:
        """Tell whether a lookup of an unknown id may begin now; if so, it counts.

        Raises:
            Unavailable: It may not, because the server gave no answer a moment ago.
        """
        held = self._held.get(key_id)
        if held is not None and now_s < held.until_s:
            is_failure = held.is_failure
        elif self._budget.take(now_s):
            return True
        else:
            # Forged ids may have used the budget up. They must not cause a 503, so it is one
            # only while the server is known to be down.
            is_failure = self._is_down
        if is_failure:
            raise Unavailable("the key server gave no answer a moment ago")
        return False

    def learn(self, key_id: str, key: RsaKey, now_s: float) -> None:
        """Note that the server has this key."""
        self._is_down = False
        self._held.pop(key_id, None)
        if key_id not in self._known:
            self._budget.give_back()
            if len(self._known) >= MAX_KEYS:
                del self._known[next(iter(self._known))]
        self._known[key_id] = KnownKey(key, now_s + FRESH_S, now_s + STALE_S)

    def note_absent(self, key_id: str, now_s: float) -> None:
        """Note that the server has no such key, or has it no more."""
        self._is_down = False
        self._known.pop(key_id, None)
        self._hold(key_id, now_s, _Hold(now_s + ABSENT_S, is_failure=False))

    def note_failure(self, key_id: str, now_s: float) -> None:
        """Note that the server gave no answer; a key that it had stays usable until it is stale."""
        self._is_down = True
        known = self.usable(key_id, now_s)
        if known is not None:
            known.fresh_until_s = min(now_s + STALE_HOLD_S, known.stale_until_s)
        else:
            self._hold(key_id, now_s, _Hold(now_s + FAILED_S, is_failure=True))

    def _hold(self, key_id: str, now_s: float, hold: _Hold) -> None:
        self._held = {other: each for other, each in self._held.items() if now_s < each.until_s}
        self._held[key_id] = hold


@dataclass(slots=True)
class _Lookup:
    """One question to the server, and its result.

    Attributes:
        landed: Set once there is nothing more to wait for.
        key: The result; None if the server has no such key, or ``error`` is set.
        download: The request that is under way.
        is_given_up: Whether nobody waits any more.
    """

    key_id: str
    landed: Event = field(default_factory=Event)
    key: RsaKey | None = None
    error: Unavailable | None = None
    download: Download | None = None
    is_given_up: bool = False


class KeyServer:
    """Fetches keys from a vendor, at ``<base>/<key id>/public``, and remembers them.

    Each lookup has a thread of its own. Requests for the same key wait for one lookup.

    Args:
        bases: The addresses to ask, one after another until one has the key.
        context: How certificates are checked; None checks them as the system does.
        clock: Returns seconds, from any start, for what is remembered.
        timeout_s: How long a request waits.
    """

    def __init__(
        self,
        bases: Sequence[str],
        *,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.bases = tuple(base.rstrip("/") for base in bases)
        self._context = context
        self._clock = clock
        self._timeout_s = timeout_s
        self._memory = KeyMemory(clock())
        self.after_fork()

    def after_fork(self) -> None:
        """Forget in a child process the lookups of its parent; the keys stay known."""
        self._lock = Lock()
        self._lookups: dict[str, _Lookup] = {}
        self._threads = 0

    def find(self, key_id: str) -> RsaKey | None:
        """Return the key of this id; None if there is none, or no lookup may begin now.

        Raises:
            Unavailable: The server gives no usable answer.
        """
        if not KEY_ID.fullmatch(key_id):
            return None
        with self._lock:
            now_s = self._clock()
            known = self._memory.usable(key_id, now_s)
            lookup = self._lookups.get(key_id)
            if known is not None and (now_s < known.fresh_until_s or lookup is not None):
                return known.key
            is_mine = lookup is None
            if lookup is None:
                if known is None and not self._memory.may_ask(key_id, now_s):
                    return None
                lookup = self._begin(key_id)
        if is_mine:
            self._start(lookup)
        return self._await(lookup, is_mine=is_mine)

    def _begin(self, key_id: str) -> _Lookup:
        if self._threads >= MAX_THREADS:
            raise Unavailable("too many lookups wait for the key server")
        self._threads += 1
        lookup = self._lookups[key_id] = _Lookup(key_id)
        return lookup

    def _start(self, lookup: _Lookup) -> None:
        try:
            Thread(target=self._run, args=(lookup,), name="hookkit-keys", daemon=True).start()
        except RuntimeError:  # the process can have no more threads
            lookup.error = Unavailable("no thread can be had to ask the key server")
            self._end(lookup)

    def _await(self, lookup: _Lookup, *, is_mine: bool) -> RsaKey | None:
        try:
            lookup.landed.wait(self._timeout_s)
        finally:  # also when the server takes the request's thread away
            if is_mine and not lookup.landed.is_set():
                self._give_up(lookup)
        if lookup.key is not None or (lookup.landed.is_set() and lookup.error is None):
            return lookup.key
        with self._lock:
            known = self._memory.usable(lookup.key_id, self._clock())
        if known is None:
            raise lookup.error or Unavailable(_TOO_LATE)
        return known.key

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

        A lookup that is given up lands, and lands again when its thread ends: a key that comes
        late is remembered too.
        """
        with self._lock:
            now_s, key_id = self._clock(), lookup.key_id
            is_first = self._lookups.get(key_id) is lookup
            if is_first:
                del self._lookups[key_id]
            if lookup.key is not None:
                self._memory.learn(key_id, lookup.key, now_s)
            elif is_first and lookup.error is not None:
                self._memory.note_failure(key_id, now_s)
            elif is_first:
                self._memory.note_absent(key_id, now_s)
        if is_first:
            _log(lookup)
        lookup.landed.set()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an endpoint.

    Attributes:
        given: The keys in its settings.
        server: Where others are fetched; None if none are.
    """

    given: tuple[RsaKey, ...] = ()
    server: KeyServer | None = None

    def find(self, key_id: str) -> Sequence[RsaKey]:
        """Return the keys that a sender may mean by *key_id*.

        If the settings give a key with this id, it is the only one: no server can replace it.

        Raises:
            Unavailable: The server gives no usable answer.
        """
        named = [key for key in self.given if key.key_id == key_id]
        if named:
            return named
        nameless = [key for key in self.given if key.key_id is None]
        fetched = None if self.server is None else self.server.find(key_id)
        return nameless if fetched is None else [fetched, *nameless]

    def after_fork(self) -> None:
        """Forget in a child process the lookups of its parent."""
        if self.server is not None:
            self.server.after_fork()


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


def _log(lookup: _Lookup) -> None:
    # The id matches KEY_ID, so nothing in it steers a terminal.
    key_id, error = lookup.key_id, lookup.error
    if error is not None:
        extra = {"action": "key_unavailable", "key_id": key_id}
        _logger.warning("cannot fetch key %s: %s", key_id, error, extra=extra)
    else:
        result = "there is none" if lookup.key is None else "fetched"
        extra = {"action": "key_fetched", "key_id": key_id}
        _logger.info("asked for key %s: %s", key_id, result, extra=extra)
