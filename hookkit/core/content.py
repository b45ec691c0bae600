"""What a message says: one class for each kind of content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hookkit.core.constructors import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something the reader of a message can press.

    Attributes:
        type: The vendor's word: ``link``, ``reply``, ``postback``, ``buy``, ``webview``, ...
        text: What the button says.
        uri: Where a link, a checkout or a webview leads.
        payload: What a pressed reply or postback sends back.
        amount: Price of a ``buy`` in the currency's smallest unit.
        state: Of a ``buy`` in Sunshine v1.x: ``offered`` or ``paid``.
        open_on_receive: Of a ``webview``: whether it opens without a press.
        options: Further fields, by the vendor's names.
    """

    type: str | None = None
    text: str | None = None
    uri: str | None = None
    payload: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    icon_url: str | None = None
    fallback_url: str | None = None
    default: bool | None = None
    size: str | None = None
    open_on_receive: bool | None = None
    amount: int | None = None
    currency: str | None = None
    state: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """One card of a carousel or row of a list."""

    title: str | None = None
    description: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    alt_text: str | None = None
    size: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option of a ``select`` field."""

    name: str | None = None
    label: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """A field of a form, or what somebody answered to it.

    Attributes:
        value: The answer to a text or an e-mail field; None before one is given.
        selected: The answer to a select field.
        options: The choices of a select field.
    """

    type: str | None = None
    name: str | None = None
    label: str | None = None
    placeholder: str | None = None
    value: str | None = None
    selected: tuple[Choice, ...] = ()
    options: tuple[Choice, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    select_size: int | None = None
    format: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words, perhaps with buttons below them.

    Attributes:
        html: The same words with markup, where the vendor sends it.
        payload: Set when the words come from a pressed reply button.
        block_chat_input: Whether the reader can answer by the buttons alone.
    """

    type: str = "text"
    text: str = ""
    html: str | None = None
    payload: str | None = None
    block_chat_input: bool | None = None
    actions: tuple[Action, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, also audio and video: ``media_type`` tells.

    Attributes:
        media_url: Where it lies; the vendor may want an authorization header.
        media_size: In bytes.
        name: The file's name, where the vendor says it.
    """

    type: str = "file"
    text: str = ""
    html: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    media_size: int | None = None
    alt_text: str | None = None
    name: str | None = None
    attachment_id: str | None = None
    actions: tuple[Action, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Image(File):
    """A picture."""

    type: str = "image"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place on the map, in degrees."""

    type: str = "location"
    text: str = ""
    lat: float | None = None
    long: float | None = None
    name: str | None = None
    address: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Carousel:
    """Cards side by side; ``display`` holds the vendor's display settings."""

    type: str = "carousel"
    text: str = ""
    items: tuple[MediaItem, ...] = ()
    actions: tuple[Action, ...] = ()
    display: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ItemList(Carousel):
    """Rows below each other."""

    type: str = "list"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Questions to fill in."""

    type: str = "form"
    text: str = ""
    fields: tuple[FormField, ...] = ()
    submitted: bool | None = None
    block_chat_input: bool | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class FormResponse:
    """Answers to a form; ``text`` is the vendor's readable rendering."""

    type: str = "formResponse"
    text: str = ""
    fields: tuple[FormField, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A message template of a channel, such as WhatsApp's, in the channel's own words."""

    type: str = "template"
    text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class RichMessage:
    """Elements with buttons, laid out by the vendor's *template*.

    Attributes:
        template: The vendor's word: ``cards``, ``quick_replies``, ``sticker``, ...
    """

    type: str = "rich_message"
    text: str = ""
    template: str | None = None
    elements: tuple[MediaItem, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """What programs say to each other in a conversation, in words of their own."""

    type: str = "custom"
    text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card in words of its own, mostly an Adaptive Card.

    Attributes:
        content_type: Whose words, as a media type.
        content: The card.
    """

    content_type: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Cards below a text."""

    type: str = "cards"
    text: str = ""
    cards: tuple[Card, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownContent:
    """A content type from the future, kept as the vendor sent it."""

    type: str = ""
    text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


Content: TypeAlias = (
    Text
    | Image
    | File
    | Location
    | Carousel
    | ItemList
    | Form
    | FormResponse
    | Template
    | RichMessage
    | Custom
    | Cards
    | UnknownContent
)


def unknown_content(content: Mapping[str, Any]) -> UnknownContent:
    """Return a content whose ``type`` no provider knows, with the whole object in ``body``."""
    kind, text = content.get("type"), content.get("text")
    return UnknownContent(
        type=kind if isinstance(kind, str) else "",
        text=text if isinstance(text, str) else "",
        body=content,
    )
