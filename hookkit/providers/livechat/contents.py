"""What an event of a chat says, by its type.

https://platform.text.com/docs/messaging/agent-chat-api/data-structures (Events)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from hookkit.core.body import decode_body
from hookkit.core.content import (
    Action,
    Choice,
    Custom,
    File,
    Form,
    FormField,
    FormResponse,
    Image,
    MediaItem,
    RichMessage,
    Text,
    unknown_content,
)
from hookkit.core.errors import BodyUnreadable
from hookkit.schemas import fields
from hookkit.schemas.compiled import Code
from hookkit.schemas.shape import Many, OneOf, Part, Shape


class PostbackShape(Shape):
    """The pressed button that a text comes from."""

    id = fields.Id()


class TextShape(Shape):
    """A text: of a person, of the system, or an annotation."""

    type = fields.Text()
    text = fields.Text()
    postback = Part(dict, PostbackShape)


def _text(postback: Mapping[str, Any] | None = None, **attributes: Any) -> Text:
    return Text(payload=(postback or {}).get("id"), **attributes)


class FileShape(Shape):
    """A file, or an image by its type."""

    name = fields.Text()
    media_url = fields.Text(data_key="url")
    media_type = fields.Text(data_key="content_type")
    media_size = fields.Whole(data_key="size")
    alt_text = fields.Text(data_key="alternative_text")


def _file(media_type: str | None = None, **attributes: Any) -> File:
    is_image = (media_type or "").lower().startswith("image/")
    kind = Image if is_image else File
    return kind(type="file", media_type=media_type, **attributes)


class ButtonShape(Shape):
    """A button of a rich message."""

    type = fields.Text()
    text = fields.Text()
    value = fields.Text()
    postback_id = fields.Id()
    user_ids = fields.Anything()
    webview_height = fields.Anything()
    target = fields.Anything()


#: Types of buttons whose value is a URL.
LINKS = frozenset({"url", "webview"})


def _button(
    type: str | None = None,  # noqa: A002  # the payload's word
    text: str | None = None,
    value: str | None = None,
    postback_id: str | None = None,
    **options: Any,
) -> Action:
    is_link = type in LINKS
    if value is not None and not is_link:
        options["value"] = value
    return Action(
        type=type, text=text, uri=value if is_link else None, payload=postback_id, options=options
    )


class ImageShape(Shape):
    """The picture of an element."""

    media_url = fields.Text(data_key="url")
    media_type = fields.Text(data_key="content_type")
    alt_text = fields.Text(data_key="alternative_text")
    size = fields.Id()  # in bytes
    name = fields.Anything()
    width = fields.Anything()
    height = fields.Anything()


class ElementShape(Shape):
    """An element of a rich message."""

    title = fields.Text()
    description = fields.Text(data_key="subtitle")
    image = Part(dict, ImageShape)
    actions = Many(Part(_button, ButtonShape), data_key="buttons")
    ecommerce = fields.Anything()


#: What an element has that ``MediaItem`` has no attribute for.
ELEMENT_METADATA = ("ecommerce", "name", "width", "height")


def _element(image: Mapping[str, Any] | None = None, **attributes: Any) -> MediaItem:
    attributes = {**(image or {}), **attributes}
    metadata = {name: attributes.pop(name) for name in ELEMENT_METADATA if name in attributes}
    return MediaItem(**attributes, metadata=metadata)


class RichMessageShape(Shape):
    """Elements in a template."""

    template = fields.Text(data_key="template_id")
    elements = Many(Part(_element, ElementShape))


class ChoiceShape(Shape):
    """An option, chosen or not; the option of a group names its group too."""

    id = fields.Id()
    group_id = fields.Id()
    label = fields.Text()


def _choice(
    id: str | None = None,  # noqa: A002  # the payload's word
    group_id: str | None = None,
    label: str | None = None,
) -> Choice:
    return Choice(name=id if id is not None else group_id, label=label)


CHOICE = Part(_choice, ChoiceShape)


class Answer(fields.Text):
    """An answer: a text, or the chosen option."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            return CHOICE.deserialize(value, attr, data)
        return super()._deserialize(value, attr, data, **kwargs)

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: an object is read as a choice."""
        choice, otherwise = code.read(CHOICE, value, key), super().inline(code, value, key)
        return f"({choice}) if type({value}) is dict else {otherwise}"


class FieldShape(Shape):
    """A question with its answer; some real bodies have ``value`` in place of ``answer``."""

    type = fields.Text()
    name = fields.Id(data_key="id")
    label = fields.Text()
    answer = Answer()
    seen_answer = Answer(data_key="value")
    answers = Many(CHOICE)
    options = Many(CHOICE)


def _field(
    answer: str | Choice | None = None,
    seen_answer: str | Choice | None = None,
    answers: tuple[Choice, ...] = (),
    **attributes: Any,
) -> FormField:
    one = answer if answer is not None else seen_answer
    if isinstance(one, Choice):
        return FormField(selected=(one, *answers), **attributes)
    return FormField(value=one, selected=answers, **attributes)


class FormShape(Shape):
    """Questions, with or without answers."""

    questions = Many(Part(_field, FieldShape), data_key="fields")


def _form(questions: tuple[FormField, ...] = ()) -> Form:
    return Form(fields=questions)


def _filled_form(questions: tuple[FormField, ...] = ()) -> FormResponse:
    return FormResponse(type="filled_form", fields=questions)


class CustomShape(Shape):
    """A message between programs, as sent."""

    body = fields.Object(data_key="content")


class Details(fields.Object):
    """An object that the vendor sends as a text of JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            return value
        try:
            return decode_body(value.encode())
        except (AttributeError, UnicodeEncodeError, BodyUnreadable) as error:
            raise ValidationError("not an object as a text", valid_data=value) from error


class SystemShape(Shape):
    """A report of another product of the vendor, since 3.6."""

    source = fields.Text()
    subtype = fields.Text()
    version = fields.Anything()
    details = Details()


def _system(**body: Any) -> Custom:
    return Custom(type="system", body=body)


CONTENT = OneOf(
    {
        "message": Part(_text, TextShape),
        "system_message": Part(_text, TextShape),
        "annotation": Part(_text, TextShape),  # 3.0 only
        "file": Part(_file, FileShape),
        "rich_message": Part(RichMessage, RichMessageShape),
        "filled_form": Part(_filled_form, FormShape),
        "form": Part(_form, FormShape),
        "custom": Part(Custom, CustomShape),
        "system": Part(_system, SystemShape),
    },
    otherwise=unknown_content,
)
