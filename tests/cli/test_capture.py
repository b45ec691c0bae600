"""``flask hookkit capture``: a stored event as a file that a test reads, and nobody in it."""

import json
from datetime import UTC, datetime

import pytest

from hookkit import HookKit
from hookkit.cli.flask_commands.capture import words_of
from hookkit.core.masking import masked_alike
from hookkit.core.provider import normalize, split
from hookkit.providers import load_providers
from hookkit.testing import PayloadMaker, list_samples
from tests.applications import SECRET, make_app, message, post
from tests.folding import in_one
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.testing_helpers.test_samples import NOW


@pytest.fixture
def app(tmp_path):
    return make_app(HookKit(), HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db")


KEY = shared_key()


def capture(app, *arguments):
    return app.test_cli_runner().invoke(args=["hookkit", "capture", *arguments])


def said(text="My name is Ana Rivera"):
    body = message(text=text)
    user = body["events"][0]["payload"]["message"]["author"]["user"]
    user["profile"] = {"email": "ana@example.org", "givenName": "Ana", "surname": "Rivera"}
    return body


def test_captured_event_holds_nothing_that_a_person_wrote_or_is(app):
    post(app.test_client(), said())

    captured = capture(app, "1")

    assert captured.exit_code == 0
    assert [word for word in ("Ana", "Rivera", "example.org") if word in captured.stdout] == []
    assert json.loads(captured.stdout)["version"] == "v2"
    assert captured.stderr == ""


def test_captured_event_is_delivered_by_a_test(app, tmp_path, hookkit_client, hookkit_sample):
    hookkit_client.deliver("support", said())
    (tmp_path / "entry.json").write_text(capture(app, "1").stdout)

    again = hookkit_client.deliver("support", hookkit_sample(tmp_path / "entry.json"))

    assert (again.new, again.entries[0].event_type) == (1, "conversation:message")


def test_of_several_events_in_one_body_all_are_captured(app):
    body = message()
    body["events"] += message("event-2")["events"]
    post(app.test_client(), body)

    assert len(json.loads(capture(app, "2").stdout)["document"]["events"]) == 2


@pytest.mark.parametrize("body", [b"{", b"not json"])
def test_body_that_cannot_be_decoded_is_told(app, body):
    post(app.test_client(), body)

    failed = capture(app, "1")

    assert (failed.exit_code, failed.stderr) == (1, "Error: body: not JSON\n")


def test_entry_that_is_not_there_is_told(app):
    post(app.test_client(), message())

    assert capture(app, "7").stderr == "Error: there is no entry 7\n"
    assert capture(app, "seven").exit_code == 2


def test_body_that_was_deleted_is_told(app):
    post(app.test_client(), message())
    late = datetime(2100, 1, 1, tzinfo=UTC)
    app.extensions["hookkit"].opening.inbox().prune(bodies_before=late, ids_before=NOW)

    assert (
        "entry 1 has no body to capture (deleted): flask hookkit show 1" in capture(app, "1").stderr
    )


class TestOfAnotherVendor:
    @pytest.fixture
    def app(self):
        return make_app(
            HookKit(),
            HOOKKIT_ENDPOINTS={"desk": {"provider": "8x8", "keys": public_pem_of(KEY)}},
        )

    @pytest.fixture
    def hookkit_secrets(self):
        return {"desk": pem_of(KEY).decode()}

    def test_event_that_is_read_otherwise_without_its_words_is_told(
        self, app, hookkit_client, hookkit_sample
    ):
        hookkit_client.deliver("desk", hookkit_sample("8x8", trigger="ACTIVITY.typing"))

        told = "masked, it is read as other, and not as conversation:typing: see to the words"
        assert capture(app, "1").stderr.startswith(told)


def test_endpoint_that_is_gone_is_told(app, tmp_path):
    post(app.test_client(), message())
    renamed = make_app(
        HookKit(),
        HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db",
        HOOKKIT_ENDPOINTS={"help": {"provider": "sunshine", "secrets": [SECRET]}},
    )

    assert (
        "endpoint 'support', which HOOKKIT_ENDPOINTS does not have" in capture(renamed, "1").stderr
    )


SAMPLES = [
    (provider, sample)
    for provider in load_providers().values()
    for sample in list_samples(provider)
]


@in_one(
    "provider, sample",
    SAMPLES,
    ids=lambda each: f"{each[0].name}-{each[1].version}-{each[1].name}",
)
def test_masked_sample_is_read_as_the_sample_is(provider, sample):
    document = provider.decode(sample.body)

    types = [
        [
            normalize(provider, item).type
            for item in split(
                provider,
                endpoint="",
                body=sample.body,
                headers=sample.headers,
                received_at=NOW,
                document=each,
            )
        ]
        for each in (document, masked_alike(document, words_of(provider)))
    ]

    # The word for what somebody does stands where 8x8 has names, too. The command says so.
    if not sample.name.startswith("ACTIVITY."):
        assert types[0] == types[1]


def test_captured_document_is_an_event_of_its_own_each_time(tmp_path, app):
    post(app.test_client(), message())
    (tmp_path / "entry.json").write_text(capture(app, "1").stdout)
    make = PayloadMaker(lambda: NOW)

    ids = {make(tmp_path / "entry.json").document["events"][0]["id"] for _ in range(2)}

    assert len(ids) == 2
