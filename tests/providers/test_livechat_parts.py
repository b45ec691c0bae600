"""LiveChat: what is said, in every type of event, and the parts around it."""

import json
from datetime import UTC, datetime

import pytest

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
    UnknownContent,
)
from hookkit.core.event import EventType
from hookkit.core.parts import Author, AuthorType, Participant, User
from tests.providers.livechat_bodies import (
    AGENT,
    ALL,
    CHAT,
    CUSTOMER,
    HERE,
    PERSON,
    THREAD,
    body,
    read_one,
    said,
)


def content_of(**event):
    read = read_one(said(**event))
    assert read.problems == ()
    return read.message.content


# Contents


@pytest.mark.parametrize(
    ("event", "content"),
    [
        pytest.param({"type": "message", "text": "Hi"}, Text(type="message", text="Hi"), id="text"),
        pytest.param(
            {"type": "message", "text": "Yes", "postback": {"id": "yes", "thread_id": "t"}},
            Text(type="message", text="Yes", payload="yes"),
            id="text of a pressed button",
        ),
        pytest.param(
            {"type": "system_message", "text": "Archived"},
            Text(type="system_message", text="Archived"),
            id="system message",
        ),
        pytest.param(
            {"type": "annotation", "text": "Rated good", "annotation_type": "rating"},
            Text(type="annotation", text="Rated good"),
            id="annotation",
        ),
        pytest.param(
            {
                "type": "file",
                "text": None,
                "name": "a.PNG",
                "url": "https://x/a.png",
                "content_type": "IMAGE/png",
                "size": 5,
                "alternative_text": "an A",
            },
            Image(
                type="file",
                name="a.PNG",
                media_url="https://x/a.png",
                media_type="IMAGE/png",
                media_size=5,
                alt_text="an A",
            ),
            id="picture",
        ),
        pytest.param(
            {"type": "file", "name": "a.pdf", "content_type": "application/pdf"},
            File(name="a.pdf", media_type="application/pdf"),
            id="file",
        ),
        pytest.param({"type": "file"}, File(), id="file without a type"),
        pytest.param(
            {"type": "custom", "content": {"a": {"b": None}}},
            Custom(body={"a": {"b": None}}),
            id="custom",
        ),
        pytest.param(
            {"type": "system", "source": "cdp", "subtype": "x", "details": '{"a": [1]}'},
            Custom(type="system", body={"source": "cdp", "subtype": "x", "details": {"a": [1]}}),
            id="system",
        ),
        pytest.param(
            {"type": "system", "details": {"a": 1}},
            Custom(type="system", body={"details": {"a": 1}}),
            id="system with an object",
        ),
    ],
)
def test_event_type_has_its_content(event, content):
    assert content_of(**event) == content


def test_rich_message_keeps_its_elements_and_buttons():
    elements = [
        {
            "title": "Did that help?",
            "subtitle": "Be honest",
            "image": {"url": "https://x/i.png", "content_type": "image/png"},
            "buttons": [
                {"type": "message", "text": "Yes", "value": "yes", "postback_id": "p1"},
                {"type": "url", "text": "More", "value": "https://x/", "target": "new"},
                {"type": "webview", "value": "https://y/", "webview_height": "tall"},
                {"type": "phone", "value": "123", "user_ids": ["a"]},
            ],
        }
    ]

    content = content_of(type="rich_message", template_id="cards", elements=elements)

    assert content == RichMessage(
        template="cards",
        elements=(
            MediaItem(
                title="Did that help?",
                description="Be honest",
                media_url="https://x/i.png",
                media_type="image/png",
                actions=(
                    Action(type="message", text="Yes", payload="p1", options={"value": "yes"}),
                    Action(type="url", text="More", uri="https://x/", options={"target": "new"}),
                    Action(type="webview", uri="https://y/", options={"webview_height": "tall"}),
                    Action(type="phone", options={"user_ids": ["a"], "value": "123"}),
                ),
            ),
        ),
    )


def test_picture_of_an_element_keeps_its_sizes():
    image = {"url": "https://x/i.png", "size": 123, "width": 5, "height": 6, "name": "i.png"}

    content = content_of(type="rich_message", elements=[{"title": "a", "image": image}])

    assert content.elements == (
        MediaItem(
            title="a",
            media_url="https://x/i.png",
            size="123",
            metadata={"name": "i.png", "width": 5, "height": 6},
        ),
    )


def test_filled_form_keeps_answers_of_every_shape():
    fields = [
        {"type": "name", "id": "1", "label": "Your name", "answer": "Thomas"},
        {"type": "radio", "id": "2", "answer": {"id": "0", "label": "Support"}},
        {"type": "group_chooser", "id": "3", "answer": {"group_id": 1, "label": "Marketing"}},
        {"type": "group_chooser", "id": "4", "answer": {"id": "2", "group_id": 1, "label": "M"}},
        {"type": "checkbox", "id": "5", "answers": [{"id": "0", "label": "a"}, {"label": "b"}]},
        {"type": "email", "id": "6", "value": "t@example.com"},  # seen, not documented
    ]

    content = content_of(type="filled_form", fields=fields)

    assert content == FormResponse(
        type="filled_form",
        fields=(
            FormField(type="name", name="1", label="Your name", value="Thomas"),
            FormField(type="radio", name="2", selected=(Choice(name="0", label="Support"),)),
            FormField(
                type="group_chooser", name="3", selected=(Choice(name="1", label="Marketing"),)
            ),
            FormField(type="group_chooser", name="4", selected=(Choice(name="2", label="M"),)),
            FormField(
                type="checkbox",
                name="5",
                selected=(Choice(name="0", label="a"), Choice(label="b")),
            ),
            FormField(type="email", name="6", value="t@example.com"),
        ),
    )


def test_form_keeps_its_questions():
    fields = [{"type": "radio", "id": "2", "options": [{"id": "0", "label": "Support"}]}]

    assert content_of(type="form", fields=fields) == Form(
        fields=(FormField(type="radio", name="2", options=(Choice(name="0", label="Support"),)),)
    )


@pytest.mark.parametrize("kind", ["from_tomorrow", None, 5])
def test_type_from_the_future_is_kept(kind):
    event = read_one(said(type=kind))

    assert isinstance(event.message.content, UnknownContent)
    assert event.message.content.body["text"] == "Hi!"
    assert event.type is EventType.MESSAGE


@pytest.mark.parametrize("details", ["no JSON", "[1]", "\ud800", 5, "{" * 5000])
def test_details_that_are_no_object_are_a_problem(details):
    event = read_one(said(type="system", details=details))

    assert event.problems == ("payload.event.details: not an object as a text",)
    assert event.message.content.body == {"details": details}


def test_answer_of_a_wrong_type_is_a_problem():
    event = read_one(said(type="filled_form", fields=[{"id": "1", "answer": 5}]))

    assert event.problems == ("payload.event.fields[0].answer: not a text",)
    assert event.message.content.fields == (FormField(name="1"),)


# Around the content


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(("word", "private"), [("all", False), ("agents", True), (None, False)])
def test_note_among_agents_is_private_in_every_version(version, word, private):
    key = "visibility" if version >= "3.4" else "recipients"

    event = read_one(said(version=version, **{key: word}), version=version)

    assert event.message.private is private


@pytest.mark.parametrize(
    ("event", "time"),
    [
        pytest.param(
            {"created_at": "2019-10-11T09:41:00.877500Z"},
            datetime(2019, 10, 11, 9, 41, 0, 878000, tzinfo=UTC),
            id="microseconds are rounded",
        ),
        pytest.param(
            {"timestamp": 1584611943}, datetime(2020, 3, 19, 9, 59, 3, tzinfo=UTC), id="seconds"
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_message_says_when_it_was_written(event, time):
    read = read_one(said(**event))

    assert read.message.received_at == read.occurred_at == time


def test_event_may_be_marked_as_deleted():
    assert read_one(said(deleted=True)).message.deleted is True


def test_what_the_model_has_no_place_for_has_a_name():
    extra = {"custom_id": "c", "form_id": "f", "width": 5, "text_vars": {"a": "b"}}

    assert read_one(said(**extra)).extra == extra


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        pytest.param("3.0", {"a": {"b": {"value": 1}, "c": {"value": None}}}, id="wrapped in 3.0"),
        pytest.param("3.1", {"a": {"b": {"value": 1}, "c": {"value": None}}}, id="wrapped in 3.1"),
        pytest.param("3.1", {"a": {"b": 1, "c": None}}, id="flat in 3.1"),
        pytest.param("3.2", {"a": {"b": 1, "c": None}}, id="flat in 3.2"),
    ],
)
def test_properties_are_flat_in_every_version(version, sent):
    flat = {"a": {"b": 1, "c": None}}

    message = read_one(said(version=version, properties=sent))
    changed = read_one(
        body("chat_properties_updated", {"chat_id": CHAT, "properties": sent}, version=version)
    )
    beside = read_one(said(version=version) | {"additional_data": {"chat_properties": sent}})

    assert message.message.metadata == changed.properties == beside.conversation.metadata == flat


def test_value_that_looks_wrapped_is_one_from_3_2_on():
    sent = {"a": {"b": {"value": 1}}}

    assert read_one(said(version="3.4", properties=sent)).message.metadata == sent
    assert read_one(said(version="3.1", properties={"a": 5})).message.metadata == {"a": 5}
    more = {"a": {"b": {"value": 1, "more": 2}}}
    assert read_one(said(version="3.1", properties=more)).message.metadata == more


def test_deleted_properties_are_named():
    gone = HERE | {"event_id": "e", "properties": {"a": ["b"]}}

    event = read_one(body("event_properties_deleted", gone))

    assert event.extra["properties"] == {"a": ["b"]}
    assert (event.message.metadata, event.reason) == ({}, "properties_deleted")
    assert (
        "properties"
        not in read_one(body("event_properties_deleted", HERE | {"event_id": "e"})).extra
    )


# Chats


def test_chat_comes_with_everybody_who_takes_part():
    chat = {
        "id": CHAT,
        "users": [
            {
                "id": AGENT,
                "type": "agent",
                "events_seen_up_to": "1970-01-01T01:00:00.000000Z",
            },
            PERSON | {"events_seen_up_to": "2020-03-19T09:19:03.010200Z", "phone_number": "+1"},
            {"id": "other", "type": "customer", "last_seen_timestamp": 1584611943},
        ],
        "properties": {"a": {"b": 1}},
        "access": {"group_ids": [0]},
        "thread": {
            "id": THREAD,
            "created_at": "2020-03-19T09:19:00Z",
            "tags": ["bug", "vip"],
            "queue": {"position": 1},
        },
    }

    event = read_one(body("incoming_chat", {"chat": chat, "transferred_from": {"group_ids": [1]}}))

    assert event.conversation.metadata == event.properties == {"a": {"b": 1}}
    assert event.conversation.participants == (
        Participant(user_id=AGENT, type=AuthorType.BUSINESS),
        Participant(
            user_id=CUSTOMER,
            type=AuthorType.USER,
            name="Thomas",
            last_read=datetime(2020, 3, 19, 9, 19, 3, 10000, tzinfo=UTC),
        ),
        Participant(
            user_id="other",
            type=AuthorType.USER,
            last_read=datetime(2020, 3, 19, 9, 59, 3, tzinfo=UTC),
        ),
    )
    assert event.user == User(id=CUSTOMER, given_name="Thomas", email="t@example.com", phone="+1")
    assert event.occurred_at == datetime(2020, 3, 19, 9, 19, tzinfo=UTC)
    assert (event.tags, event.queue) == (("bug", "vip"), {"position": 1})
    assert event.access == {"group_ids": [0]}
    assert event.extra == {"transferred_from": {"group_ids": [1]}}


@pytest.mark.parametrize("users", [[], None, "x", [{"id": AGENT, "type": "agent"}]])
def test_chat_may_be_without_a_customer(users):
    event = read_one(body("incoming_chat", {"chat": {"id": CHAT, "users": users}}))

    assert (event.type, event.user) == (EventType.CONVERSATION_CREATE, None)


def test_thread_of_3_0_has_its_time_in_seconds():
    chat = {"id": CHAT, "thread": {"id": THREAD, "timestamp": 1584611940}}

    event = read_one(body("incoming_chat_thread", {"chat": chat}, version="3.0"))

    assert event.occurred_at == datetime(2020, 3, 19, 9, 59, tzinfo=UTC)


@pytest.mark.parametrize("key", ["queued_at", "queued_at_us"])
def test_queue_is_spelt_as_in_3_6(key):
    queue = {"position": 42, key: "2020-03-19T09:25:18.909000Z"}

    event = read_one(body("chat_transferred", HERE | {"queue": queue}))

    assert event.queue == {"position": 42, "queued_at": "2020-03-19T09:25:18.909000Z"}


def test_additional_data_is_kept_by_its_name():
    additional = {"chat_presence_user_ids": [AGENT], "thread_id": THREAD}

    event = read_one(
        body("thread_tagged", {"chat_id": CHAT, "tag": "a"}, additional_data=additional)
    )

    assert event.extra["additional_data"] == additional
    assert event.conversation.thread_id == THREAD
    assert "additional_data" not in read_one(body("thread_tagged", additional_data={})).extra


@pytest.mark.parametrize("additional", [None, [], "x", 5, {"chat_properties": [1]}], ids=repr)
def test_additional_data_of_another_shape_does_no_harm(additional):
    event = read_one(body("thread_tagged", additional_data=additional))

    assert (event.problems, event.conversation.metadata) == ((), {})


def test_fields_of_a_session_are_one_mapping_in_every_version():
    old = PERSON | {"fields": {"plan": "pro", "cart": "1"}}
    new = PERSON | {"session_fields": [{"plan": "pro"}, {"cart": "1"}]}

    before, after = (
        read_one(body("customer_created", {"customer": customer}, version=version)).user.metadata
        for customer, version in ((old, "3.1"), (new, "3.2"))
    )

    assert before == after == {"plan": "pro", "cart": "1"}


def test_bot_may_set_its_status():
    status = {"agent_id": "5c9871d5372c824cbf22d860a707a578", "status": "offline"}

    event = read_one(body("routing_status_set", status))

    assert event.agent == Author(type=AuthorType.BOT, inferred=True, user_id=status["agent_id"])
    assert event.state == "offline"
    assert read_one(body("routing_status_set", {"agent_id": "a"})).state is None


def test_postback_of_3_6_says_which_button_it_was():
    pressed = HERE | {
        "user_id": CUSTOMER,
        "event_id": "e",
        "postback": {"id": "p", "toggled": True, "ecommerce": {"product_id": "x"}},
    }

    event = read_one(body("incoming_rich_message_postback", pressed))

    assert event.postback.payload == "p"
    assert event.postback.metadata == {"toggled": True, "ecommerce": {"product_id": "x"}}


def test_version_that_is_not_told_is_still_one_event_of_its_kind():
    (first, second) = (
        read_one(body("thread_tagged", version=version)) for version in ("3.1", "3.4")
    )

    assert first.tags == second.tags == ("bug",)


# Legacy and apps


def test_legacy_visitor_is_the_user():
    event = read_one(
        {
            "event_type": "chat_started",
            "chat": {"id": "MH1", "started_timestamp": 1358937653, "tags": ["sales"]},
            "visitor": {
                "id": "S1",
                "name": "Mary Brown",
                "email": "m@example.com",
                "custom_variables": [{"key": "Id", "value": "P"}, {"value": "lost"}, {"key": 5}],
            },
            "pre_chat_survey": [],
            "license_id": "1025707",
        }
    )

    assert event.user == User(
        id="S1",
        given_name="Mary Brown",
        email="m@example.com",
        metadata={"Id": "P", "5": None},
    )
    assert (event.conversation.id, event.tenant_id, event.tags) == ("MH1", "1025707", ("sales",))
    assert event.occurred_at == datetime(2013, 1, 23, 10, 40, 53, tzinfo=UTC)
    assert event.extra == {}


@pytest.mark.parametrize("event_type", ["chat_started", "chat_ended", "chat_changed"])
def test_legacy_body_may_hold_nothing_but_its_type(event_type):
    event = read_one({"event_type": event_type, "token": "t", "license_id": "1"})

    assert (event.problems, event.conversation.id, event.occurred_at) == ((), None, None)


def test_legacy_ticket_is_kept_whole():
    ticket = {"id": "T", "requester": {"mail": "m@example.com", "name": "Mary"}}

    event = read_one({"event_type": "ticket_created", "ticket": ticket, "chat": {"id": "MH1"}})

    assert event.user == User(given_name="Mary", email="m@example.com")
    assert event.extra == {"ticket": ticket}
    assert event.conversation.id == "MH1"


def test_legacy_fault_is_named():
    event = read_one({"event_type": "canned_response_changed", "canned_response": 5})

    assert event.problems == ("canned_response: not an object",)


def test_account_behind_an_app_is_no_customer():
    event = read_one(
        {
            "event": "application_installed",
            "applicationID": "a",
            "userID": CUSTOMER,
            "licenseID": 5,
            "date": "2020-09-14T15:29:53+02:00",
            "payload": {"x": 1},
        }
    )

    assert event.actor == Author(user_id=CUSTOMER)
    assert (event.user, event.tenant_id) == (None, "5")
    assert event.occurred_at == datetime(2020, 9, 14, 13, 29, 53, tzinfo=UTC)
    assert event.extra == {"application_id": "a", "payload": {"x": 1}}


def test_app_may_say_next_to_nothing():
    event = read_one({"event": "payment_cancelled", "applicationID": "a", "date": "soon"})

    assert (event.actor, event.tenant_id, event.problems) == (None, None, ("date: not a time",))


def test_raw_is_json():
    assert json.dumps(read_one(said()).raw)
