"""The bodies of 8x8, key by key.

https://developer.8x8.com/contactcenter/docs/webhook-events-reference (Chat, flat)
https://developer.8x8.com/actions-events/docs/webhooks-events-reference (Gateway, ``data``)

The gateway's own workflow page still shows a flat body, so every version is read in both shapes:
the same keys are looked for at the top of the body and in ``data``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields as ma

from hookkit.core.body import decode_body
from hookkit.core.content import Card, File, Image
from hookkit.core.errors import BodyUnreadable
from hookkit.core.parts import Author, AuthorType, Postback, User
from hookkit.schemas import fields
from hookkit.schemas.compiled import Code
from hookkit.schemas.shape import Beside, Many, Part, Shape

#: "sender.type", and the member types of MEMBERS_CHANGED; "the enumeration may be extended".
_AUTHOR_TYPES = {
    "agent": AuthorType.BUSINESS,
    "bot": AuthorType.BOT,
    "system": AuthorType.SYSTEM,
    "user": AuthorType.USER,
}


def author_type(word: str | None) -> AuthorType:
    """Return the author type for 8x8's *word*."""
    return _AUTHOR_TYPES.get(word or "", AuthorType.UNKNOWN)


class SomebodyShape(Shape):
    """Somebody in a conversation."""

    id = fields.Id()
    type = fields.Text()


def _somebody(
    id: str | None = None,  # noqa: A002  # the payload's word
    type: str | None = None,  # noqa: A002  # the payload's word
) -> Author:
    return Author(type=author_type(type), user_id=id)


SOMEBODY = Part(_somebody, SomebodyShape)


class Party(ma.Field[Author]):
    """The sender: an object, or in v1.0 only an address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Author:
        if isinstance(value, dict):
            author: Author = SOMEBODY.deserialize(value, attr, data)
            return author
        return Author(user_id=_ADDRESS.deserialize(value, attr, data))

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: an object is read as somebody."""
        somebody, otherwise = code.read(SOMEBODY, value, key), code.deserialize(self, value, key)
        return f"({somebody}) if type({value}) is dict else {otherwise}"


_ADDRESS = fields.Id()


class PropertyShape(Shape):
    """A property that the 8x8 customer's own code has set."""

    key = fields.Text()
    value = fields.Anything()


class UserShape(Shape):
    """The customer."""

    id = fields.Id(data_key="userId")
    email = fields.Text()
    phone = fields.Id()
    locale = fields.Text(data_key="language")
    given_name = fields.Text(data_key="name")  # one name for the whole of it
    company = fields.Text()
    case_id = fields.Id(data_key="caseId")
    ip_address = fields.Text(data_key="ipaddress")
    timezone_offset = fields.Whole(data_key="timezoneOffset")
    properties = Many(Part(dict, PropertyShape), data_key="additionalProperties")


#: Attributes that go into the unified user's metadata -> the vendor's names for them.
_METADATA = {
    "company": "company",
    "case_id": "caseId",
    "ip_address": "ipaddress",
    "timezone_offset": "timezoneOffset",
}


def _user(properties: tuple[Mapping[str, Any], ...] = (), **attributes: Any) -> User:
    metadata = {each["key"]: each.get("value") for each in properties if "key" in each}
    for name, key in _METADATA.items():
        if name in attributes:
            metadata[key] = attributes.pop(name)
    return User(metadata=metadata, **attributes)


class AttachmentShape(Shape):
    """A file; "older" bodies have only its id."""

    id = fields.Id()
    type = fields.Text()
    url = fields.Text(data_key="preSignedUrl")
    name = fields.Text(data_key="fileName")


def _attachment(
    id: str | None = None,  # noqa: A002  # the payload's word
    type: str | None = None,  # noqa: A002  # the payload's word
    url: str | None = None,
    name: str | None = None,
) -> File:
    kind = Image if type == "image" else File
    return kind(type=type or "file", media_url=url, name=name, attachment_id=id)


class CardShape(Shape):
    """A card in its own format, mostly an Adaptive Card."""

    content_type = fields.Text(data_key="contentType")
    content = fields.Object()


class ActivityShape(Shape):
    """The value of an activity: who types, or what was pressed."""

    users = Many(SOMEBODY)
    type = fields.Text()
    data = fields.Anything()


class ReceiptShape(Shape):
    """Who has read, and up to when."""

    read_at = fields.Instant(data_key="timestamp")
    users = Many(SOMEBODY)


class ReceiptsShape(Shape):
    """Several receipts, or one of them alone."""

    receipts = Many(Part(dict, ReceiptShape), data_key="value")


class Answers(fields.Object):
    """The answers to a form: an object, or JSON in a text; any other text is kept as it is."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, str):
            return super()._deserialize(value, attr, data, **kwargs)
        try:
            return dict(decode_body(value.encode()))
        except (BodyUnreadable, UnicodeEncodeError):
            return {"response_json": value}


class ReplyShape(Shape):
    """What a customer pressed, chose or filled in, in the words of 8x8's web chat or WhatsApp's.

    https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
    """

    id = fields.Id()
    title = fields.Text()
    description = fields.Text()
    body = fields.Text()
    payload = fields.Id()
    text = fields.Text()
    answers = Answers(data_key="response_json")


def postback(
    *,
    id: str | None = None,  # noqa: A002  # the payload's word
    payload: str | None = None,
    answers: Mapping[str, Any] | None = None,
    description: str | None = None,
    **texts: str,
) -> Postback:
    """Return what a ``ReplyShape`` has read; the arguments are its attributes."""
    metadata = dict(answers or {})
    if description is not None:
        metadata["description"] = description
    text = texts.get("title") or texts.get("text") or texts.get("body")
    return Postback(payload=payload or id, text=text, metadata=metadata)


class DetailShape(Shape):
    """The details of an event; each word has some of these keys."""

    agent_id = fields.Id(data_key="agentId")
    agent_name = fields.Text(data_key="agentName")
    queue_id = fields.Id(data_key="queueId")
    queue_name = fields.Text(data_key="queueName")
    message = fields.Text()
    state = fields.Text()
    assignment = fields.Object()
    user = Part(_user, UserShape)
    msisdn = fields.Id()
    channel = fields.Text()
    member_type = fields.Text(data_key="memberType")
    change = fields.Text()
    id = fields.Id()
    is_echo = fields.Truth(data_key="isEcho")
    sender = Party()
    text = fields.Text()
    attachments = Many(Part(_attachment, AttachmentShape))
    cards = Many(Part(Card, CardShape))
    name = fields.Text()
    value = fields.Anything()


class BodyShape(Shape):
    """The whole body."""

    message_type = fields.Text(data_key="messageType")
    timestamp = fields.Instant()
    notification_version = fields.Text(data_key="notificationVersion")
    flat = Beside(Part(dict, DetailShape))
    data = Part(dict, DetailShape)
