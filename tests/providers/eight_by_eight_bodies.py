"""Deliveries of 8x8: the signed samples, and those that tests sign with a key of their own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hookkit.core.delivery import Delivery
from hookkit.providers.eight_by_eight.signature import (
    CUSTOMER_ID,
    EVENT_ID,
    RETRY,
    SIGNATURE,
    TENANT_ID,
    TRANSMISSION_TIME,
    EightByEightSignature,
    make_token,
)
from hookkit.signatures.rsa import read_key
from tests.key_server import jwk_of, pem_of, shared_key
from tests.providers.reading import SAMPLES, headers_of, provider_of

FOLDER = Path(__file__).parent / "eight_by_eight"
SCHEME = EightByEightSignature()

#: The public halves of the keys that the samples were signed with, and that were thrown away.
SAMPLE_JWKS = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("jwk_*.json"))]
SAMPLE_KEYS = {jwk["kid"]: read_key(jwk) for jwk in SAMPLE_JWKS}

#: A key of these tests.
PRIVATE = shared_key()
SECRET = pem_of(PRIVATE)
KEY = read_key(jwk_of(PRIVATE))

NOW = datetime(2024, 4, 14, 13, 6, 43, tzinfo=UTC)
TEXT = {
    "eventType": "TEXT",
    "messageType": "AGENT",
    "conversationId": "conversation-1",
    "timestamp": 1713100002000,
    "agentId": "agent-1",
    "agentName": "Cosmin,Malutan",
    "message": "Hello",
}
BODY = json.dumps(TEXT).encode()

EIGHT_BY_EIGHT_SAMPLES = [sample for sample in SAMPLES if provider_of(sample).name == "8x8"]
SIGNED_SAMPLES = [sample for sample in EIGHT_BY_EIGHT_SAMPLES if headers_of(sample)]
NEGATIVE = {
    path.name.removesuffix(".headers.json"): path
    for path in sorted((FOLDER / "negative").glob("*.headers.json"))
}


def to_ms(moment):
    return round(moment.timestamp() * 1000)


def sent_at(headers):
    """Return a moment shortly after the transmission."""
    sent = datetime.fromtimestamp(int(headers[TRANSMISSION_TIME]) // 1000, UTC)
    return sent + timedelta(seconds=1)


def headers(body=BODY, at=NOW, secret=SECRET, **changed):
    """Return the headers of a delivery; *changed* ones are signed as they are."""
    unsigned = {
        CUSTOMER_ID: "customer-1",
        TENANT_ID: "tenant-1",
        EVENT_ID: "event-1",
        RETRY: "0",
        TRANSMISSION_TIME: str(to_ms(at)),
    }
    unsigned |= {f"x-8x8-{name.replace('_', '-')}": value for name, value in changed.items()}
    return unsigned | {SIGNATURE: make_token(unsigned, body, secret)}


def delivery(body=BODY, sent=None, at=NOW):
    return Delivery(
        endpoint="support",
        body=body,
        headers=headers(body) if sent is None else sent,
        received_at=at,
    )


def verify(body=BODY, sent=None, at=NOW, keys=(KEY,), scheme=SCHEME):
    """Return the delivery as verified, or raise what it is rejected with."""
    return scheme.verify(scheme.read_proof(delivery(body, sent, at)), keys)
