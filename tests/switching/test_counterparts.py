"""Words of one version and what another calls them, by the data of the providers."""

import pytest

from hookkit.core.handlers import Condition, Handler
from hookkit.core.triggers import explain
from hookkit.providers import load_providers
from hookkit.switching.counterparts import (
    counterparts,
    has_counterparts,
    is_registered_by_name,
    kind_of,
    notes_on,
    waits_for,
    words_of,
    words_without_counterpart,
)

PROVIDERS = load_providers()
VOCABULARY = {each.name: each.triggers for each in PROVIDERS.values()}
SUNSHINE, LIVECHAT, CHAT = (PROVIDERS[name] for name in ("sunshine", "livechat", "8x8"))
VENDORS = [SUNSHINE, LIVECHAT, CHAT]
START_IN_V2 = ["conversation:create", "conversation:referral"]


def handler(*words, **condition):
    triggers = tuple(explain(word, VOCABULARY) for word in words)
    return Handler(name="h", function=print, triggers=triggers, condition=Condition(**condition))


@pytest.mark.parametrize("provider", VENDORS, ids=lambda each: each.name)
def test_data_name_only_words_that_the_provider_explains(provider):
    words = {each for version in provider.versions for each in words_of(provider, version)}
    renamed = {
        *provider.renames,
        *(each for others in provider.renames.values() for each in others),
    }

    unified = {"conversation:create", "conversation:referral"}  # explained as event types
    unified |= {word for word in words | renamed if explain(word, VOCABULARY).types}
    assert words | renamed <= set(provider.triggers) | unified


@pytest.mark.parametrize(
    ("provider", "word", "version", "found"),
    [
        (SUNSHINE, "message:appUser", "v2", ["conversation:message"]),
        (SUNSHINE, "conversation:message", "v1.1", ["message:appUser", "message:appMaker"]),
        (SUNSHINE, "conversation:start", "v2", ["conversation:create", "conversation:referral"]),
        (
            SUNSHINE,
            "conversation:referral",
            "v1.1",
            ["conversation:referral", "conversation:start"],
        ),
        (SUNSHINE, "client:update", "v1.1", ["client:block", "link:match", "link:success"]),
        (SUNSHINE, "delivery:success", "v1.1", ["message:delivery:channel"]),
        (SUNSHINE, "payment:success", "v2", []),
        (LIVECHAT, "incoming_chat_thread", "3.2", ["incoming_chat"]),
        (LIVECHAT, "access_set", "3.2", []),
        (LIVECHAT, "chat_access_granted", "3.4", ["chat_access_updated"]),
        (CHAT, "TEXT", "Chat Gateway v1.0", ["MESSAGE"]),
    ],
)
def test_counterparts(provider, word, version, found):
    assert counterparts(provider, word, version) == found


@pytest.mark.parametrize(
    ("provider", "old", "new", "count"),
    [
        (SUNSHINE, "v1", "v1.1", 0),
        (SUNSHINE, "v1.1", "v2", 6),
        (LIVECHAT, "3.1", "3.2", 1),
        (LIVECHAT, "3.3", "3.4", 0),
        (LIVECHAT, "3.5", "3.6", 1),
    ],
)
def test_words_without_a_counterpart(provider, old, new, count):
    assert len(words_without_counterpart(provider, old, new)) == count


# "Counts: 22 / 22 / 21 / 23 / 36 / 37 / 38", as many as the vendor's list of webhook names has.
@pytest.mark.parametrize(
    ("version", "count"),
    [("3.0", 22), ("3.1", 22), ("3.2", 21), ("3.3", 23), ("3.4", 36), ("3.5", 37), ("3.7", 38)],
)
def test_actions_of_livechat_are_as_many_as_can_be_registered(version, count):
    assert len(words_of(LIVECHAT, version)) == count


@pytest.mark.parametrize(
    ("old", "follows"), [("3.3", True), ("3.6", True), ("app", False), ("legacy", False)]
)
def test_version_succeeds_those_that_it_has_something_in_common_with(old, follows):
    assert has_counterparts(LIVECHAT, old, "3.4") == follows


def test_version_that_nobody_knows_has_no_words():
    assert words_of(SUNSHINE, "v9") == ()
    assert counterparts(SUNSHINE, "postback", "v9") == []
    assert not waits_for(handler("conversation:message"), SUNSHINE, "v9", "nonsense")


def test_kind_is_what_versions_call_alike():
    assert kind_of(SUNSHINE, "v1.1", "postback") == "conversation:postback"
    assert kind_of(SUNSHINE, "v1.1", "payment:success") == "payment:success"
    assert kind_of(SUNSHINE, "v9", "postback") == "postback"


@pytest.mark.parametrize(
    ("waiting", "version", "word", "waits"),
    [
        (handler("conversation:message"), "v2", "conversation:message", True),
        (handler("message:appUser"), "v2", "conversation:message", True),
        (handler("message:appUser"), "v1.1", "message:appUser", True),
        (handler("message:appUser"), "v1.1", "message:appMaker", False),
        (handler("sunshine/message:appUser"), "v2", "conversation:message", False),
        (handler("sunshine/message:appUser"), "v1.1", "message:appUser", True),
        (handler("thread_closed"), "v2", "conversation:message", False),
        (handler("*"), "v2", "switchboard:passControl", True),
        (handler("*", version="v1.1"), "v2", "switchboard:passControl", False),
        (handler("*", provider="livechat"), "v2", "switchboard:passControl", False),
        (handler("link:match"), "v2", "client:update", True),
    ],
)
def test_who_waits_for_a_word(waiting, version, word, waits):
    assert waits_for(waiting, SUNSHINE, version, word) == waits


def test_everything_names_nothing():
    assert not is_registered_by_name(handler("*"), SUNSHINE, "v2", "conversation:join")
    assert is_registered_by_name(
        handler("*", "conversation:*"), SUNSHINE, "v2", "conversation:join"
    )


def test_word_without_a_type_matches_what_it_stands_for():
    assert waits_for(handler("conversation:message"), CHAT, "v2.0", "TEXT")
    assert not waits_for(handler("conversation:message"), CHAT, "v2.0", "QUEUED")


@pytest.mark.parametrize(
    ("word", "versions", "renamed"),
    [
        ("message:appUser", ("v1", "v1.1"), ("conversation:message",)),
        ("payment:success", ("v1", "v1.1"), ()),
        ("sunshine/nonsense", (), ()),
        ("thread_closed", ("3.0", "3.1"), ("chat_deactivated",)),
        ("TEXT", ("v1.0", "v2.0"), ("MESSAGE",)),
    ],
)
def test_word_that_the_newest_version_does_not_say_has_a_note(word, versions, renamed):
    (note,) = notes_on(explain(word, VOCABULARY), VENDORS)

    assert (note.versions, note.renamed) == (versions, renamed)
    assert note.is_exact == ("/" in word)


@pytest.mark.parametrize(
    "word", ["conversation:message", "*", "incoming_event", "sunshine/user:update", "MESSAGE"]
)
def test_word_of_the_newest_version_has_none(word):
    assert notes_on(explain(word, VOCABULARY), VENDORS) == []
