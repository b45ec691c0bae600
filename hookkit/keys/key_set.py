"""The public keys of a sender that publishes a JWK Set, fetched from the one address of the set.

Rule 1: one question at a time. Its answer has every key, so that nobody needs another meanwhile.
Rule 2: anybody can name a key that is not in the set. So few questions are asked because of such
        names, however many there are. A name that comes in between is answered 503, and the
        sender sends again: the set may have changed since it was fetched.
Rule 3: a set that cannot be had, or holds nothing of use, changes nothing: the keys that are known
        stay until they are stale. A key that a later set has no more is forgotten.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread

from hookkit.core.errors import KeyPending, Unavailable
from hookkit.core.ids import bounded_id
from hookkit.core.rates import Bucket
from hookkit.core.scheme import PublicKey
from hookkit.keys.budget import WAIT_BURST, WAITS_PER_S
from hookkit.keys.https_get import Download
from hookkit.keys.memory import FAILED_S
from hookkit.keys.shared import SharedKeys
from hookkit.signatures.jwk_set import KEY_ID, read_kept, read_set

#: How long a request waits for the set, everything included.
TIMEOUT_S = 2.0
#: Questions because of unknown keys: so many at once, and so many in each second after that.
QUESTION_BURST = 5
QUESTIONS_PER_S = 0.5
#: A set of some keys with their certificates has some 20 KB.
MAX_ANSWER_BYTES = 1 << 17
#: How many threads there may be: one asks, and others may hang although nobody waits any more.
MAX_THREADS = 4

_TOO_LATE = "the key set was not answered in time"


@dataclass(slots=True)
class _Question:
    """One download of the set.

    Attributes:
        key_id: Whose key was looked for when it began.
        give_up_at_s: When it has taken too long, by ``time.monotonic``.
        landed: Set once there is nothing more to wait for.
        error: Why there is no answer.
    """

    key_id: str
    download: Download
    give_up_at_s: float
    landed: Event = field(default_factory=Event)
    error: Unavailable | None = None


class KeySet(SharedKeys):
    """Fetches a JWK Set, and remembers its keys; those that proved a delivery are kept in a book.

    Args:
        url: The address of the set.
        algorithm: What its keys are used for, one of ``jwk_set.READERS``.
        context: How certificates are checked; None checks them as the system does.
        clock: Returns seconds, from any start, for what is remembered.
        timeout_s: How long a request waits.
        wall_clock: Returns the time as aware UTC, for what is kept.
    """

    def __init__(
        self,
        url: str,
        algorithm: str,
        *,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(
            bounded_id(f"{algorithm} {url}"),
            partial(read_kept, algorithm=algorithm),
            context=context,
            clock=clock,
            wall_clock=wall_clock,
            timeout_s=timeout_s,
        )
        self.url = url
        self.algorithm = algorithm
        self._questions = Bucket(QUESTION_BURST, QUESTIONS_PER_S, clock())
        self._waits = Bucket(WAIT_BURST, WAITS_PER_S, clock())
        self._down_until_s = clock()

    def after_fork(self) -> None:
        """Forget in a child process the question of its parent; the keys stay known."""
        super().after_fork()
        self._asked: _Question | None = None
        self._threads = 0

    def find(self, key_id: str, address: str = "") -> PublicKey | None:
        """Return the key of this id; None if the set has none.

        Raises:
            KeyPending: It is not known yet, and not waited for.
            Unavailable: The set cannot be had.
        """
        if not KEY_ID.fullmatch(key_id):
            return None
        self._give_up_overdue()
        self._load_unless_known(key_id)
        with self._lock:
            now_s = self._clock()
            known = self._memory.usable(key_id, now_s)
            if known is not None and now_s < known.fresh_until_s:
                return known.key
            if known is None and self._memory.is_held(key_id, now_s):
                return None
            is_under_way = self._asked is not None
            question = self._join_or_begin(key_id, now_s, is_known=known is not None)
        if question is not None:
            self._await(question, is_mine=not is_under_way)
        return self._result(key_id, question)

    def note_proof(self, key_id: str, address: str) -> None:
        """Note that a delivery was proved by the key of this id."""
        with self._lock:
            self._memory.note_proof(key_id)

    def _join_or_begin(self, key_id: str, now_s: float, *, is_known: bool) -> _Question | None:
        """Return the question to wait for; None if there is none, or too many wait for it."""
        is_asked = self._asked is not None
        if not is_asked and not self._may_ask(now_s, is_known=is_known):
            return None
        if not is_asked:
            self._context = self._context or ssl.create_default_context()
            download = Download(self.url, self._context)
            self._asked = _Question(key_id, download, time.monotonic() + self._timeout_s)
            self._threads += 1
        elif not is_known and not self._waits.take(now_s):
            return None
        return self._asked

    def _may_ask(self, now_s: float, *, is_known: bool) -> bool:
        if now_s < self._down_until_s or self._threads >= MAX_THREADS:
            return False
        return is_known or self._questions.take(now_s)

    def _await(self, question: _Question, *, is_mine: bool) -> None:
        try:
            if is_mine:
                thread = Thread(
                    target=self._run, args=(question,), name="hookkit-keys", daemon=True
                )
                thread.start()
            question.landed.wait(self._timeout_s)
        except RuntimeError:  # the process can have no more threads
            self._end(question, Unavailable("no thread can be had to ask for the key set"))
        finally:  # also when the server takes the request's thread away
            if is_mine and not question.landed.is_set():
                self._give_up(question)

    def _result(self, key_id: str, question: _Question | None) -> PublicKey | None:
        """Return what is known of a key now; *question* is what was waited for."""
        with self._lock:
            now_s = self._clock()
            known = self._memory.usable(key_id, now_s)
            if known is not None:
                return known.key
            is_down = now_s < self._down_until_s
        if question is not None and question.error is not None:
            raise question.error
        if is_down:
            raise Unavailable("the key set could not be had a moment ago")
        if question is None or question.key_id != key_id or not question.landed.is_set():
            # What was asked before this key was named says nothing about it.
            raise KeyPending("the key that it names is not known yet")
        return None

    def _give_up_overdue(self) -> None:
        """Break off a question that takes too long, and that nobody may be waiting for."""
        question = self._asked
        if question is not None and time.monotonic() >= question.give_up_at_s:
            self._give_up(question)

    def _give_up(self, question: _Question) -> None:
        self._land(question, Unavailable(_TOO_LATE))
        question.download.abort()

    def _run(self, question: _Question) -> None:
        """Ask for the set, in a thread of its own."""
        found: Mapping[str, PublicKey] | Unavailable
        try:
            found = self._read(question.download.run(self._timeout_s, MAX_ANSWER_BYTES))
        except Unavailable as error:
            found = error
        except Exception as error:  # noqa: BLE001  # whatever it is, a request waits for the result
            found = Unavailable(f"asking for the key set: {type(error).__name__}")
        self._end(question, found)

    def _end(self, question: _Question, found: Mapping[str, PublicKey] | Unavailable) -> None:
        with self._lock:
            self._threads -= 1
        self._land(question, found)

    def _read(self, answer: bytes | None) -> dict[str, PublicKey]:
        if answer is None:
            raise Unavailable("key set: there is none at its address")
        try:
            return read_set(answer, self.algorithm)
        except ValueError as error:
            raise Unavailable(f"key set: the answer {error}") from error

    def _land(self, question: _Question, found: Mapping[str, PublicKey] | Unavailable) -> None:
        """Remember the answer to *question*, and wake those who wait for it.

        A question that is given up lands, and lands again when its thread ends: a set that comes
        late is remembered too.
        """
        lost: list[tuple[str, datetime]] = []
        with self._lock:
            is_first = self._asked is question
            if is_first:
                self._asked = None
            if isinstance(found, Unavailable):
                if is_first:
                    question.error = found
                    self._note_failure()
            else:
                lost = self._learn(found, question.key_id)
        if is_first:
            is_found = not isinstance(found, Unavailable) and question.key_id in found
            self._report(question.key_id, is_found=is_found, error=question.error)
        question.landed.set()
        for key_id, fetched_at in lost:
            self._drop(key_id, fetched_at)

    def _note_failure(self) -> None:
        now_s = self._clock()
        self._down_until_s = now_s + FAILED_S
        for key_id in self._memory.known_ids:
            known = self._memory.usable(key_id, now_s)
            if known is not None and now_s >= known.fresh_until_s:
                self._memory.note_failure(key_id, now_s)

    def _learn(self, found: Mapping[str, PublicKey], key_id: str) -> list[tuple[str, datetime]]:
        """Remember the keys of a set; return those that it has no more, and when they were had."""
        now_s, now = self._clock(), self._wall_clock()
        lost = []
        for absent in {key_id, *self._memory.known_ids} - found.keys():
            fetched_at = self._memory.note_absent(absent, now_s)
            if fetched_at is not None:
                lost.append((absent, fetched_at))
        for present, key in found.items():
            self._memory.learn(present, key, now_s, now)
        self._down_until_s = now_s
        return lost
