"""Where two events differ, and what of it may be shown."""

from dataclasses import replace
from datetime import UTC, datetime

from hookkit.core.content import Text
from hookkit.core.event import EventType, MessageEvent
from hookkit.core.parts import Author, AuthorType, Conversation, Message, User
from hookkit.switching.comparison import differences

NOW = datetime(2026, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)

OLD = MessageEvent(
    id="v1.1:message:m",
    type=EventType.MESSAGE,
    provider="sunshine",
    endpoint="support",
    version="v1.1",
    vendor_type="message:appUser",
    received_at=NOW,
    conversation=Conversation(id="c"),
    message=Message(id="m", author=Author(type=AuthorType.USER), content=Text(text="Hello")),
    raw={"old": True},
)
NEW = replace(
    OLD,
    id="event-1",
    version="v2",
    vendor_type="conversation:message",
    webhook_id="w",
    raw={"new": True},
)


def found(old=OLD, new=NEW):
    return [tuple(each) for each in differences(old, new)]


def test_what_must_differ_is_no_difference():
    assert found() == []


def test_value_that_both_carry():
    new = replace(NEW, conversation=Conversation(id="d", type="personal"))

    assert found(new=new) == [
        ("conversation.id", "c", "d"),
        ("conversation.type", None, "personal"),
    ]


def test_what_is_empty_is_not_carried():
    assert found(replace(OLD, reason="", user=None), replace(NEW, extra={})) == []


def test_part_that_one_does_not_carry():
    assert found(replace(OLD, user=User(id="u"))) == [("user", "a User", None)]


def test_elements_of_an_array_have_one_path():
    old = replace(OLD, extra={}, problems=("one",))
    new = replace(NEW, problems=("one", "two"))

    assert found(old, new) == [("problems", "array of 1 element", "array of 2 elements")]


def test_words_of_people_are_not_shown():
    new = replace(NEW, message=replace(NEW.message, content=Text(text="Hello, Ana")))

    assert found(new=new) == [
        ("message.content.text", "text of 5 characters", "text of 10 characters")
    ]
