"""What people may see of a payload, of an event and of an error."""

import json
import re
from datetime import UTC, datetime

import pytest

from hookkit.core.content import Location
from hookkit.core.masking import masked, masked_alike, masked_error, masked_id, shown
from hookkit.core.parts import AuthorType
from hookkit.providers import load_providers
from hookkit.testing import list_samples

NOW = datetime(2026, 3, 1, 10, 0, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        (AuthorType.USER, "actor.type", "user"),
        (NOW, "occurred_at", "2026-03-01T10:00:05.123+00:00"),
        ("2026-03-01T10:00:05Z", "note", "2026-03-01T10:00:05Z"),
        (True, "user.authenticated", "true"),
        (7, "message.content.media_size", "7"),
        ("whatsapp", "source.type", "whatsapp"),
        ("Ana Rivera", "source.type", "text of 10 characters"),
        ("x" * 65, "conversation.id", "text of 65 characters"),
        ("+15145550123", "client.external_id", "text of 12 characters"),
        ("+15145550123", "delivery.destination.destination_id", "text of 12 characters"),
        (45.5, "message.content.latitude", "a float"),
        ({"plan": "pro"}, "user.metadata", "object of 1 key"),
        (("a", "b"), "tags", "array of 2 elements"),
        (Location(), "message.content", "a Location"),
    ],
)
def test_what_is_shown(value, path, text):
    assert shown(value, path) == text


def test_structure_words_ids_and_times_of_a_payload_stay():
    document = {
        "trigger": "message:appUser",
        "appUser": {
            "_id": "5f1a",
            "userId": "u-1",
            "givenName": "Ana",
            "hasStarted": True,
        },
        "messages": [{"type": "text", "text": "Hi, I am Ana", "received": 1771234567.891}],
        "createdAt": "2026-03-01T10:00:05.123Z",
        "phone": 15145550123,
        "count": 7,
        "coordinates": {"lat": 45.5},
    }

    assert masked(document) == {
        "trigger": "message:appUser",
        "appUser": {
            "_id": "5f1a",
            "userId": "u-1",
            "givenName": "text of 3 characters",
            "hasStarted": True,
        },
        "messages": [{"type": "text", "text": "text of 12 characters", "received": 1771234567.891}],
        "createdAt": "2026-03-01T10:00:05.123Z",
        "phone": "a number",
        "count": 7,
        "coordinates": {"lat": "a number"},
    }


def test_keys_that_people_chose_are_masked_and_what_is_too_deep_is_cut():
    deep = []
    for _ in range(10_000):
        deep = [deep]

    assert masked({"ana@example.org": 1, "+15145550123": None, "": 2}) == {
        "text of 15 characters": 1,
        "text of 12 characters": None,
        "text of 0 characters": 2,
    }
    assert json.dumps(masked(deep)).endswith('"\\u2026"' + "]" * 101)


@pytest.mark.parametrize("provider", load_providers().values(), ids=lambda each: each.name)
def test_no_text_of_a_message_is_left_in_any_sample(provider):
    for sample in list_samples(provider):
        text = json.dumps(masked(provider.decode(sample.body)))
        left = re.sub(r"text of \d+ characters?|a number", "", text)
        assert "@" not in left, sample.name
        assert not re.search(r"\w \w", left), sample.name


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("KeyError: 'shipping'", "KeyError: '…'"),
        ("no order of ana@example.org today", "no order of …@… today"),
        ("call +1 (514) 555-0123 again", "call # again"),
        ("GET https://a.example/x?token=abc&q=1 failed", "GET https://a.example/x?… failed"),
        ("https://ana:pass@a.example/x", "https://…@a.example/x"),
        ('bad "Hello, I am Ana" here', "bad '…' here"),
        ("the order service is away, code 503", "the order service is away, code 503"),
    ],
)
def test_error_keeps_its_sense_and_loses_what_is_personal(text, left):
    assert masked_error(text) == left


@pytest.mark.parametrize(
    ("event_id", "shown_as"),
    [
        ("event-1", "event-1"),
        ("0197a1b2-33c4-7d55-8e66-77f800000000", "0197a1b2-33c4-7d55-8e66-77f800000000"),
        ("message:wamid.HBgLMTUx==", "message:wamid.HBgLMTUx=="),
        ("~chat:17:2019-12-09T12%3A01%3A18.909000Z", "~chat:17:2019-12-09T12%3A01%3A18.909000Z"),
        ("+49 170 1234567:+491701234567", "#:#"),
        ("491701234567", "#"),
        ("agent:ada@example.com", "agent:text of 15 characters"),
        ("tag:Ada Lovelace:", "tag:text of 12 characters:"),
        ("tag:Ada%2520Lovelace", "tag:text of 14 characters"),
        ("", ""),
    ],
)
def test_id_is_shown_without_what_a_person_is_called(event_id, shown_as):
    assert masked_id(event_id) == shown_as


@pytest.mark.parametrize(
    ("value", "alike"),
    [
        ("ana@example.org", "person@example.com"),
        ("https://files.example.org/ana.jpg", "https://example.com/masked"),
        ("+1 514 555-0123", "+0 000 000-0000"),
        ("Ana Rivera", "text of 10 characters"),
        ("", ""),
        ('{"name": "Ana"}', '{"name": "text of 3 characters"}'),
        ("{no JSON", "text of 8 characters"),
        ("[" * 100_000, "text of 100000 characters"),
        ("1" * 100_000, "text of 100000 characters"),
        (15145550123, 10000000000),
        (-15145550123, -10000000000),
        (45.508, 1.5),
    ],
)
def test_value_is_masked_by_another_of_its_kind(value, alike):
    assert masked_alike({"note": value}) == {"note": alike}


def test_telephone_number_in_an_id_becomes_a_number_of_its_own():
    alike = masked_alike({"user_id": "+491707654321", "id": "a:17012345678", "chat_id": "a:b"})

    assert alike == {"user_id": "+000000000001", "id": "a:00000000002", "chat_id": "a:b"}
    assert masked({"user_id": "+491707654321", "id": "a:17012345678"}) == {
        "user_id": "#",
        "id": "a:#",
    }
