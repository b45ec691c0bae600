import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import HookkitError
from hookkit.core.delivery import Delivery
from hookkit.core.provider import parse, split
from hookkit.core.scheme import KeyScheme
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.signatures.rsa import read_key
from hookkit.testing import Sample, find_provider, find_sample, freshen, list_samples, sign
from tests.folding import in_one
from tests.key_server import pem_of, public_pem_of, shared_key

NOW = datetime(2024, 3, 1, 10, 0, 5, tzinfo=UTC)
SUNSHINE = find_provider("sunshine")
SAMPLES = list_samples(SUNSHINE)
EVERY_SAMPLE = [
    each
    for name, provider in load_providers().items()
    if name not in SENDERS
    for each in list_samples(provider)
]


EIGHT_VERSIONS = list(find_provider("8x8").versions)
KEY = shared_key()


def name_of(sample):
    return f"{sample.version}-{sample.name}"


def event_ids(sample, received_at):
    provider = find_provider(sample.provider)
    document = freshen(sample.document(), provider.versions[sample.version], now=received_at)
    body = json.dumps(document).encode()
    items = split(provider, endpoint="support", body=body, headers={}, received_at=received_at)
    return {item.event_id for item in items}


def test_expectations_are_no_samples():
    assert SAMPLES != []
    assert [sample.name for sample in SAMPLES if "expected" in sample.name] == []


def test_plain_sample_comes_before_its_variants():
    names = [sample.name for sample in list_samples(SUNSHINE, "v2")]

    assert names == sorted(names)


@in_one("sample", SAMPLES, ids=name_of)
def test_every_sample_can_be_found_by_its_name(sample):
    assert find_sample(SUNSHINE, sample.version, sample.name) == sample


#: Say that a chat has started, or that the URL is tried, and neither which nor when.
NAMELESS = {"chat_started.minimal", "WEB_HOOK_VERIFY"}


@in_one("sample", [each for each in EVERY_SAMPLE if each.name not in NAMELESS], ids=name_of)
def test_fresh_sample_is_a_new_event(sample):
    first, second = event_ids(sample, NOW), event_ids(sample, NOW + timedelta(seconds=1))

    assert first.isdisjoint(second)


@in_one("sample", EVERY_SAMPLE, ids=name_of)
def test_signed_sample_is_verified(sample):
    scheme = find_provider(sample.provider).scheme
    is_by_key = isinstance(scheme, KeyScheme)
    secret = pem_of(KEY).decode() if is_by_key else "a-secret-of-this-test"

    signed = sign(find_provider(sample.provider), sample.document(), secret=secret, now=NOW)

    delivery = Delivery(
        endpoint="support", body=signed.body, headers=dict(signed.headers), received_at=NOW
    )
    if is_by_key:
        assert scheme.verify(scheme.read_proof(delivery), [read_key(public_pem_of(KEY))]).key
    else:
        assert scheme.verify(delivery, [b"other", secret.encode()]).secret_index == 1


def test_vendor_that_signs_with_a_key_needs_one():
    with pytest.raises(HookkitError, match="secret: must be a private RSA key"):
        sign(find_provider("8x8"), b"{}", secret="a-secret-of-this-test")


def test_time_of_a_proof_is_now():
    signed = sign(find_provider("8x8"), b"{}", secret=pem_of(KEY).decode())

    sent = datetime.fromtimestamp(int(signed.headers["x-8x8-transmission-time"]) / 1000, UTC)
    assert abs(datetime.now(UTC) - sent) < timedelta(minutes=1)


def test_default_of_8x8_is_an_agents_text_message():
    # Of customers the Chat API sends nothing; the gateway may.
    found = {version: find_sample(find_provider("8x8"), version).name for version in EIGHT_VERSIONS}

    assert found == {"v1.0": "TEXT", "v2.0": "TEXT", "Chat Gateway v1.0": "MESSAGE.user"}


def test_sample_brings_the_headers_that_belong_to_it():
    provider = find_provider("8x8")

    assert find_sample(provider, "v2.0", "TEXT").headers["x-8x8-retry"] == "0"
    assert find_sample(provider, "v1.0", "TEXT").headers == {}
    assert find_sample(SUNSHINE).headers == {}


def test_default_of_livechat_is_a_text_message_of_its_newest_version():
    sample = find_sample(find_provider("livechat"))

    assert (sample.version, sample.name) == ("3.7", "incoming_event")
    older = find_sample(find_provider("livechat"), trigger="chat_access_set.preview")
    assert older.version == "3.2"


@pytest.mark.parametrize(
    ("version", "trigger", "name"),
    [
        (None, None, "conversation-message"),
        ("v1.1", None, "message-appUser"),
        ("v1.1", "message:appUser", "message-appUser"),
        ("v1.1", "message:appUser.image", "message-appUser.image"),
        ("v2", "switchboard:offerControl:failure", "switchboard-offerControl-failure"),
        ("v2", "_unknown-event", "_unknown-event"),
    ],
)
def test_vendor_word_or_name_chooses_the_sample(version, trigger, name):
    assert find_sample(SUNSHINE, version, trigger).name == name


@pytest.mark.parametrize("version", list(SUNSHINE.versions))
def test_default_is_a_text_message_without_a_variant(version):
    assert "." not in find_sample(SUNSHINE, version).name


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        pytest.param(
            "conversation:raed",
            "sunshine v2 has no sample 'conversation:raed'; did you mean conversation-read",
            id="misspelt",
        ),
        pytest.param(
            "control",
            "sunshine v2 has no sample 'control'; did you mean switchboard-acceptControl",
            id="a part",
        ),
        pytest.param("xyzzy", "sunshine v2 has no sample 'xyzzy'", id="nothing near"),
        pytest.param("", "sunshine v2 has no sample ''", id="empty"),
    ],
)
def test_unknown_trigger_is_told_with_the_nearest_ones(trigger, message):
    with pytest.raises(HookkitError) as refused:
        find_sample(SUNSHINE, "v2", trigger)

    assert str(refused.value).startswith(message)


def test_unknown_provider_is_told_with_those_there_are():
    with pytest.raises(HookkitError) as refused:
        find_provider("moonshine")

    known = ", ".join(sorted(load_providers()))
    assert str(refused.value) == f"provider 'moonshine' is not known; known are {known}"


def test_unknown_version_is_told_with_those_there_are():
    with pytest.raises(HookkitError) as refused:
        list_samples(SUNSHINE, "v3")

    assert str(refused.value) == "sunshine has no version 'v3'; it has v1, v1.1, v2"


def test_provider_without_samples_has_none():
    provider = replace(SUNSHINE, name="moonshine")

    with pytest.raises(HookkitError) as refused:
        find_sample(provider)

    assert list_samples(provider) == []
    assert str(refused.value) == "moonshine v2 has no sample of a customer's text message"


@pytest.mark.parametrize("payload", [{"trigger": "postback"}, b"\xff"], ids=["document", "bytes"])
def test_signed_payload_is_verified(payload):
    secret = "Schlüssel zum Glück"
    signed = sign(SUNSHINE, payload, secret=secret)
    delivery = Delivery(
        endpoint="support", body=signed.body, headers=signed.headers, received_at=NOW
    )

    verified = SUNSHINE.scheme.verify(delivery, [secret.encode()])

    assert parse(SUNSHINE, verified).body == signed.body


def test_secret_of_a_signed_delivery_is_in_no_repr():
    assert "some long secret" not in repr(sign(SUNSHINE, {}, secret="some long secret"))


def test_sample_is_decoded_anew_with_every_call():
    sample = Sample(provider="sunshine", version="v2", name="x", body=b'{"events": []}')

    sample.document()["events"].append("changed")

    assert sample.document() == {"events": []}


def test_version_without_samples_has_none():
    newer = replace(SUNSHINE, versions={**SUNSHINE.versions, "v9": SUNSHINE.versions["v2"]})

    assert list_samples(newer, "v9") == []
