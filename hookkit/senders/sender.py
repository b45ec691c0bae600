"""A sender as data, and the provider that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hookkit.core.body import Document, Headers, decode_body, decode_list, dig, form_document
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import Event, EventType, build_event
from hookkit.core.provider import Challenge, Handshake, InlineSample, PayloadVersion, Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme

#: The one payload version of every sender: its payloads are passed on as they are.
VERSION = "any"

#: Where an id or a type may be: ``header:<name>``, ``body:<path>``, or ``beside:<key>``: the name
#: of the first key other than ``<key>``.
KINDS = ("header", "body", "beside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A sender: how it signs, and where it names its events.

    Attributes:
        name: As settings and triggers spell it.
        title: As its owner spells it.
        docs: The page that describes its signature.
        scheme: How it signs.
        event_id: Places of an event's id; the first that is there counts. See ``KINDS``.
        event_type: Places of the sender's word for what happened.
        body: The format of a body, one of ``DECODERS``.
        each: The key of the list of events, if one body holds several; else empty.
        handshake: A delivery that needs its own answer.
        challenge: A GET that needs its own answer.
        retries: How it sends again, and what makes it stop.
        vector: Where an example of a signature is published; empty if nowhere.
        fresh_ids: Paths of the ids that make the sample a new event.
        sample: A payload.
    """

    name: str
    title: str
    docs: str
    scheme: Scheme = field(repr=False)
    event_id: tuple[str, ...] = ()
    event_type: tuple[str, ...] = ()
    body: str = "object"
    each: str = ""
    handshake: Handshake | None = None
    challenge: Challenge | None = None
    retries: str
    vector: str = ""
    fresh_ids: tuple[str, ...] = ()
    sample: InlineSample = field(repr=False)


def provider_of(
    sender: Sender,
    *,
    scheme: Scheme | KeyScheme | None = None,
    event_id: tuple[str, ...] | None = None,
    event_type: tuple[str, ...] | None = None,
) -> Provider:
    """Return *sender* as a provider.

    An id that is not signed is not used: somebody who has seen one delivery could send it again
    under another id. The id is then derived from the content.

    Args:
        sender: The sender.
        scheme: An endpoint's own scheme; None takes the sender's.
        event_id: An endpoint's own places of the id; None takes the sender's.
        event_type: An endpoint's own places of the type; None takes the sender's.
    """
    scheme = sender.scheme if scheme is None else scheme
    ids = sender.event_id if event_id is None else event_id
    types = sender.event_type if event_type is None else event_type
    headers = [place.partition(":")[2] for place in (*ids, *types) if place.startswith("header:")]
    trusted = tuple(place for place in ids if is_signed(place, scheme))
    return Provider(
        name=sender.name,
        scheme=scheme,
        detect_version=detect_version,
        versions={
            VERSION: PayloadVersion(
                split=_splitter(trusted, types, sender.each),
                normalize=normalize,
                fresh_ids=sender.fresh_ids,
            )
        },
        triggers={},
        parallel=False,
        kept_headers=tuple(dict.fromkeys(headers)),
        decode=DECODERS[sender.body],
        handshake=sender.handshake,
        challenge=sender.challenge,
        samples=(sender.sample,),
    )


def detect_version(document: Document, headers: Headers) -> str:
    """Return the only version."""
    return VERSION


def is_signed(place: str, scheme: Scheme | KeyScheme) -> bool:
    """Tell whether the signature covers *place*.

    It is True for a secret that is sent along: somebody who has seen it can send anything, so
    that nothing could protect an id.
    """
    kind, _, name = place.partition(":")
    if kind != "header" or not isinstance(scheme, SigningScheme):
        return True
    return name in scheme.signed_headers


def normalize(item: Item) -> Event:
    """Return the event of *item*: documented, but without a counterpart in the model."""
    return build_event(item, EventType.OTHER, {})


def find(places: Sequence[str], document: Document, headers: Headers) -> str | None:
    """Return the text or number at the first of *places* that has one, as text."""
    for place in places:
        kind, _, where = place.partition(":")
        if kind == "header":
            value: Any = headers.get(where)
        elif kind == "beside":
            value = next((key for key in document if key != where), None)
        else:
            value = dig(document, *where.split("."))
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value:
            return value
    return None


def _splitter(
    ids: Sequence[str], types: Sequence[str], key: str
) -> Callable[[Payload], Iterable[Item]]:
    def split(payload: Payload) -> Iterable[Item]:
        listed = payload.document.get(key) if key else None
        events = listed if isinstance(listed, list) and listed else [payload.document]
        return (
            payload.item(
                raw=each if isinstance(each, dict) else {"value": each},
                vendor_type=find(types, each, payload.headers) or "",
                event_id=find(ids, each, payload.headers),
            )
            for each in (one if isinstance(one, Mapping) else {"value": one} for one in events)
        )

    return split


def _object_or_form(body: bytes) -> Document:
    """Return the object or the form in *body*: the first byte decides, and no header does."""
    return decode_body(body) if body.lstrip()[:1] == b"{" else form_document(body)


#: By format, what decodes a body; a list becomes ``{"items": [...]}``.
DECODERS: Mapping[str, Callable[[bytes], Document]] = {
    "object": decode_body,
    "object or form": _object_or_form,
    "list": decode_list,
}
