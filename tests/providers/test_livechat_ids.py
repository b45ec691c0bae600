"""LiveChat: what tells an event from a redelivery, from another, and from the same done again."""

from datetime import timedelta

import pytest

from hookkit.core.facts import is_exact, is_near, near_fact
from hookkit.providers.livechat import PROVIDER
from hookkit.providers.livechat.identity import (
    PRESSED_AGAIN_AFTER_S,
    REPEAT_AFTER_S,
    STRONG,
    SUBJECTS,
)
from tests.folding import in_one
from tests.providers.livechat_bodies import (
    AGENT,
    ALL,
    CHAT,
    CHAT_OBJECT,
    EVENT,
    HERE,
    MATRIX,
    ORGANIZATION,
    PERSON,
    SAID,
    THREAD,
    body,
    items_of,
    said,
)
from tests.providers.reading import NOW, SAMPLES, provider_of, sample_id, split_body

LIVECHAT_SAMPLES = [sample for sample in SAMPLES if provider_of(sample) is PROVIDER]
LEGACY_CHAT = {"id": "MH1", "started_timestamp": 1, "ended_timestamp": 2, "tags": ["a"]}

in_every_version = in_one(
    "action, version",
    [(action, version) for action, (versions, _, _) in MATRIX.items() for version in versions],
    ids="-".join,
)


def item_of(document, **options):
    (item,) = items_of(document, **options)
    return item


def changed(payload, path, value):
    """Return *payload* with *value* at *path*."""
    key, *rest = path
    return {**payload, key: changed(payload.get(key, {}), rest, value) if rest else value}


# Two registrations of one action


@in_every_version
def test_two_registrations_deliver_the_same_fact_once_and_without_a_conflict(action, version):
    first = item_of(body(action, version=version, webhook_id="w1", secret_key="one"))
    second = item_of(
        body(
            action,
            version=version,
            webhook_id="w2",
            secret_key="two",
            additional_data={"chat_properties": {"a": {"b": 1}}},
        )
    )

    assert first.event_id == second.event_id
    assert first.content_hash == second.content_hash
    assert "w1" not in first.event_id
    assert not {"webhook_id", "secret_key", "additional_data"} & set(first.raw)


# Strong keys


@pytest.mark.parametrize("action", [*STRONG, "customer_created"])
def test_strong_key_never_expires(action):
    version = MATRIX[action][0][-1]
    document = body(action, version=version)

    first = item_of(document, version=version)
    later = item_of(document, version=version, received_at=NOW + timedelta(days=30))

    assert first.event_id == later.event_id
    assert first.repeat_after_s is first.previous_event_id is None


STRONG_PARTS = [
    pytest.param(action, path, id=f"{action}-{'.'.join(path)}")
    for action, (_, paths) in STRONG.items()
    for path in paths
]


@pytest.mark.parametrize(("action", "path"), STRONG_PARTS)
def test_every_part_of_a_strong_key_tells_events_apart(action, path):
    version = MATRIX[action][0][-1]
    payload = MATRIX[action][2]

    first, second = (
        item_of(body(action, changed(payload, path, value), version=version))
        for value in ("x:1", "x%3A1")
    )

    assert first.event_id != second.event_id
    assert first.repeat_after_s is None


@pytest.mark.parametrize(("action", "path"), STRONG_PARTS)
def test_strong_key_with_a_part_missing_becomes_a_weak_one(action, path):
    version = MATRIX[action][0][-1]

    item = item_of(body(action, changed(MATRIX[action][2], path, None), version=version))

    assert item.repeat_after_s == REPEAT_AFTER_S
    assert not is_exact(item.fact)


def test_event_ids_begin_with_the_version_and_the_account():
    assert item_of(said()).event_id == f"3.4:{ORGANIZATION}:message:{CHAT}:{THREAD}:{EVENT}"
    assert item_of(said(version="3.2")).event_id.startswith("3.2:104130623:message:")
    assert item_of(said(version="3.0")).event_id.startswith("3.0::message:")


def test_accounts_at_one_endpoint_are_told_apart():
    other = said() | {"organization_id": "another"}

    assert item_of(said()).event_id != item_of(other).event_id


def test_resumed_chat_is_a_new_conversation():
    again = {"chat": CHAT_OBJECT["chat"] | {"thread": {"id": "K600PKZON9"}}}

    ids = {item_of(body("incoming_chat", each)).event_id for each in (CHAT_OBJECT, again)}

    assert len(ids) == 2


def test_chat_that_is_transferred_comes_again_each_time():
    moved = CHAT_OBJECT | {"transferred_from": {"group_ids": [1]}}
    first = item_of(body("incoming_chat", CHAT_OBJECT))
    second = item_of(body("incoming_chat", moved))
    later = item_of(body("incoming_chat", moved), received_at=NOW + timedelta(hours=1))

    assert len({first.event_id, second.event_id, later.event_id}) == 3


def test_customer_is_the_same_nested_or_not():
    nested = item_of(body("customer_created", {"customer": PERSON}, version="3.1"))
    flat = item_of(body("customer_created", PERSON, version="3.1"))

    assert nested.event_id == flat.event_id


def test_agent_who_is_deleted_and_created_again_is_created_twice():
    document = body("agent_created")

    again = item_of(document, received_at=NOW + timedelta(hours=1))

    assert item_of(document).event_id != again.event_id


# Weak keys: tagged, untagged, tagged


def same_event(first, second):
    """Tell what the inbox will: equal, or equal to the time slot before and young enough."""
    return first.event_id in (second.event_id, second.previous_event_id)


WEAK = sorted(set(MATRIX) - set(STRONG) - {"customer_created"})


@pytest.mark.parametrize("action", WEAK)
def test_weak_key_knows_a_retry_and_lets_the_same_thing_happen_again(action):
    document = body(action, version=MATRIX[action][0][-1])
    first = item_of(document)

    for seconds, is_same in ((10, True), (60, True), (3600, False)):
        later = item_of(document, received_at=NOW + timedelta(seconds=seconds))

        assert same_event(first, later) == is_same
        is_press = action == "incoming_rich_message_postback"
        assert later.repeat_after_s == (PRESSED_AGAIN_AFTER_S if is_press else REPEAT_AFTER_S)


@pytest.mark.parametrize("action", [each for each in SUBJECTS if each not in STRONG])
def test_everything_without_a_strong_key_says_what_it_is_about(action):
    for version in MATRIX[action][0]:
        item = item_of(body(action, version=version))

        assert item.subject != item.event_id.partition("@")[0]
        assert "w1" not in item.subject


def test_every_action_without_a_strong_key_has_a_subject():
    assert set(SUBJECTS) >= set(WEAK)
    assert set(SUBJECTS) - set(WEAK) == {"incoming_chat", "incoming_chat_thread", "tag_created"}


@pytest.mark.parametrize("action", sorted(set(STRONG) - {"tag_created"}))
def test_what_has_a_strong_key_pays_for_no_subject(action):
    assert item_of(body(action, version=MATRIX[action][0][-1])).subject is None


def test_accounts_and_families_of_versions_have_subjects_of_their_own():
    documents = [body("routing_status_set", version=version) for version in ("3.2", "3.4")]
    documents += [documents[1] | {"organization_id": "another"}]
    documents += [body("agent_status_changed", version=version) for version in ("3.0", "3.1")]

    assert len({item_of(each).subject for each in documents}) == 5


def test_tagged_untagged_and_tagged_again_are_three_events():
    ids = [
        item_of(body(action), received_at=NOW + timedelta(minutes=minutes)).event_id
        for action, minutes in (("thread_tagged", 0), ("thread_untagged", 1), ("thread_tagged", 60))
    ]

    assert len(set(ids)) == 3


def test_window_can_be_widened_for_the_old_policy_of_retries():
    document = body("thread_tagged")
    six_hours = 6 * 3600
    start = NOW.replace(hour=6, minute=0)

    first = item_of(document, received_at=start, repeat_window_s=six_hours)
    retry = item_of(document, received_at=start + timedelta(hours=5), repeat_window_s=six_hours)

    assert same_event(first, retry)
    assert retry.repeat_after_s == six_hours


def test_order_of_keys_does_not_matter():
    payload = {"tag": "bug", "thread_id": THREAD, "chat_id": CHAT}

    ids = {
        item_of(body("thread_tagged", each)).event_id
        for each in (payload, dict(reversed(payload.items())))
    }

    assert len(ids) == 1


def test_elements_of_an_array_have_ids_of_their_own():
    first, second = items_of(body("auto_accesses_updated", [{"id": "a"}, {"id": "b"}]))

    assert first.event_id != second.event_id
    alone = item_of(body("auto_accesses_updated", [{"id": "b"}]))
    assert alone.event_id == second.event_id


# Lanes and facts


@in_every_version
def test_lane_is_the_chat(action, version):
    item = item_of(body(action, version=version))

    is_about_a_chat = not action.startswith(
        (
            "agent_",
            "routing",
            "auto",
            "bot",
            "group",
            "tag",
            "customer_created",
            "incoming_customer",
        )
    )
    assert item.lane == (CHAT if is_about_a_chat else None)


@pytest.mark.parametrize("action", ["incoming_event", "customer_created"])
def test_fact_is_named_alike_in_every_version(action):
    facts = {item_of(body(action, version=version)).fact for version in MATRIX[action][0]}

    assert len(facts) == 1
    assert None not in facts


@pytest.mark.parametrize(
    ("old", "new"),
    [("thread_closed", "chat_deactivated"), ("incoming_chat_thread", "incoming_chat")],
)
def test_fact_outlives_the_name_of_its_action(old, new):
    assert (
        item_of(body(old, version="3.1")).fact == item_of(body(new, version="3.4")).fact is not None
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # The time that this is seen up to is spelt with another precision.
        ("last_seen_timestamp_updated", "events_marked_as_seen"),
        ("incoming_rich_message_postback", "incoming_rich_message_postback"),
        ("chat_user_added", "user_added_to_chat"),
        ("chat_user_removed", "user_removed_from_chat"),
        ("chat_thread_tagged", "thread_tagged"),
        ("chat_thread_untagged", "thread_untagged"),
        ("event_updated", "event_updated"),
        ("agent_status_changed", "routing_status_set"),
    ],
)
def test_what_only_time_tells_apart_is_a_near_fact_of_both_versions(old, new):
    facts = {item_of(body(old, version="3.1")).fact, item_of(body(new, version="3.2")).fact}

    assert len(facts) == 1
    assert all(map(is_near, facts))


def test_customer_who_comes_may_be_one_who_was_created():
    created = item_of(body("customer_created", version="3.2")).fact
    came = item_of(body("incoming_customer", version="3.3")).fact

    assert is_exact(created)
    assert came == near_fact(created)


def test_update_and_removal_are_other_facts_than_the_message():
    facts = {
        item_of(document).fact
        for document in (
            said(),
            body("event_deleted"),
            body("event_updated", HERE | {"event": SAID}),
        )
    }

    assert len(facts) == 3
    assert len(list(filter(is_near, facts))) == 1  # a message may be updated often


# Legacy and apps


def legacy(event_type, **data):
    return {"event_type": event_type, "token": "secret", "license_id": "1", **data}


@pytest.mark.parametrize(
    ("document", "key"),
    [
        pytest.param(legacy("chat_started", chat=LEGACY_CHAT), "chat_started:MH1", id="started"),
        pytest.param(legacy("chat_ended", chat=LEGACY_CHAT), "chat_ended:MH1:2", id="ended"),
        pytest.param(
            legacy("ticket_created", ticket={"id": "T1"}), "ticket_created:T1", id="ticket"
        ),
        pytest.param(
            legacy("canned_response_changed", canned_response={"id": 1, "modification_date": 5}),
            "canned_response_changed:1:5",
            id="canned response",
        ),
    ],
)
def test_legacy_event_with_an_id_has_a_strong_key(document, key):
    item = item_of(document)

    assert item.event_id == f"legacy:1:{key}"
    assert item.repeat_after_s is None


@pytest.mark.parametrize("event_type", ["chat_started", "chat_changed", "visitor_queued", "other"])
def test_legacy_event_with_a_unique_id_is_known_for_ever(event_type):
    document = legacy(event_type, visitor={"id": "S1"}, event_unique_id="u1")
    first, hours_later = (
        item_of(document, received_at=NOW + timedelta(hours=hours)) for hours in (0, 6)
    )

    assert first.event_id == hours_later.event_id == f"legacy:1:{event_type}:u1"
    assert first.repeat_after_s is None
    assert item_of(document | {"event_unique_id": "u2"}).event_id != first.event_id


def test_unique_id_changes_no_id_that_was_strong_without_it():
    document = legacy("chat_ended", chat=LEGACY_CHAT)

    assert item_of(document | {"event_unique_id": "u1"}).event_id == item_of(document).event_id


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(legacy("chat_started"), id="nothing registered"),
        pytest.param(legacy("chat_ended", chat={"id": "MH1"}), id="ended without a time"),
        pytest.param(legacy("chat_changed", chat=LEGACY_CHAT), id="tags changed"),
        pytest.param(legacy("visitor_queued", visitor={"id": "S1"}), id="queued"),
        pytest.param(legacy("from_tomorrow", chat=LEGACY_CHAT), id="unknown"),
    ],
)
def test_legacy_event_that_may_happen_again_has_a_weak_key(document):
    first, retry, later = (
        item_of(document, received_at=NOW + timedelta(seconds=seconds)) for seconds in (0, 60, 3600)
    )

    assert same_event(first, retry)
    assert not same_event(first, later)


def test_tags_that_differ_make_another_event():
    other = LEGACY_CHAT | {"tags": ["a", "b"]}

    ids = {item_of(legacy("chat_changed", chat=chat)).event_id for chat in (LEGACY_CHAT, other)}

    assert len(ids) == 2


def test_legacy_token_is_in_no_id_and_no_hash():
    first, second = (
        item_of(legacy("visitor_queued") | {"token": token}) for token in ("one", "two")
    )

    assert (first.event_id, first.content_hash) == (second.event_id, second.content_hash)
    assert "token" not in first.raw


def test_date_tells_events_of_an_app_apart():
    installed = {"event": "application_installed", "applicationID": "a"}
    first, later = (
        item_of(installed | {"date": date}, received_at=NOW + timedelta(days=days))
        for date, days in (("2020-09-14T15:29:53+02:00", 0), ("2020-09-15T15:29:53+02:00", 1))
    )

    assert first.event_id != later.event_id
    assert first.repeat_after_s is None


@in_one("sample", LIVECHAT_SAMPLES, ids=sample_id)
def test_no_id_of_a_sample_holds_its_registration_or_its_secret(sample):
    for item in split_body(PROVIDER, sample.read_bytes()):
        document = item.payload.document

        for key in ("webhook_id", "secret_key", "token"):
            assert str(document.get(key, "none")) not in item.event_id


def test_every_version_is_tested_here():
    assert {version for versions, _, _ in MATRIX.values() for version in versions} == set(ALL)
    assert AGENT in str(MATRIX)
