"""A delivery on its way in: what each step of the receiver passes to the next.

``Delivery`` -> verify -> ``VerifiedDelivery`` -> parse -> ``Envelope`` of ``Item``s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from hookkit.core.body import Document, Headers
from hookkit.core.constructors import quickly_made
from hookkit.core.errors import SignatureMissing
from hookkit.core.facts import is_exact, near_fact
from hookkit.core.ids import MAX_ID_CHARS, bounded_id, hash_content, join_parts
from hookkit.core.modes import Mode
from hookkit.core.parts import AuthorType


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request to an endpoint.

    Attributes:
        endpoint: The endpoint's name in the settings.
        body: The bytes, exactly as they arrived.
        headers: Names in lower case.
        received_at: Aware UTC, cut to milliseconds.
        path_token: The part of the URL after the endpoint's name; None if there is none.
        query: The part of the URL after the question mark, as it was sent.
        address: The IP address that it came from; empty if that is not known. A reverse proxy
            has its own address here, unless the application corrects that.
        document: The decoded body, if a scheme had to decode it to prove the sender; else None.
            It is passed on so that the body is decoded once.
        salt: What the secrets that were sent along are hashed with, of a delivery that was
            refused and kept (``SendsSecret``); None if they are as they came.
    """

    endpoint: str
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    received_at: datetime
    path_token: str | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)
    address: str = ""
    document: Document | None = field(default=None, repr=False)
    salt: bytes | None = field(default=None, repr=False)


def sent_header(headers: Headers, name: str) -> str:
    """Return the header *name*, or raise ``SignatureMissing`` if it is absent or empty."""
    value = headers.get(name)
    if not value:
        raise SignatureMissing(f"header {name} is missing", header=name)
    return value


class VerifiedDelivery(NamedTuple):
    """A delivery whose sender is proven, or needs no proof by its endpoint's settings.

    Attributes:
        delivery: What arrived.
        secret_index: Which of the given secrets fitted, 0 is the newest; None if no secret was
            compared.
        body_authenticated: Whether the proof covers the body's bytes.
        is_bytewise: Whether the sender signed these very bytes, if only by a checksum: the
            same event in other bytes is then a forgery.
        key: The public key that fitted, as a JWK in JSON; None where secrets are shared.
        signed_hash: Names what is signed, if bodies that differ can have the same signature: the
            SHA-256 of the signed text, without its time, in hexadecimal. Else None.
        account: Whose secret fitted, if the settings have secrets by registration: the first, in
            the order of the alphabet, of the registrations that have it. Else None.
    """

    delivery: Delivery
    secret_index: int | None
    body_authenticated: bool
    is_bytewise: bool = False
    key: str | None = None
    signed_hash: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The proof in a delivery that is signed with a key, before the key is known.

    Attributes:
        delivery: What arrived.
        key_id: The id of the key, as the delivery names it.
        signature: The bytes of the signature.
        signed: The bytes that are signed.
    """

    delivery: Delivery
    key_id: str
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an endpoint's payloads are read, now and on every replay, by its settings.

    A *registration* is one webhook as the vendor knows it, where bodies name theirs.

    Attributes:
        repeat_window_s: Replaces every ``repeat_after_s``, in seconds.
        lifetime_s: How long the proof of a delivery can be accepted at most, in seconds. 0 if a
            secret is sent along, which proves whatever is sent with it, or if nothing is signed;
            None means for ever:
            then equal content is never a new event, however late it comes.
        version: The payload version of bodies that leave it open; one for all of them, or one
            for each registration.
        authors: By registration, who writes what it delivers.
        once_per_fact: Whether an exact fact names its event, instead of the vendor's id: several
            registrations that report one fact to the endpoint then make one event.
    """

    once_per_fact: bool = False
    repeat_window_s: float | None = None
    lifetime_s: float | None = 0.0
    version: str | Mapping[str, str] | None = None
    authors: Mapping[str, AuthorType] = field(default_factory=dict)

    def version_for(self, registration: str | None) -> str | None:
        """Return the payload version that is set for *registration*; None if none is."""
        if isinstance(self.version, Mapping):
            return self.version.get(registration or "")
        return self.version


class ItemKeys(NamedTuple):
    """What tells an item from others: arguments of ``Payload.item``, by their names."""

    event_id: str | None
    repeat_after_s: float | None = None
    fact: str | None = None
    near: str | None = None


#: Ends an event id before the time slot in which an item arrived.
_SLOT_MARK = "@"

#: Room for the slot and for what ``Item.id_after`` appends.
_SLOT_CHARS = 32


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The object decoded from a delivery's body, and where it came from.

    Attributes:
        provider: Name of the provider that reads it.
        endpoint: Name of the endpoint that received it.
        version: The payload version, in the vendor's spelling; ``""`` if it is not known.
        received_at: When the delivery arrived.
        headers: The headers that are kept with the delivery.
        document: The decoded object.
        options: How the endpoint's settings want it read.
        event_id: The event's id, if the headers name it; the body then holds one event.
        signed_bytes: The SHA-256 of the body in hexadecimal, if its sender signed these very
            bytes; else None.
        account: Whose secret proved it, if the settings have secrets by registration: what one
            account sends is never an event of another. Else None.
        slot_s: The provider's ``repeat_slot_s``.
    """

    provider: str
    endpoint: str
    version: str
    received_at: datetime
    headers: Headers = field(repr=False)
    document: Document = field(repr=False)
    options: Options = field(default_factory=Options)
    event_id: str | None = None
    signed_bytes: str | None = None
    account: str | None = None
    slot_s: float | None = None

    def item(
        self,
        *,
        raw: Document,
        vendor_type: str,
        event_id: str | None,
        repeat_after_s: float | None = None,
        lane: str | None = None,
        fact: str | None = None,
        near: str | None = None,
        problem: str | None = None,
    ) -> Item:
        """Return *raw* as an item of this payload.

        Args:
            event_id: The vendor's id or a derived one; None takes the id in the headers, or
                derives one from the content.
            repeat_after_s: Needed if a new event could have the same *event_id*: seconds after
                which an equal item is a new event. An id in the headers needs none.
            near: The name of a near fact; ignored beside *fact*.
        """
        if fact is not None and self.options.once_per_fact:
            event_id, repeat_after_s = f"{self.version}:fact:{fact}", None
        if event_id is None and self.event_id is not None:
            event_id, repeat_after_s = self.event_id, None
        if event_id is None:
            event_id = f"{self.version or 'unknown'}:{hash_content(raw)}"
        suffix = self._suffix()
        event_id, previous_event_id, subject = event_id + suffix, None, None
        if self.options.lifetime_s is None:
            repeat_after_s = None
        if repeat_after_s is not None:
            subject, said = bounded_id(event_id), bounded_id(event_id, MAX_ID_CHARS - _SLOT_CHARS)
            repeat_after_s, slot = self._slot(repeat_after_s)
            previous_event_id = f"{said}{_SLOT_MARK}{slot - 1}"
            event_id = f"{said}{_SLOT_MARK}{slot}"
        if fact is not None:
            fact = bounded_id(fact + suffix)
        elif near is not None:
            fact = near_fact(near + suffix)
        return Item(
            payload=self,
            raw=raw,
            vendor_type=vendor_type,
            event_id=bounded_id(event_id),
            previous_event_id=previous_event_id,
            repeat_after_s=repeat_after_s,
            lane=None if lane is None else bounded_id(lane + suffix),
            fact=fact,
            subject=subject,
            problem=problem,
        )

    def _slot(self, repeat_after_s: float) -> tuple[float, int]:
        """Return the seconds that count instead, and the number of the time slot of now."""
        given_s, lifetime_s = self.options.repeat_window_s, self.options.lifetime_s or 0.0
        slot_s = max(given_s or max(self.slot_s or 0.0, repeat_after_s), lifetime_s)
        slot = int(self.received_at.timestamp() // slot_s)
        return max(given_s or repeat_after_s, lifetime_s), slot

    def scoped(self, name: str) -> str:
        """Return *name* as a name for what this account sends alone, bounded in length."""
        return bounded_id(name + self._suffix())

    def _suffix(self) -> str:
        """Return the end of each name, so that it is never that of what another account sends."""
        return "" if self.account is None else f"/{self.account.replace('/', '%2F')}"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One of the vendor's events inside a payload; made by ``Payload.item``.

    Attributes:
        payload: The payload it lies in.
        raw: The vendor's own object, narrowed to this one event, without secrets and without
            what belongs to the registration that delivered it. Items that differ in it say
            different things.
        vendor_type: The vendor's word for what happened, as sent.
        event_id: Identifies the event across redeliveries, unique within the endpoint.
        previous_event_id: With ``repeat_after_s``: the event id of the time slot before.
        repeat_after_s: Set if the vendor gives neither id nor time: after this many seconds an
            equal item is a new event.
        subject: What the item is about: by itself its own content, see ``about``. Never None
            beside ``repeat_after_s``.
        lane: Events of one lane have an order; normally the conversation's id.
        fact: The name of what happened, the same in every payload version that reports it;
            exact or near, see ``core.facts``.
        problem: Why the item cannot be understood; it then becomes an ``unknown`` event.
        typed_event_id: The id of this event if an event of another vendor type has ``event_id``;
            see ``told_apart_by_type``.
        type_window_s: With ``typed_event_id``: seconds after the first of those events was
            received in which another type is an event of its own, and not a duplicate.
    """

    payload: Payload
    raw: Document = field(repr=False)
    vendor_type: str
    event_id: str
    previous_event_id: str | None
    repeat_after_s: float | None
    lane: str | None
    fact: str | None
    subject: str | None
    problem: str | None
    typed_event_id: str | None = None
    type_window_s: float | None = None

    def told_apart_by_type(self, window_s: float) -> Item:
        """Return the item for a vendor type that lies outside of what its id is made from.

        Args:
            window_s: Seconds for which an item that differs in the type alone is an event of its
                own; one with ``repeat_after_s`` always is.
        """
        if self.previous_event_id is None:
            typed_event_id = bounded_id(self._typed(self.event_id))
            return replace(self, typed_event_id=typed_event_id, type_window_s=window_s)
        return replace(
            self,
            event_id=self._typed_before_slot(self.event_id),
            previous_event_id=self._typed_before_slot(self.previous_event_id),
            subject=bounded_id(self._typed(self.subject or "")),
        )

    def _typed(self, name: str) -> str:
        return f"{name}:{join_parts(self.vendor_type)}"

    def _typed_before_slot(self, event_id: str) -> str:
        said, mark, slot = event_id.rpartition(_SLOT_MARK)
        return f"{bounded_id(self._typed(said), MAX_ID_CHARS - _SLOT_CHARS)}{mark}{slot}"

    def about(self, subject: str | None) -> Item:
        """Return this item as one about *subject*; None leaves it as it is.

        An item with ``repeat_after_s`` is then a new event at once if anything else was said
        about its subject since. One without can only be what was said since.

        Where a signature proves deliveries, the item with ``repeat_after_s`` stays as it is: who
        has seen one could send it again in between, and the signature would still hold.
        """
        if subject is None or (self.repeat_after_s is not None and self.payload.options.lifetime_s):
            return self
        return replace(self, subject=self.payload.scoped(subject))

    def repeats(self, event_id: str) -> bool:
        """Tell whether the event *event_id*, of the same subject, says the same at any time."""
        said, mark, _ = event_id.rpartition(_SLOT_MARK)
        return bool(mark) and said == self.event_id.rpartition(_SLOT_MARK)[0]

    def id_after(self, event_id: str) -> str:
        """Return the id of this item as a new event, if *event_id* was the last of its subject.

        Whoever finds the same event before it gives it the same id.
        """
        return f"{self.event_id}~{hash_content(event_id)[:16]}"

    @property
    def compared(self) -> Document:
        """What must be equal in a duplicate: the bytes if they are signed, else ``raw``.

        Of a fact that names the event it is the fact: each registration has its own words for it.
        """
        if self.payload.options.once_per_fact and is_exact(self.fact):
            return {"fact": self.fact}
        signed_bytes = self.payload.signed_bytes
        return self.raw if signed_bytes is None else {"sha256": signed_bytes}

    @property
    def content_hash(self) -> str:
        """The hash of ``compared``, computed with every call."""
        return hash_content(self.compared)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A proven delivery, split into items, ready to be admitted.

    Attributes:
        body: The bytes to keep.
        headers: The headers to keep.
        secret_index: Which secret proved the sender, 0 is the newest.
        items: Never empty: a body that is not understood is one item with a problem.
        modes: The mode of each payload version; None if the endpoint's settings name no modes:
            every version is live, and nobody looks for twins.
    """

    endpoint: str
    provider: str
    version: str
    received_at: datetime
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    secret_index: int | None
    items: tuple[Item, ...]
    modes: Mapping[str, Mode] | None = None
