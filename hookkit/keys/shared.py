"""Keys that every process of an application knows, since each keeps what has proved a delivery."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from hookkit.core.errors import Unavailable
from hookkit.core.scheme import KeyBook, PublicKey
from hookkit.keys.memory import KeyMemory
from hookkit.log import BoundedLog, logger

#: How often the inbox is asked for keys that other processes have kept.
LOAD_AGAIN_S = 1.0


class SharedKeys:
    """What every way to fetch keys has: a memory, and a book that it shares with other processes.

    Args:
        name: What the keys are kept under: others' keys are none of its own.
        read_jwk: Returns the key that a JWK in JSON spells, or raises ``ValueError``.
        context: How certificates are checked; None checks them as the system does.
        clock: Returns seconds, from any start, for what is remembered.
        wall_clock: Returns the time as aware UTC, for what is kept.
        timeout_s: How long a request waits.
    """

    def __init__(
        self,
        name: str,
        read_jwk: Callable[[str], PublicKey],
        *,
        context: ssl.SSLContext | None,
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self.name: str = name
        self._read_jwk = read_jwk
        self._context = context
        self._clock = clock
        self._wall_clock = wall_clock
        self._timeout_s = timeout_s
        self._memory = KeyMemory()
        self._log = BoundedLog(clock)
        self._book: Callable[[], KeyBook] | None = None
        self._load_at_s = clock()
        self.after_fork()

    def use_book(self, book: Callable[[], KeyBook]) -> None:
        """Keep keys in what *book* returns, which may raise ``Unavailable``."""
        self._book = book

    def after_fork(self) -> None:
        """Forget in a child process what its parent has begun to fetch; the keys stay known."""
        # Whoever uses the memory holds it.
        self._lock = Lock()
        self._loading = Lock()

    def _load_unless_known(self, key_id: str) -> None:
        """Take the keys that are kept, unless that was done a moment ago."""
        with self._lock:
            is_known = self._memory.usable(key_id, self._clock()) is not None
        if self._book is None or is_known or self._clock() < self._load_at_s:
            return
        # Whoever comes meanwhile waits: the key that it names may be among them.
        if not self._loading.acquire(timeout=self._timeout_s):
            return
        try:
            if self._clock() >= self._load_at_s:
                self._load(self._book)
                self._load_at_s = self._clock() + LOAD_AGAIN_S
        finally:
            self._loading.release()

    def save(self) -> None:
        """Keep the keys that have proved a delivery since the last call; log a failure."""
        if self._book is None or not self._memory.has_unsaved:
            return
        with self._lock:
            unsaved = self._memory.take_unsaved()
        for kept in unsaved:
            try:
                self._book().keep(self.name, kept)
            except Unavailable as error:
                with self._lock:
                    self._memory.save_again(kept.key_id)
                self._warn_of_book(error)

    def _drop(self, key_id: str, fetched_at: datetime) -> None:
        """Have other processes forget a key that the server has no more."""
        if self._book is not None:
            try:
                self._book().drop(self.name, key_id, fetched_at)
            except Unavailable as error:
                self._warn_of_book(error)

    def _load(self, book: Callable[[], KeyBook]) -> None:
        try:
            kept = book().load(self.name)
        except Unavailable as error:
            self._warn_of_book(error)
            return
        now = self._wall_clock()
        for each in reversed(kept):
            try:
                key = self._read_jwk(each.jwk)
            except ValueError:  # a later hookkit may refuse what this one has kept
                continue
            age_s = max((now - each.fetched_at).total_seconds(), 0.0)
            with self._lock:
                self._memory.restore(each, key, self._clock(), age_s)

    def _report(self, key_id: str, *, is_found: bool, error: Unavailable | None) -> None:
        """Log what came of a look-up that *key_id* has caused."""
        # The id matches KEY_ID, so nothing in it steers a terminal.
        if is_found:
            extra = {"action": "key_fetched", "key_id": key_id}
            logger.info("asked for key %s: fetched", key_id, extra=extra)
        elif error is None:
            extra = {"action": "key_fetched", "key_id": key_id}
            sentence = "asked for key %s: there is none"
            self._log.write(logging.INFO, (), sentence, key_id, extra=extra, at_once=1)
        else:
            extra = {"action": "key_unavailable", "key_id": key_id}
            sentence = "cannot fetch key %s: %s"
            self._log.write(logging.WARNING, (), sentence, key_id, error, extra=extra, at_once=1)

    def _warn_of_book(self, error: Unavailable) -> None:
        self._log.write(
            logging.WARNING,
            (),
            "the inbox cannot be asked for keys: %s",
            error,
            extra={"action": "keys_not_kept"},
            at_once=1,
        )
