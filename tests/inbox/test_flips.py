"""States that flip back, and buttons that are pressed again: from the body to the entry."""

import json
from dataclasses import replace

import pytest

from hookkit.core.delivery import Delivery, Options, VerifiedDelivery
from hookkit.core.provider import parse
from hookkit.providers.livechat import PROVIDER as LIVECHAT
from hookkit.providers.sunshine import PROVIDER as SUNSHINE
from tests.inbox.making import after, claim
from tests.providers.livechat_bodies import AGENT, BOT, CHAT, CUSTOMER, EVENT, HERE, THREAD, body

MENU = {
    "trigger": "postback",
    "app": {"_id": "5698edbf2a43bd081be90001"},
    "version": "v1.1",
    "postbacks": [
        {"action": {"_id": "menu1", "type": "postback", "text": "Main menu", "payload": "MENU"}}
    ],
    "appUser": {"_id": "u24", "conversationStarted": True},
    "conversation": {"_id": "conv24"},
}


def admitted(inbox, document, at, *, provider=LIVECHAT, **options):
    """Return what the first event of *document* came to, received after *at* seconds."""
    delivery = Delivery(
        endpoint="support", body=json.dumps(document).encode(), headers={}, received_at=after(at)
    )
    verified = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    provider = replace(provider, options=Options(**options))
    return inbox.admit(parse(provider, verified)).admitted[0]


def news(inbox, *sent, **how):
    """Return whether each of *sent*, pairs of a body and a time, is new."""
    return [admitted(inbox, document, at, **how).is_new for document, at in sent]


def pair(first, first_payload, second, second_payload, version="3.6"):
    return (
        body(first, first_payload, version=version),
        body(second, second_payload, version=version),
    )


STATUS = {"agent_id": AGENT, "status": "accepting_chats"}
NOT_NOW = STATUS | {"status": "not_accepting_chats"}
GOOD = {"properties": {"rating": {"score": 1}}}
BAD = {"properties": {"rating": {"score": 0}}}
GONE = {"properties": {"rating": ["score"]}}
TO_B = HERE | {"reason": "manual", "transferred_to": {"group_ids": [2]}}
TO_A = HERE | {"reason": "manual", "transferred_to": {"group_ids": [1]}}
TAG = HERE | {"tag": "bug"}
COMES = HERE | {"user": {"id": AGENT, "type": "agent"}, "reason": "manual"}
CUSTOMER_COMES = HERE | {"user": {"id": CUSTOMER, "type": "customer", "visit": {}}}
PRESS = HERE | {"user_id": CUSTOMER, "event_id": EVENT, "postback": {"id": "yes", "toggled": True}}
SAID = {"id": EVENT, "type": "message"}
MOVED = {"chat": {"id": CHAT, "thread": {"id": THREAD}}, "transferred_from": {"agent_ids": ["a"]}}
MOVED_BACK = MOVED | {"transferred_from": {"agent_ids": ["b"]}}

FLIPS = {
    "status": pair("routing_status_set", STATUS, "routing_status_set", NOT_NOW),
    "old status": pair(
        "agent_status_changed", STATUS, "agent_status_changed", NOT_NOW, version="3.1"
    ),
    "rating": pair(
        "chat_properties_updated",
        {"chat_id": CHAT} | GOOD,
        "chat_properties_updated",
        {"chat_id": CHAT} | BAD,
    ),
    "rating of a thread, deleted": pair(
        "thread_properties_updated", HERE | GOOD, "thread_properties_deleted", HERE | GONE
    ),
    "rating of an event": pair(
        "event_properties_updated",
        HERE | GOOD | {"event_id": EVENT},
        "event_properties_deleted",
        HERE | GONE | {"event_id": EVENT},
    ),
    "old properties of a thread": pair(
        "chat_thread_properties_updated",
        HERE | GOOD,
        "chat_thread_properties_deleted",
        HERE | GONE,
        version="3.0",
    ),
    "transfer": pair("chat_transferred", TO_B, "chat_transferred", TO_A),
    "chat that was transferred": pair("incoming_chat", MOVED, "incoming_chat", MOVED_BACK),
    "tag": pair("thread_tagged", TAG, "thread_untagged", TAG),
    "old tag": pair("chat_thread_tagged", TAG, "chat_thread_untagged", TAG, version="3.0"),
    "access": pair(
        "chat_access_updated",
        {"id": CHAT, "access": {"group_ids": [1]}},
        "chat_access_updated",
        {"id": CHAT, "access": {"group_ids": [2]}},
    ),
    "granted and revoked": pair(
        "access_granted",
        {"resource": "chat", "id": CHAT, "access": {"group_ids": [1]}},
        "access_revoked",
        {"resource": "chat", "id": CHAT, "access": {"group_ids": [1]}},
        version="3.1",
    ),
    "agent in a chat": pair(
        "user_added_to_chat", COMES, "user_removed_from_chat", HERE | {"user_id": AGENT}
    ),
    # The first body shows 3.6, the second 3.4.
    "customer in a chat": pair(
        "user_added_to_chat",
        CUSTOMER_COMES,
        "user_removed_from_chat",
        HERE | {"user_id": CUSTOMER},
    ),
    "text": pair(
        "event_updated",
        HERE | {"event": SAID | {"text": "a"}},
        "event_updated",
        HERE | {"event": SAID | {"text": "b"}},
    ),
    "button": pair(
        "incoming_rich_message_postback",
        PRESS,
        "incoming_rich_message_postback",
        PRESS | {"postback": {"id": "yes", "toggled": False}},
    ),
    "agent": pair("agent_suspended", {"id": AGENT}, "agent_unsuspended", {"id": AGENT}),
    "agent's name": pair(
        "agent_updated", {"id": AGENT, "name": "a"}, "agent_updated", {"id": AGENT, "name": "b"}
    ),
    "bot": pair("bot_updated", {"id": BOT, "name": "a"}, "bot_updated", {"id": BOT, "name": "b"}),
    "group": pair("group_updated", {"id": 1, "name": "a"}, "group_updated", {"id": 1, "name": "b"}),
    "deleted tag": pair(
        "tag_deleted",
        {"name": "bug"},
        "tag_created",
        {"name": "bug", "created_at": "2019-12-09T12:01:18Z"},
    ),
    "auto access": pair(
        "auto_accesses_updated",
        [{"id": "a", "status": "added"}],
        "auto_accesses_updated",
        [{"id": "a", "status": "deleted"}],
    ),
    "fields": pair(
        "customer_session_fields_updated",
        {"id": CUSTOMER, "active_chat": HERE, "session_fields": [{"a": "1"}]},
        "customer_session_fields_updated",
        {"id": CUSTOMER, "active_chat": HERE, "session_fields": [{"a": "2"}]},
    ),
    "tags of a legacy chat": (
        {"event_type": "chat_changed", "license_id": "1", "chat": {"id": "M", "tags": ["a"]}},
        {"event_type": "chat_changed", "license_id": "1", "chat": {"id": "M", "tags": []}},
    ),
    "waiting visitor of legacy": (
        {"event_type": "visitor_queued", "license_id": "1", "visitor": {"id": "S"}},
        {
            "event_type": "chat_started",
            "license_id": "1",
            "visitor": {"id": "S"},
            "chat": {"id": "M"},
        },
    ),
}


@pytest.mark.parametrize("name", FLIPS)
def test_state_that_flips_back_is_handled_again(inbox, name):
    state, other = FLIPS[name]

    assert news(inbox, (state, 0), (other, 1), (state, 2)) == [True, True, True]
    assert news(inbox, (state, 3)) == [False]


@pytest.mark.parametrize("name", FLIPS)
def test_state_that_is_sent_again_is_not_handled_again(inbox, name):
    state, _ = FLIPS[name]

    assert news(inbox, (state, 0), (state, 10), (state, 59)) == [True, False, False]


@pytest.mark.parametrize("name", FLIPS)
def test_another_state_of_another_subject_changes_nothing(inbox, name):
    state, other = FLIPS[name]
    swapped = str.maketrans({"K": "Q", "P": "Q", "s": "z", "b": "y", "S": "Q", "M": "Q"})
    elsewhere = json.loads(json.dumps(other))
    inner = elsewhere.get("payload") or elsewhere.get("data") or elsewhere
    for node in inner if isinstance(inner, list) else [inner]:
        rename(node, swapped)

    assert news(inbox, (state, 0), (elsewhere, 1), (state, 2)) == [True, True, False]


def rename(node, swapped):
    """Give everything in *node* that has an id another one."""
    for key, value in node.items():
        if isinstance(value, dict):
            rename(value, swapped)
        elif key == "id" or key.endswith("_id") or key == "name":
            node[key] = 7 if isinstance(value, int) else value.translate(swapped) + "7"


def test_agent_who_accepts_chats_again_is_seen_within_five_minutes(inbox):
    on, off = FLIPS["status"]

    sent = [(on, 0), (off, 60), (on, 120), (off, 180), (on, 240)]

    assert news(inbox, *sent) == [True] * 5
    assert [entry.event_id for entry in claim(inbox, at=300)] == [
        found.event_id for found in reversed(inbox.find())
    ]


@pytest.mark.parametrize(
    ("document", "seconds"),
    [
        pytest.param(body("routing_status_set", STATUS), 90, id="status"),
        pytest.param(body("incoming_rich_message_postback", PRESS), 60, id="button"),
        pytest.param(
            body("chat_transferred", TO_A | {"queue": {"queued_at": "2020-03-19T09:25:18Z"}}),
            300,
            id="its own time",
        ),
        pytest.param({"event_type": "visitor_queued", "license_id": "1"}, 300, id="legacy"),
    ],
)
def test_each_action_has_its_own_time_in_which_it_is_sent_again(inbox, document, seconds):
    found = news(inbox, (document, 0), (document, seconds - 0.001), (document, 2 * seconds))

    assert found == [True, False, True]


def test_time_in_a_body_decides_whatever_came_in_between(inbox):
    first, second = (
        body("chat_transferred", to | {"queue": {"queued_at_us": f"2020-03-19T09:25:{at}Z"}})
        for to, at in ((TO_A, 10), (TO_B, 20))
    )

    assert news(inbox, (first, 0), (second, 1), (first, 2)) == [True, True, False]


def test_menu_button_that_is_pressed_after_90_seconds_is_handled_again(inbox):
    press = body("incoming_rich_message_postback", PRESS)

    assert news(inbox, (press, 0), (press, 90), (press, 95)) == [True, True, False]


def test_setting_replaces_every_time(inbox):
    press = body("incoming_rich_message_postback", PRESS)

    found = news(inbox, (press, 0), (press, 3599), (press, 3600), repeat_window_s=3600)

    assert found == [True, False, True]


def test_two_pinned_versions_of_one_account_do_not_end_each_others_repetition(inbox):
    on, _ = FLIPS["status"]
    other = on | {"webhook_id": "w2"}

    found = news(inbox, (on, 0), (other, 1), (on, 2), version={"w1": "3.5", "w2": "3.6"})

    assert found == [True, True, False]


# Sunshine v1.x without a time


@pytest.mark.parametrize("gap", [30, 60, 90])
def test_menu_pressed_three_times_within_minutes_is_handled_three_times(inbox, gap):
    sent = [(MENU, 0), (MENU, gap), (MENU, 2 * gap)]

    assert news(inbox, *sent, provider=SUNSHINE) == [True, True, True]
    assert news(inbox, (MENU, 2 * gap + 20), provider=SUNSHINE) == [False]


def test_button_of_a_message_is_known_for_longer_than_one_of_a_menu(inbox):
    postback = MENU["postbacks"][0] | {"message": {"_id": "m1"}}
    press = MENU | {"postbacks": [postback]}

    found = news(inbox, (press, 0), (press, 119), (press, 240), provider=SUNSHINE)

    assert found == [True, False, True]


def test_another_button_ends_the_repetition_of_the_first(inbox):
    other = MENU | {"postbacks": [{"action": {"_id": "menu2", "payload": "HELP"}}]}

    found = news(inbox, (MENU, 0), (other, 1), (MENU, 2), (MENU, 3), provider=SUNSHINE)

    assert found == [True, True, True, False]


@pytest.mark.parametrize(
    ("trigger", "first", "other_trigger", "other"),
    [
        pytest.param(
            "typing:appUser",
            {"activity": {"type": "typing:start"}},
            "typing:appUser",
            {"activity": {"type": "typing:stop"}},
            id="typing",
        ),
        pytest.param(
            "client:add",
            {"client": {"_id": "c"}},
            "client:remove",
            {"client": {"_id": "c"}},
            id="client",
        ),
        pytest.param(
            "link:success", {"channel": "sms"}, "link:failure", {"channel": "sms"}, id="link"
        ),
        pytest.param(
            "conversation:referral",
            {"referral": {"code": "a"}},
            "conversation:referral",
            {"referral": {"code": "b"}},
            id="referral",
        ),
    ],
)
def test_state_without_a_time_may_flip_back(inbox, trigger, first, other_trigger, other):
    common = {name: MENU[name] for name in ("app", "version", "appUser", "conversation")}
    state = common | {"trigger": trigger} | first
    opposite = common | {"trigger": other_trigger} | other

    found = news(inbox, (state, 0), (opposite, 1), (state, 2), (state, 600), provider=SUNSHINE)

    assert found == [True, True, True, False]
    timed = state | {"timestamp": 1700000000.5}
    found = news(inbox, (timed, 0), (opposite, 700), (timed, 701), provider=SUNSHINE)
    assert found == [True, True, False]
