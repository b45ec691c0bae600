"""LiveChat: what a chat comes with: its first messages, its thread, and who takes part."""

import json
from datetime import timedelta

import pytest

from hookkit.core.content import FormResponse, Text
from hookkit.core.event import EventType
from hookkit.core.parts import Author, AuthorType, Participant, User
from hookkit.providers.livechat import PROVIDER
from tests.providers.livechat_bodies import (
    AGENT,
    ALL,
    CHAT,
    CUSTOMER,
    EVENT,
    HERE,
    PERSON,
    SAID,
    THREAD,
    body,
    items_of,
    read_all,
    read_one,
)
from tests.providers.reading import NOW, ROOT, read_sample, split_body

SAMPLES = ROOT / "livechat" / "samples"
GREETING = {"id": "e0", "type": "rich_message", "template_id": "cards", "author_id": "bot-1"}
SURVEY = {"id": "e1", "type": "filled_form", "author_id": CUSTOMER, "fields": []}


def opened(*events, version="3.6", users=(), thread=None, **more):
    """Return the body of a chat that comes with *events*."""
    action = "incoming_chat_thread" if version in ("3.0", "3.1") else "incoming_chat"
    thread = {"id": THREAD, "events": list(events)} | (thread or {})
    chat = {"id": CHAT, "users": list(users), "thread": thread}
    return body(action, {"chat": chat}, version=version, **more)


def brought(event, *, version="3.6", **more):
    """Return the body that brings *event* by itself."""
    return body("incoming_event", HERE | {"event": event}, version=version, **more)


# First messages


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("options", [{}, {"version": "pinned"}], ids=["shown", "pinned"])
def test_first_message_is_the_same_event_as_when_it_comes_alone(version, options):
    options = dict.fromkeys(options, version)

    chat, first = items_of(opened(SAID, version=version), **options)
    (alone,) = items_of(brought(SAID, version=version), **options)

    assert chat.event_id != first.event_id
    assert (first.event_id, first.fact, first.lane) == (alone.event_id, alone.fact, alone.lane)
    assert (first.vendor_type, first.raw) == (alone.vendor_type, alone.raw)
    assert first.content_hash == alone.content_hash
    assert first.payload.version == alone.payload.version


@pytest.mark.parametrize("version", ALL)
def test_handler_of_messages_sees_the_first_words_of_a_customer(version):
    events = read_all(opened(SAID, version=version), version=version)

    assert [event.type for event in events] == [EventType.CONVERSATION_CREATE, EventType.MESSAGE]
    assert (events[1].message.text, events[1].message.id) == ("Hi!", EVENT)
    assert (events[1].conversation.id, events[1].conversation.thread_id) == (CHAT, THREAD)
    assert events[1].vendor_type == "incoming_event"


def test_chat_itself_is_read_as_before():
    alone, with_events = read_one(opened()), read_all(opened(SAID))[0]

    assert with_events.id == alone.id
    assert with_events.raw["payload"]["chat"]["thread"]["events"] == [SAID]


def test_forms_and_greetings_come_in_their_order():
    _, greeting, survey, words = read_all(opened(GREETING, SURVEY, SAID))

    assert greeting.message.content.template == "cards"
    assert isinstance(survey.message.content, FormResponse)
    assert words.message.content == Text(type="message", text="Hi!")


def test_author_of_a_first_message_has_the_type_that_the_chat_says():
    users = [PERSON | {"id": "c-1"}, {"id": "bot-1", "type": "agent"}]
    said = [GREETING, SAID | {"author_id": "c-1"}, SAID | {"author_id": "nobody"}]

    _, *events = read_all(opened(*said, users=users))

    assert [event.actor for event in events] == [
        Author(type=AuthorType.BUSINESS, user_id="bot-1"),
        Author(type=AuthorType.USER, user_id="c-1"),
        Author(user_id="nobody"),
    ]
    assert [event.user for event in events] == [None, User(id="c-1"), None]


def test_type_in_the_chat_goes_before_the_type_in_the_settings():
    document = opened(SAID, users=[PERSON])

    _, event = read_all(document, authors={"w1": AuthorType.BUSINESS})

    assert event.message.author == Author(type=AuthorType.USER, user_id=CUSTOMER)


@pytest.mark.parametrize(
    ("events", "count"),
    [
        pytest.param(None, 0, id="null"),
        pytest.param([None, SAID], 1, id="null in it"),
        pytest.param(SAID, 1, id="a lone object"),
    ],
)
def test_events_of_a_thread_may_have_another_shape(events, count):
    document = opened(thread={"events": events})

    kinds = [event.type for event in read_all(document)]

    assert kinds == [EventType.CONVERSATION_CREATE] + [EventType.MESSAGE] * count


def test_event_of_a_thread_that_is_no_object_costs_nothing_else():
    _, broken, words = read_all(opened(5, SAID))

    assert broken.type is EventType.UNKNOWN
    assert broken.problems[0] == "payload.event: not an object"
    assert words.message.text == "Hi!"


def test_message_of_a_chat_without_an_id_is_read_too():
    document = body("incoming_chat", {"chat": {"thread": {"events": [SAID]}}})

    _, event = read_all(document)

    assert (event.type, event.message.text) == (EventType.MESSAGE, "Hi!")


@pytest.mark.parametrize("action", ["user_added_to_chat", "chat_deactivated", "from_tomorrow"])
def test_only_a_chat_that_comes_brings_messages(action):
    chat = {"id": CHAT, "thread": {"id": THREAD, "events": [SAID]}}

    assert len(items_of(body(action, HERE | {"chat": chat}))) == 1


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7"])
def test_samples_of_a_chat_and_of_its_message_agree(version):
    chat = "incoming_chat_thread" if version in ("3.0", "3.1") else "incoming_chat"
    of_chat, alone = (
        split_body(PROVIDER, (SAMPLES / version / f"{name}.json").read_bytes())
        for name in (chat, "incoming_event")
    )

    assert of_chat[2].event_id == alone[0].event_id
    assert of_chat[2].content_hash == alone[0].content_hash


def test_chat_whose_messages_would_repeat_too_much_is_one_event_and_one_that_stands_for_them():
    document = opened(*([SAID] * 10)) | {"rest": "x" * (1 << 20)}

    chat, events = read_all(document)

    assert chat.type is EventType.CONVERSATION_CREATE
    assert (events.type, events.vendor_type) == (EventType.UNKNOWN, "incoming_event")
    assert "would repeat more" in events.problems[0]


def test_later_delivery_of_a_first_message_has_its_id_for_ever():
    first = items_of(opened(SAID))[1]
    (later,) = items_of(brought(SAID), received_at=NOW + timedelta(days=1))

    assert later.event_id == first.event_id


# Access, properties and the rest of a thread


@pytest.mark.parametrize(
    ("chat", "thread", "read"),
    [
        ({"a": {"b": 1}}, None, {"a": {"b": 1}}),
        (None, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": {}}, {"a": {"b": 3, "c": 2}, "d": {}}),
        ({"a": 1}, {"a": {"b": 3}}, {"a": {"b": 3}}),
    ],
)
def test_properties_are_those_of_the_chat_and_of_its_thread(chat, thread, read):
    document = opened(thread={"properties": thread})
    document["payload"]["chat"]["properties"] = chat

    event = read_one(document)

    assert (event.properties, event.conversation.metadata) == (read, chat or {})


@pytest.mark.parametrize(
    ("chat", "thread", "read", "beside"),
    [
        ({"group_ids": [1]}, None, {"group_ids": [1]}, None),
        (None, {"group_ids": [4]}, {"group_ids": [4]}, None),
        ({"group_ids": [1]}, {"group_ids": [1]}, {"group_ids": [1]}, None),
        (
            {"group_ids": [1]},
            {"group_ids": [4]},
            {"group_ids": [1]},
            {"access": {"group_ids": [4]}},
        ),
    ],
)
def test_access_is_that_of_the_chat_or_else_of_its_thread(chat, thread, read, beside):
    document = opened(thread={"access": thread})
    document["payload"]["chat"]["access"] = chat

    event = read_one(document)

    assert (event.access, event.extra.get("thread")) == (read, beside)


def test_rest_of_a_thread_has_a_name():
    rest = {"active": True, "user_ids": ["a"], "previous_thread_id": "p", "customer_visit": {}}

    assert read_one(opened(thread=rest)).extra["thread"] == rest
    assert "thread" not in read_one(opened(thread={"active": None})).extra


def test_thread_that_is_no_object_is_a_problem():
    event = read_one(body("incoming_chat", {"chat": {"id": CHAT, "thread": 5}}))

    assert event.problems == ("payload.chat.thread: not an object",)
    assert event.type is EventType.CONVERSATION_CREATE


# The cases that strangers' captures showed


def test_captured_chat_with_its_first_message():
    chat, event = read_sample(SAMPLES / "3.4" / "incoming_chat.first_message.json")

    assert chat.type is EventType.CONVERSATION_CREATE
    assert (event.type, event.message.text) == (EventType.MESSAGE, "where is my order?")
    assert (event.actor.type, event.actor.inferred) == (AuthorType.USER, False)


def test_captured_chat_of_which_only_the_thread_says_who_may_see_it():
    (event,) = read_sample(SAMPLES / "3.4" / "incoming_chat.access_of_thread.json")

    assert event.access == {"group_ids": [4]}
    assert event.properties["routing"]["start_url"] == "https://brand-a.example/cart"


def test_captured_legacy_chat_that_is_over():
    (event,) = read_sample(SAMPLES / "legacy" / "chat_ended.full.json")

    assert (event.user.locale, event.user.phone) == ("en", "555 0101")
    assert event.actor == Author(
        type=AuthorType.USER, user_id=event.user.id, display_name="Ada Stone"
    )
    assert event.conversation.participants == (
        Participant(user_id="mira@example.com", type=AuthorType.BUSINESS, name="Mira"),
    )
    assert event.access == {"group_ids": [3]}


def test_captured_text_of_a_pressed_button():
    (event,) = read_sample(SAMPLES / "3.4" / "incoming_event.button_pressed.json")

    assert event.message.content.payload == "btn_orders"
    assert event.extra["postback"] == {
        "id": "btn_orders",
        "thread_id": "TH1",
        "event_id": "TH1_2",
        "type": "message",
        "value": "goto:orders",
    }


def test_captured_offer_of_a_shop():
    path = SAMPLES / "3.6" / "incoming_event.rich_message_ecommerce.json"
    (event,) = read_sample(path)

    (element,) = event.message.content.elements
    sent = json.loads(path.read_bytes())["payload"]["event"]["elements"][0]
    assert element.metadata == {"ecommerce": sent["ecommerce"]}
    assert event.version == "3.6"


# Legacy: who closed it, and with which answers


def legacy(event_type="chat_ended", **data):
    return {"event_type": event_type, "license_id": "1", **data}


@pytest.mark.parametrize(
    ("changes", "actor"),
    [
        pytest.param([], None, id="nobody"),
        pytest.param([{"type": "transferred", "user_type": "agent"}], None, id="not closed"),
        pytest.param(
            [{"type": "closed", "user_type": "agent", "agent_id": AGENT, "author_name": "Smith"}],
            Author(type=AuthorType.BUSINESS, user_id=AGENT, display_name="Smith"),
            id="an agent",
        ),
        pytest.param(
            [{"type": "closed", "user_type": "visitor"}],
            Author(type=AuthorType.USER, user_id="S1", display_name="Ada"),
            id="the visitor",
        ),
        pytest.param(
            [{"type": "closed", "user_type": "agent"}, {"type": "closed", "user_type": "visitor"}],
            Author(type=AuthorType.USER, user_id="S1", display_name="Ada"),
            id="the last of several",
        ),
        pytest.param([{"type": "closed"}], Author(), id="not said"),
    ],
)
def test_actor_of_a_legacy_chat_is_who_closed_it(changes, actor):
    document = legacy(chat={"id": "MH1", "events": changes}, visitor={"id": "S1", "name": "Ada"})

    assert read_one(document).actor == actor


def test_visitor_who_closed_a_chat_may_not_be_sent():
    document = legacy(chat={"id": "MH1", "events": [{"type": "closed", "user_type": "visitor"}]})

    assert read_one(document).actor == Author(type=AuthorType.USER)


@pytest.mark.parametrize(
    ("survey", "user"),
    [
        ([{"type": "phone", "answer": "555"}], User(id="S1", phone="555")),
        ([{"type": "phone", "answer": ""}], User(id="S1")),
        ([{"type": "phone", "answers": [{"label": "x", "chosen": True}]}], User(id="S1")),
        ([{"type": "email", "answer": "555"}], User(id="S1")),
        ([], User(id="S1")),
    ],
)
def test_phone_number_is_the_answer_to_a_question_of_that_type(survey, user):
    document = legacy("chat_started", visitor={"id": "S1"}, pre_chat_survey=survey)

    assert read_one(document).user == user


def test_phone_number_is_kept_without_a_visitor():
    document = legacy("chat_started", pre_chat_survey=[{"type": "phone", "answer": "555"}])

    assert read_one(document).user == User(phone="555")


def test_transcript_of_a_legacy_chat_makes_no_message_events():
    said = {"user_type": "visitor", "text": "Hi", "timestamp": 1}

    event = read_one(legacy(chat={"id": "MH1", "messages": [said]}))

    assert event.type is EventType.CONVERSATION_CLOSE
    assert event.raw["chat"]["messages"] == [said]
