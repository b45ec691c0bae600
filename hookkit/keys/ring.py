"""Public keys: those in the settings, and those that a vendor's server has, by their id."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from hookkit.core.body import decode_body
from hookkit.core.errors import BodyUnreadable, Unavailable
from hookkit.keys.https_get import Download
from hookkit.signatures.detached_jws import KEY_ID
from hookkit.signatures.rsa import RsaKey, read_key

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


#: How long a request waits for the key server, everything included.
TIMEOUT_S = 2.0
#: How many lookups may go on at a time, with those that nobody waits for any more.
MAX_THREADS = 8

_logger = logging.getLogger("hookkit")


@dataclass(slots=True)
class _Lookup:
    """One question to the server, and what came of it.

    Attributes:
        landed: Set once there is nothing more to wait for.
        download: What goes on at the moment.
        is_given_up: Whether nobody waits any more.
    """

    key_id: str
    landed: Event = field(default_factory=Event)
    key: RsaKey | None = None
    error: Unavailable | None = None
    download: Download | None = None
    is_given_up: bool = False


class KeyServer:
    """Fetches keys from a vendor, ``<base>/<key id>/public``, and remembers them.

    Args:
        bases: Asked one after another until one has the key.
        context: How certificates are checked; None is the system's way.
        clock: Seconds, for what is remembered.
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
        """Forget what goes on in the parent process; what is known stays known."""
        self._lock = Lock()
        self._lookups: dict[str, _Lookup] = {}
        self._threads = 0

    def find(self, key_id: str) -> RsaKey | None:
        """Return the key with this id; None when there is none, or none may be asked for now.

        Raises:
            Unavailable: The server gives no answer of use.
        """
        if not KEY_ID.fullmatch(key_id):
            return None
        with self._lock:
            now = self._clock()
            known = self._memory.usable(key_id, now)
            lookup = self._lookups.get(key_id)
            if known is not None and (now < known.fresh_until or lookup is not None):
                return known.key
            is_mine = lookup is None
            if lookup is None:
                if known is None and not self._memory.may_ask(key_id, now):
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
            raise lookup.error or Unavailable("the key server gave no answer in time")
        return known.key

    def _give_up(self, lookup: _Lookup) -> None:
        lookup.error = lookup.error or Unavailable("the key server gave no answer in time")
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
        except Exception as error:  # noqa: BLE001  # somebody waits for it, whatever it is
            lookup.error = Unavailable(f"asking the key server: {type(error).__name__}")
        self._end(lookup)

    def _end(self, lookup: _Lookup) -> None:
        with self._lock:
            self._threads -= 1
        self._land(lookup)

    def _fetch(self, lookup: _Lookup) -> RsaKey | None:
        if self._context is None:
            self._context = ssl.create_default_context()
        deadline = time.monotonic() + self._timeout_s
        failure: Unavailable | None = None
        for asked, base in enumerate(self.bases):
            lookup.download = Download(f"{base}/{lookup.key_id}/public", self._context)
            if lookup.is_given_up:
                break
            # A base that hangs leaves time for the next.
            share_s = (deadline - time.monotonic()) / (len(self.bases) - asked)
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
        """Remember what came of *lookup*, and let those go on who wait for it.

        One that was given up lands twice: a key that comes late is a key all the same.
        """
        with self._lock:
            now, key_id = self._clock(), lookup.key_id
            is_first = self._lookups.get(key_id) is lookup
            if is_first:
                del self._lookups[key_id]
            if lookup.key is not None:
                self._memory.learn(key_id, lookup.key, now)
            elif is_first and lookup.error is not None:
                self._memory.note_failure(key_id, now)
            elif is_first:
                self._memory.note_absent(key_id, now)
        if is_first:
            _tell(lookup)
        lookup.landed.set()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an endpoint.

    Attributes:
        given: Those in its settings.
        server: Who has others; None when nobody has.
    """

    given: tuple[RsaKey, ...] = ()
    server: KeyServer | None = None

    def find(self, key_id: str) -> Sequence[RsaKey]:
        """Return the keys that may be the one that a sender calls *key_id*.

        A key that is given with this id is the only one: no server can replace it.

        Raises:
            Unavailable: The server cannot be asked.
        """
        named = [key for key in self.given if key.key_id == key_id]
        if named:
            return named
        nameless = [key for key in self.given if key.key_id is None]
        fetched = None if self.server is None else self.server.find(key_id)
        return nameless if fetched is None else [fetched, *nameless]

    def after_fork(self) -> None:
        """Forget in a child process what goes on in its parent."""
        if self.server is not None:
            self.server.after_fork()


def _read(answer: bytes, key_id: str, host: str) -> RsaKey:
    """Return the key in *answer*.

    Raises:
        Unavailable: It is none, or another than the one that was asked for.
    """
    try:
        key = read_key({"kid": key_id, **decode_body(answer)})
    except (BodyUnreadable, ValueError) as error:
        raise Unavailable(f"key server {host}: the answer {error}") from error
    if key.key_id != key_id:
        raise Unavailable(f"key server {host}: the answer is the key of another id")
    return key


def _tell(lookup: _Lookup) -> None:
    # The id was matched: nothing in it steers a terminal.
    if lookup.error is not None:
        _logger.warning(
            "cannot fetch key %s: %s",
            lookup.key_id,
            lookup.error,
            extra={"action": "key_unavailable", "key_id": lookup.key_id},
        )
    else:
        _logger.info(
            "asked for key %s: %s",
            lookup.key_id,
            "there is none" if lookup.key is None else "fetched",
            extra={"action": "key_fetched", "key_id": lookup.key_id},
        )
