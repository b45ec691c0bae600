"""Bodies that were once read wrongly, as their senders wrote them, with invented people."""

import json

import pytest

from hookkit.core.content import File, Image, Location, Text, UnknownContent
from hookkit.core.event import EventType
from hookkit.core.parts import AuthorType, Message, Referral
from hookkit.core.triggers import explain
from hookkit.providers import load_providers
from tests.providers.documented import CASES
from tests.providers.reading import read
from tests.providers.sunshine_bodies import read_one, v1, v1_1, v1_message, v2, v2_message


def read_case(name, provider="sunshine"):
    body = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    (event,) = read(load_providers()[provider], body)
    return event


def fires(word, event):
    return explain(word, {name: each.triggers for name, each in load_providers().items()}).fits(
        event
    )


def test_device_of_an_sdk_client_is_where_messages_have_theirs():
    event = read_case("v11_client_add_ios")

    device = event.source.device
    assert (device.id, device.type, device.integration_id) == ("5d9", "ios", "int-ios")
    assert (device.push_token, device.app_version, device.info) == ("tok9", "3.1", {"os": "iOS"})
    assert (event.client.type, event.client.device) == ("sdk", device)


def test_devices_of_a_users_clients_are_kept():
    (client,) = read_case("v1_no_type_metadata_list").user.clients

    assert (client.device.type, client.device.push_token) == ("ios", "tok")


@pytest.mark.parametrize(
    "body",
    [
        v1_1("client:add", clients=[{"_id": "d", "platform": "ios", "appVersion": "3.1"}]),
        v1_1("client:remove", client={"_id": "d", "platform": "ios", "appVersion": "3.1"}),
        v2(
            "client:add",
            {
                "client": {"id": "c", "type": "sdk"},
                "source": {
                    "type": "ios",
                    "device": {"id": "d", "type": "ios", "clientId": "c", "appVersion": "3.1"},
                },
            },
        ),
    ],
    ids=["clients", "client", "v2"],
)
def test_device_of_the_client_is_there_in_every_version(body):
    event = read_one(body)

    assert (event.source.device.id, event.source.device.app_version) == ("d", "3.1")
    assert event.client.device == event.source.device


def test_device_of_another_client_is_not_that_of_the_client():
    device = {"id": "d", "clientId": "another"}
    source = {"type": "ios", "client": {"id": "c", "type": "sdk"}, "device": device}
    event = read_one(v2("conversation:postback", {"source": source, "postback": {}}))

    assert event.source.device.client_id == "another"
    assert event.source.client.device is None


@pytest.mark.parametrize(
    ("trigger", "keys"),
    [
        ("message:delivery:user", {"message": {"_id": "m"}, "destination": {"type": "ios"}}),
        ("postback", {"postbacks": [{"action": {"payload": "x"}}]}),
        ("conversation:read", {}),
        ("conversation:start", {}),
        ("conversation:referral", {}),
        ("typing:appUser", {"activity": {"type": "typing:start"}}),
        ("appUser:delete", {}),
        ("client:add", {"clients": [{"_id": "c", "platform": "whatsapp"}]}),
        ("payment:success", {"payments": [{}]}),
    ],
)
def test_client_that_an_event_came_through_is_in_its_source(trigger, keys):
    event = read_one(v1_1(trigger, client={"_id": "d", "platform": "ios"}, **keys))

    assert event.source.client.type == "sdk"
    assert event.source.client.device == event.source.device
    assert (event.source.device.id, event.source.device.type) == ("d", "ios")


@pytest.mark.parametrize("name", ["v2_create_ctwa", "v2_referral_ctwa_raw_only"])
def test_words_of_the_channel_about_a_client_are_kept(name):
    client = read_case(name).source.client

    assert client.raw["profile"] == {"name": "Ana"}
    assert client.raw["referral"]["ctwa_clid"] == "ARinventedclick"


def test_profile_of_a_channel_is_kept():
    event = read_case("v2_line_full_source_raw")

    assert event.message.source.client.raw["language"] == "th"
    assert event.conversation.brand_id == "55988942200001"


def test_click_on_an_ad_is_a_referral_and_no_start():
    event = read_case("v2_referral_ctwa_raw_only")

    assert event.type is EventType.REFERRAL
    assert "start" not in event.extra
    assert event.referral.details["headline"] == "Spring sale"
    assert not fires("conversation:start", event)


@pytest.mark.parametrize("version", ["v1.1", "v2"])
@pytest.mark.parametrize("said", [{}, {"referral": {}}], ids=["nothing", "empty"])
@pytest.mark.parametrize("kind", ["referral", "create"])
def test_ad_of_the_client_is_the_referral_in_every_version(version, said, kind):
    raw = {"referral": {"ctwa_clid": "x", "headline": "Spring sale"}}
    if version == "v2":
        source = {"type": "whatsapp", "client": {"raw": raw}}
        body = v2(f"conversation:{kind}", {"source": source, "user": {"id": "u"}} | said)
    else:
        client = {"_id": "c", "platform": "whatsapp", "raw": raw}
        trigger = "conversation:start" if kind == "create" else "conversation:referral"
        body = v1_1(trigger, source={"type": "whatsapp"}, client=client, **said)

    event = read_one(body)

    assert event.referral == Referral(details=raw["referral"])
    assert "start" not in event.extra


def test_referral_that_is_said_counts_before_the_ad_of_the_client():
    source = {"client": {"raw": {"referral": {"ctwa_clid": "x"}}}}
    event = read_one(
        v2("conversation:referral", {"source": source, "referral": {"code": "spring"}})
    )

    assert event.referral.code == "spring"
    assert "ctwa_clid" not in event.referral.details


def test_client_without_an_ad_is_a_start():
    source = {"type": "whatsapp", "client": {"raw": {"referral": "?"}}}
    event = read_one(v2("conversation:referral", {"source": source, "user": {"id": "u"}}))

    assert event.extra["start"] is True
    assert fires("conversation:start", event)


def test_ids_that_link_to_the_ticket_are_kept():
    user = read_case("v2_user_update_zendeskid").user

    assert (user.zendesk_id, user.brand_id) == ("30045042290001", "9477922990001")
    assert read_case("v2_whatsapp_reply_brandid").conversation.brand_id == "7053819900001"


def test_pressed_message_is_kept_whole():
    postback = read_case("v11_postback_message_metadata").postback

    assert (postback.message_id, postback.text, postback.payload) == ("m11", "Good", "GOOD")
    assert postback.message.metadata["actionId"] == "act-1"
    assert postback.message.content.actions[0].text == "Good"


def test_error_of_the_api_is_read_in_its_older_and_its_newer_form():
    error = read_case("v2_acceptcontrol_failure_error").error

    assert (error.code, error.message) == ("404", "Not found")
    assert error.raw["reason"] == "no pending integration"
    newer = {"code": "bad_request", "status": 400, "description": "No such integration"}
    event = read_one(v2("switchboard:passControl:failure", {"error": newer}))
    assert (event.error.code, event.error.message) == ("bad_request", "No such integration")


def test_message_of_v1_needs_no_type():
    event = read_case("v1_no_type_metadata_list")

    assert event.message.content == Text(text="Hi! Do you have time?")
    assert (event.message.metadata, event.problems) == ({}, ())


@pytest.mark.parametrize(
    ("keys", "content"),
    [
        ({"mediaUrl": "u", "mediaType": "image/png"}, Image(media_url="u", media_type="image/png")),
        ({"mediaUrl": "u", "mediaType": "audio/ogg"}, File(media_url="u", media_type="audio/ogg")),
        ({"mediaUrl": "u"}, File(media_url="u")),
        ({"text": ""}, Text()),
        ({"coordinates": {"lat": 1, "long": 2}}, Location(lat=1.0, long=2.0)),
    ],
)
def test_content_of_v1_without_a_type_is_told_by_its_keys(keys, content):
    message = v1_message(type=None, text=None) | keys

    assert read_one(v1("message", messages=[message])).message.content == content


def test_content_without_a_type_that_no_key_tells_is_kept():
    message = v1_message(type=None, text=None) | {"items": [{"title": "Shoes"}]}
    content = read_one(v1("message", messages=[message])).message.content

    assert isinstance(content, UnknownContent)
    assert content.body["items"] == [{"title": "Shoes"}]


def test_more_keys_in_the_message_of_a_report_are_no_content():
    event = read_case("v11_delivery_additive")

    assert event.message == Message(id="m36", metadata={"orderId": "77"})
    assert event.problems == ()


@pytest.mark.parametrize(
    "payload",
    [
        {"message": v2_message(author={"userId": "u", "displayName": "Ana"})},
        {"message": v2_message(author={"user": {"id": "u"}})},
    ],
)
def test_author_without_a_type_is_the_user_whom_it_names(payload):
    author = read_one(v2("conversation:message", payload)).actor

    assert (author.type, author.inferred) == (AuthorType.USER, True)
    business = {"message": v2_message(author={"displayName": "Ben"})}
    assert read_one(v2("conversation:message", business)).actor.type is AuthorType.UNKNOWN


@pytest.mark.parametrize(("role", "author"), [("appUser", "user"), ("appMaker", "business")])
def test_trigger_names_the_author_of_a_deleted_message_too(role, author):
    message = v1_message(role=None, deleted=True)
    event = read_one(v1_1(f"message:{role}", messages=[message]))

    assert event.type is EventType.MESSAGE_REMOVE
    assert (event.actor.type.value, event.actor.inferred) == (author, True)


def test_trigger_names_the_author_where_the_message_does_not():
    event = read_case("v11_message_without_role")

    assert event.actor.type is AuthorType.USER
    assert event.actor.inferred


def test_button_of_a_channel_is_a_postback():
    event = read_case("8x8_activity_button_reply", "8x8")

    assert (event.postback.payload, event.postback.text) == ("btn-1", "Yes")


def test_receipt_says_who_has_read_and_when():
    event = read_case("8x8_activity_read_receipts", "8x8")

    assert event.read_at == event.occurred_at
    assert (event.actor.type, event.actor.user_id) == (AuthorType.BUSINESS, "agent-abc")


def test_any_activity_fires_the_word_of_the_vendor():
    event = read_case("8x8_cpaas_other_name", "8x8")

    assert event.type is EventType.OTHER
    assert fires("ACTIVITY", event)
    assert fires("8x8/ACTIVITY", event)
