"""A sender as data, and the provider that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hookkit.core.body import Document, Headers, decode_body, decode_list, dig
from hookkit.core.delivery import Item, Options, Payload
from hookkit.core.errors import BodyUnreadable
from hookkit.core.event import Event, EventType, build_event
from hookkit.core.form import form_document
from hookkit.core.handshake import Challenge, Handshake
from hookkit.core.ids import join_parts
from hookkit.core.provider import InlineSample, PayloadVersion, Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme, lifetime_of

#: The one payload version of every sender: its payloads are passed on as they are.
VERSION = "any"

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0

#: Seconds that a delivery may be on its way for other reasons than the sender's retries.
DELAY_S = 600.0

#: Where an id or a type may be: ``header:<name>``, ``body:<path>``, or ``beside:<key>``: the name
#: of the first key other than ``<key>``. An id may have several parts: ``body:id+body:version``. A
#: part that ends with ``?`` need not be there.
KINDS = ("header", "body", "beside")
OPTIONAL = "?"


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
        body: The format of a body, as ``decoder_of`` takes it.
        each: The path of the list of events, if one body holds several; else empty.
        is_test_if_empty: Whether a body whose list is empty is a test of the URL.
        handshakes: Deliveries that need an answer of their own.
        challenge: A GET that needs its own answer.
        answer: The text that it wants as an answer to its events; None if any will do.
        retries: How it sends again, and what makes it stop.
        retries_docs: The page that says so; empty if none was found.
        retry_span_s: Seconds between the first and the last try to deliver an event.
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
    body: str = "json"
    each: str = ""
    is_test_if_empty: bool = False
    handshakes: tuple[Handshake, ...] = ()
    challenge: Challenge | None = None
    answer: str | None = None
    retries: str
    retries_docs: str = ""
    retry_span_s: float
    vector: str = ""
    fresh_ids: tuple[str, ...] = ()
    sample: InlineSample = field(repr=False)


def provider_of(
    sender: Sender,
    *,
    schemes: Sequence[Scheme | KeyScheme] = (),
    event_id: tuple[str, ...] | None = None,
    event_type: tuple[str, ...] | None = None,
    believes_unsigned: bool = False,
) -> Provider:
    """Return *sender* as a provider; ``Splitter`` says what becomes the id of an event.

    Args:
        sender: The sender.
        schemes: An endpoint's own scheme, and those of its payload versions; none takes the
            sender's.
        event_id: An endpoint's own places of the id; None takes the sender's.
        event_type: An endpoint's own places of the type; None takes the sender's.
        believes_unsigned: Whether to believe an id that is not signed.
    """
    schemes = schemes or [sender.scheme]
    ids = sender.event_id if event_id is None else event_id
    types = sender.event_type if event_type is None else event_type
    parts = [part for place in (*ids, *types) for part in place.split("+")]
    headers = [part.partition(":")[2] for part in parts if part.startswith("header:")]
    unsigned = tuple(place for place in ids if not is_signed(place, schemes))
    split = Splitter(
        ids=tuple(place for place in ids if place not in unsigned),
        believed=unsigned if believes_unsigned else (),
        types=types,
        each=sender.each,
        span_s=sender.retry_span_s + DELAY_S,
    )
    return Provider(
        name=sender.name,
        scheme=schemes[0],
        detect_version=detect_version,
        versions={
            VERSION: PayloadVersion(
                split=split,
                normalize=partial(normalize, sender.each if sender.is_test_if_empty else ""),
                fresh_ids=sender.fresh_ids,
            )
        },
        triggers={},
        parallel=False,
        kept_headers=tuple(dict.fromkeys(headers)),
        unsigned_id_of=_unsigned_id(unsigned) if unsigned and not believes_unsigned else None,
        options=Options(lifetime_s=lifetime_of(schemes)),
        decode=decoder_of(sender.body),
        handshakes=sender.handshakes,
        challenge=sender.challenge,
        samples=(sender.sample,),
    )


def detect_version(document: Document, headers: Headers) -> str:
    """Return the only version."""
    return VERSION


def is_signed(place: str, schemes: Iterable[Scheme | KeyScheme]) -> bool:
    """Tell whether a signature by each of *schemes* covers *place*.

    A secret that is sent along counts as one that does: somebody who has seen it can send
    anything, so that nothing could protect an id.
    """
    places = [part.removesuffix(OPTIONAL).partition(":")[::2] for part in place.split("+")]
    return all(
        name in scheme.signed_headers
        if kind == "header"
        else scheme.covers_body or name in scheme.signed_fields
        for scheme in schemes
        if isinstance(scheme, SigningScheme)
        for kind, name in places
    )


def normalize(each: str, item: Item) -> Event:
    """Return the event of *item*: documented, but without a counterpart in the model.

    Args:
        each: The path of the list that is empty in a test of the URL; empty if there is none.
        item: The item.
    """
    is_test = bool(each) and dig(item.payload.document, *each.split(".")) == []
    return build_event(item, EventType.TEST if is_test else EventType.OTHER, {})


def find(places: Sequence[str], document: Document, headers: Headers) -> str | None:
    """Return the text or number at the first of *places* that has one, as text.

    A place of several parts has one if each part has.
    """
    for place in places:
        parts = [_part_at(part, document, headers) for part in place.split("+")]
        if None not in parts:
            return parts[0] if len(parts) == 1 else join_parts(*parts)
    return None


def _part_at(part: str, document: Document, headers: Headers) -> str | None:
    if part.endswith(OPTIONAL):
        return _value_at(part.removesuffix(OPTIONAL), document, headers) or ""
    return _value_at(part, document, headers)


def _value_at(place: str, document: Document, headers: Headers) -> str | None:
    kind, _, where = place.partition(":")
    if kind == "header":
        value: Any = headers.get(where)
    elif kind == "beside":
        value = next((key for key in document if key != where), None)
    else:
        value = dig(document, *where.split("."))
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitter:
    """Takes the bodies of a sender apart, and names their events.

    Rule 1: an id that is signed names the event.
    Rule 2: an id that is not signed names it if the settings believe it, together with the type.
        Else it is not used: somebody who has seen one delivery could send it again under
        another id, as often as he likes.
    Rule 3: without an id, the content names the event. If the signature has a time, or nothing is
        signed, equal content is a new event once no signature and no redelivery of the first
        can arrive any more. Else it is a duplicate as long as its id is kept.
    Rule 4: a type that lies in a header tells events of equal content apart. If it is not signed,
        it does so only while redeliveries of the first may arrive, and each type once:
        what somebody has seen is soon worth nothing to him.

    Attributes:
        ids: Places of an id that are signed.
        believed: Places of an id that are not signed, and believed.
        types: Places of the type.
        each: The path of the list of events; empty if a body holds one.
        span_s: Seconds for which an event may arrive again.
    """

    ids: tuple[str, ...]
    believed: tuple[str, ...]
    types: tuple[str, ...]
    each: str
    span_s: float

    def __call__(self, payload: Payload) -> Iterable[Item]:
        """Return the items of *payload*, each when it is asked for."""
        listed = dig(payload.document, *self.each.split(".")) if self.each else None
        events = listed if isinstance(listed, list) and listed else [payload.document]
        return (
            self._item(payload, each if isinstance(each, Mapping) else {"value": each})
            for each in events
        )

    def _item(self, payload: Payload, event: Document) -> Item:
        vendor_type = find(self.types, event, payload.headers) or ""
        event_id = find(self.ids, event, payload.headers)
        if event_id is None and self.believed:
            unsigned_id = find(self.believed, event, payload.headers)
            if unsigned_id is not None:
                event_id = join_parts(unsigned_id, vendor_type)
        if event_id is not None:
            return payload.item(raw=event, vendor_type=vendor_type, event_id=event_id)
        item = payload.item(
            raw=event, vendor_type=vendor_type, event_id=None, repeat_after_s=self.span_s
        )
        return item.told_apart_by_type(self.span_s) if self._is_type_outside(event) else item

    def _is_type_outside(self, event: Document) -> bool:
        """Tell whether the type of *event* is looked for in a header."""
        inside = [place for place in self.types if not place.startswith("header:")]
        return len(inside) < len(self.types) and find(inside, event, {}) is None


def _unsigned_id(places: Sequence[str]) -> Callable[[Headers], str | None]:
    def unsigned_id_of(headers: Headers) -> str | None:
        return find(places, {}, headers)

    return unsigned_id_of


def decoder_of(kind: str) -> Callable[[bytes], Document]:
    """Return what decodes a body of *kind*: a word of ``DECODERS``, or ``form-json:<field>``.

    No header chooses: a sender may lie about its body, and some do.
    """
    field, is_in_form = kind.removeprefix(FORM_JSON), kind.startswith(FORM_JSON)
    return partial(_json_in_form, field) if is_in_form else DECODERS[kind]


#: Begins the name of a format: a form, one field of which holds JSON.
FORM_JSON = "form-json:"

#: The field in which GitHub and Slack put JSON.
_PAYLOAD = "payload"


def _json_or_form(body: bytes) -> Document:
    """Return the object or the form in *body*, or the object in the only field of a form."""
    if body.lstrip()[:1] == b"{":
        return decode_body(body)
    document = form_document(body)
    return _inner(document, _PAYLOAD) if document.keys() == {_PAYLOAD} else document


def _json_in_form(field: str, body: bytes) -> Document:
    """Return what *field* of a form holds, with the other fields beside it if there are some."""
    form = form_document(body)
    inner = _inner(form, field)
    return inner if len(form) == 1 else {**form, field: inner}


def _inner(document: Document, field: str) -> Document:
    text = document.get(field)
    if not isinstance(text, str):
        raise BodyUnreadable(f"body: a form without one {field}")
    return _json(text.encode())


def _json(body: bytes) -> Document:
    """Return the object in *body*; a list becomes ``{"items": [...]}``."""
    return decode_list(body) if body.lstrip()[:1] == b"[" else decode_body(body)


#: By format, what decodes a body.
DECODERS: Mapping[str, Callable[[bytes], Document]] = {
    "json": decode_body,
    "json or form": _json_or_form,
    "list": decode_list,
    "form": form_document,
}
