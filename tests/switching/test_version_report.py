"""The report on two versions: what is paired, what differs, what a switch needs."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import HookKit
from hookkit.core.entry import State
from tests.applications import SECRET, make_app, message, post
from tests.providers.livechat_bodies import HERE, SAID, body
from tests.providers.sunshine_bodies import USER_ID, v1_1, v2
from tests.providers.test_sunshine_parity import FOLDER, PAIRS

#: What v2 says and v1.1 has no key for, with why.
V2_ALONE = {
    "actor.avatar_url": "v1.1 puts no picture on what a user says",
    "message.author.avatar_url": "v1.1 puts no picture on what a user says",
    "conversation": "v1.1 does not name it on every trigger",
    "conversation.active_control": "the switchboard came with v2",
    "conversation.metadata": "conversations have metadata since v2",
    "conversation.type": "v1.1 has one type of conversation",
    "message.content.attachment_id": "attachments have ids since v2",
    "message.content.media_size": "v1.1 does not say how large a file is",
    "message.source.client.id": "the client of an SDK is one of v2's own making",
    "message.source.client.device.client_id": "the client of an SDK is one of v2's own making",
    "message.source.client.device.status": "v1.1 has no device of its own",
    "message.source.device.client_id": "the client of an SDK is one of v2's own making",
    "message.source.device.status": "v1.1 has no device, and its client's status is the client's",
    "occurred_at": "a postback of v1.1 has no time",
    "reason": "v1.1 has a word for each reason, or gives none",
    "source": "v1.1 does not say through which channel",
    "user.authenticated": "v1.1 does not say",
    "client.raw": "not every sample of v1.1 has the words of the channel",
    "user.zendesk_id": "v1.1 does not say",
    "user.avatar_url": "v1.1 does not say",
    "user.identities": "users have identities since v2",
    "user.locale": "v1.1 says it of a client",
}
#: What v1.1 says and v2 has no key for, with why.
V1_1_ALONE = {
    "actor.user_id": "v2 names no agent",
    "message.author.user_id": "v2 names no agent",
    "user": "v2 names the user where that is who acts",
    "client.raw": "not every sample of v2 has the words of the channel",
    "message.source.client.raw": "not every sample of v2 has the words of the channel",
    "client.primary": "v2 has moved it to the participant, which no webhook carries",
    "message.source.client.primary": "v2 has moved it to the participant",
    "extra": "the criteria of a link are gone from v2",
    "message.content.fields[].select_size": "not among v2's fields",
    "postback.message": "v2 does not say in which message the button is",
    "postback.message_id": "v2 does not say in which message the button is",
    "postback.text": "v2 does not say what the button says",
}
#: Triggers that v1.1 and v2 fire at different moments of a client's life: the one has not yet,
#: or not any more, what the other has.
EARLY_CLIENT = frozenset(
    f"client.{name}"
    for name in (
        *("id", "external_id", "integration_id", "display_name", "info"),
        *("last_seen", "linked_at", "status"),
    )
)
AT_OTHER_MOMENTS = {"v1.1/link-match": "only_new", "v1.1/client-add": "only_old"}


class Shop:
    """An application that takes v1.1, and v2 beside it."""

    def __init__(self, *on, **config):
        hooks = HookKit()
        for word in on:
            hooks.on(word, name=word)(lambda event: None)
        versions = {"v1.1": "live", "v2": "shadow"}
        support = {"provider": "sunshine", "secrets": [SECRET], "versions": versions}
        self.app = make_app(hooks, HOOKKIT_ENDPOINTS={"support": support}, **config)

    def post(self, *bodies):
        for sent in bodies:
            assert post(self.app.test_client(), sent).status_code == 200

    def status(self, *, later_s=0):
        versions = self.app.extensions["hookkit"].versions
        object.__setattr__(
            versions, "clock", lambda: datetime.now(UTC) + timedelta(seconds=later_s)
        )
        return versions.status("support")

    def row(self, kind, **how):
        return {row.kind: row for row in self.status(**how).rows}[kind]

    def lines(self):
        result = self.app.test_cli_runner().invoke(
            args=["hookkit", "versions", "status", "support"]
        )
        assert result.exit_code in (0, 3), result.output
        return result.output


@pytest.fixture
def shop():
    return Shop()


# The samples that are shipped


def sample(name):
    return json.loads((FOLDER / f"{name}.json").read_bytes())


SAMPLES = [pair for pair in PAIRS if pair[0].startswith("v1.1/")]
#: Words that no version names by a fact: typing, and what hookkit does not read.
NEVER_PAIRED = ("typing", "passthrough")


def fields_of(old, new):
    shop = Shop()
    shop.post(sample(old), sample(new))
    return [field for row in shop.status().rows for field in row.fields], sum(
        row.paired for row in shop.status().rows
    )


@pytest.mark.parametrize(
    ("old", "new", "exceptions"), [pytest.param(*pair, id=pair[0]) for pair in SAMPLES]
)
def test_report_says_what_differs_in_the_samples_and_no_more(old, new, exceptions):
    fields, paired = fields_of(old, new)

    assert paired == (not any(word in old for word in NEVER_PAIRED))
    moment = AT_OTHER_MOMENTS.get(old)
    excused = {each.path for each in fields if moment and getattr(each, moment)} & EARLY_CLIENT
    assert {each.path for each in fields if each.differing} == (
        set(exceptions) if paired else set()
    )
    assert {each.path for each in fields if each.only_new} - excused <= set(V2_ALONE)
    assert {each.path for each in fields if each.only_old} - excused <= set(V1_1_ALONE)


def test_every_difference_that_is_listed_is_one_of_the_samples():
    fields = [each for old, new, _ in SAMPLES for each in fields_of(old, new)[0]]

    assert {each.path for each in fields if each.only_new} >= set(V2_ALONE)
    assert {each.path for each in fields if each.only_old} >= set(V1_1_ALONE)


# Pairs


def read_v1_1():
    return v1_1("conversation:read", timestamp=1.5)


def read_v2(event_id="event1"):
    activity = {"activity": {"type": "conversation:read", "author": {"userId": USER_ID}}}
    return v2("conversation:read", activity, id=event_id)


def test_near_reports_pair_one_to_one(shop):
    shop.post(read_v2("a"), read_v1_1(), read_v2("b"))

    row = shop.row("conversation:read", later_s=3600)

    assert (row.seen_old, row.seen_new, row.paired) == (1, 2, 1)
    assert row.lost_new == 0


def test_typing_never_pairs(shop):
    shop.post(
        v1_1("typing:appUser", activity={"type": "typing:start"}),
        v2("conversation:typing", {"activity": {"type": "typing:start"}}),
    )

    assert shop.row("conversation:typing").paired == 0


def test_start_of_what_was_there_pairs_with_a_referral(shop):
    user = {"user": {"id": USER_ID}}
    shop.post(v1_1("conversation:start", timestamp=1.5), v2("conversation:referral", user))

    row = shop.row("conversation:create", later_s=3600)

    assert (row.paired, row.missing_new) == (1, 0)
    assert shop.row("conversation:referral", later_s=3600).missing_old == 0


def test_real_start_pairs_with_the_creation(shop):
    shop.post(v1_1("conversation:start", timestamp=1.5), v2("conversation:create", {}))

    assert shop.row("conversation:create").paired == 1


# What a switch needs


def test_trigger_that_is_not_ticked_is_in_the_way_of_those_who_wait_for_it():
    shop = Shop("conversation:message", "conversation:read")
    shop.post(message("a"), read_v1_1(), v1_1("postback", postbacks=[{"action": {}}]))
    old = sample("v1.1/message-appUser")
    old["messages"][0]["_id"] = "message-of-a"
    shop.post(old)

    assert shop.status(later_s=3600).obstacles == [
        "conversation:read: 1 reported by v1.1 and none by v2: tick its trigger there"
    ]


def test_status_names_handlers_triggers_and_what_stays():
    shop = Shop("sunshine/message:appUser", "message:appMaker", "conversation:*", "payment:success")
    shop.post(sample("v1.1/postback"), sample("v2/conversation-message"))

    status = shop.status()

    assert {each.handler: each.loses for each in status.handlers} == {
        "sunshine/message:appUser": ("message:appUser",),
        "message:appMaker": (),
        "conversation:*": (),
        "payment:success": (),
    }
    triggers = {each.word: each for each in status.triggers}
    assert triggers["conversation:message"].instead_of == ("message:appUser", "message:appMaker")
    assert triggers["conversation:message"].has_come
    assert triggers["conversation:postback"].instead_of == ("postback",)
    assert not triggers["conversation:postback"].has_come
    # Waited for by the wildcard, and only v2 has it.
    assert triggers["conversation:join"].instead_of == ()
    assert "client:update" not in triggers
    assert "payment:success" in status.staying


def test_versions_in_use_are_one_side_where_bodies_of_one_look_like_anothers():
    # Most bodies of LiveChat's 3.3 look like those of 3.2.
    versions = {"3.2": "live", "3.3": "live", "3.4": "shadow", "app": "live", "legacy": "live"}
    chat = {"provider": "livechat", "secrets": [SECRET], "versions": versions}
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"support": chat})
    form = {"event": SAID | {"id": "e2", "type": "form", "fields": []}}
    for payload in (HERE | {"event": SAID}, HERE | form):
        for version in ("3.3", "3.4"):
            sent = body("incoming_event", payload, version=version, secret_key=SECRET)
            assert post(app.test_client(), sent).status_code == 200

    status = app.extensions["hookkit"].versions.status("support")

    assert (status.old, status.new, status.obstacles) == ("3.3", "3.4", [])
    assert [(row.seen_old, row.seen_new, row.paired) for row in status.rows] == [(2, 2, 2)]
    assert app.extensions["hookkit"].opening.inbox().counts()[State.DONE] == 2
    app.extensions["hookkit"].versions.switch("support", "3.4", who="ada", is_forced=True)
    modes = app.extensions["hookkit"].versions.status("support", "3.3").modes
    assert {name: mode.value for name, mode in modes.items()} == {
        "3.2": "shadow",
        "3.3": "shadow",
        "3.4": "live",
        "app": "live",
        "legacy": "live",
    }


def test_handler_of_another_endpoint_is_not_concerned():
    hooks = HookKit()
    hooks.on("*", endpoint="sales", name="sales")(print)
    hooks.on("*", provider="livechat", name="livechat")(print)
    versions = {"v1.1": "live", "v2": "shadow"}
    support = {"provider": "sunshine", "secrets": [SECRET], "versions": versions}
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"support": support})

    assert list(app.extensions["hookkit"].versions.status("support").handlers) == []


def test_lines_show_where_twins_differ_and_no_word_of_a_customer():
    shop = Shop("message:appUser")
    shop.post(sample("v1.1/message-appUser"))
    later = sample("v2/conversation-message")
    later["events"][0]["payload"]["message"]["content"]["text"] = "Something that nobody may read"
    shop.post(later)

    printed = shop.lines()

    assert "conversation:message, 1 compared:" in printed
    assert "  conversation.type: only v2 in 1; personal (entries 1 and 2)" in printed
    assert "message.content.text: differs in 1; text of " in printed
    assert "text of 30 characters (entries 1 and 2)" in printed
    assert "nobody may read" not in printed
    assert "Rivera" not in printed
    assert "trigger of v2: conversation:message, for message:appUser; has come" in printed
    assert "handler message:appUser: message:appUser" in printed


def test_events_whose_bytes_are_gone_are_counted_and_not_compared():
    shop = Shop()
    shop.post(sample("v1.1/message-appUser"), sample("v2/conversation-message"))
    inbox = shop.app.extensions["hookkit"].opening.inbox()
    inbox.prune(
        bodies_before=datetime.now(UTC) + timedelta(1), ids_before=datetime.now(UTC) - timedelta(1)
    )

    row = shop.row("conversation:message")

    assert (row.paired, row.compared, row.fields) == (1, 0, ())


def test_more_events_than_one_page_are_looked_at(shop):
    for number in range(230):
        shop.post(message(f"event-{number}"))

    assert shop.row("conversation:message").seen_new == 230
