"""Keys that every process of an application knows, since each keeps what has proved a delivery."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from hookkit.core.errors import Unavailable
from hookkit.core.scheme import KeyBook, PublicKey
from hookkit.keys.memory import KeyMemory
from hookkit.log import BoundedLog

#: How often the inbox is asked for keys that other processes have kept.
LOAD_AGAIN_S = 1.0


class SharedKeys:
    """Takes keys from a book into the memory of this process, and puts proved ones into the book.

    Args:
        name: What the keys are kept under: others' keys are none of its own.
        memory: What this process knows.
        read: Returns the key that a JWK in JSON spells, or raises ``ValueError``.
        log: Where it is said that the book cannot be had.
        clock: Returns seconds, from any start.
        wall_clock: Returns the time as aware UTC.

    Attributes:
        lock: Whoever uses *memory* holds it. ``after_fork`` makes a new one.
    """

    def __init__(
        self,
        name: str,
        memory: KeyMemory,
        read: Callable[[str], PublicKey],
        log: BoundedLog,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._memory = memory
        self._read = read
        self._log = log
        self._clock = clock
        self._wall_clock = wall_clock
        self._book: Callable[[], KeyBook] | None = None
        self._load_at_s = clock()
        self.after_fork()

    def use_book(self, book: Callable[[], KeyBook]) -> None:
        """Keep keys in what *book* returns, which may raise ``Unavailable``."""
        self._book = book

    def after_fork(self) -> None:
        """Forget in a child process who held the locks in its parent."""
        self.lock: Lock = Lock()
        self._loading = Lock()

    def load_unless_known(self, key_id: str, timeout_s: float) -> None:
        """Take the keys that are kept, unless that was done a moment ago."""
        with self.lock:
            is_known = self._memory.usable(key_id, self._clock()) is not None
        if self._book is None or is_known or self._clock() < self._load_at_s:
            return
        # Whoever comes meanwhile waits: the key that it names may be among them.
        if not self._loading.acquire(timeout=timeout_s):
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
        with self.lock:
            unsaved = self._memory.take_unsaved()
        for kept in unsaved:
            try:
                self._book().keep(self._name, kept)
            except Unavailable as error:
                with self.lock:
                    self._memory.save_again(kept.key_id)
                self._warn_of_book(error)

    def drop(self, key_id: str, fetched_at: datetime) -> None:
        """Have other processes forget a key that the server has no more."""
        if self._book is not None:
            try:
                self._book().drop(self._name, key_id, fetched_at)
            except Unavailable as error:
                self._warn_of_book(error)

    def _load(self, book: Callable[[], KeyBook]) -> None:
        try:
            kept = book().load(self._name)
        except Unavailable as error:
            self._warn_of_book(error)
            return
        now = self._wall_clock()
        for each in reversed(kept):
            try:
                key = self._read(each.jwk)
            except ValueError:  # a later hookkit may refuse what this one has kept
                continue
            age_s = max((now - each.fetched_at).total_seconds(), 0.0)
            with self.lock:
                self._memory.restore(each, key, self._clock(), age_s)

    def _warn_of_book(self, error: Unavailable) -> None:
        self._log.write(
            logging.WARNING,
            (),
            "the inbox cannot be asked for keys: %s",
            error,
            extra={"action": "keys_not_kept"},
            at_once=1,
        )
