"""A vendor of one's own: its settings, and its deliveries without an application."""

from __future__ import annotations

from typing import Any

from hookkit import Rejected, sign, verify
from hookkit.core.provider import Provider
from hookkit.providers import find_provider

SECRET = "the-secret-of-the-shop"

ORDERS: dict[str, Any] = {
    "provider": "generic",
    "secrets": [SECRET],
    "scheme": {
        "header": "X-Shop-Signature",
        "prefix": "v1=",
        "signed": "{timestamp}.{body}",
        "timestamp_header": "X-Shop-Time",
    },
    "event_id": "body:event.id",
    "event_type": "body:event.kind",
}


def signed(provider: Provider, body: bytes) -> dict[str, str]:
    return sign(provider, body, SECRET)


def is_proven(provider: Provider, headers: dict[str, str], body: bytes) -> bool:
    try:
        verified = verify(provider, headers, body, [SECRET])
    except Rejected:
        return False
    return verified.delivery.body == body


def stripe() -> Provider:
    return find_provider("stripe")
