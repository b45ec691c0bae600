"""A body of any of the three versions -> the unified event.

The versions share words and keys, and the vendor's own pages mix their shapes, so a word
is read by what it says and not by the version that brought it.
"""

from __future__ import annotations

import re
from typing import Any

from hookkit.core.body import Headers
from hookkit.core.delivery import Item
from hookkit.core.event import Event, EventType, build_event
from hookkit.core.parts import Conversation
from hookkit.providers.eight_by_eight import chat, gateway
from hookkit.providers.eight_by_eight.identity import conversation_id_of, is_signed
from hookkit.providers.eight_by_eight.shapes import BodyShape
from hookkit.providers.eight_by_eight.signature import CUSTOMER_ID, RETRY, TENANT_ID
from hookkit.schemas.shape import problems

_BODY = BodyShape()
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)


def normalize(item: Item) -> Event:
    """Read the one event of a body."""
    body, faults = _BODY.read(item.raw)
    # Either shape is read; where a key is in both, ``data`` is the newer place for it.
    detail = {**body.get("flat", {}), **body.get("data", {})}
    reading = _reading(item.vendor_type, body, detail)
    parts = {
        "conversation": Conversation(
            id=conversation_id_of(item.raw), channel=detail.get("channel")
        ),
        "occurred_at": body.get("timestamp"),
        **reading.parts,
        **_from_headers(item.payload.headers),
    }
    extra = {**_extra(item.payload.headers), **reading.parts.get("extra", {})}
    if "notification_version" in body:
        extra["notification_version"] = body["notification_version"]
    parts["extra"] = extra
    if reading.kind is EventType.TEST:  # it is about a webhook, and about no conversation
        parts["conversation"] = None
    return build_event(item, reading.kind, parts, (*problems(faults), *reading.problems))


def _reading(word: str, body: dict[str, Any], detail: dict[str, Any]) -> gateway.Reading:
    if word in gateway.WORDS:
        return gateway.read(word, body, detail)
    if word in chat.TYPES:
        return gateway.Reading(chat.TYPES[word], chat.read(word, body, detail))
    return gateway.Reading(EventType.UNKNOWN, {}, ("eventType: not known",))


def _from_headers(headers: Headers) -> dict[str, Any]:
    return {"tenant_id": headers.get(TENANT_ID)} if is_signed(headers) else {}


def _extra(headers: Headers) -> dict[str, Any]:
    """Return what the signed headers say beside the event's id; v2.0 bodies name no channel."""
    if not is_signed(headers):
        return {}
    named = {"customer_id": CUSTOMER_ID, "tenant_id": TENANT_ID}
    extra: dict[str, Any] = {key: headers[name] for key, name in named.items() if name in headers}
    retry = headers.get(RETRY, "")
    if _NUMBER.fullmatch(retry):
        extra["retry"] = int(retry)
    return extra
