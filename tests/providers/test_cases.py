"""Bodies that were once read wrongly, as their senders wrote them, with invented people."""

import json
from pathlib import Path

import pytest

from hookkit.core.content import File, Image, Text
from hookkit.core.event import EventType
from hookkit.core.parts import AuthorType, Message
from hookkit.core.triggers import explain
from hookkit.providers import load_providers
from tests.providers.reading import read
from tests.providers.sunshine_bodies import read_one, v1, v1_message, v2

CASES = Path(__file__).parent / "cases"


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
    ],
)
def test_content_of_v1_without_a_type_is_told_by_its_keys(keys, content):
    message = v1_message(type=None, text=None) | keys

    assert read_one(v1("message", messages=[message])).message.content == content


def test_more_keys_in_the_message_of_a_report_are_no_content():
    event = read_case("v11_delivery_additive")

    assert event.message == Message(id="m36", metadata={"orderId": "77"})
    assert event.problems == ()


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
