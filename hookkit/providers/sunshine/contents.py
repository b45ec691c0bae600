"""The contents of Sunshine's messages: the same keys in every payload version.

v1.x has them flat on the message, v2 in its ``content``.
https://developer.zendesk.com/api-reference/conversations/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookkit.core.content import (
    Action,
    Carousel,
    Choice,
    Form,
    FormField,
    FormResponse,
    Image,
    ItemList,
    Location,
    MediaItem,
    Template,
    Text,
    unknown_content,
)
from hookkit.core.content import File as FileContent
from hookkit.schemas import fields
from hookkit.schemas.shape import Many, OneOf, Part, Shape


class ActionShape(Shape):
    """A button; v1.x gives it an ``_id``, v2 does not."""

    type = fields.Text()
    text = fields.Text()
    uri = fields.Text()
    payload = fields.Text()
    metadata = fields.Object()
    icon_url = fields.Text(data_key="iconUrl")
    fallback_url = fields.Text(data_key="fallback")
    default = fields.Truth()
    size = fields.Text()
    open_on_receive = fields.Truth(data_key="openOnReceive")
    amount = fields.Whole()
    currency = fields.Text()
    state = fields.Text()
    options = fields.Object(data_key="extraChannelOptions")


ACTIONS = Part(Action, ActionShape)


class ItemShape(Shape):
    """A card of a carousel, a row of a list."""

    title = fields.Text()
    description = fields.Text()
    media_url = fields.Text(data_key="mediaUrl")
    media_type = fields.Text(data_key="mediaType")
    alt_text = fields.Text(data_key="altText")
    size = fields.Text()
    metadata = fields.Object()
    actions = Many(ACTIONS)


class ChoiceShape(Shape):
    """An option of a select field."""

    name = fields.Text()
    label = fields.Text()


class FormFieldShape(Shape):
    """A question, or the answer to one: ``text``, ``email`` or ``select`` holds it."""

    type = fields.Text()
    name = fields.Text()
    label = fields.Text()
    placeholder = fields.Text()
    text = fields.Text()
    email = fields.Text()
    selected = Many(Part(Choice, ChoiceShape), data_key="select")
    options = Many(Part(Choice, ChoiceShape))
    min_size = fields.Whole(data_key="minSize")
    max_size = fields.Whole(data_key="maxSize")
    select_size = fields.Whole(data_key="selectSize")
    format = fields.Text()


def _form_field(text: str | None = None, email: str | None = None, **attributes: Any) -> FormField:
    return FormField(value=text if text is not None else email, **attributes)


FORM_FIELDS = Part(_form_field, FormFieldShape)


class TextShape(Shape):
    """A text; ``text`` may be missing beside buttons or markup."""

    text = fields.Text()
    html = fields.Text(data_key="htmlText")
    payload = fields.Text()
    block_chat_input = fields.Truth(data_key="blockChatInput")
    actions = Many(ACTIONS)


class FileShape(Shape):
    """A file or an image."""

    text = fields.Text()
    html = fields.Text(data_key="htmlText")
    media_url = fields.Text(data_key="mediaUrl")
    media_type = fields.Text(data_key="mediaType")
    media_size = fields.Whole(data_key="mediaSize")
    alt_text = fields.Text(data_key="altText")
    attachment_id = fields.Id(data_key="attachmentId")
    actions = Many(ACTIONS)


class CoordinatesShape(Shape):
    """Degrees."""

    lat = fields.Number()
    long = fields.Number()


class PlaceShape(Shape):
    """The name of the place."""

    name = fields.Text()
    address = fields.Text()


class LocationShape(Shape):
    """A place."""

    text = fields.Text()
    coordinates = Part(dict, CoordinatesShape)
    place = Part(dict, PlaceShape, data_key="location")


def _location(
    text: str = "",
    coordinates: Mapping[str, Any] | None = None,
    place: Mapping[str, Any] | None = None,
) -> Location:
    return Location(text=text, **(coordinates or {}), **(place or {}))


class ItemsShape(Shape):
    """A carousel or a list."""

    text = fields.Text()
    items = Many(Part(MediaItem, ItemShape))
    actions = Many(ACTIONS)
    display = fields.Object(data_key="displaySettings")


class FormShape(Shape):
    """Questions."""

    text = fields.Text()
    questions = Many(FORM_FIELDS, data_key="fields")
    submitted = fields.Truth()
    block_chat_input = fields.Truth(data_key="blockChatInput")


def _form(questions: tuple[FormField, ...] = (), **attributes: Any) -> Form:
    return Form(fields=questions, **attributes)


class FormResponseShape(Shape):
    """Answers, and a rendering of them for channels without forms."""

    text = fields.Text()
    fallback = fields.Text(data_key="textFallback")
    answers = Many(FORM_FIELDS, data_key="fields")


def _form_response(
    text: str | None = None, fallback: str | None = None, answers: tuple[FormField, ...] = ()
) -> FormResponse:
    return FormResponse(text=fallback or text or "", fields=answers)


class TemplateShape(Shape):
    """A template in the format of its channel."""

    text = fields.Text()
    body = fields.Object(data_key="template")


#: "Unknown types should be gracefully handled or ignored": they become ``UnknownContent``.
CONTENT = OneOf(
    {
        "text": Part(Text, TextShape),
        "image": Part(Image, FileShape),
        "file": Part(FileContent, FileShape),
        "location": Part(_location, LocationShape),
        "carousel": Part(Carousel, ItemsShape),
        "list": Part(ItemList, ItemsShape),
        "form": Part(_form, FormShape),
        "formResponse": Part(_form_response, FormResponseShape),
        "template": Part(Template, TemplateShape),
    },
    otherwise=unknown_content,
)
