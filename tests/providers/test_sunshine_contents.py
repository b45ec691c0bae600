"""Sunshine Conversations: every kind of content and of action, flat in v1.x, nested in v2."""

import pytest

from hookkit.core.content import (
    Action,
    Carousel,
    Choice,
    File,
    Form,
    FormField,
    FormResponse,
    Image,
    ItemList,
    Location,
    MediaItem,
    Template,
    Text,
    UnknownContent,
)
from tests.providers.sunshine_bodies import read_one, said_in, v2

every_version = pytest.mark.parametrize("version", ["v1", "v1.1", "v2"])

REPLY = {"type": "reply", "text": "Yes", "payload": "YES", "iconUrl": "https://i"}
REPLY_READ = Action(type="reply", text="Yes", payload="YES", icon_url="https://i")
ITEM = {
    "title": "Tacos",
    "description": "Beef",
    "mediaUrl": "https://m",
    "mediaType": "image/png",
    "altText": "taco",
    "size": "large",
    "metadata": {"a": None},
    "actions": [REPLY],
}
ITEM_READ = MediaItem(
    title="Tacos",
    description="Beef",
    media_url="https://m",
    media_type="image/png",
    alt_text="taco",
    size="large",
    metadata={"a": None},
    actions=(REPLY_READ,),
)
MEDIA = {
    "text": "look",
    "htmlText": "<b>look</b>",
    "mediaUrl": "https://m",
    "mediaType": "image/png",
    "mediaSize": 48211,
    "altText": "photo",
    "attachmentId": "a1",
    "actions": [REPLY],
}
MEDIA_READ = {
    "text": "look",
    "html": "<b>look</b>",
    "media_url": "https://m",
    "media_type": "image/png",
    "media_size": 48211,
    "alt_text": "photo",
    "attachment_id": "a1",
    "actions": (REPLY_READ,),
}


@every_version
@pytest.mark.parametrize(
    ("content", "expected", "text"),
    [
        pytest.param(
            {
                "type": "text",
                "text": "hi",
                "htmlText": "<b>hi</b>",
                "payload": "P",
                "actions": [REPLY],
            },
            Text(text="hi", html="<b>hi</b>", payload="P", actions=(REPLY_READ,)),
            "hi",
            id="text",
        ),
        pytest.param(
            {"type": "text", "text": None, "actions": [REPLY]},
            Text(actions=(REPLY_READ,)),
            "",
            id="text without words",
        ),
        pytest.param({"type": "image", **MEDIA}, Image(**MEDIA_READ), "look", id="image"),
        pytest.param({"type": "file", **MEDIA}, File(**MEDIA_READ), "look", id="file"),
        pytest.param(
            {"type": "file", "text": "", "mediaUrl": "https://a", "mediaType": "audio/mpeg"},
            File(media_url="https://a", media_type="audio/mpeg"),
            "",
            id="audio",
        ),
        pytest.param(
            {
                "type": "location",
                "text": "here",
                "coordinates": {"lat": 45.5261583, "long": -73},
                "location": {"address": "1234 Rue", "name": "Cafe"},
            },
            Location(text="here", lat=45.5261583, long=-73.0, address="1234 Rue", name="Cafe"),
            "here",
            id="location",
        ),
        pytest.param(
            {"type": "location", "text": "", "coordinates": {"lat": 0, "long": 0}},
            Location(lat=0.0, long=0.0),
            "",
            id="location at the origin",
        ),
        pytest.param(
            {
                "type": "carousel",
                "text": "1. Tacos",
                "items": [ITEM, {"title": "Ramen"}],
                "displaySettings": {"imageAspectRatio": "square"},
            },
            Carousel(
                text="1. Tacos",
                items=(ITEM_READ, MediaItem(title="Ramen")),
                display={"imageAspectRatio": "square"},
            ),
            "1. Tacos",
            id="carousel",
        ),
        pytest.param(
            {"type": "list", "text": "", "items": [ITEM], "actions": [REPLY]},
            ItemList(items=(ITEM_READ,), actions=(REPLY_READ,)),
            "",
            id="list",
        ),
        pytest.param(
            {"type": "list", "text": "", "items": ITEM},
            ItemList(items=(ITEM_READ,)),
            "",
            id="list with a lone item",
        ),
        pytest.param(
            {
                "type": "form",
                "text": "Who?",
                "submitted": False,
                "blockChatInput": True,
                "fields": [
                    {
                        "type": "text",
                        "name": "full_name",
                        "label": "Name",
                        "placeholder": "Your name",
                        "minSize": 1,
                        "maxSize": 128,
                        "format": "integer",
                    },
                    {
                        "type": "select",
                        "name": "topic",
                        "label": "Topic",
                        "selectSize": 1,
                        "options": [{"name": "a", "label": "A"}, {"name": "b", "label": "B"}],
                    },
                ],
            },
            Form(
                text="Who?",
                submitted=False,
                block_chat_input=True,
                fields=(
                    FormField(
                        type="text",
                        name="full_name",
                        label="Name",
                        placeholder="Your name",
                        min_size=1,
                        max_size=128,
                        format="integer",
                    ),
                    FormField(
                        type="select",
                        name="topic",
                        label="Topic",
                        select_size=1,
                        options=(Choice(name="a", label="A"), Choice(name="b", label="B")),
                    ),
                ),
            ),
            "Who?",
            id="form",
        ),
        pytest.param(
            {
                "type": "formResponse",
                "text": None,
                "textFallback": "Name: Ana",
                "fields": [
                    {"type": "text", "name": "n", "label": "Name", "text": "Ana"},
                    {"type": "text", "name": "o", "text": ""},
                    {"type": "email", "name": "e", "email": "ana@example.com"},
                    {"type": "select", "name": "t", "select": [{"name": "a", "label": "A"}]},
                ],
            },
            FormResponse(
                text="Name: Ana",
                fields=(
                    FormField(type="text", name="n", label="Name", value="Ana"),
                    FormField(type="text", name="o", value=""),
                    FormField(type="email", name="e", value="ana@example.com"),
                    FormField(type="select", name="t", selected=(Choice(name="a", label="A"),)),
                ),
            ),
            "Name: Ana",
            id="formResponse",
        ),
        pytest.param(
            {"type": "formResponse", "text": "Ana"},
            FormResponse(text="Ana"),
            "Ana",
            id="formResponse without fallback",
        ),
        pytest.param(
            {"type": "formResponse", "text": None}, FormResponse(), "", id="empty formResponse"
        ),
        pytest.param(
            {"type": "template", "text": "", "template": {"name": "order", "n": [1, None]}},
            Template(body={"name": "order", "n": [1, None]}),
            "",
            id="template",
        ),
    ],
)
def test_content_is_read(version, content, expected, text):
    message = said_in(version, content=content).message

    assert message.content == expected
    assert type(message.content) is type(expected)
    assert message.text == text


@every_version
def test_content_from_the_future_is_kept_as_it_is(version):
    message = said_in(version, content={"type": "hologram", "text": "look", "beam": [1]}).message

    assert type(message.content) is UnknownContent
    assert message.content.type == "hologram"
    assert message.text == "look"
    assert message.content.body["beam"] == [1]


@every_version
def test_sub_objects_of_content_may_have_an_id(version):
    content = {
        "type": "list",
        "text": "",
        "items": [{"_id": "i", **ITEM}],
        "actions": [{"_id": "a"}],
    }

    assert said_in(version, content=content).message.content.items == (ITEM_READ,)


@every_version
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param(
            {
                "type": "buy",
                "text": "Buy",
                "amount": 1000,
                "currency": "usd",
                "state": "offered",
                "uri": "https://checkout",
            },
            Action(
                type="buy",
                text="Buy",
                amount=1000,
                currency="usd",
                state="offered",
                uri="https://checkout",
            ),
            id="buy",
        ),
        pytest.param(
            {
                "type": "link",
                "text": "Menu",
                "uri": "https://m",
                "default": True,
                "extraChannelOptions": {"messenger": {"webview_share_button": "hide"}},
            },
            Action(
                type="link",
                text="Menu",
                uri="https://m",
                default=True,
                options={"messenger": {"webview_share_button": "hide"}},
            ),
            id="link",
        ),
        pytest.param(
            {"type": "locationRequest", "text": "Where?"},
            Action(type="locationRequest", text="Where?"),
            id="locationRequest",
        ),
        pytest.param(
            {
                "type": "postback",
                "text": "Pick",
                "payload": "P",
                "metadata": {"step": 2, "x": None},
            },
            Action(type="postback", text="Pick", payload="P", metadata={"step": 2, "x": None}),
            id="postback",
        ),
        pytest.param(REPLY, REPLY_READ, id="reply"),
        pytest.param({"type": "share"}, Action(type="share"), id="share"),
        pytest.param(
            {
                "type": "webview",
                "text": "Open",
                "uri": "https://w",
                "fallback": "https://f",
                "size": "tall",
                "default": False,
                "openOnReceive": True,
            },
            Action(
                type="webview",
                text="Open",
                uri="https://w",
                fallback_url="https://f",
                size="tall",
                open_on_receive=True,
                default=False,
            ),
            id="webview",
        ),
        pytest.param(
            {"type": "teleport", "text": "Go"}, Action(type="teleport", text="Go"), id="new"
        ),
    ],
)
def test_action_is_read(version, action, expected):
    content = {"type": "text", "text": "", "actions": [{"_id": "a1", **action}]}

    assert said_in(version, content=content).message.content.actions == (expected,)


@every_version
def test_null_is_as_good_as_absent_everywhere(version):
    content = {"type": "text", "text": "hi", "payload": None, "actions": [None], "htmlText": None}
    message = {"metadata": None, "source": None, "quotedMessage": None, "deleted": None}

    event = said_in(version, content=content, message=message)

    assert event.message.content == Text(text="hi")
    assert event.message.source is event.message.quoted is None
    assert event.message.deleted is False


def test_file_that_v1_sends_as_text_is_a_text():
    message = said_in("v1", content={"type": "text", "text": "https://media/invoice.pdf"}).message

    assert message.content == Text(text="https://media/invoice.pdf")


def test_message_of_v1_without_a_type_keeps_its_words():
    message = said_in("v1", content={"type": None, "text": "hi"}).message

    assert message.content == Text(text="hi")


def test_message_of_v2_without_content_says_nothing():
    message = read_one(v2("conversation:message", {"message": {"id": "m"}})).message

    assert message.content is None
    assert message.text == ""
