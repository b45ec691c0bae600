"""Some fields of each item in a JSON body are signed, and the signature lies in the item.

Rule 1: every item must be proven. A body without an item proves nothing.
Rule 2: the fields are joined as they are, without escapes. So no field may hold what stands
        between them, except one: all others have one place in the text then, and no text has two
        readings.
Rule 3: a field has one spelling in the text and one in the id of the event: a text or a whole
        number. A field that is empty says as much as one that is not there.
Rule 4: a large body is decoded only if its first item is proven, which is looked for in the bytes.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hookkit.core.body import Document, decode_body, dig, encode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable, SignatureMismatch, SignatureMissing
from hookkit.signatures.in_body import first_object_under, read_document
from hookkit.signatures.keyed_hash import (
    ALGORITHMS,
    ENCODINGS,
    SECRET_ENCODINGS,
    decode_secret,
    keyed,
)
from hookkit.signatures.shared_secret import PROOF_IN_BODY

#: Ends the name of a field that need not be there.
OPTIONAL = "?"

#: No sender's signature is as long.
MAX_SIGNATURE_CHARS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedItems:
    """Compare a field of each item with the HMAC of other fields of it.

    Attributes:
        items: The path of the list of items in the body.
        within: The key in each item under which its fields and its signature lie.
        fields: Their paths in the order of the signed text, with commas between them; a ``?`` at
            the end of one says that it need not be there.
        signature: The path of the signature.
        separator: Stands between the fields in the signed text.
        open_field: The one field that may hold the separator; empty if none may.
        algorithm: One of ``ALGORITHMS``.
        encoding: How the signature is written, one of ``ENCODINGS``.
        secret_encoding: How the secret is written, one of ``SECRET_ENCODINGS``.
    """

    items: str
    within: str
    fields: str
    signature: str
    separator: str = ":"
    open_field: str = ""
    algorithm: str = "sha256"
    encoding: str = "base64"
    secret_encoding: str = "hex"  # noqa: S105  # a name
    signed_headers: frozenset[str] = field(default=frozenset(), init=False)
    covers_body: bool = field(default=False, init=False)
    lifetime_s: float | None = field(default=None, init=False)

    @property
    def signed_fields(self) -> frozenset[str]:
        """The paths in an item that are signed although its bytes are not."""
        return frozenset(f"{self.within}.{name}" for name, _ in self._fields())

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits its first item.

        Raises:
            MalformedBody: The body is no JSON object.
            SignatureMissing: There is no item, or one has no signature, or not all its fields.
            SignatureMismatch: No secret fits an item, or a field holds what is in none.
            Unavailable: A secret is not written in ``secret_encoding``.
        """

        def prove(held: object) -> int:
            return self._fitting(held, secrets)

        document = read_document(delivery, self.within, first_object_under, prove)
        fitting = [prove(held) for held in self._held_in(document)]
        if not fitting:
            raise SignatureMissing(f"field {self.items} has no item")
        found = replace(delivery, document=document)
        return VerifiedDelivery(found, fitting[0], body_authenticated=False)

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Raise ``TypeError``: no header proves the body."""
        raise TypeError(PROOF_IN_BODY)

    def enclose(self, body: bytes, secret: bytes, signed_at: datetime) -> bytes:
        """Return *body* with a signature in each item.

        Raises:
            BodyUnreadable: The body is not a JSON object with such items.
        """
        document = decode_body(body)
        listed = list(self._held_in(document))
        if not listed:
            raise BodyUnreadable(f"body: no list {self.items} with an item to sign")
        place, _, name = self.signature.rpartition(".")
        for held in listed:
            try:
                text = self._text(held)
            except (SignatureMissing, SignatureMismatch) as error:
                raise BodyUnreadable(f"body: {error}") from error
            holder = held
            for step in filter(None, place.split(".")):
                holder = holder.setdefault(step, {})
                if not isinstance(holder, dict):
                    raise BodyUnreadable(f"body: {step} has no room for a signature")
            holder[name] = self._signature(text, secret)
        return encode_body(document)

    def tolerating(self, tolerance_s: float) -> SignedItems:
        """Return the scheme as it is: it signs no time."""
        return self

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` unless *secret* can be one; the message repeats nothing."""
        decode_secret(secret, self.secret_encoding)

    def mistakes(self) -> Iterator[str]:
        """Yield a sentence for each mistake in the configuration."""
        for name, known in (
            ("algorithm", ALGORITHMS),
            ("encoding", ENCODINGS),
            ("secret_encoding", SECRET_ENCODINGS),
        ):
            if getattr(self, name) not in known:
                yield f"{name}: must be one of {', '.join(known)}"
        names = [name for name, _ in self._fields()]
        if "" in names or len(set(names)) < len(names):
            yield "fields: must be paths with commas between them, each of them once"
        if all(is_optional for _, is_optional in self._fields()):
            yield "fields: one of them must always be there"
        if not self.separator:
            yield "separator: without one, fields of several items could have the same signature"
        if self.open_field and self.open_field not in names:
            yield "open_field: is none of the fields"
        if not self.within or not self.items or not self.signature:
            yield "items, within and signature: none may be empty"

    def _fields(self) -> Iterator[tuple[str, bool]]:
        """Yield the path of each field, and whether it need not be there."""
        for name in self.fields.split(","):
            yield name.removesuffix(OPTIONAL), name.endswith(OPTIONAL)

    def _held_in(self, document: Document) -> Iterator[Any]:
        """Yield the object in each item; None for one that has none."""
        listed = dig(document, *self.items.split("."))
        for item in listed if isinstance(listed, list) else ():
            yield dig(item, self.within)

    def _fitting(self, held: object, secrets: Sequence[bytes]) -> int:
        """Return which secret fits the item with the object *held*, or refuse it."""
        sent = dig(held, *self.signature.split("."))
        if not isinstance(sent, str) or not sent:
            raise SignatureMissing(f"field {self.within}.{self.signature} is missing")
        if not sent.isascii() or len(sent) > MAX_SIGNATURE_CHARS:
            raise SignatureMismatch(f"field {self.within}.{self.signature} holds what is in none")
        text = self._text(held)
        fits = [hmac.compare_digest(sent, self._signature(text, each)) for each in secrets]
        if True not in fits:
            raise SignatureMismatch(f"field {self.within}.{self.signature} fits no secret")
        return fits.index(True)

    def _text(self, held: object) -> bytes:
        spelt = [self._spelt(held, *each) for each in self._fields()]
        return self.separator.join(spelt).encode(errors="surrogatepass")

    def _spelt(self, held: object, name: str, is_optional: bool) -> str:  # noqa: FBT001  # a pair
        value = dig(held, *name.split("."))
        if value is None or value == "":
            if is_optional and isinstance(held, Mapping):
                return ""
            raise SignatureMissing(f"field {self.within}.{name} is missing")
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise SignatureMismatch(f"field {self.within}.{name} is no text and no whole number")
        text = str(value)
        if self.separator in text and name != self.open_field:
            raise SignatureMismatch(f"field {self.within}.{name} holds {self.separator!r}")
        return text

    def _signature(self, text: bytes, secret: bytes) -> str:
        mac = keyed(secret, self.secret_encoding, self.algorithm).copy()
        mac.update(text)
        if self.encoding == "base64":
            return b64encode(mac.digest()).decode()
        return mac.hexdigest() if self.encoding == "hex" else mac.hexdigest().upper()
