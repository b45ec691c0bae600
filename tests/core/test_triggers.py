"""What a registered word fires for, and what it must not: the table of the unified model."""

import dataclasses
import json
from datetime import UTC, datetime
from functools import cache

import pytest

from hookkit.core.errors import ConfigurationError
from hookkit.core.event import EventType, OtherEvent
from hookkit.core.parts import Author, AuthorType
from hookkit.core.triggers import Meaning, Trigger, explain
from hookkit.providers import load_providers
from hookkit.providers.sunshine import PROVIDER
from hookkit.providers.sunshine import v1 as v1_module
from hookkit.providers.sunshine import v2 as v2_module
from tests.providers.reading import SAMPLES, expected_path, read_sample, sample_id
from tests.providers.sunshine_bodies import read_one, v1, v1_1, v1_message, v2, v2_message

VOCABULARY = {name: provider.triggers for name, provider in load_providers().items()}

MESSAGES_OF_USERS = {
    "v1/message",
    "v1/message-appUser",
    "v1/message-appUser.file-as-text",
    "v1/message-appUser.image",
    "v1/message.generic-trigger",
    "v1.1/message-appUser",
    "v1.1/message-appUser.file",
    "v1.1/message-appUser.full",
    "v1.1/message-appUser.image",
    "v1.1/message-appUser.location",
    "v1.1/message-appUser.reply",
    "v2/conversation-message",
    "v2/conversation-message.file",
    "v2/conversation-message.full",
    "v2/conversation-message.image",
    "v2/conversation-message.location",
    "v2/conversation-message.recentNotifications",
    "v2/conversation-message.reply",
}
MESSAGES_OF_THE_BUSINESS = {
    "v1/message-appMaker",
    "v1/message-appMaker.whisper",
    "v1.1/message-appMaker",
    "v1.1/message-appMaker.form",
    "v1.1/message-appMaker.list",
    "v2/conversation-message.activity",
    "v2/conversation-message.business",
    "v2/conversation-message.form",
    "v2/conversation-message.list",
    "v2/conversation-message.template",
}
DELIVERED_TO_CHANNEL = {
    "v1/delivery-success",
    "v1.1/message-delivery-channel",
    "v2/conversation-message-delivery-channel",
}
REMOVED_USERS = {"v1/appUser-delete", "v1.1/appUser-delete", "v2/user-remove"}

#: word of the vendor -> the samples that it fires for; it must fire for no other.
FIRES = {
    "message": MESSAGES_OF_USERS | MESSAGES_OF_THE_BUSINESS,
    "message:appUser": MESSAGES_OF_USERS,
    "message:appMaker": MESSAGES_OF_THE_BUSINESS,
    "message:delivery:channel": DELIVERED_TO_CHANNEL,
    "message:delivery:user": {
        "v1.1/message-delivery-user",
        "v2/conversation-message-delivery-user",
    },
    "message:delivery:failure": {"v1/delivery-failure"},
    "delivery:success": DELIVERED_TO_CHANNEL,
    "delivery:failure": {"v1/delivery-failure"},
    "postback": {
        "v1/postback",
        "v1.1/postback",
        "v1.1/postback.menu",
        "v2/conversation-postback",
    },
    "conversation:start": {
        "v1/conversation-start",
        "v1.1/conversation-start",
        "v2/conversation-create",
        "v2/conversation-create.proactive",
        "v2/conversation-create.sdkGroup",
    },
    "conversation:message:delete": {"v2/conversation-message.deleted"},
    "typing:appUser": {"v1.1/typing-appUser", "v2/conversation-typing"},
    "client:block": {"v1/client-block", "v1.1/client-block"},
    "link:match": {"v1.1/link-match", "v2/client-update.matched"},
    "link:success": {"v1/link-success", "v1.1/link-success", "v2/client-update"},
    "link:failure": {"v1/link-failure"},
    "merge:appUser": {"v1/merge-appUser", "v2/user-merge"},
    "appUser:delete": REMOVED_USERS,
    "user:delete": REMOVED_USERS,
    "payment:success": {"v1/payment-success", "v1.1/payment-success"},
    "request:success": {"v1.1/request-success"},
    "request:failure": {"v1.1/request-failure"},
    "passthrough:apple:extension": {
        "v1.1/passthrough-apple-extension",
        "v2/passthrough-apple-extension",
    },
    "passthrough:apple:interactive": {
        "v1.1/passthrough-apple-interactive",
        "v1.1/passthrough-apple-interactive.ref",
        "v2/passthrough-apple-interactive",
    },
    "passthrough:messaging": {"v2/passthrough-messaging"},
}


@cache
def sample_events():
    """Return every event of every sample, with the sample's name."""
    return tuple((sample_id(sample), event) for sample in SAMPLES for event in read_sample(sample))


def fired(word):
    trigger = explain(word, VOCABULARY)
    return {name for name, event in sample_events() if trigger.fits(event)}


def test_table_has_every_word_of_the_vendor():
    assert set(FIRES) == set(PROVIDER.triggers)


@pytest.mark.parametrize("word", FIRES)
def test_word_of_the_vendor_fires_for_its_samples_and_no_other(word):
    assert fired(word) == {f"sunshine/{name}" for name in FIRES[word]}


@pytest.mark.parametrize("kind", EventType)
def test_event_type_fires_for_itself_alone(kind):
    of_this_type = {
        sample_id(sample)
        for sample in SAMPLES
        for event in json.loads(expected_path(sample).read_text(encoding="utf-8"))
        if event["type"] == kind
    }

    assert fired(kind.value) == of_this_type


@pytest.mark.parametrize(
    ("wildcard", "prefix"),
    [
        pytest.param("*", "", id="everything"),
        pytest.param("conversation:*", "conversation:", id="conversations"),
        pytest.param(
            "conversation:message:*", "conversation:message:", id="what follows a message"
        ),
        pytest.param(
            "conversation:message:delivery:*", "conversation:message:delivery:", id="deliveries"
        ),
        pytest.param("client:*", "client:", id="clients"),
        pytest.param("switchboard:*", "switchboard:", id="switchboard"),
    ],
)
def test_wildcard_fires_for_the_types_that_begin_so(wildcard, prefix):
    expected = {name for name, event in sample_events() if event.type.value.startswith(prefix)}

    assert fired(wildcard) == expected
    assert fired(wildcard) != set()


def test_star_fires_for_what_is_not_understood_too():
    star = explain("*", VOCABULARY)

    assert star.types == frozenset(EventType)


def test_exact_word_fires_for_what_was_sent_in_any_version_and_for_no_rename():
    assert fired("sunshine/client:remove") == {
        "sunshine/v1/client-remove",
        "sunshine/v1.1/client-remove",
        "sunshine/v2/client-remove",
    }
    assert fired("sunshine/message") == {"sunshine/v1/message.generic-trigger"}
    assert fired("sunshine/conversation:reaction") == {"sunshine/v2/_unknown-event"}
    assert fired("sunshine/nothing sends this") == set()


def test_exact_word_is_of_one_provider():
    vocabulary = {**VOCABULARY, "other": {}}
    event = dict(sample_events())["sunshine/v2/client-remove"]

    assert not explain("other/client:remove", vocabulary).fits(event)
    assert explain("sunshine/client:remove", vocabulary).fits(event)


def test_vendors_word_that_is_spelt_like_a_type_means_the_type():
    vocabulary = {"other": {"client:remove": (Meaning(type=EventType.TEST),)}}

    assert explain("client:remove", vocabulary) == Trigger(
        word="client:remove", types=frozenset({EventType.CLIENT_REMOVE})
    )


def test_word_of_two_vendors_means_each_ones_own():
    vocabulary = {
        "sunshine": {"ping": (Meaning(type=EventType.OTHER),)},
        "other": {"ping": (Meaning(type=EventType.TEST),)},
    }
    trigger = explain("ping", vocabulary)
    other = an_event(type=EventType.OTHER)

    assert trigger.fits(other)
    assert not trigger.fits(dataclasses.replace(other, provider="other"))
    assert not trigger.fits(dataclasses.replace(other, provider="third"))


def referral(of):
    return v2("conversation:referral", {"referral": of})


def update(reason):
    return v2("client:update", {"client": {"id": "c"}, "reason": reason})


def removal(reason):
    return v2("client:remove", {"client": {"id": "c"}, "reason": reason})


def typing(author):
    return v2("conversation:typing", {"activity": {"type": "typing:start", "author": author}})


def delivery(stage):
    return v2(f"conversation:message:delivery:{stage}", {"message": {"id": "m"}})


@pytest.mark.parametrize(
    ("word", "body"),
    [
        pytest.param("conversation:start", referral({}), id="start of an existing conversation"),
        pytest.param("link:failure", removal("linkCancelled"), id="linkCancelled"),
        pytest.param("link:failure", removal("linkFailed"), id="linkFailed"),
        pytest.param("link:failure", removal("linkFailure"), id="linkFailure"),
        pytest.param("link:failure", v1_1("link:failure", channel="x"), id="link:failure"),
        pytest.param("client:block", update("blocked"), id="blocked"),
        pytest.param("link:match", update("matched"), id="matched"),
        pytest.param("link:success", update("confirmed"), id="confirmed"),
        pytest.param("typing:appUser", typing({"type": "user"}), id="typing of a user"),
        pytest.param(
            "message:appMaker", v1("message", messages=[v1_message(role="appMaker")]), id="appMaker"
        ),
        pytest.param(
            "message:appMaker", v1("message", messages=[v1_message(role="whisper")]), id="whisper"
        ),
        pytest.param(
            "message:appMaker",
            v1_1("message:appMaker", messages=[v1_message(role=None)]),
            id="itself without a role",
        ),
        pytest.param(
            "message:appUser",
            v1_1("message:appUser", messages=[v1_message(role="new")]),
            id="itself with a new role",
        ),
        pytest.param("delivery:failure", delivery("failure"), id="delivery:failure of v2"),
        pytest.param("message:delivery:failure", delivery("failure"), id="failure of v2"),
        pytest.param(
            "delivery:failure",
            v1_1("message:delivery:failure", message={"_id": "m"}),
            id="delivery:failure of v1.1",
        ),
        pytest.param(
            "user:delete", v2("user:delete", {"user": {"id": "u"}}), id="the alias of user:remove"
        ),
        pytest.param(
            "user:remove", v2("user:delete", {"user": {"id": "u"}}), id="user:remove's alias"
        ),
        pytest.param(
            "conversation:message:delete",
            v2("conversation:message:delete", {"message": {"id": "m"}}),
            id="undocumented delete",
        ),
        pytest.param("conversation:read", v1("conversation:read"), id="read of v1"),
    ],
)
def test_word_fires(word, body):
    assert explain(word, VOCABULARY).fits(read_one(body))


@pytest.mark.parametrize(
    ("word", "body"),
    [
        pytest.param("conversation:start", referral({"code": "x"}), id="a referral with a code"),
        pytest.param("conversation:start", v1_1("conversation:referral"), id="v1.1's own referral"),
        pytest.param("conversation:start", v2("conversation:join", {}), id="join"),
        pytest.param("link:failure", removal("api"), id="removed by the API"),
        pytest.param("link:failure", removal(None), id="removed without a reason"),
        pytest.param(
            "link:failure", v1_1("client:remove", client={"_id": "c"}), id="client:remove"
        ),
        pytest.param("client:block", update("unblocked"), id="unblocked"),
        pytest.param("client:block", update("confirmed"), id="confirmed is no block"),
        pytest.param("client:block", v1_1("link:match", channel="x"), id="a match is no block"),
        pytest.param("link:match", update("confirmed"), id="confirmed is no match"),
        pytest.param("link:success", update("matched"), id="matched is no success"),
        pytest.param("typing:appUser", typing({"type": "business"}), id="typing of the business"),
        pytest.param("typing:appUser", typing(None), id="typing of nobody"),
        pytest.param(
            "message:appUser",
            v2("conversation:message", {"message": v2_message(author={"type": "business"})}),
            id="message of the business",
        ),
        pytest.param(
            "message:appUser",
            v2("conversation:message", {"message": v2_message(author=None)}),
            id="message of nobody",
        ),
        pytest.param(
            "message:appMaker",
            v2("conversation:message", {"message": v2_message(author={"type": "robot"})}),
            id="message of somebody new",
        ),
        pytest.param(
            "message:appUser",
            v1("message", messages=[v1_message(role="appMaker")]),
            id="v1 message of the business",
        ),
        pytest.param(
            "message:appUser",
            v2("conversation:message", {"message": v2_message(deleted=True)}),
            id="a removal",
        ),
        pytest.param("message", delivery("channel"), id="a delivery is no message"),
        pytest.param("delivery:success", delivery("user"), id="delivered to the user"),
        pytest.param(
            "delivery:success",
            v1_1("notification:delivery:channel", notification={"_id": "n"}),
            id="a notification",
        ),
        pytest.param(
            "message:delivery:user",
            v1_1("notification:delivery:user", notification={"_id": "n"}),
            id="a notification to the user",
        ),
        pytest.param("request:success", v1_1("request:failure"), id="a failed request"),
        pytest.param("payment:success", v1_1("request:success"), id="another without counterpart"),
        pytest.param(
            "appUser:delete", v2("user:update", {"user": {"id": "u"}}), id="an updated user"
        ),
    ],
)
def test_word_does_not_fire(word, body):
    assert not explain(word, VOCABULARY).fits(read_one(body))


@pytest.mark.parametrize(
    ("author", "word"),
    [
        (AuthorType.USER, "message:appUser"),
        (AuthorType.BUSINESS, "message:appMaker"),
        (AuthorType.BOT, "message:appMaker"),
        (AuthorType.SYSTEM, None),
        (AuthorType.UNKNOWN, None),
    ],
)
def test_messages_of_v2_are_split_by_their_author(author, word):
    event = dict(sample_events())["sunshine/v2/conversation-message"]
    event = dataclasses.replace(event, actor=Author(type=author))

    fitting = [
        each
        for each in ("message:appUser", "message:appMaker")
        if explain(each, VOCABULARY).fits(event)
    ]

    assert fitting == ([word] if word else [])


def an_event(**changes):
    made = OtherEvent(
        id="1",
        type=EventType.OTHER,
        provider="sunshine",
        endpoint="support",
        version="v2",
        vendor_type="a",
        received_at=datetime(2024, 3, 1, tzinfo=UTC),
    )
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize(
    ("meaning", "changes", "fits"),
    [
        pytest.param({}, {}, True, id="the type alone"),
        pytest.param({}, {"type": EventType.TEST}, False, id="another type"),
        pytest.param({"authors": {"user"}}, {}, False, id="no actor"),
        pytest.param(
            {"authors": {"user"}}, {"actor": Author(type=AuthorType.USER)}, True, id="actor"
        ),
        pytest.param({"authors": {"user"}}, {"actor": Author()}, False, id="another actor"),
        pytest.param({"reasons": {"x"}}, {"reason": "x"}, True, id="reason"),
        pytest.param({"reasons": {"x"}}, {"reason": None}, False, id="no reason"),
        pytest.param({"vendor_types": {"a", "b"}}, {}, True, id="a rename"),
        pytest.param({"vendor_types": {"b"}}, {}, False, id="no rename"),
        pytest.param({"extra": "start"}, {"extra": {"start": True}}, True, id="extra"),
        pytest.param({"extra": "start"}, {"extra": {"start": False}}, False, id="extra is false"),
        pytest.param({"extra": "start"}, {}, False, id="no extra"),
    ],
)
def test_meaning_asks_for_every_part_that_it_has(meaning, changes, fits):
    parts = {
        name: frozenset(value) if isinstance(value, set) else value
        for name, value in meaning.items()
    }

    assert Meaning(type=EventType.OTHER, **parts).fits(an_event(**changes)) is fits


@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param(
            "conversation:mesage",
            "trigger 'conversation:mesage' is not known; did you mean 'conversation:message'",
            id="misspelt type",
        ),
        pytest.param(
            "mesage:appUser",
            "trigger 'mesage:appUser' is not known; did you mean 'message:appUser'",
            id="misspelt word",
        ),
        pytest.param(
            "conversaton:*", "trigger 'conversaton:*' is not known", id="misspelt wildcard"
        ),
        pytest.param("message:*", "trigger 'message:*' is not known", id="wildcard over words"),
        pytest.param(":*", "trigger ':*' is not known", id="wildcard over nothing"),
        pytest.param("", "trigger '' is not known; use an event type such as", id="empty"),
        pytest.param(
            "zzzzzzzzzz",
            "trigger 'zzzzzzzzzz' is not known; use an event type such as 'conversation:message',"
            " a wildcard such as 'conversation:*', or a vendor's own word as '<provider>/<word>'",
            id="nothing is near",
        ),
        pytest.param(
            "moonshine/postback",
            "trigger 'moonshine/postback': no provider has that name; known are sunshine/...",
            id="unknown provider",
        ),
        pytest.param(
            "/postback", "trigger '/postback': no provider has that name", id="no provider"
        ),
        pytest.param("sunshine/", "trigger 'sunshine/'", id="no word"),
        pytest.param("Conversation:Message", "trigger 'Conversation:Message'", id="other case"),
    ],
)
def test_word_that_nothing_explains_is_refused_with_the_nearest(word, message):
    vocabulary = {"sunshine": PROVIDER.triggers}

    with pytest.raises(ConfigurationError) as caught:
        explain(word, vocabulary)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("word", sorted({*v1_module.TYPES, *v2_module.TYPES}))
def test_every_trigger_that_a_version_knows_is_a_word(word):
    assert explain(word, VOCABULARY).word == word


def test_word_may_fit_the_type_of_every_event_that_it_fits():
    words = {word for of_provider in VOCABULARY.values() for word in of_provider}
    words |= {"*", "user:*", *EventType}
    words |= {f"sunshine/{event.vendor_type or 'x'}" for _, event in sample_events()}
    for word in words:
        trigger = explain(word, VOCABULARY)
        fitting = {event.type for _, event in sample_events() if trigger.fits(event)}

        assert all(trigger.may_fit(kind) for kind in fitting), word


def test_word_of_one_type_may_fit_no_other():
    assert not explain("user:update", VOCABULARY).may_fit(EventType.MESSAGE)
    assert not explain("message:appUser", VOCABULARY).may_fit(EventType.READ)


def test_type_is_found_by_an_equal_text():
    assert {EventType.MESSAGE: 1}["conversation:message"] == 1
    assert EventType.MESSAGE in {"conversation:message", "conversation:read"}
