"""The keys of an endpoint, by their id: from the settings, or from the vendor's server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hookkit.core.scheme import KeyBook, KnownId, PublicKey
from hookkit.keys.key_set import KeySet
from hookkit.keys.server import KeyServer
from hookkit.signatures.rsa import RsaKey


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an endpoint.

    Attributes:
        given: The keys in its settings.
        server: Where others are fetched; None if none are.
    """

    given: tuple[RsaKey, ...] = ()
    server: KeyServer | KeySet | None = None

    def find(self, key_id: str, address: str = "") -> Sequence[PublicKey]:
        """Return the keys that a sender may mean by *key_id*.

        If the settings give a key with this id, it is the only one: no server can replace it.

        Args:
            address: Where the delivery comes from; look-ups are limited by it.

        Raises:
            Unavailable: The server gives no usable answer.
        """
        named = [key for key in self.given if key.key_id == key_id]
        if named:
            return named
        nameless = [key for key in self.given if key.key_id is None]
        fetched = None if self.server is None else self.server.find(key_id, address)
        return nameless if fetched is None else [fetched, *nameless]

    def key_ids(self, book: KeyBook) -> Sequence[KnownId]:
        """Return the ids of the keys of the settings and of those that *book* keeps.

        Raises:
            Unavailable: The book cannot be read.
        """
        kept = () if self.server is None else book.load(self.server.name)
        return [
            *(KnownId(key.key_id, None) for key in self.given),
            *(KnownId(key.key_id, key.fetched_at) for key in kept),
        ]

    def note_proof(self, key_id: str, address: str) -> None:
        """Note that a delivery from *address* was proved by the key of this id."""
        if self.server is not None:
            self.server.note_proof(key_id, address)

    def use_book(self, book: Callable[[], KeyBook]) -> None:
        """Keep keys in what *book* returns, which may raise ``Unavailable``."""
        if self.server is not None:
            self.server.use_book(book)

    def save(self) -> None:
        """Keep the keys that have proved a delivery since the last call; log a failure."""
        if self.server is not None:
            self.server.save()

    def after_fork(self) -> None:
        """Forget in a child process the lookups of its parent."""
        if self.server is not None:
            self.server.after_fork()
