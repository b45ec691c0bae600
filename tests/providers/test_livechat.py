"""LiveChat: versions, every action in every version, names, who wrote it."""

import json
from datetime import UTC, datetime

import pytest

from hookkit.core.event import EVENT_CLASSES, EventType
from hookkit.core.parts import AuthorType
from hookkit.core.triggers import explain
from hookkit.providers import load_providers
from hookkit.providers.livechat import PROVIDER, app, detect_version, legacy, v3
from hookkit.providers.livechat.shapes import author_of
from tests.folding import in_one
from tests.providers.livechat_bodies import (
    AGENT,
    ALL,
    BOT,
    CHAT,
    COMES,
    CUSTOMER,
    EVENT,
    HERE,
    LICENSE,
    MATRIX,
    ORGANIZATION,
    PERSON,
    SAID,
    SECRET_KEY,
    THREAD,
    body,
    items_of,
    read_all,
    read_one,
    said,
)
from tests.providers.reading import SAMPLES, provider_of, read_sample, sample_id

LIVECHAT_SAMPLES = [sample for sample in SAMPLES if provider_of(sample) is PROVIDER]
in_every_version = in_one(
    "action, version",
    [(action, version) for action, (versions, _, _) in MATRIX.items() for version in versions],
    ids="-".join,
)

# Versions


@pytest.mark.parametrize(
    ("document", "version"),
    [
        pytest.param({"event_type": "chat_started"}, "legacy", id="legacy"),
        pytest.param({"event_type": "x", "action": "y", "payload": {}}, "3.1", id="both"),
        pytest.param({"event": "x", "applicationID": "a", "payload": {}}, "app", id="app"),
        pytest.param({"event": "x", "applicationID": None}, "app", id="app, id null"),
        pytest.param({"event": "x", "payload": {}}, None, id="event without an app"),
        pytest.param({"event": 1, "applicationID": "a"}, None, id="event is no text"),
        pytest.param({"payload": {}}, None, id="payload alone"),
        pytest.param({"action": 1, "payload": {}}, None, id="action is no text"),
        pytest.param({"action": "", "payload": {}}, None, id="action is empty"),
        pytest.param({}, None, id="nothing"),
        pytest.param({"action": "x", "data": {}}, "3.0", id="data"),
        pytest.param({"action": "x", "data": {}, "payload": {}}, "3.1", id="data and payload"),
        pytest.param({"action": "x", "data": {}, "payload": None}, "3.0", id="payload null"),
        pytest.param({"action": "x", "payload": {}}, "3.1", id="payload"),
        pytest.param({"action": "x"}, "3.1", id="neither"),
        pytest.param(body("x", {}, version="3.2"), "3.2", id="license"),
        pytest.param(body("x", {}, version="3.2", organization_id=None), "3.2", id="null"),
        pytest.param(body("incoming_customer", {}, version="3.3"), "3.3", id="3.3 customer"),
        pytest.param(body("chat_transferred", {}, version="3.3"), "3.3", id="3.3 transfer"),
        pytest.param(
            body("customer_session_fields_updated", {}, version="3.3"), "3.3", id="3.3 fields"
        ),
        pytest.param(
            body("x", {}, version="3.3", additional_data={"chat_presence_user_ids": []}),
            "3.3",
            id="3.3 presence",
        ),
        pytest.param(said(version="3.3", type="form"), "3.3", id="3.3 form"),
        pytest.param(
            body("x", {"user": {"state": "chatting"}}, version="3.3"),
            "3.3",
            id="3.3 customer's key",
        ),
        pytest.param(
            said(version="3.3", elements=[{"buttons": [{"target": "new"}]}]), "3.3", id="3.3 button"
        ),
        pytest.param(
            said(version="3.3", elements=[{"image": {"alternative_text": "a"}}]),
            "3.3",
            id="3.3 picture",
        ),
        pytest.param(said(version="3.3", alternative_text="a"), "3.3", id="3.3 file"),
        pytest.param(body("chat_user_added", {}, version="3.2"), "3.2", id="old name in 3.2"),
        pytest.param(body("incoming_event", {}, version="3.4"), "3.4", id="organization"),
        pytest.param(body("incoming_customer", {}, version="3.4"), "3.4", id="3.4 customer"),
        pytest.param(body("auto_access_added", {}, version="3.4"), "3.4", id="3.4 auto access"),
        pytest.param(
            body("agent_created", {"work_scheduler": {"monday": {}}}, version="3.4"),
            "3.4",
            id="3.4 days",
        ),
        pytest.param(body("auto_accesses_updated", [], version="3.5"), "3.5", id="3.5 accesses"),
        pytest.param(body("auto_access_added", [], version="3.5"), "3.5", id="3.5 array, old name"),
        pytest.param(body("tag_created", {}, version="3.5"), "3.5", id="3.5 tag"),
        pytest.param(body("tag_updated", {}, version="3.5"), "3.5", id="3.5 tag updated"),
        pytest.param(body("tag_deleted", {}, version="3.5"), "3.5", id="3.5 tag deleted"),
        pytest.param(
            body("agent_created", {"work_scheduler": {"schedule": []}}, version="3.5"),
            "3.5",
            id="3.5 schedule",
        ),
        pytest.param(body("tag_created", {}, requester={}), "3.6", id="3.6 requester"),
        pytest.param(body("event_deleted", {}), "3.6", id="3.6 deleted"),
        pytest.param(body("thread_summary_set", {}), "3.6", id="3.6 summary"),
        pytest.param(said(type="system"), "3.6", id="3.6 system"),
        pytest.param(body("x", {"user": {"visit": {}}}), "3.6", id="3.6 visit of a user"),
        pytest.param(
            body("x", {"chat": {"users": [1, {}, {"visit": {}}]}}), "3.6", id="3.6 visit in a chat"
        ),
        pytest.param(body("x", {"user": {"last_visit": {}}}), "3.4", id="last visit"),
        pytest.param(body("x", {"postback": {"button_type": "url"}}), "3.6", id="3.6 button"),
        pytest.param(body("x", {"postback": {"ecommerce": {}}}), "3.6", id="3.6 shop, pressed"),
        pytest.param(said(elements=[{"ecommerce": {}}]), "3.6", id="3.6 shop"),
        pytest.param(said(deleted=True), "3.6", id="3.6 deleted"),
        pytest.param(
            body("x", {"chat": {"thread": {"customer_visit": {}}}}), "3.6", id="3.6 visit of thread"
        ),
        pytest.param(body("x", {"customer": {"phone_number": "1"}}), "3.6", id="3.6 phone"),
    ],
)
def test_version_is_the_lowest_that_sends_such_a_body(document, version):
    assert detect_version(document, {}) == version


@in_one("sample", LIVECHAT_SAMPLES, ids=sample_id)
def test_no_sample_is_taken_for_a_later_version_than_its_own(sample):
    order = list(PROVIDER.versions)
    shown, own = detect_version(json.loads(sample.read_bytes()), {}), sample.parent.name

    assert order.index(shown) <= order.index(own)
    families = [("legacy",), ("app",), ("3.0",), ("3.1",), ("3.2", "3.3"), ALL[4:]]
    assert any({shown, own} <= set(family) for family in families)


@pytest.mark.parametrize(
    ("pin", "version"),
    [
        pytest.param("3.7", "3.7", id="for all"),
        pytest.param({"w1": "3.5"}, "3.5", id="for this webhook"),
        pytest.param({"w2": "3.5"}, "3.4", id="for another"),
    ],
)
def test_settings_may_know_the_version_better(pin, version):
    event = read_one(said(), version=pin)

    assert event.version == version
    assert event.id.startswith(f"{version}:")


@pytest.mark.parametrize(
    "sample",
    [each for each in LIVECHAT_SAMPLES if each.parent.name in ("legacy", "app")],
    ids=sample_id,
)
def test_pin_makes_no_number_of_what_has_none(sample):
    assert read_sample(sample, version="3.6") == read_sample(sample)


# Every action of the matrix in every version that has it


@in_every_version
def test_action_is_understood_in_every_version_that_has_it(action, version):
    event = read_one(body(action, version=version), version=version)

    kind = MATRIX[action][1]
    assert (event.type, event.problems) == (kind, ())
    assert type(event) is EVENT_CLASSES[kind]
    assert (event.vendor_type, event.version, event.webhook_id) == (action, version, "w1")
    tenant = {"3.0": None, "3.1": None, "3.2": str(LICENSE), "3.3": str(LICENSE)}
    assert event.tenant_id == tenant.get(version, ORGANIZATION)
    assert SECRET_KEY not in json.dumps(event.raw)


@in_every_version
def test_action_without_a_pin_is_read_as_well(action, version):
    pinned, shown = (
        read_one(body(action, version=version), **options) for options in ({"version": version}, {})
    )

    assert {shown.version, pinned.version} <= set(ALL)
    assert (shown.type, shown.conversation, shown.actor, shown.user) == (
        pinned.type,
        pinned.conversation,
        pinned.actor,
        pinned.user,
    )


AGENT_ALONE = [(AGENT, AuthorType.BUSINESS, False)]
SCORE = {"rating": {"score": 1}}
SEEN_AT = {
    "events_marked_as_seen": datetime(2020, 3, 19, 9, 19, 59, tzinfo=UTC),
    "last_seen_timestamp_updated": datetime(2020, 3, 19, 9, 59, 59, tzinfo=UTC),
}

#: type -> what an event of it says of the action in the matrix, beside what it must say.
SAYS = {
    EventType.CONVERSATION_CREATE: lambda event, action: (
        [event.conversation.id, event.conversation.thread_id, event.user.id, takes_part(event)],
        [CHAT, THREAD, CUSTOMER, [CUSTOMER, AGENT]],
    ),
    EventType.CONVERSATION_CLOSE: lambda event, action: (
        [event.conversation.id, event.actor.user_id],
        [CHAT, AGENT],
    ),
    EventType.CONVERSATION_ACCESS: lambda event, action: (
        [event.conversation.id, event.access, event.reason],
        [CHAT, {"group_ids": [1]}, action.rpartition("_")[2]],
    ),
    EventType.CONVERSATION_TRANSFER: lambda event, action: (
        [event.reason, event.transferred_to],
        ["manual", {"group_ids": [19]}],
    ),
    EventType.CONVERSATION_JOIN: lambda event, action: (
        [event.actor.user_id, event.actor.type, takes_part(event)],
        [AGENT, AuthorType.BUSINESS, [AGENT]],
    ),
    EventType.CONVERSATION_LEAVE: lambda event, action: (
        [event.actor.user_id, event.actor.type, takes_part(event)],
        [AGENT, AuthorType.BUSINESS, [AGENT]],
    ),
    EventType.MESSAGE: lambda event, action: (
        [event.message.id, event.message.text, event.user.id],
        [EVENT, "Hi!", CUSTOMER],
    ),
    EventType.MESSAGE_UPDATE: lambda event, action: (
        [event.message.id, event.message.deleted, event.message.metadata],
        [EVENT, False, SCORE if action == "event_properties_updated" else {}],
    ),
    EventType.MESSAGE_REMOVE: lambda event, action: (
        [event.message.id, event.message.deleted, event.conversation.thread_id],
        [EVENT, True, THREAD],
    ),
    EventType.POSTBACK: lambda event, action: (
        [event.postback.payload, event.postback.message_id, event.actor.type],
        ["yes", EVENT, AuthorType.USER],
    ),
    EventType.CONVERSATION_PROPERTIES: lambda event, action: (
        [event.reason, event.properties],
        [
            action.rpartition("_")[2],
            {"rating": ["score"]} if action.endswith("deleted") else SCORE,
        ],
    ),
    EventType.CONVERSATION_TAG: lambda event, action: ([event.tags], [("bug",)]),
    EventType.CONVERSATION_UNTAG: lambda event, action: ([event.tags], [("bug",)]),
    EventType.CONVERSATION_SUMMARY: lambda event, action: (
        [event.summary, event.state, event.occurred_at],
        ["Late.", "ok", datetime(2025, 12, 9, 12, 1, 18, tzinfo=UTC)],
    ),
    EventType.READ: lambda event, action: (
        [event.read_at.replace(microsecond=0), event.occurred_at, event.user.id],
        [
            datetime(
                2020, 3, 19, 9, 19 if action == "events_marked_as_seen" else 59, 59, tzinfo=UTC
            ),
            event.read_at,
            CUSTOMER,
        ],
    ),
    EventType.AGENT_STATUS: lambda event, action: (
        [event.agent.user_id, event.agent.inferred, event.state],
        [AGENT, True, "not_accepting_chats"],
    ),
    EventType.AGENT_CREATE: lambda event, action: (agent_of(event), AGENT_ALONE),
    EventType.AGENT_UPDATE: lambda event, action: (agent_of(event), AGENT_ALONE),
    EventType.AGENT_REMOVE: lambda event, action: (agent_of(event), AGENT_ALONE),
    EventType.USER_CREATE: lambda event, action: (
        [event.user.id, event.user.given_name, event.user.email],
        [CUSTOMER, "Thomas", "t@example.com"],
    ),
    EventType.USER_UPDATE: lambda event, action: (
        [event.user.id, event.user.metadata, event.conversation.thread_id],
        [CUSTOMER, {"plan": "pro"}, THREAD],
    ),
    EventType.OTHER: lambda event, action: ([event.raw["action"]], [action]),
}


def takes_part(event):
    return [each.user_id for each in event.conversation.participants]


def agent_of(event):
    return [(event.agent.user_id, event.agent.type, event.agent.inferred)]


@in_every_version
def test_action_says_what_it_is_about(action, version):
    event = read_one(body(action, version=version), version=version)

    said_of_it, expected = SAYS[event.type](event, action)

    assert said_of_it == expected


def test_matrix_holds_every_action_that_is_known():
    assert set(MATRIX) == set(v3.TYPES)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param(body("from_tomorrow", HERE), "action: not known", id="action"),
        pytest.param({"event_type": "from_tomorrow"}, "event_type: not known", id="legacy"),
        pytest.param(
            {"event": "from_tomorrow", "applicationID": "a"}, "event: not known", id="app"
        ),
        pytest.param(body("thread_tagged", "x"), "payload: not an object", id="payload"),
        pytest.param(body("thread_tagged", 5, version="3.0"), "data: not an object", id="data"),
        pytest.param({"action": "thread_tagged"}, "payload: not an object", id="no payload"),
        pytest.param(body("thread_tagged", []), "body: holds no event", id="empty array"),
        pytest.param({"payload": {}}, "body: the payload version cannot be told", id="version"),
        pytest.param(
            body("incoming_event", HERE),
            "message: missing, so this is no conversation:message",
            id="no event",
        ),
        pytest.param(
            body("event_deleted", HERE),
            "message: missing, so this is no conversation:message:remove",
            id="no event id",
        ),
        pytest.param(
            body("incoming_rich_message_postback", HERE),
            "postback: missing, so this is no conversation:postback",
            id="no postback",
        ),
        pytest.param(
            body("customer_created", {}), "user: missing, so this is no user:create", id="no user"
        ),
        pytest.param(
            body("agent_deleted", {}), "agent: missing, so this is no agent:remove", id="no agent"
        ),
    ],
)
def test_what_is_not_understood_is_kept_with_its_problem(document, problem):
    event = read_one(document)

    assert (event.type, event.problems) == (EventType.UNKNOWN, (problem,))


def test_fault_is_named_by_its_place_and_costs_nothing_else():
    broken = said(created_at="yesterday", visibility=5)

    event = read_one(broken)

    assert event.type is EventType.MESSAGE
    assert set(event.problems) == {
        "payload.event.created_at: not a time",
        "payload.event.visibility: not a text",
    }
    assert event.message.text == "Hi!"


def test_faults_of_a_lone_customer_or_agent_are_named_too():
    assert read_one(body("customer_created", {"id": "c", "email": 5}, version="3.1")).problems == (
        "payload.email: not a text",
    )
    assert read_one(body("agent_created", {"id": "a", "name": 5})).problems == (
        "payload.name: not a text",
    )
    assert read_one(body("tag_created", {"name": "a", "created_at": 5.5e300})).problems == (
        "payload.created_at: not a time",
    )


# Arrays


def test_each_element_of_an_array_is_an_event():
    elements = [{"id": "a", "status": "added"}, {"id": "b", "status": "deleted"}, {"id": "c"}]

    events = read_all(body("auto_accesses_updated", elements))

    assert [event.reason for event in events] == ["added", "deleted", None]
    assert [event.raw["payload"] for event in events] == [[each] for each in elements]
    assert len({event.id for event in events}) == 3


def test_element_that_is_no_object_does_not_take_its_neighbours_along():
    first, second = read_all(body("auto_accesses_updated", ["x", {"id": "b", "status": "added"}]))

    assert first.problems == ("payload: not an object",)
    assert (second.type, second.reason) == (EventType.OTHER, "added")


# Names


def fires(word, event):
    vocabulary = {name: each.triggers for name, each in load_providers().items()}
    return explain(word, vocabulary).fits(event)


ACCESS_WORDS = {f"{old}access_{what}" for old in ("", "chat_") for what in ("granted", "revoked")}
ACCESS_WORDS |= {"access_set", "chat_access_set"}

#: word -> the actions that it fires for beside itself.
FIRES_FOR = {
    "incoming_chat_thread": {"incoming_chat"},
    "incoming_chat": {"incoming_chat_thread"},
    "thread_closed": {"chat_deactivated"},
    "chat_deactivated": {"thread_closed"},
    "chat_thread_tagged": {"thread_tagged"},
    "thread_tagged": {"chat_thread_tagged"},
    "chat_thread_untagged": {"thread_untagged"},
    "thread_untagged": {"chat_thread_untagged"},
    "chat_thread_properties_updated": {"thread_properties_updated"},
    "thread_properties_updated": {"chat_thread_properties_updated"},
    "chat_thread_properties_deleted": {"thread_properties_deleted"},
    "thread_properties_deleted": {"chat_thread_properties_deleted"},
    "chat_user_added": {"user_added_to_chat"},
    "user_added_to_chat": {"chat_user_added"},
    "chat_user_removed": {"user_removed_from_chat"},
    "user_removed_from_chat": {"chat_user_removed"},
    "access_granted": {"chat_access_granted", "chat_access_updated"},
    "chat_access_granted": {"access_granted", "chat_access_updated"},
    "access_revoked": {"chat_access_revoked", "chat_access_updated"},
    "chat_access_revoked": {"access_revoked", "chat_access_updated"},
    "access_set": {"chat_access_set", "chat_access_updated"},
    "chat_access_set": {"access_set", "chat_access_updated"},
    "chat_access_updated": ACCESS_WORDS,
    "customer_created": {"incoming_customer"},
    "incoming_customer": {"customer_created"},
    "last_seen_timestamp_updated": {"events_marked_as_seen"},
    "events_marked_as_seen": {"last_seen_timestamp_updated"},
    "agent_status_changed": {"routing_status_set"},
    "routing_status_set": {"agent_status_changed"},
    "auto_access_added": {"auto_accesses_updated"},  # whose element in the matrix is an added one
    "auto_accesses_updated": {"auto_access_added", "auto_access_updated", "auto_access_deleted"},
}


@pytest.mark.parametrize("word", MATRIX)
def test_word_fires_for_itself_its_renames_and_nothing_else(word):
    events = {
        action: read_one(body(action, version=versions[0]), version=versions[0])
        for action, (versions, _, _) in MATRIX.items()
    }

    heard = {action for action, event in events.items() if fires(word, event)}

    assert heard == {word} | FIRES_FOR.get(word, set())


@pytest.mark.parametrize("status", ["added", "updated", "deleted", "moved"])
def test_old_word_of_an_array_fires_for_the_elements_that_it_would_have_named(status):
    event = read_one(body("auto_accesses_updated", [{"id": "a", "status": status}]))

    heard = {word for word in v3.TYPES if fires(word, event)}

    assert heard == {"auto_accesses_updated", f"auto_access_{status}"} & set(v3.TYPES)


def test_words_of_legacy_and_app_bodies_fire_for_themselves():
    words = {**legacy.TYPES, **app.TYPES}
    for word, kind in words.items():
        document = (
            {"event_type": word} if word in legacy.TYPES else {"event": word, "applicationID": "a"}
        )
        event = read_one(document)

        assert event.type is kind
        assert {each for each in PROVIDER.triggers if fires(each, event)} == {word}
        assert fires(f"livechat/{word}", event)


# The seed's changelog, line by line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("access_set", "chat_access_set", id="access_set"),
        pytest.param("access_revoked", "chat_access_revoked", id="access_revoked"),
        pytest.param("access_granted", "chat_access_granted", id="access_granted"),
        pytest.param(
            "chat_thread_properties_updated", "thread_properties_updated", id="properties updated"
        ),
        pytest.param(
            "chat_thread_properties_deleted", "thread_properties_deleted", id="properties deleted"
        ),
        pytest.param("thread_closed", "chat_deactivated", id="Thread Closed"),
        pytest.param("incoming_chat_thread", "incoming_chat", id="Incoming Chat Thread"),
        pytest.param("chat_thread_tagged", "thread_tagged", id="Chat Thread Tagged"),
        pytest.param("chat_thread_untagged", "thread_untagged", id="Chat Thread Untagged"),
    ],
)
def test_rename_of_3_2_says_the_same_under_both_names(old, new):
    before = read_one(body(old, version="3.1"), version="3.1")
    after = read_one(body(new, version="3.2"), version="3.2")

    assert before.type is after.type
    assert (before.conversation, before.actor, before.reason) == (
        after.conversation,
        after.actor,
        after.reason,
    )
    for word in (old, new):
        assert fires(word, before)
        assert fires(word, after)


def test_access_webhooks_no_longer_have_a_resource_in_3_2():
    before = read_one(body("access_granted", version="3.1"))
    after = read_one(body("chat_access_granted", version="3.2"))

    assert before.extra["resource"] == "chat"
    assert "resource" not in after.extra
    assert before.conversation == after.conversation


def test_resource_of_an_access_webhook_may_be_a_thread():
    of_a_thread = {"id": THREAD, "resource": "thread", "access": {}}
    (item,) = items_of(body("access_set", of_a_thread, version="3.0"))
    event = read_one(body("access_set", of_a_thread, version="3.0"))

    assert (event.conversation.id, event.conversation.thread_id) == (None, THREAD)
    assert item.lane is None


def test_agent_status_changed_was_removed_in_3_2_and_is_still_heard():
    event = read_one(body("routing_status_set", version="3.2"))

    assert fires("agent_status_changed", event)


@pytest.mark.parametrize("action", [action for action in MATRIX if "3.0" in MATRIX[action][0]])
def test_data_was_renamed_to_payload_in_3_1(action):
    document = body(action, version="3.0")
    before = read_one(document)
    document["payload"] = document.pop("data")
    after = read_one(document)

    assert (before.version, after.version) == ("3.0", "3.1")
    for name in ("type", "conversation", "user", "actor", "reason", "extra", "occurred_at"):
        assert getattr(before, name) == getattr(after, name)


#: Lines of the changelog that concern calling the API: nothing of them ever arrives here.
OUT_OF_SCOPE = [
    "Create Bot no longer accepts the status parameter",
    "Update Bot no longer accepts the status parameter",
    "other Bot can be updated with the agents-bot--all:rw scope",
    "Get Property Configs -> List Registered Properties",
    "Create Properties -> Register Properties",
    "Get Webhooks Config -> List Registered Webhooks",
    "Get Bot Agent Details -> Get Bot",
    "Get Bot Agents -> List Bots",
    "Update Bot Agent -> Update Bot",
    "Create Bot Agent -> Create Bot",
    "Remove Bot Agent -> Delete Bot",
]


@pytest.mark.parametrize("line", OUT_OF_SCOPE)
def test_line_about_a_method_names_no_webhook(line):
    words = {part.strip().lower().replace(" ", "_") for part in line.split("->")}

    assert not words & set(PROVIDER.triggers)


# Who wrote it


@pytest.mark.parametrize(
    ("author_id", "kind", "inferred"),
    [
        pytest.param(CUSTOMER, AuthorType.USER, True, id="UUID"),
        pytest.param(CUSTOMER.upper(), AuthorType.USER, True, id="UUID in capitals"),
        pytest.param(AGENT, AuthorType.BUSINESS, True, id="e-mail"),
        pytest.param(BOT, AuthorType.BOT, True, id="32 hex digits"),
        pytest.param("S126126161.O136OJPO1", AuthorType.UNKNOWN, False, id="another shape"),
        pytest.param(BOT + "0", AuthorType.UNKNOWN, False, id="33 hex digits"),
        pytest.param(5, AuthorType.UNKNOWN, False, id="a number"),
        pytest.param(None, AuthorType.UNKNOWN, False, id="nobody"),
    ],
)
def test_shape_of_an_id_tells_who_wrote_it_and_says_so(author_id, kind, inferred):
    event = read_one(said(author_id=author_id))

    assert (event.message.author.type, event.message.author.inferred) == (kind, inferred)
    assert event.actor == event.message.author
    assert (event.user is not None) == (kind is AuthorType.USER)


def test_settings_tell_who_writes_what_a_webhook_delivers():
    authors = {"w1": AuthorType.USER, "w2": AuthorType.BOT}

    first, second, third = (
        read_one(said(author_id=AGENT, webhook_id=webhook_id), authors=authors)
        for webhook_id in ("w1", "w2", "w3")
    )

    assert (first.actor.type, first.actor.inferred) == (AuthorType.USER, False)
    assert (second.actor.type, second.actor.inferred) == (AuthorType.BOT, False)
    assert (third.actor.type, third.actor.inferred) == (AuthorType.BUSINESS, True)


@pytest.mark.parametrize("action", ["incoming_rich_message_postback", "events_marked_as_seen"])
def test_settings_tell_who_presses_and_reads_too(action):
    event = read_one(body(action), authors={"w1": AuthorType.BOT})

    assert (event.actor.type, event.actor.inferred, event.user) == (AuthorType.BOT, False, None)
    nobody = read_one(body(action, {"chat_id": CHAT, "postback": {"id": "p"}}))
    assert (nobody.actor, nobody.problems) == (None, ())


def test_body_knows_better_than_the_settings():
    author = author_of(AGENT, said="customer", pinned=AuthorType.BOT)

    assert (author.type, author.inferred) == (AuthorType.USER, False)


@pytest.mark.parametrize("kind", ["system_message", "system"])
def test_what_the_system_says_nobody_has_written(kind):
    event = read_one(said(type=kind, author_id=None), authors={"w1": AuthorType.USER})

    assert (event.actor.type, event.actor.inferred) == (AuthorType.SYSTEM, False)
    assert event.user is None


@pytest.mark.parametrize(
    ("user_type", "kind", "inferred"),
    [
        ("customer", AuthorType.USER, False),
        ("agent", AuthorType.BUSINESS, False),
        ("bot", AuthorType.BOT, False),
        ("supervisor", AuthorType.BUSINESS, False),
        ("robot", AuthorType.BUSINESS, True),
        (None, AuthorType.BUSINESS, True),
    ],
)
def test_body_knows_better_than_the_shape_of_an_id(user_type, kind, inferred):
    left = {**HERE, "user_id": AGENT, "user_type": user_type}
    came = {**HERE, "user": {"id": AGENT, "type": user_type}}

    for event in (
        read_one(body("chat_user_removed", left, version="3.1")),
        read_one(body("user_added_to_chat", came)),
    ):
        assert (event.actor.type, event.actor.inferred) == (kind, inferred)


def test_customer_who_joins_is_the_user():
    event = read_one(body("user_added_to_chat", HERE | {"user": PERSON | {"present": False}}))

    assert event.user.email == "t@example.com"
    assert event.actor.display_name == "Thomas"
    assert event.extra["present"] is False


def test_requester_is_told_apart_from_who_came_or_went():
    came = HERE | {"user": COMES, "requester_id": "jones@example.com"}
    moved = HERE | {"requester_id": "jones@example.com"}

    assert read_one(body("user_added_to_chat", came)).actor.user_id == AGENT
    assert read_one(body("user_added_to_chat", came)).extra["requester_id"] == "jones@example.com"
    assert read_one(body("chat_transferred", moved)).actor.user_id == "jones@example.com"


def test_requester_of_a_configuration_is_its_actor():
    requester = {"user_id": "owner@example.com", "account_id": "x", "client_id": "y"}

    event = read_one(body("tag_created", requester=requester))

    assert (event.actor.user_id, event.extra["requester"]) == ("owner@example.com", requester)


def test_chat_closed_by_the_router_has_no_actor():
    assert read_one(body("chat_deactivated", HERE)).actor is None


def test_said_is_the_payload_of_the_matrix():
    # The helper above stands for a real body.
    assert read_one(said()).raw["payload"]["event"] == SAID
