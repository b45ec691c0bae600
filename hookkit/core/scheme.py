"""The protocols of signature schemes: how the sender of a delivery is proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from hookkit.core.delivery import Delivery, Proof, VerifiedDelivery


class Scheme(Protocol):
    """How the sender of a delivery is proven by a secret that both sides have."""

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified, or raise a subclass of ``Rejected``."""

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return the headers that prove *body* to ``verify``.

        Args:
            body: The bytes to be sent.
            secret: A secret of the endpoint, or the private key to one of its public keys.
            signed_at: The time to sign, if the scheme signs one.
            event_id: The id to sign, if the scheme signs one.

        Raises:
            TypeError: The proof lies in the body, see ``ProofInBody``.
            ValueError: *secret* is none that this scheme can use.
        """


@runtime_checkable
class SigningScheme(Scheme, Protocol):
    """A scheme whose sender signs what it sends."""

    @property
    def signed_headers(self) -> frozenset[str]:
        """The headers that are signed, in lower case."""

    @property
    def covers_body(self) -> bool:
        """Whether the body's bytes are signed."""

    @property
    def signed_fields(self) -> frozenset[str]:
        """The paths in the body that are signed although its bytes are not."""

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds; None means for ever."""

    def tolerating(self, tolerance_s: float) -> SigningScheme:
        """Return the scheme with another tolerance, in seconds."""

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* can be one; the message repeats nothing."""


@runtime_checkable
class UrlScheme(Protocol):
    """A scheme whose sender may sign the URL as well."""

    @property
    def signs_url(self) -> bool:
        """Whether the URL is signed."""

    @property
    def public_url(self) -> str:
        """The URL that senders post to, without its query; empty if it is not known."""

    def at_url(self, public_url: str) -> Scheme:
        """Return the scheme of senders that post to *public_url*."""

    def sign(
        self,
        body: bytes,
        secret: bytes,
        signed_at: datetime,
        event_id: str = "",
        *,
        query: str = "",
    ) -> dict[str, str]:
        """Return the headers that prove *body*, sent to the URL with this query."""


@runtime_checkable
class ProofInBody(Protocol):
    """A scheme whose proof lies in the body: ``sign`` has no header to return."""

    def enclose(self, body: bytes, secret: bytes, signed_at: datetime) -> bytes:
        """Return *body* with its proof in it.

        Args:
            body: A JSON object.
            secret: A secret of the endpoint.
            signed_at: The time to sign, if the scheme signs one.

        Raises:
            BodyUnreadable: *body* is not a JSON object.
        """


@runtime_checkable
class SendsSecret(Protocol):
    """A scheme whose sender sends the secret itself along, outside the body."""

    def conceal(self, delivery: Delivery) -> Delivery:
        """Return *delivery* with what was sent hidden by ``hidden_secret`` and its salt.

        ``verify`` takes the result as it takes *delivery*: it hides what it compares as well.

        Raises:
            Rejected: Nothing was sent, or it cannot be told from the rest.
        """


def lifetime_of(schemes: Iterable[Scheme | KeyScheme]) -> float | None:
    """Return how long a proof by any of *schemes* can be accepted, see ``Options.lifetime_s``."""
    longest_s = 0.0
    for scheme in schemes:
        if isinstance(scheme, SigningScheme):
            if scheme.lifetime_s is None:
                return None
            longest_s = max(longest_s, scheme.lifetime_s)
    return longest_s


class PublicKey(Protocol):
    """A public key that checks signatures by one algorithm, to which it is pinned."""

    @property
    def jwk(self) -> str:
        """The key as a JWK in JSON, which is kept as proof."""

    def fits(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether the key's owner has made *signature* over *signed*."""


class KeptKey(NamedTuple):
    """A public key that has proved a delivery, as it is kept for other processes.

    Attributes:
        key_id: What the vendor calls it.
        jwk: The key, as JSON.
        fetched_at: When the vendor's server said last that this is the key; aware UTC.
    """

    key_id: str
    jwk: str
    fetched_at: datetime


class KnownId(NamedTuple):
    """A public key as people see it.

    Attributes:
        key_id: What the vendor calls it; None if the settings give it no id.
        fetched_at: When the vendor's server said last that this is the key; None for one of the
            settings.
    """

    key_id: str | None
    fetched_at: datetime | None


class KeyBook(Protocol):
    """Keeps the public keys that have proved deliveries, by the server they come from.

    Every method may raise ``Unavailable``.
    """

    def load(self, server: str) -> Sequence[KeptKey]:
        """Return the keys of *server*, the one that was fetched last first."""

    def keep(self, server: str, key: KeptKey) -> None:
        """Keep *key*, unless the same was fetched later by somebody else."""

    def drop(self, server: str, key_id: str, fetched_at: datetime) -> None:
        """Forget a key that the server has no more, unless it was fetched later than that."""


class Keys(Protocol):
    """The public keys of an endpoint."""

    def find(self, key_id: str, address: str = "") -> Sequence[PublicKey]:
        """Return the keys that may have this id, or raise ``Unavailable``.

        Args:
            address: Where the delivery comes from; look-ups are limited by it.
        """

    def key_ids(self, book: KeyBook) -> Sequence[KnownId]:
        """Return the ids of the keys of the settings and of those that *book* keeps.

        Raises:
            Unavailable: The book cannot be read.
        """

    def note_proof(self, key_id: str, address: str) -> None:
        """Note that a delivery from *address* was proved by the key of this id."""

    def use_book(self, book: Callable[[], KeyBook]) -> None:
        """Keep keys in what *book* returns, which may raise ``Unavailable``."""

    def save(self) -> None:
        """Keep the keys that have proved a delivery since the last call; log a failure."""

    def after_fork(self) -> None:
        """Forget, in a child process, the lookups that its parent has begun."""


@runtime_checkable
class KeyScheme(Protocol):
    """How the sender of a delivery is proven by the vendor's own key.

    The scheme names the key that it needs, and ``Keys`` finds it: a scheme never fetches.
    """

    @property
    def key_bases(self) -> Mapping[str, Sequence[str]]:
        """By region, the URLs under which the vendor has its keys: ``<base>/<key id>/public``."""

    def tolerating(self, tolerance_s: float) -> KeyScheme:
        """Return the scheme with another tolerance, in seconds."""

    def read_proof(self, delivery: Delivery) -> Proof:
        """Return the proof in *delivery*, or raise a subclass of ``Rejected``."""

    def verify(self, proof: Proof, keys: Sequence[PublicKey]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise a subclass of ``Rejected``."""

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return the headers that prove *body*, by the private key that *secret* spells."""
