"""HMAC with a shared secret, over the body or over some of its fields."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from hashlib import new as new_hash
from hashlib import sha256

from hookkit.core.body import decode_body, encode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery, sent_header
from hookkit.core.errors import MalformedHeader, SignatureMismatch, SignatureMissing, Unavailable
from hookkit.signatures.encodings import from_hex, secret_from_base64
from hookkit.signatures.in_body import objects_under, read_document
from hookkit.signatures.shared_secret import PROOF_IN_BODY, PROOF_IN_URL, sent_parameter
from hookkit.signatures.signed_text import MAX_SIGNATURES, SECRET, SignedText
from hookkit.signatures.text_scheme import TextScheme

#: SHA-1 is for senders that offer nothing else: as a MAC it is weak, but not broken.
ALGORITHMS = ("sha1", "sha256", "sha512")
ENCODINGS = ("hex", "HEX", "base64")
SECRET_ENCODINGS = ("text", "base64", "hex")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedHash(TextScheme):
    """Compare a header with the HMAC of the signed text.

    Attributes:
        header: The header's name in lower case; several names with a comma between them, of
            which at least one must be there.
        parameter: In place of the header: the parameter of the URL that holds the signature.
        algorithm: One of ``ALGORITHMS``.
        encoding: How the signature is written, one of ``ENCODINGS``; HEX is in upper case.
        prefix: The beginning of a signature; entries without it are passed over.
        separator: Stands between the signatures of a list; empty if there is only one.
        secret_encoding: How the secret is written, one of ``SECRET_ENCODINGS``.
    """

    header: str = ""
    parameter: str = ""
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    separator: str = ""
    secret_encoding: str = "text"  # noqa: S105  # a name

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits.

        Every signature is compared with every secret, so that the time taken reveals nothing.

        Raises:
            Rejected: The sender is not proven; ``SignedText.of`` lists the reasons.
            Unavailable: A secret is not written in ``secret_encoding``.
        """
        candidates, timestamp = self._read(delivery)
        index = None
        for pieces in self.signed.of(delivery, timestamp):
            for number, secret in enumerate(secrets):
                expected = self._signature(pieces, secret)
                for each in candidates:
                    if hmac.compare_digest(each, expected) and index is None:
                        index = number
        if index is None:
            raise SignatureMismatch(f"{self._place} fits no configured secret")
        is_covered = self.covers_body or self._is_hashed(delivery)
        return VerifiedDelivery(
            delivery,
            index,
            body_authenticated=is_covered,
            signed_hash=self.signed.identify(delivery),
        )

    def sign(
        self,
        body: bytes,
        secret: bytes,
        signed_at: datetime,
        event_id: str = "",
        *,
        query: str = "",
    ) -> dict[str, str]:
        """Return the headers that ``verify`` accepts.

        Raises:
            TypeError: The proof lies in the URL.
            Unavailable: *secret* is not written in ``secret_encoding``.
        """
        if self.parameter:
            raise TypeError(PROOF_IN_URL.format(self.parameter))
        signed = self.signed
        timestamp = signed.write_time(signed_at)
        pieces = signed.pieces_to_sign(body, event_id, timestamp, query)
        value = f"{self.prefix}{self._signature(pieces, secret)}"
        if signed.timestamp_prefix:
            value = f"{signed.timestamp_prefix}{timestamp}{self.separator}{value}"
        return {self.header.partition(",")[0]: value, **signed.headers(event_id, timestamp)}

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* can be one; the message repeats nothing."""
        decode_secret(secret, self.secret_encoding)

    def mistakes(self) -> Iterator[str]:
        """Yield a sentence for each mistake in the configuration."""
        yield from self.signed.mistakes()
        for name, known in (
            ("algorithm", ALGORITHMS),
            ("encoding", ENCODINGS),
            ("secret_encoding", SECRET_ENCODINGS),
        ):
            if getattr(self, name) not in known:
                yield f"{name}: must be one of {', '.join(known)}"
        if not self.header and not self.parameter:
            yield "a name that it needs is missing: header or parameter"
        if self.header and self.parameter:
            yield "parameter: beside header; say which of the two is meant"
        if self.parameter and self.signs_url:
            yield "parameter: not with {url} in signed, which would have to hold its own signature"
        if "," in self.header and self.separator:
            yield "separator: each of several headers holds one signature"
        if self.header.count(",") >= MAX_SIGNATURES:
            yield f"header: at most {MAX_SIGNATURES} are looked at"
        if self.signed.timestamp_prefix and not (self.separator and self.prefix):
            yield "timestamp_prefix: goes with a separator and a prefix"

    def _read(self, delivery: Delivery) -> tuple[list[str], str | None]:
        """Return the signatures in the header, and the timestamp if it is among them."""
        if "," in self.header:
            return self._read_several(delivery), None
        if self.parameter:
            sent = sent_parameter(delivery.query, self.parameter)
        else:
            sent = sent_header(delivery.headers, self.header)
        prefix, prefix_of_time = self.prefix, self.signed.timestamp_prefix
        if not self.separator:
            is_fitting = sent.startswith(prefix) and sent.isascii()
            return ([sent[len(prefix) :]] if is_fitting else []), None
        entries = sent.split(self.separator, MAX_SIGNATURES)
        if len(entries) > MAX_SIGNATURES:
            raise MalformedHeader(f"{self._place} has more than {MAX_SIGNATURES} entries")
        fitting: list[str] = []
        times: list[str] = []
        for each in entries:
            if prefix_of_time and each.startswith(prefix_of_time):
                times.append(each[len(prefix_of_time) :])
            elif each.startswith(prefix) and each.isascii():
                fitting.append(each[len(prefix) :])
        if prefix_of_time and len(times) != 1:
            raise MalformedHeader(f"{self._place} has not one timestamp")
        return fitting, times[0] if times else None

    def _read_several(self, delivery: Delivery) -> list[str]:
        """Return the signatures in all headers that are there, one in each."""
        headers, prefix = delivery.headers, self.prefix
        sent = [headers[name] for name in self.header.split(",") if headers.get(name)]
        if not sent:
            raise SignatureMissing(f"none of the headers {self.header} is there")
        return [each[len(prefix) :] for each in sent if each.startswith(prefix) and each.isascii()]

    @property
    def _place(self) -> str:
        return f"parameter {self.parameter}" if self.parameter else f"header {self.header}"

    def _signature(self, pieces: Sequence[bytes], secret: bytes) -> str:
        if self.signed.is_plain_hash:
            key = decode_secret(secret, self.secret_encoding)
            text = b"".join(key if piece is SECRET else piece for piece in pieces)
            return self._written(new_hash(self.algorithm, text).digest())
        mac = keyed(secret, self.secret_encoding, self.algorithm).copy()
        for piece in pieces:
            mac.update(piece)
        return self._written(mac.digest())

    def _written(self, digest: bytes) -> str:
        if self.encoding == "base64":
            return b64encode(digest).decode()
        return digest.hex() if self.encoding == "hex" else digest.hex().upper()

    def _is_hashed(self, delivery: Delivery) -> bool:
        """Tell whether the signed URL has the body's hash, which ``verify`` has compared."""
        name = self.signed.hash_in_query
        return bool(name) and f"&{delivery.query}".find(f"&{name}=") >= 0


@lru_cache(maxsize=256)  # the key's own two blocks are hashed once
def keyed(secret: bytes, encoding: str, algorithm: str) -> hmac.HMAC:
    """Return a MAC of nothing by *secret*; whoever uses it copies it first.

    Raises:
        Unavailable: The secret is not written as *encoding*; the message repeats nothing.
    """
    try:
        return hmac.new(decode_secret(secret, encoding), digestmod=algorithm)
    except ValueError as error:
        raise Unavailable(f"a secret {error}") from None


def decode_secret(secret: bytes, encoding: str) -> bytes:
    """Return the key that *secret* spells, which is written as one of ``SECRET_ENCODINGS``.

    Raises:
        ValueError: It is written otherwise; the message repeats nothing.
    """
    if encoding == "text":
        return secret
    text = secret.decode("ascii", "replace")
    key = secret_from_base64(text) if encoding == "base64" else from_hex(text.lower())
    if not key:
        raise ValueError(f"is not written as {encoding}")
    return key


#: No sender's signature, timestamp or token is as long.
MAX_TEXT_CHARS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFields:
    """Compare a field of an object in the body with the HMAC-SHA-256 of its timestamp and token.

    Nothing stands between the two. A digit that is moved from one to the other changes the time
    tenfold, so that it is never within the tolerance.

    Attributes:
        holder: The key of that object, at the top of the body.
        signature: The key of the signature in it, in hexadecimal.
        timestamp: The key of the timestamp, seconds since the epoch as text.
        token: The key of the token, which is there once.
        tolerance_s: How far the timestamp may lie before or after now, in seconds.
    """

    holder: str
    signature: str
    timestamp: str
    token: str
    tolerance_s: float = 300.0
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=False, init=False)

    @property
    def signed_fields(self) -> frozenset[str]:
        """The paths in the body that are signed although its bytes are not."""
        return frozenset({f"{self.holder}.{self.timestamp}", f"{self.holder}.{self.token}"})

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds."""
        return 2 * self.tolerance_s

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits, its document read.

        Raises:
            MalformedBody: The body is no JSON object.
            SignatureMissing: A field is absent, empty or no text.
            SignatureMismatch: No secret fits.
            MalformedHeader: The timestamp is no number.
            TimestampExpired: It was signed too long ago.
            TimestampInFuture: It says that it is signed later than now.
        """

        def prove(held: object) -> int:
            return self._fitting(held, delivery.received_at, secrets)

        document = read_document(delivery, self.holder, objects_under, prove)
        index = prove(document.get(self.holder))
        found = replace(delivery, document=document)
        return VerifiedDelivery(found, index, body_authenticated=False)

    def _fitting(self, found: object, received_at: datetime, secrets: Sequence[bytes]) -> int:
        """Return which secret fits the object *found*, or refuse it."""
        held = found if isinstance(found, Mapping) else {}
        sent, timestamp, token = (
            self._text(held, name) for name in (self.signature, self.timestamp, self.token)
        )
        SignedText(tolerance_s=self.tolerance_s).check_time(timestamp, received_at)
        signed = f"{timestamp}{token}".encode()
        fitting = [
            hmac.compare_digest(sent, hmac.digest(secret, signed, "sha256").hex())
            for secret in secrets
        ]
        if True not in fitting:
            raise SignatureMismatch(f"field {self.holder}.{self.signature} fits no secret")
        return fitting.index(True)

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Raise ``TypeError``: no header proves the body."""
        raise TypeError(PROOF_IN_BODY)

    def enclose(self, body: bytes, secret: bytes, signed_at: datetime) -> bytes:
        """Return *body* with the object that ``verify`` accepts; its token is new.

        Raises:
            BodyUnreadable: The body is not a JSON object, and has no room for the proof.
        """
        document = decode_body(body)
        timestamp = SignedText().write_time(signed_at)
        token = sha256(b"%b %b" % (str(signed_at).encode(), body)).hexdigest()[:50]
        mac = hmac.digest(secret, f"{timestamp}{token}".encode(), "sha256").hex()
        held = {self.timestamp: timestamp, self.token: token, self.signature: mac}
        return encode_body({**document, self.holder: held})

    def tolerating(self, tolerance_s: float) -> SignedFields:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def check_secret(self, secret: bytes) -> None:
        """Accept every secret: its text is the key."""

    def _text(self, held: Mapping[str, object], name: str) -> str:
        text = held.get(name)
        if not isinstance(text, str) or not text:
            raise SignatureMissing(f"field {self.holder}.{name} is missing")
        if not text.isascii() or len(text) > MAX_TEXT_CHARS:
            raise SignatureMismatch(f"field {self.holder}.{name} holds what is in none")
        return text
