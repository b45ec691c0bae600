"""What hookkit knows of a vendor, as data; and the two pure halves of reading a delivery."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from hookkit.core.body import Document, Headers, blank, blank_bytes, decode_body, encode_body
from hookkit.core.delivery import Delivery, Envelope, Item, Options, Payload, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable
from hookkit.core.event import Event, EventType, unknown_event
from hookkit.core.handshake import Challenge, Handshake
from hookkit.core.modes import Mode
from hookkit.core.scheme import KeyScheme, Scheme
from hookkit.core.text import counted
from hookkit.core.triggers import Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineSample:
    """A sample payload that is written in code, and not in a file.

    Attributes:
        name: The sender's word for what happened.
        body: The bytes.
        headers: The headers that belong to it, without those that prove it.
    """

    name: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


#: Kept with every delivery; a provider adds what its versions and its proof need.
KEPT_HEADERS = ("content-type", "user-agent")

#: Kept as a header: the public key that fitted, as later proof of who said what.
KEY_HEADER = "hookkit-key"

#: Kept as a header: the fingerprint of the secret that fitted.
FINGERPRINT_HEADER = "hookkit-fingerprint"

#: Kept as headers: what a ``VerifiedDelivery`` says of the event's identity.
SIGNED_HEADER = "hookkit-signed"
ACCOUNT_HEADER = "hookkit-account"

#: Kept as a header: the span of the delivery, by which traces of its handlers are linked with it.
TRACE_HEADER = "hookkit-traceparent"

#: Kept as a header of a body of more events than were taken at the time: how many were.
MAX_ITEMS_HEADER = "hookkit-max-items"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadVersion:
    """One version of a vendor's payloads.

    Attributes:
        split: Takes a payload apart, one item at a time, so that nobody makes more of them than
            are wanted; never raises, whatever the document holds.
        normalize: Reads one item; never raises, whatever the item holds.
        fresh_ids: Paths of the ids that make a sample a new event (``events.*.id``).
        fresh_times: Paths of the times at which a sample happened.
        types: The vendor's words in this version, and the usual event type of each.
        words: The words that a webhook can be registered for at the vendor; empty means all.
    """

    split: Callable[[Payload], Iterable[Item]]
    normalize: Callable[[Item], Event]
    fresh_ids: tuple[str, ...] = ()
    fresh_times: tuple[str, ...] = ()
    types: Mapping[str, EventType] = field(default_factory=dict, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A vendor.

    Attributes:
        name: As settings and triggers spell it.
        scheme: The default scheme of its endpoints.
        detect_version: Returns the payload version, or None if it is not known.
        versions: By name, in the vendor's spelling.
        triggers: The vendor's words, and what each stands for in the unified model.
        parallel: Whether two of its versions can be received side by side.
        renames: A vendor's word -> the words of other versions that report the same; each pair
            holds in both directions.
        kept_headers: Names of further headers to keep, in lower case.
        blanked: Keys of the document that hold secrets, which are never stored.
        pinnable: Versions that look alike in bodies, so that the settings may pin one.
        registration_of: Returns the vendor's id of the webhook that delivered a document, so
            that settings may differ by webhook; None if bodies do not name it.
        repeat_slot_s: Length in seconds of the time slots in the ids of items that have neither an
            id nor a time; None means that of each item's ``repeat_after_s``. It is part of the
            ids, so it stays as it is.
        unsigned_alone: Whether an endpoint may be unsigned without another protection.
        event_id_of: Returns the id of the event that the kept headers name, if a body holds one
            event; it then names a body that is not understood as well.
        unsigned_id_of: Returns an id that the kept headers name and that is not believed, since
            no signature covers it; a duplicate that has another one is reported.
        is_ping: Recognizes an unsigned test of the URL, which is answered and not kept.
        package: Where its samples are; None means the folder of its name.
        options: How the endpoint's settings want payloads read.
        decode: Decodes a body, or raises ``BodyUnreadable``.
        handshakes, challenge: Deliveries, and a GET, that need an answer of their own.
        samples: The samples that are not in files.
    """

    name: str
    scheme: Scheme | KeyScheme = field(repr=False)
    detect_version: Callable[[Document, Headers], str | None] = field(repr=False)
    versions: Mapping[str, PayloadVersion] = field(repr=False)
    triggers: Mapping[str, tuple[Meaning, ...]] = field(repr=False)
    parallel: bool
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    kept_headers: tuple[str, ...] = ()
    blanked: tuple[str, ...] = ()
    pinnable: tuple[str, ...] = ()
    registration_of: Callable[[Document], str | None] | None = field(default=None, repr=False)
    repeat_slot_s: float | None = None
    unsigned_alone: bool = True
    event_id_of: Callable[[Headers], str | None] | None = field(default=None, repr=False)
    unsigned_id_of: Callable[[Headers], str | None] | None = field(default=None, repr=False)
    is_ping: Callable[[Delivery], bool] | None = field(default=None, repr=False)
    package: str | None = field(default=None, repr=False)
    options: Options = field(default_factory=Options)
    decode: Callable[[bytes], Document] = field(default=decode_body, repr=False)
    handshakes: tuple[Handshake, ...] = ()
    challenge: Challenge | None = None
    samples: tuple[InlineSample, ...] = field(default=(), repr=False)

    def version_of(self, document: Document, headers: Headers) -> str | None:
        """Return the payload version that *document* shows, or that the settings pin.

        A pin only chooses among versions that look alike: a body of another shape keeps the
        version that it shows. None if the version is not known.
        """
        shown = self.detect_version(document, headers)
        if shown not in self.pinnable:
            return shown
        return self.options.version_for(self.registration(document)) or shown

    def registration(self, document: Document) -> str | None:
        """Return the vendor's id of the webhook that delivered *document*; None if unknown."""
        return None if self.registration_of is None else self.registration_of(document)

    def keep(self, headers: Headers) -> Headers:
        """Return those of *headers* that are kept with a delivery."""
        names = (*KEPT_HEADERS, *self.kept_headers)
        return {name: value for name in names if (value := headers.get(name)) is not None}


def parse(
    provider: Provider,
    verified: VerifiedDelivery,
    modes: Mapping[str, Mode] | None = None,
    fingerprint: str | None = None,
    *,
    max_items: int | None = None,
) -> Envelope:
    """Take a proven delivery apart; a body that is not understood is one item with a problem.

    Args:
        provider: The provider that reads it.
        verified: The delivery.
        modes: The modes that the endpoint's settings name; None if they name none.
        fingerprint: Of the secret that proved it, to be kept with it; None keeps none.
        max_items: As ``split`` takes it.
    """
    delivery = verified.delivery
    headers = {} if fingerprint is None else {FINGERPRINT_HEADER: fingerprint}
    headers.update(provider.keep(delivery.headers))
    if verified.key is not None:
        headers[KEY_HEADER] = verified.key
    if verified.signed_hash is not None:
        headers[SIGNED_HEADER] = verified.signed_hash
    if verified.account is not None:
        headers[ACCOUNT_HEADER] = verified.account
    body, document = delivery.body, delivery.document
    if provider.blanked:
        body, document = _without_secrets(provider, body, document)
    items = split(
        provider,
        endpoint=delivery.endpoint,
        body=body,
        headers=headers,
        received_at=delivery.received_at,
        document=document,
        is_bytewise=verified.is_bytewise,
        max_items=max_items,
    )
    return Envelope(
        endpoint=delivery.endpoint,
        provider=provider.name,
        version=items[0].payload.version,
        received_at=delivery.received_at,
        body=body,
        headers=items[0].payload.headers,
        secret_index=verified.secret_index,
        items=items,
        modes=modes,
    )


def _without_secrets(
    provider: Provider, body: bytes, document: Document | None
) -> tuple[bytes, Document | None]:
    """Return the bytes to keep, and the object in them if it was decoded.

    The bytes are those that arrived if there is nothing to blank.
    """
    try:
        document = decode_body(body) if document is None else document
    except BodyUnreadable:  # ``split`` says why
        return blank_bytes(body, provider.blanked), None
    blanked = blank(document, provider.blanked)
    return (body if blanked is document else encode_body(blanked)), blanked


def split(
    provider: Provider,
    *,
    endpoint: str,
    body: bytes,
    headers: Headers,
    received_at: datetime,
    document: Document | None = None,
    is_bytewise: bool = False,
    max_items: int | None = None,
) -> tuple[Item, ...]:
    """Return the items in *body*, at least one.

    If a provider fails to take a body apart, the items lose their meaning and not their place
    in the inbox: newer code reads them on a replay.

    Args:
        provider: The provider that reads it.
        endpoint: The endpoint's name.
        body: The bytes that are kept.
        headers: The headers that are kept.
        received_at: When it arrived, aware UTC.
        document: The decoded body, if it is decoded already.
        is_bytewise: Whether the sender signed these very bytes.
        max_items: A body of more items stays whole, and the headers of its item say so. None
            takes a kept body apart, unless its headers say that it stayed whole: the limit of
            the settings may have changed since.
    """
    version = unreadable = None
    try:
        document = provider.decode(body) if document is None else document
    except BodyUnreadable as error:
        document, unreadable = {}, str(error)
    else:
        document = blank(document, provider.blanked) if provider.blanked else document
        version = provider.version_of(document, headers)
    payload = Payload(
        provider=provider.name,
        endpoint=endpoint,
        version=version if version is not None and version in provider.versions else "",
        received_at=received_at,
        headers=headers,
        document=document,
        options=provider.options,
        event_id=_event_id_of(provider, headers),
        signed_bytes=hashlib.sha256(body).hexdigest() if is_bytewise else None,
        account=headers.get(ACCOUNT_HEADER),
        slot_s=provider.repeat_slot_s,
    )
    if unreadable is not None:
        # There is no content to derive an id from, so the id is derived from the bytes.
        event_id = payload.event_id or f"unreadable:{hashlib.sha256(body).hexdigest()}"
        return (payload.item(raw={}, vendor_type="", event_id=event_id, problem=unreadable),)
    if version is None:
        return (unknown_item(payload, "body: the payload version cannot be told"),)
    if version not in provider.versions:
        problem = f"body: payload version {ascii(version)[:40]} is not known"
        return (unknown_item(payload, problem),)
    if MAX_ITEMS_HEADER in headers:
        return (_whole_item(payload, body),)
    return _items_of(payload, provider.versions[version], body, max_items)


def _items_of(
    payload: Payload, version: PayloadVersion, body: bytes, max_items: int | None
) -> tuple[Item, ...]:
    """Return the items in *payload*, at least one; one for the whole if there are too many."""
    try:
        found = version.split(payload)
        items = tuple(found if max_items is None else islice(found, max_items + 1))
    except Exception as error:  # noqa: BLE001  # a mistake of the provider
        problem = f"body: {type(error).__name__} while it was taken apart"
        return (unknown_item(payload, problem),)
    if max_items is not None and len(items) > max_items:
        marked = {**payload.headers, MAX_ITEMS_HEADER: str(max_items)}
        return (_whole_item(replace(payload, headers=marked), body),)
    return items or (unknown_item(payload, "body: holds no event"),)


def _event_id_of(provider: Provider, headers: Headers) -> str | None:
    """Return the id of the one event of a body, if it is known before the body is read."""
    if SIGNED_HEADER in headers:
        return f"signed:{headers[SIGNED_HEADER]}"
    return None if provider.event_id_of is None else provider.event_id_of(headers)


def _whole_item(payload: Payload, body: bytes) -> Item:
    """Return the one item that stands for a body with too many of them."""
    max_items = int(payload.headers[MAX_ITEMS_HEADER])
    return payload.item(
        raw=payload.document,
        vendor_type="",
        event_id=f"whole:{hashlib.sha256(body).hexdigest()}",
        problem=f"body: holds more than {counted(max_items, 'event', 'events')}",
    )


def unknown_item(payload: Payload, problem: str, vendor_type: str = "") -> Item:
    """Return the whole document as one item that is not understood."""
    return payload.item(
        raw=payload.document, vendor_type=vendor_type, event_id=None, problem=problem
    )


#: So many bytes the items of one body may repeat: each is copied and hashed.
MAX_REPEATED_BYTES = 8 << 20


def repeats_too_much(rest: Document, count: int) -> bool:
    """Tell whether *count* items, each with all of *rest* beside its own part, are too large."""
    return count > 1 and count * len(encode_body(rest)) > MAX_REPEATED_BYTES


def swollen_item(payload: Payload, vendor_type: str) -> Item:
    """Return the whole document as one item, since its items would repeat too much of it."""
    problem = f"body: its events would repeat more than {MAX_REPEATED_BYTES} bytes"
    return unknown_item(payload, problem, vendor_type)


def normalize(provider: Provider, item: Item) -> Event:
    """Read *item* into the unified model."""
    version = provider.versions.get(item.payload.version)
    if version is None or item.problem is not None:
        return unknown_event(item)
    try:
        return version.normalize(item)
    except Exception as error:  # noqa: BLE001  # whatever a provider overlooked
        return unknown_event(item, f"item: {type(error).__name__} while it was read")
