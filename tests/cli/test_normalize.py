"""``hookkit normalize``: what an endpoint would read in a body."""

import json
import subprocess
import sys

import pytest

from hookkit.providers import load_providers
from hookkit.schemas.event import EventSchema
from hookkit.senders import SENDERS
from hookkit.testing import find_provider, list_samples
from tests.cli.serving import SECRET, run

VENDORS = [name for name in load_providers() if name not in SENDERS]
MESSAGE = {
    "webhook": {"version": "v2"},
    "events": [
        {
            "id": "1",
            "type": "conversation:message",
            "createdAt": "2026-03-01T09:00:00.000Z",
            "payload": {
                "conversation": {"id": "2", "type": "personal"},
                "message": {
                    "id": "3",
                    "author": {"type": "user", "userId": "4"},
                    "content": {"type": "text", "text": "Grüße \u202e\x1b[2K\x7f"},
                },
            },
        }
    ],
}


def normalize(body, *options):
    stdin = body if isinstance(body, bytes) else json.dumps(body).encode()
    return run("normalize", "-", *options, stdin=stdin)


def test_event_is_printed_as_the_schema_loads_it():
    result = normalize(MESSAGE)

    found = json.loads(result.output)
    (event,) = EventSchema().load(found["events"], many=True)
    assert result.exit_code == 0
    assert (found["provider"], found["version"]) == ("sunshine", "v2")
    assert event.message.text == MESSAGE["events"][0]["payload"]["message"]["content"]["text"]


def test_text_is_readable_and_steers_no_terminal():
    printed = normalize(MESSAGE).output

    assert r"Grüße \u202e\u001b[2K\u007f" in printed
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize("name", VENDORS)
def test_vendor_of_every_sample_is_recognized(name):
    provider = find_provider(name)
    for sample in list_samples(provider):
        headers = [f"{key}: {value}" for key, value in sample.headers.items()]
        options = [word for header in headers for word in ("--header", header)]

        named = normalize(sample.body, "--provider", name, *options)
        found = normalize(sample.body, *options)

        # A body that nobody understands shows no vendor either.
        if named.exit_code == 0:
            assert json.loads(found.output)["provider"] == name, (sample.version, sample.name)


def test_field_that_nothing_but_raw_holds_is_named():
    body = json.loads(json.dumps(MESSAGE))
    message = body["events"][0]["payload"]["message"]
    message["mood"] = {"is": "new"}
    message["content"]["mood"] = "new"

    (event,) = json.loads(normalize(body).output)["events"]

    assert event["unread_fields"] == ["payload.message.content.mood", "payload.message.mood"]
    assert "unread_fields" not in normalize(MESSAGE).output


def test_event_that_is_not_understood_makes_the_status_1():
    body = json.loads(json.dumps(MESSAGE))
    body["events"].append({"id": "2", "type": "conversation:reaction"})

    result = normalize(body)

    assert result.exit_code == 1
    types = [each["type"] for each in json.loads(result.output)["events"]]
    assert types == ["conversation:message", "unknown"]


def test_problems_of_an_event_that_is_understood_are_printed():
    body = json.loads(json.dumps(MESSAGE))
    body["events"][0]["payload"]["message"]["received"] = "yesterday"

    result = normalize(body)

    assert result.exit_code == 0
    assert json.loads(result.output)["events"][0]["problems"]


def test_secret_in_a_body_is_not_printed():
    sent = run("send", "http://127.0.0.1/", "--provider", "livechat", "--secret", SECRET, "--print")

    result = normalize(sent.stdout_bytes)

    assert json.loads(result.output)["provider"] == "livechat"
    assert SECRET not in result.output


def test_version_can_be_named():
    old = {"trigger": "message:appUser", "app": {"_id": "1"}, "messages": [], "version": "v1.1"}

    assert json.loads(normalize(old, "--version", "v1").output)["version"] == "v1"


def test_headers_of_a_request_count_as_those_of_options():
    body = b'{"zen": "x"}'
    request = b"POST /hooks HTTP/1.1\nX-GitHub-Event: ping\n\n" + body

    of_request = normalize(request, "--provider", "github")
    of_option = normalize(body, "--provider", "github", "--header", "X-GitHub-Event: ping")

    assert json.loads(of_request.output)["events"][0]["vendor_type"] == "ping"
    assert json.loads(of_option.output)["events"][0]["vendor_type"] == "ping"


@pytest.mark.parametrize(
    ("body", "options", "printed"),
    [
        (b"oops", [], "it looks like no vendor's payload: give --provider"),
        (b"{}", ["--provider", "moonshine"], "provider 'moonshine' is not known"),
        (b"{}", ["--provider", "sunshine", "--version", "v9"], "it has v1, v1.1, v2"),
        (b"{}", ["--header", "no colon"], "is not NAME: VALUE"),
        (b"POST / HTTP/1.1\r\nno header\r\n\r\n{}", [], "line 2 is no header"),
    ],
)
def test_mistake_is_a_sentence_and_status_2(body, options, printed):
    result = normalize(body, *options)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())


def test_body_that_is_no_json_is_an_event_that_is_not_understood():
    result = normalize(b"oops", "--provider", "sunshine")

    assert result.exit_code == 1
    assert json.loads(result.output)["events"][0]["problems"] == ["body: not JSON"]


def test_samples_signed_and_normalized_by_processes():
    command = [sys.executable, "-m", "hookkit.cli.main"]
    shown = subprocess.run([*command, "samples", "show", "--raw"], capture_output=True, check=True)

    signed = subprocess.run(
        [*command, "sign", "--secret", SECRET, "--http", "http://localhost/hooks/support"],
        input=shown.stdout,
        capture_output=True,
        check=True,
    )
    read = subprocess.run(
        [*command, "normalize", "-"], input=signed.stdout, capture_output=True, check=True
    )

    assert json.loads(read.stdout)["events"][0]["type"] == "conversation:message"


def test_event_with_many_fields_is_read_once():
    body = json.loads(json.dumps(MESSAGE))
    body["events"][0]["payload"]["message"]["many"] = {str(number): 1 for number in range(20_000)}

    result = normalize(body)

    assert result.exit_code == 0
    assert "unread_fields" not in json.loads(result.output)["events"][0]
