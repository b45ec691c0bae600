"""The text that a sender signs: a template of the parts of a delivery, with rules for each.

Rule 1: bytes are signed and bytes are verified; a body is never decoded for it.
Rule 2: a part has one spelling. A timestamp is ASCII digits, or an instant to the second. An id
        holds no character of the template's constants, so that no part can grow into the next.
Rule 3: the URL is the one in the settings, whatever a proxy says. The query is the delivery's
        own, as it is signed with the URL; it too must not be able to grow into the next part.
Rule 4: one signature is one event. The names and values of a form are signed with nothing
        between them, and so is a URL's query before them: other forms and queries have the same
        signature. Their events are identified by the text that is signed, see ``identify``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from itertools import chain
from typing import NamedTuple

from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery, sent_header
from hookkit.core.errors import (
    BodyUnreadable,
    MalformedBody,
    MalformedHeader,
    SignatureMismatch,
    TimestampExpired,
    TimestampInFuture,
)
from hookkit.core.form import decode_form

#: The names that a template may have in braces.
PARTS = ("id", "timestamp", "url", "body", "form", "body_hash", "secret")

#: Stands in the pieces of a text for the secret, which makes it a plain hash and no HMAC.
SECRET = bytes(bytearray(b"{secret}"))

#: How a sender may write the time.
UNITS = ("s", "ms", "s or ms", "iso")

#: From here on a number of "s or ms" means milliseconds: of the year 1973, or seconds of 5138.
_MILLISECONDS_FROM = 10**11

#: A list of signatures is for the rotation of keys; a longer one would only cost time.
MAX_SIGNATURES = 16
MAX_ID_CHARS = 256

#: Up to this size in bytes, copying the body costs less than hashing it in two pieces.
_SHORT = 16 << 10

_PART = re.compile(r"\{(\w+)\}")
_DIGITS = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_INSTANT = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
#: No bracket among them: a body of JSON begins with one.
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY_MS = 86_400_000


class Template(NamedTuple):
    """A parsed template.

    Attributes:
        pieces: Constants and names of parts in turn; the first and the last are constants.
        names: The names of the parts.
        an_id: Matches an id, which holds no character of the constants.
        before_body: The text before ``{body}``, if the template ends there and has no other
            parts than the id and the timestamp: this usual case is filled faster. Else None.
    """

    pieces: tuple[str, ...]
    names: frozenset[str]
    an_id: re.Pattern[str]
    before_body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedText:
    """The bytes that a signature is over.

    Attributes:
        template: Constants, and names of ``PARTS`` in braces.
        id_header: The header with the id, in lower case.
        timestamp_header: The header with the timestamp, in lower case.
        timestamp_prefix: In place of that header: the beginning of the entry of the signature
            header that holds the timestamp.
        timestamp_unit: One of ``UNITS``.
        tolerance_s: How far the timestamp may lie before or after now, in seconds.
        public_url: The URL that senders post to, without its query; needed if it is signed.
        any_port: Whether a sender may sign the URL with or without its default port.
        hash_in_query: The query parameter with the body's SHA-256; if the signed URL has it, the
            form is not signed.
    """

    template: str = "{body}"
    id_header: str = ""
    timestamp_header: str = ""
    timestamp_prefix: str = ""
    timestamp_unit: str = "s"
    tolerance_s: float = 300.0
    public_url: str = field(default="", repr=False)
    any_port: bool = False
    hash_in_query: str = ""
    #: The template, parsed once.
    parsed: Template = field(init=False, repr=False, compare=False)
    #: Whether the secret is a part of the text, which is then hashed without a key.
    is_plain_hash: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", _parse(self.template))
        object.__setattr__(self, "is_plain_hash", "secret" in self.parsed.names)

    @property
    def names(self) -> frozenset[str]:
        """The parts that are signed."""
        return self.parsed.names

    @property
    def covers_body(self) -> bool:
        """Whether the body's bytes are signed.

        Those of a form are not: its names and values are signed with nothing between them, so
        that some other forms have the same signature.
        """
        return not self.names.isdisjoint({"body", "body_hash"})

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds; None means for ever."""
        return 2 * self.tolerance_s if "timestamp" in self.names else None

    @property
    def signs_url(self) -> bool:
        """Whether the URL is signed."""
        return "url" in self.names

    @property
    def signed_headers(self) -> frozenset[str]:
        """The headers that are signed, in lower case."""
        return frozenset({self.id_header, self.timestamp_header} - {""})

    def headers(self, event_id: str, timestamp: str) -> dict[str, str]:
        """Return the signed headers as a sender writes them."""
        values = {self.id_header: event_id, self.timestamp_header: timestamp}
        return {name: value for name, value in values.items() if name}

    def mistakes(self) -> Iterator[str]:
        """Yield a sentence for each mistake in the configuration."""
        unknown = sorted(self.names.difference(PARTS))
        if unknown:
            yield f"signed: {{{unknown[0]}}} is not known; known are {', '.join(PARTS)}"
        if not self.names & {"body", "body_hash", "form"}:
            yield "signed: has neither {body} nor {body_hash} nor {form}"
        if ("id" in self.names) != bool(self.id_header):
            yield "id_header: goes with {id} in signed"
        if ("timestamp" in self.names) != bool(self.timestamp_header or self.timestamp_prefix):
            yield "timestamp_header or timestamp_prefix: goes with {timestamp} in signed"
        if self.timestamp_unit not in UNITS:
            yield f"timestamp_unit: must be one of {', '.join(UNITS)}"
        names, constants = self.parsed.pieces[1::2], self.parsed.pieces[2:-1:2]
        if "secret" in names and (names.index("secret") < len(names) - 1 or self.parsed.pieces[-1]):
            yield (
                "signed: {secret} must be at the end: whoever has seen a hash that begins with it"
                " could continue the text"
            )
        for before, constant, after in zip(names, constants, names[1:], strict=False):
            if not constant and "id" in (before, after):
                yield "signed: {id} needs a constant between it and the next part"
            is_timed = "timestamp" in (before, after)
            if not constant and is_timed and self.timestamp_unit == "s or ms":
                yield "timestamp_unit: of two units needs a constant beside {timestamp} in signed"

    def of(self, delivery: Delivery, timestamp: str | None) -> list[list[bytes]]:
        """Return the texts that may have been signed, each in pieces.

        There is one, or two if the port of the URL may be left out.

        Args:
            delivery: The delivery; its timestamp is checked.
            timestamp: The timestamp, if it is in the signature header.

        Raises:
            SignatureMissing: A part is missing.
            MalformedHeader: A part is not written as it must be.
            MalformedBody: The body is not a form.
            SignatureMismatch: The hash in the query is that of another body.
            TimestampExpired: It was signed too long ago.
            TimestampInFuture: It says that it is signed later than now.
        """
        event_id = self._id(delivery.headers) if self.id_header else ""
        if self.signs_url:
            self._check_boundary(delivery.query, delivery.body)
        if self.timestamp_header or self.timestamp_prefix:
            if timestamp is None:
                timestamp = sent_header(delivery.headers, self.timestamp_header)
            self.check_time(timestamp, delivery.received_at)
        return self._fill(delivery.body, delivery.query, event_id, timestamp or "")

    def identify(self, delivery: Delivery) -> str | None:
        """Return what names the event of a verified *delivery*, if other bodies may be signed so.

        It is the SHA-256 of the signed text in hexadecimal. The time is left out of the text: a
        redelivery is signed again.
        """
        if "form" not in self.names:
            return None
        event_id = delivery.headers.get(self.id_header, "")
        pieces = next(self._fill_all(delivery.body, delivery.query, event_id, ""))
        return sha256(b"".join(pieces)).hexdigest()

    def pieces_to_sign(
        self, body: bytes, event_id: str, timestamp: str, query: str = ""
    ) -> list[bytes]:
        """Return the text that a sender signs, in pieces."""
        return self._fill(body, query, event_id, timestamp)[0]

    def to_sign(self, body: bytes, event_id: str, timestamp: str, query: str = "") -> bytes:
        """Return the text that a sender signs."""
        return b"".join(self.pieces_to_sign(body, event_id, timestamp, query))

    def write_time(self, signed_at: datetime) -> str:
        """Return *signed_at* as a sender writes it."""
        if self.timestamp_unit == "iso":
            return signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        sent_ms = milliseconds_of(signed_at)
        return str(sent_ms if self.timestamp_unit == "ms" else sent_ms // 1000)

    def check_time(self, timestamp: str, received_at: datetime) -> None:
        """Raise a subclass of ``Rejected`` unless *timestamp* is well written and near."""
        sent_ms = self._milliseconds(timestamp)
        try:
            check_age(sent_ms, received_at, self.tolerance_s)
        except (TimestampExpired, TimestampInFuture) as error:
            unit = self._unit_of(sent_ms, received_at)
            if unit is None:
                raise
            hint = f"it is now in the unit {unit}: see timestamp_unit"
            raise type(error)(f"{error}; {hint}", age_s=error.age_s) from None

    def _unit_of(self, sent_ms: int, received_at: datetime) -> str | None:
        """Return the unit in which the time *sent_ms*, read as it was, would be within a day."""
        now_ms = milliseconds_of(received_at)
        meant = {"s": ("ms", sent_ms // 1000), "ms": ("s", sent_ms * 1000)}
        unit, ms = meant.get(self.timestamp_unit, ("", 0))
        return unit if abs(now_ms - ms) < _DAY_MS else None

    def _milliseconds(self, timestamp: str) -> int:
        if self.timestamp_unit != "iso":
            if not _DIGITS.fullmatch(timestamp):
                raise MalformedHeader("the timestamp is no number")
            number = int(timestamp)
            if self.timestamp_unit == "s":
                return number * 1000
            is_ms = self.timestamp_unit == "ms" or number >= _MILLISECONDS_FROM
            return number if is_ms else number * 1000
        if not _INSTANT.fullmatch(timestamp):
            raise MalformedHeader("the timestamp is no instant")
        try:
            return milliseconds_of(datetime.fromisoformat(timestamp))
        except ValueError as error:  # the 31st of February
            raise MalformedHeader("the timestamp is no instant") from error

    def _id(self, headers: Headers) -> str:
        event_id = sent_header(headers, self.id_header)
        if not self.parsed.an_id.fullmatch(event_id):
            raise MalformedHeader(f"header {self.id_header} holds what is in no id")
        return event_id

    def _fill(self, body: bytes, query: str, event_id: str, timestamp: str) -> list[list[bytes]]:
        before = self.parsed.before_body
        if before is None:
            return list(self._fill_all(body, query, event_id, timestamp))
        if not before:
            return [[body]]
        # The timestamp first: an id may hold anything.
        start = before.replace("{timestamp}", timestamp).replace("{id}", event_id).encode()
        return [[start + body]] if len(body) < _SHORT else [[start, body]]

    def _fill_all(
        self, body: bytes, query: str, event_id: str, timestamp: str
    ) -> Iterator[list[bytes]]:
        parts = {
            "id": event_id.encode(),
            "timestamp": timestamp.encode(),
            "body": body,
            "secret": SECRET,
        }
        is_hashed = bool(self.hash_in_query) and self._is_hash_there(query, body)
        if "form" in self.names:
            parts["form"] = b"" if is_hashed else _form(body)
        if "body_hash" in self.names:
            parts["body_hash"] = sha256(body).hexdigest().encode()
        for url in self._urls(query) if self.signs_url else ("",):
            parts["url"] = url.encode()
            yield [
                parts[piece] if number % 2 else piece.encode()
                for number, piece in enumerate(self.parsed.pieces)
            ]

    def _is_hash_there(self, query: str, body: bytes) -> bool:
        """Tell whether the query has a hash of the body; raise if it is another body's."""
        parameter = f"&{self.hash_in_query}="
        _, is_there, rest = f"&{query}".partition(parameter)
        if not is_there:
            return False
        sent, _, others = rest.partition("&")
        expected = sha256(body).hexdigest()
        is_once = parameter not in f"&{others}"
        if not sent.isascii() or not compare_digest(sent, expected) or not is_once:
            raise SignatureMismatch("the hash in the URL is that of another body")
        return True

    def _check_boundary(self, query: str, body: bytes) -> None:
        """Refuse a query that may have been a part of what is signed beside it, or the reverse.

        Raises:
            MalformedHeader: The query is no text, or holds what separates it from the next part.
            MalformedBody: The body could continue the query, or begin with one.
        """
        try:
            query.encode()
        except UnicodeEncodeError as error:
            raise MalformedHeader("the query is none that HTTP can send") from error
        if "form" in self.names:
            return  # the event is named by the text
        where = self.parsed.pieces.index("url")
        constant, following = self.parsed.pieces[where + 1], self.parsed.pieces[where + 2 :]
        if constant or not following:
            if (constant[:1] or self.public_url) in query:
                raise MalformedHeader("the query holds what ends it in the signed text")
        elif following[0] == "body" and not query:
            if body.startswith(b"?"):
                raise MalformedBody("the body begins as a query does")
        elif following[0] == "body":
            # As it must be written in a URL: https://www.rfc-editor.org/rfc/rfc3986#section-3.4
            if not _QUERY.fullmatch(query):
                raise MalformedHeader("the query holds what must be escaped there")
            if body and body[:1] not in b"{[":
                raise MalformedBody("the body does not begin as JSON, and could continue the query")

    def _urls(self, query: str) -> Iterator[str]:
        end = f"?{query}" if query else ""
        yield self.public_url + end
        if self.any_port:
            yield _other_port(self.public_url) + end


def _id_pattern(constants: str) -> re.Pattern[str]:
    fitting = "".join(
        re.escape(chr(code)) for code in range(0x21, 0x7F) if chr(code) not in constants
    )
    return re.compile(f"[{fitting}]{{1,{MAX_ID_CHARS}}}", re.ASCII)


def _parse(template: str) -> Template:
    pieces = tuple(_PART.split(template))
    names = frozenset(pieces[1::2])
    before, _, after = template.partition("{body}")
    is_plain = "body" in names <= {"id", "timestamp", "body"} and not after
    return Template(
        pieces=pieces,
        names=names,
        an_id=_id_pattern("".join(pieces[::2])),
        before_body=before if is_plain else None,
    )


@lru_cache(maxsize=64)
def _other_port(url: str) -> str:
    """Return *url* without its port, or with the default port of its scheme if it has none."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    bare, _, port = host.rpartition(":")
    if not port.isdigit() or port == host:  # the colons of an IPv6 address are within brackets
        bare = f"{host}{':443' if scheme == 'https' else ':80'}"
    return f"{scheme}://{user}{at}{bare}{slash}{path}"


def _form(body: bytes) -> bytes:
    """Return a form's names and values, sorted and with nothing between them.

    A repeated pair of name and value counts once. https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """
    try:
        pairs = decode_form(body)
    except BodyUnreadable as error:
        raise MalformedBody(str(error)) from error
    # In UTF-8, bytes have the order of their texts.
    return b"".join(chain.from_iterable(sorted(set(pairs))))


def milliseconds_of(moment: datetime) -> int:
    """Return the whole milliseconds from the Unix epoch to the aware *moment*."""
    return (moment - _EPOCH) // _MILLISECOND


def check_age(sent_ms: int, received_at: datetime, tolerance_s: float) -> None:
    """Check that a signed time lies within the tolerance of the time of receipt.

    Args:
        sent_ms: The signed time, in milliseconds since the Unix epoch.
        received_at: When the delivery arrived, aware.
        tolerance_s: How far apart the two may be, either way, in seconds.

    Raises:
        TimestampExpired: It was signed too long ago.
        TimestampInFuture: It says that it is signed later than now.
    """
    age_ms = milliseconds_of(received_at) - sent_ms
    if age_ms > tolerance_s * 1000:
        raise TimestampExpired("the timestamp is too long ago", age_s=age_ms / 1000)
    if -age_ms > tolerance_s * 1000:
        raise TimestampInFuture("the timestamp is later than now", age_s=age_ms / 1000)
