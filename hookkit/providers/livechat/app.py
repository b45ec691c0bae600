"""Webhooks about an app itself: installed, uninstalled, paid for; no body carries a secret.

https://platform.text.com/docs/guides/console-guides/app-webhooks
"""

from __future__ import annotations

from collections.abc import Sequence

from hookkit.core.body import dig_text
from hookkit.core.delivery import Item, Payload
from hookkit.core.event import Event, EventParts, EventType, build_event
from hookkit.core.parts import Author
from hookkit.core.provider import PayloadVersion
from hookkit.schemas import fields
from hookkit.schemas.shape import Shape, problems

TYPES = {
    "application_installed": EventType.OTHER,
    "application_uninstalled": EventType.OTHER,
    "payment_trialstarted": EventType.OTHER,
    "payment_activated": EventType.OTHER,
    "payment_collected": EventType.OTHER,
    "payment_cancelled": EventType.OTHER,
}

#: key in the body -> name in ``extra``.
EXTRA = {
    "applicationID": "application_id",
    "applicationName": "application_name",
    "clientID": "client_id",
    "payload": "payload",
}


class BodyShape(Shape):
    """The keys of a body that the model has attributes for."""

    date = fields.Instant()
    user_id = fields.Id(data_key="userID")
    organization_id = fields.Id(data_key="organizationID")
    license_id = fields.Id(data_key="licenseID")


_BODY = BodyShape()


def split(payload: Payload) -> Sequence[Item]:
    """Return the one item; its content has a date, so that only a redelivery equals it."""
    return (
        payload.item(
            raw=payload.document,
            vendor_type=dig_text(payload.document, "event") or "",
            event_id=None,
        ),
    )


def normalize(item: Item) -> Event:
    """Read a body."""
    body, faults = _BODY.read(item.raw)
    # The id of an account: it looks like a customer's, but no customer has it.
    actor = Author(user_id=body["user_id"]) if "user_id" in body else None
    parts: EventParts = {
        "tenant_id": body.get("organization_id") or body.get("license_id"),
        "occurred_at": body.get("date"),
        "actor": actor,
        "extra": {
            name: item.raw[key] for key, name in EXTRA.items() if item.raw.get(key) is not None
        },
    }
    reasons = problems(faults)
    kind = TYPES.get(item.vendor_type)
    if kind is None:
        return build_event(item, EventType.UNKNOWN, parts, (*reasons, "event: not known"))
    return build_event(item, kind, parts, reasons)


APP = PayloadVersion(split=split, normalize=normalize, types=TYPES, fresh_times=("date",))
