"""A delivery on its way in: what each step of the receiver hands to the next.

``Delivery`` -> verify -> ``VerifiedDelivery`` -> parse -> ``Envelope`` of ``Item``s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from hookkit.core.body import Document, Headers
from hookkit.core.facts import near_fact
from hookkit.core.ids import bounded_id, hash_content
from hookkit.core.modes import Mode
from hookkit.core.parts import AuthorType


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request to an endpoint.

    Attributes:
        endpoint: The endpoint's name in the settings.
        body: The bytes, exactly as they arrived.
        headers: Names in lower case.
        received_at: Aware UTC, cut to milliseconds.
        path_token: What the URL has behind the endpoint's name; None when it ends there.
        query: What the URL has behind its question mark, as it was sent.
        address: The IP address that it came from; empty if that is not known. A reverse proxy
            has its own address here, unless the application corrects that.
        document: The object in the body, once somebody had to read it to prove the sender;
            None before that. It is handed on so that nobody reads it twice.
    """

    endpoint: str
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    received_at: datetime
    path_token: str | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)
    address: str = ""
    document: Document | None = field(default=None, repr=False)


class VerifiedDelivery(NamedTuple):
    """A delivery whose sender is proven, or needs no proof by its endpoint's settings.

    Attributes:
        delivery: What arrived.
        secret_index: Which of the secrets that were asked for fitted, newest is 0; None
            without a check.
        body_authenticated: Whether the proof covers the body's bytes.
        is_bytewise: Whether the sender has signed these very bytes, if only by a checksum:
            the same event in other bytes is then somebody else's.
        key: The public key that fitted, as a JWK in JSON; None where secrets are shared.
    """

    delivery: Delivery
    secret_index: int | None
    body_authenticated: bool
    is_bytewise: bool = False
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a delivery brings to prove its sender by a key, before the key is known.

    Attributes:
        delivery: What arrived.
        key_id: The key that it is said to be signed with.
        signature: The signature.
        signed: What the signature is over.
    """

    delivery: Delivery
    key_id: str
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an endpoint's settings want its payloads read, now and on every replay.

    A *registration* is one webhook as the vendor knows it, where bodies name theirs.

    Attributes:
        repeat_window_s: Replaces every ``repeat_after_s``.
        version: The payload version where bodies leave it open; one for all, or by
            registration.
        authors: Who writes what a registration delivers, by registration.
    """

    repeat_window_s: float | None = None
    version: str | Mapping[str, str] | None = None
    authors: Mapping[str, AuthorType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The object decoded from a delivery's body, and where it came from.

    Attributes:
        provider: Name of the provider that reads it.
        endpoint: Name of the endpoint that received it.
        version: The payload version, in the vendor's spelling; ``""`` when it could not be told.
        received_at: When the delivery arrived.
        headers: The headers that are kept with the delivery.
        document: The decoded object.
        options: What the endpoint's settings say about reading it.
        event_id: The event that the headers name, where they do; the body then holds one.
        signed_bytes: A hash of the body, where its sender has signed these very bytes.
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
        """Return *raw* as an item of this payload, its event id made fit to be unique.

        Args:
            event_id: The vendor's id or a derived one; None is the one that the headers
                name, or one derived from the content.
            repeat_after_s: Needed where *event_id* does not tell a repetition from a redelivery.
            near: Names the fact where that takes its time as well; not beside *fact*.
        """
        if event_id is None:
            event_id = self.event_id
        if event_id is None:
            event_id = f"{self.version or 'unknown'}:{hash_content(raw)}"
        previous_event_id = None
        if repeat_after_s is not None:
            window_s = repeat_after_s = self.options.repeat_window_s or repeat_after_s
            slot = int(self.received_at.timestamp() // window_s)
            previous_event_id = bounded_id(f"{event_id}@{slot - 1}")
            event_id = f"{event_id}@{slot}"
        return Item(
            payload=self,
            raw=raw,
            vendor_type=vendor_type,
            event_id=bounded_id(event_id),
            previous_event_id=previous_event_id,
            repeat_after_s=repeat_after_s,
            lane=None if lane is None else bounded_id(lane),
            fact=bounded_id(fact) if fact is not None else near and near_fact(near),
            problem=problem,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One of the vendor's events inside a payload; made by ``Payload.item``.

    Attributes:
        payload: The payload it lies in.
        raw: The vendor's own object, narrowed to this one event: without any secret, and
            without what belongs to the registration that delivered it. Two that differ in it
            say different things.
        vendor_type: The vendor's word for what happened, as sent.
        event_id: Identifies the event across redeliveries, unique within the endpoint.
        previous_event_id: With ``repeat_after_s``: the event id of the time slot before.
        repeat_after_s: Set where the vendor gives neither id nor time: the same event id
            is a new event after this many seconds.
        lane: Events of one lane have an order; normally the conversation's id.
        fact: Names what happened, equal in every payload version that reports it; exactly, or
            nearly (``core.facts``).
        problem: Why the item cannot be understood; it then becomes an ``unknown`` event.
    """

    payload: Payload
    raw: Document = field(repr=False)
    vendor_type: str
    event_id: str
    previous_event_id: str | None
    repeat_after_s: float | None
    lane: str | None
    fact: str | None
    problem: str | None

    @property
    def compared(self) -> Document:
        """What tells the same event with other content apart: the bytes, if those are signed."""
        signed_bytes = self.payload.signed_bytes
        return self.raw if signed_bytes is None else {"sha256": signed_bytes}

    @property
    def content_hash(self) -> str:
        """Stands for ``compared``; made anew with every call."""
        return hash_content(self.compared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A proven delivery, split into items, ready to be admitted.

    Attributes:
        body: The bytes to keep.
        headers: The headers to keep.
        secret_index: Which secret proved the sender, newest is 0.
        items: Never empty: what is not understood is one item with a problem.
        modes: What the endpoint's settings make of each payload version; None where they
            name no modes: every version is live, and nobody looks for twins.
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
