"""How 8x8 signs: a detached JWS over ids and times in the headers, and the body's CRC-32.

https://developer.8x8.com/contactcenter/docs/verify-webhook-callbacks
https://developer.8x8.com/actions-events/docs/validating-webhook-events (the same recipe)

**The checksum of the body is no MAC.** Somebody who has seen one signed request can make another
body with the same CRC-32 and send it with the same headers: it verifies. So the same event id
with other bytes is a conflict, which is kept and never handled.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery, Proof, VerifiedDelivery, sent_header
from hookkit.core.errors import MalformedHeader, SignatureMismatch
from hookkit.core.scheme import PublicKey
from hookkit.signatures.detached_jws import read_token, write_header
from hookkit.signatures.rsa import read_private_key
from hookkit.signatures.signed_text import check_age, milliseconds_of

SIGNATURE = "x-8x8-signature"
CUSTOMER_ID = "x-8x8-customer-id"
TENANT_ID = "x-8x8-tenant-id"
EVENT_ID = "x-8x8-event-id"
RETRY = "x-8x8-retry"
TRANSMISSION_TIME = "x-8x8-transmission-time"

HEADERS = (SIGNATURE, CUSTOMER_ID, TENANT_ID, EVENT_ID, RETRY, TRANSMISSION_TIME)

#: "GET .../jwk/{kid}/public", without credentials. The vendor's samples all ask the Chat API, and
#: the gateway's reference has its own address. No page says whether both have the same keys.
_GATEWAY = "https://api.8x8.com/chat-gateway/v1/jwk"
KEY_BASES = {
    region: (f"https://api.8x8.com/vcc/{region}/chat/v2/jwk", _GATEWAY)
    for region in ("us", "eu", "ca", "ap")
}

#: The vendor documents no window. A retry is signed again, with its own time.
TOLERANCE_S = 300.0

#: All known ids are letters, digits, ``-`` and ``_``. Characters that JSON escapes are refused,
#: since languages escape them differently (PHP escapes ``/`` too, which is not refused).
_ID = re.compile(r"[ !#-\[\]-~]{1,255}", re.ASCII)

#: Retry and transmission time are signed as numbers: each number has one spelling.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


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
        """Return the proof in *delivery*, after checking everything that needs no key.

        Raises:
            SignatureMissing: One of the headers is missing or empty.
            MalformedHeader: One of them is not written as it must be.
            SignatureMismatch: The token is of another kind than 8x8 uses.
            TimestampExpired: It was sent too long ago.
            TimestampInFuture: It says that it is sent later than now.
        """
        token = read_token(sent_header(delivery.headers, SIGNATURE))
        payload = signed_payload(delivery.headers, delivery.body)
        sent_ms = int(delivery.headers[TRANSMISSION_TIME])
        check_age(sent_ms, delivery.received_at, self.tolerance_s)
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
        """Return the headers that prove *body*, as at the first try to deliver an event.

        Args:
            body: The bytes to be sent.
            secret: A private RSA key, as PEM or as a JWK.
            signed_at: The time of transmission.
            event_id: The event's id.

        Raises:
            ValueError: *secret* is no such key, or *event_id* is empty.
        """
        if not event_id:
            raise ValueError("event_id: missing")
        headers = {
            CUSTOMER_ID: "sampleCustomer01",
            TENANT_ID: "sampletenant01",
            EVENT_ID: event_id,
            RETRY: "0",
            TRANSMISSION_TIME: str(milliseconds_of(signed_at)),
        }
        return headers | {SIGNATURE: make_token(headers, body, secret)}


def signed_payload(headers: Headers, body: bytes) -> bytes:
    """Return the text that 8x8 signs: "compact JSON, keys in lexicographic order".

    Raises:
        SignatureMissing: One of the headers is missing or empty.
        MalformedHeader: One of them is not written as it must be.
    """
    customer_id, event_id = _id(headers, CUSTOMER_ID), _id(headers, EVENT_ID)
    retry, tenant_id = _number(headers, RETRY), _id(headers, TENANT_ID)
    sent_ms = _number(headers, TRANSMISSION_TIME)
    # "CRC-32 of the raw request body", unsigned; 8x8's own sample for Node makes it signed.
    checksum = zlib.crc32(body)
    # No character of these texts needs an escape, so a JSON encoder would write the same.
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


def _id(headers: Headers, name: str) -> str:
    value = sent_header(headers, name)
    if not _ID.fullmatch(value):
        raise MalformedHeader(f"header {name} holds what is in no id")
    return value


def _number(headers: Headers, name: str) -> str:
    value = sent_header(headers, name)
    if not _NUMBER.fullmatch(value):
        raise MalformedHeader(f"header {name} is no number")
    return value
