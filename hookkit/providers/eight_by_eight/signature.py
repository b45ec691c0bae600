"""How 8x8 signs: a detached JWS over ids and times from the headers, and the body's CRC-32.

https://developer.8x8.com/contactcenter/docs/verify-webhook-callbacks
https://developer.8x8.com/actions-events/docs/validating-webhook-events (the same recipe)

**The body is bound by a checksum that is no MAC.** Whoever has seen one signed request can
make another body with the same CRC-32 and send it with the same headers: it verifies. So the
same event id with other bytes is a conflict, which is kept and never handled.
"""

from __future__ import annotations

import re
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery, Proof, VerifiedDelivery
from hookkit.core.errors import (
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
)
from hookkit.core.scheme import PublicKey
from hookkit.signatures.detached_jws import read_token, write_header
from hookkit.signatures.rsa import read_private_key

SIGNATURE = "x-8x8-signature"
CUSTOMER_ID = "x-8x8-customer-id"
TENANT_ID = "x-8x8-tenant-id"
EVENT_ID = "x-8x8-event-id"
RETRY = "x-8x8-retry"
TRANSMISSION_TIME = "x-8x8-transmission-time"

HEADERS = (SIGNATURE, CUSTOMER_ID, TENANT_ID, EVENT_ID, RETRY, TRANSMISSION_TIME)

#: "GET .../jwk/{kid}/public", for everybody. All of the vendor's samples ask the Chat API, the
#: gateway's reference has an address of its own; whether both have the same keys is not said.
_GATEWAY = "https://api.8x8.com/chat-gateway/v1/jwk"
KEY_BASES = {
    region: (f"https://api.8x8.com/vcc/{region}/chat/v2/jwk", _GATEWAY)
    for region in ("us", "eu", "ca", "ap")
}

#: The vendor documents no window; a retry is signed anew, with a time of its own.
TOLERANCE_S = 300.0

#: The ids seen are letters, digits, ``-`` and ``_``. What JSON would escape is refused, since
#: the vendor's languages do not agree on how (PHP escapes ``/`` too, which is not refused).
_ID = re.compile(r"[ !#-\[\]-~]{1,255}", re.ASCII)

#: Retry and transmission time are signed as numbers, so each has one spelling.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EightByEightSignature:
    """Check the ``x-8x8-*`` headers against the body and a public key of 8x8.

    Attributes:
        tolerance_s: How far the transmission time may lie from the time of receipt, before
            or after, in seconds.
    """

    tolerance_s: float = TOLERANCE_S

    @property
    def key_bases(self) -> Mapping[str, Sequence[str]]:
        """Where 8x8 has its public keys, by region."""
        return KEY_BASES

    def tolerating(self, tolerance_s: float) -> EightByEightSignature:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, tolerance_s=tolerance_s)

    def read_proof(self, delivery: Delivery) -> Proof:
        """Return what *delivery* brings to prove its sender; all that needs no key is checked.

        Raises:
            SignatureMissing: One of the headers is missing or empty.
            MalformedHeader: One of them is not written as it must be.
            SignatureMismatch: The token is of a kind that is not accepted.
            TimestampExpired: It was sent too long ago.
            TimestampInFuture: It says that it is sent later than now.
        """
        token = read_token(_sent(delivery.headers, SIGNATURE))
        payload = signed_payload(delivery.headers, delivery.body)
        self._check_time(int(delivery.headers[TRANSMISSION_TIME]), delivery.received_at)
        return Proof(
            delivery=delivery,
            key_id=token.key_id,
            signature=token.signature,
            signed=token.signed(payload),
        )

    def verify(self, proof: Proof, keys: Sequence[PublicKey]) -> VerifiedDelivery:
        """Return the delivery of *proof* as verified by the first of *keys* that fits.

        Raises:
            SignatureMismatch: None of them fits.
        """
        for key in keys:
            if key.fits(proof.signature, proof.signed):
                return VerifiedDelivery(
                    delivery=proof.delivery,
                    secret_index=None,
                    body_authenticated=False,
                    is_bytewise=True,
                    key=key.jwk,
                )
        raise SignatureMismatch("no key fits the signature")

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime, event_id: str = ""
    ) -> dict[str, str]:
        """Return headers that prove *body*, as those of an event that was never sent before.

        Args:
            body: The bytes to be sent.
            secret: A private RSA key, as PEM or as a JWK.
            signed_at: The time of transmission.
            event_id: The event's id; empty makes one.

        Raises:
            ValueError: *secret* is no such key.
        """
        sent_ms = (signed_at - _EPOCH) // _MILLISECOND
        made = sha256(b"%d %b" % (sent_ms, body)).digest()[:16]
        headers = {
            CUSTOMER_ID: "sampleCustomer01",
            TENANT_ID: "sampletenant01",
            EVENT_ID: event_id or urlsafe_b64encode(made).rstrip(b"=").decode(),
            RETRY: "0",
            TRANSMISSION_TIME: str(sent_ms),
        }
        return headers | {SIGNATURE: make_token(headers, body, secret)}

    def _check_time(self, sent_ms: int, received_at: datetime) -> None:
        age_ms = (received_at - _EPOCH) // _MILLISECOND - sent_ms
        if age_ms > self.tolerance_s * 1000:
            raise TimestampExpired(f"header {TRANSMISSION_TIME} is too long ago")
        if -age_ms > self.tolerance_s * 1000:
            raise TimestampInFuture(f"header {TRANSMISSION_TIME} is later than now")


def signed_payload(headers: Headers, body: bytes) -> bytes:
    """Return what 8x8 has signed: "compact JSON, keys in lexicographic order".

    Raises:
        SignatureMissing: One of the headers is missing or empty.
        MalformedHeader: One of them is not written as it must be.
    """
    customer_id, event_id = _id(headers, CUSTOMER_ID), _id(headers, EVENT_ID)
    retry, tenant_id = _number(headers, RETRY), _id(headers, TENANT_ID)
    sent_ms = _number(headers, TRANSMISSION_TIME)
    # "CRC-32 of the raw request body", unsigned; 8x8's own sample for Node makes it signed.
    checksum = zlib.crc32(body)
    # Nothing in these texts needs an escape, so this is what a JSON encoder writes.
    return (
        f'{{"checksum":{checksum},"cid":"{customer_id}","eid":"{event_id}",'
        f'"retry":{retry},"tid":"{tenant_id}","tt":{sent_ms}}}'
    ).encode()


def make_token(headers: Headers, body: bytes, secret: bytes) -> str:
    """Return the signature header for *headers* and *body*.

    Raises:
        ValueError: *secret* is no private RSA key.
    """
    key = read_private_key(secret)
    header = write_header(key.key_id)
    signature = key.sign(b"%b.%b" % (header.encode(), signed_payload(headers, body)))
    return f"{header}..{signature}"


def _sent(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureMissing(f"header {name} is missing")
    return value


def _id(headers: Headers, name: str) -> str:
    value = _sent(headers, name)
    if not _ID.fullmatch(value):
        raise MalformedHeader(f"header {name} holds what is in no id")
    return value


def _number(headers: Headers, name: str) -> str:
    value = _sent(headers, name)
    if not _NUMBER.fullmatch(value):
        raise MalformedHeader(f"header {name} is no number")
    return value
