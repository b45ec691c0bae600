"""The id, the fact and the lane of an event of 8x8.

Signed deliveries name their event in a header, "to determine that the event notification you
received is distinct from previous ones". A body holds one event and no id of it. v1.0 has
neither the headers nor ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookkit.core.body import Document, Headers, dig_id, dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.ids import hash_content, join_parts
from hookkit.providers.eight_by_eight.signature import EVENT_ID, SIGNATURE, TENANT_ID

#: An equal body of v1.0 without a time is a new event after this many seconds. The vendor sends
#: again "after a brief delay" and says no more, so this is hookkit's own guess.
REPEAT_AFTER_S = 10 * 60


def is_signed(headers: Headers) -> bool:
    """Tell whether a delivery has a signature; its endpoint has then checked it."""
    return bool(headers.get(SIGNATURE))


def event_id_of(headers: Headers) -> str | None:
    """Return the id of the event that signed *headers* name; None if they are not signed."""
    if not is_signed(headers) or not headers.get(EVENT_ID):
        return None
    return join_parts(headers.get(TENANT_ID), headers[EVENT_ID])


def conversation_id_of(document: Document) -> str | None:
    """Return the conversation's id; in v1.0 sender and recipient may take its place.

    "While in version V1 your conversation was virtualized and you had to keep track of the
    Sender & Recipient tuple"; no page shows such a body any more, so the keys are a guess.
    https://developer.8x8.com/contactcenter/changelog/migrate-from-version-1-to-version-2
    """
    conversation_id = dig_id(document, "conversationId")
    if conversation_id is not None:
        return conversation_id
    sender, recipient = (_party(document, key) for key in ("sender", "recipient"))
    if sender is None or recipient is None:
        return None
    return join_parts(sender, recipient)


def split(payload: Payload) -> Sequence[Item]:
    """Return the one event of a body."""
    body = payload.document
    vendor_type = dig_text(body, "eventType") or ""
    has_identity = payload.event_id is not None or dig_id(body, "timestamp") is not None
    conversation_id = conversation_id_of(body)
    item = payload.item(
        raw=body,
        vendor_type=vendor_type,
        event_id=None,  # the headers name it, or else it is derived from the content
        repeat_after_s=None if has_identity else REPEAT_AFTER_S,
        lane=conversation_id,
        fact=_fact(vendor_type, body),
    )
    # Typing starts, stops and starts again; the same text comes again after another.
    return (item if has_identity else item.about(conversation_id),)


def _fact(vendor_type: str, body: Document) -> str | None:
    """Return the fact, by a name that v1.0 and v2.0 share.

    A webhook is switched from one to the other at its URL, and a redelivery may then come in
    the newer version.
    """
    conversation_id, timestamp = conversation_id_of(body), dig_id(body, "timestamp")
    if conversation_id is None or timestamp is None:
        return None
    said = [body.get(key) for key in ("message", "agentId", "queueId")]
    return join_parts(vendor_type, conversation_id, timestamp, hash_content(said)[:32])


def _party(document: Document, key: str) -> str | None:
    return dig_id(document, key) or dig_id(document, key, "id")
