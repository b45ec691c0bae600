"""The objects and words that Sunshine's payload versions share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookkit.core.event import EventType
from hookkit.core.parts import (
    Author,
    AuthorType,
    DeliveryReport,
    Destination,
    ErrorInfo,
    Referral,
    Source,
    User,
)
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, Part, Shape

#: "appUser role has been renamed to user, appMaker role has been renamed to business";
#: v1 also has whisper, an automatic message by the business that the user does not see.
_AUTHOR_TYPES = {
    "user": AuthorType.USER,
    "business": AuthorType.BUSINESS,
    "appUser": AuthorType.USER,
    "appMaker": AuthorType.BUSINESS,
    "whisper": AuthorType.BUSINESS,
}


def author_type(word: str | None) -> AuthorType:
    """Return the author type for a role of v1.x or an author type of v2."""
    return _AUTHOR_TYPES.get(word or "", AuthorType.UNKNOWN)


def by_user(user: User | None) -> Author:
    """Return *user* as the author of something that only users do, such as pressing a button."""
    return Author(type=AuthorType.USER, user_id=user.id if user is not None else None)


def typing_state(activity_type: str | None) -> str | None:
    """Return ``start`` or ``stop``, None for an activity that is not typing."""
    family, _, state = (activity_type or "").partition(":")
    return state if family == "typing" and state else None


def delivery_report(kind: EventType, payload: Mapping[str, Any]) -> DeliveryReport:
    """Return the report of a delivery event of *kind*."""
    return DeliveryReport(
        stage=kind.rpartition(":")[2],
        destination=payload.get("destination"),
        external_ids=tuple(each for each in payload.get("external_ids", ()) if each),
        is_final=payload.get("is_final"),
        error=payload.get("error"),
    )


#: "The values api and notifications for a message's source.type have been changed", and the
#: integration types that v2 replaced. The same words name sources, clients and destinations.
CHANNEL_RENAMES = {
    "api": "api:conversations",
    "notifications": "api:notifications",
    "apn": "ios",
    "fcm": "android",
}

#: "Clients of type android, ios and web are now unified under a single client with type sdk.
#: Existing clients have been converted to devices."
SDK_PLATFORMS = frozenset(("web", "ios", "android"))


def channel(**kwargs: Any) -> fields.Word:
    """Return a field for the type of a channel."""
    return fields.Word(CHANNEL_RENAMES, **kwargs)


class DestinationShape(Shape):
    """A destination; "type has been renamed to integrationType" in v2, and both occur."""

    type = channel()
    integration_type = channel(data_key="integrationType")
    integration_id = fields.Id(data_key="integrationId")
    destination_id = fields.Id(data_key="destinationId")


def _destination(
    type: str | None = None,  # noqa: A002  # the payload's word
    integration_type: str | None = None,
    **attributes: Any,
) -> Destination:
    return Destination(type=type or integration_type, **attributes)


DESTINATION = Part(_destination, DestinationShape)


class DetailsShape(Shape):
    """Details of a referral; the schema spells ``adId``, the guide ``ad_id``."""

    source = fields.Text()
    type = fields.Text()
    ad_id = fields.Id(data_key="adId")
    ad_id_in_guide = fields.Id(data_key="ad_id")
    details = Beside(fields.Object())


def _details(
    ad_id: str | None = None, ad_id_in_guide: str | None = None, **attributes: Any
) -> dict[str, Any]:
    return {"ad_id": ad_id or ad_id_in_guide, **attributes}


class ReferralShape(Shape):
    """How a user found the conversation."""

    code = fields.Text()
    details = Part(_details, DetailsShape)


def _referral(code: str | None = None, details: Mapping[str, Any] | None = None) -> Referral:
    return Referral(code=code, **(details or {}))


REFERRAL = Part(_referral, ReferralShape)


def referral_of(said: Referral | None, source: Source | None) -> Referral | None:
    """Return the referral that was *said*, else the ad that the client of *source* clicked.

    That only the channel's own words tell, and ``referral`` may then be ``{}``. WhatsApp sends it
    so: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
    """
    client = source.client if source is not None else None
    details = client.raw.get("referral") if client is not None else None
    if isinstance(details, dict) and details and said in (None, Referral()):
        return Referral(details=details)
    return said


class ErrorShape(Shape):
    """An error; ``underlyingError`` is in the channel's own format.

    Those of the switchboard are errors of the API, in their older or their newer form.
    """

    code = fields.Id()
    status = fields.Id()
    message = fields.Text()
    title = fields.Text()
    description = fields.Text()
    underlying = fields.Object(data_key="underlyingError")
    raw = Beside(fields.Object())


def _error(
    code: str | None = None,
    status: str | None = None,
    message: str | None = None,
    title: str | None = None,
    description: str | None = None,
    **attributes: Any,
) -> ErrorInfo:
    return ErrorInfo(code=code or status, message=message or title or description, **attributes)


ERROR = Part(_error, ErrorShape)


class ExternalMessageShape(Shape):
    """A message as the channel knows it."""

    id = fields.Id()


def external_ids() -> Many:
    """Return a field for ``externalMessages``, read as their ids."""
    return Many(Part(_id_alone, ExternalMessageShape), data_key="externalMessages")


def _id_alone(**attributes: Any) -> str | None:
    return attributes.get("id")
