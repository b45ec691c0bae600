"""``hookkit samples``: the payloads that the vendors send."""

import json

import pytest

from hookkit.senders import SENDERS
from hookkit.testing import find_provider, find_sample, list_samples
from tests.cli.serving import run


def test_samples_are_listed():
    result = run("samples", "list", "--provider", "sunshine", "--version", "v2")

    lines = [line.split() for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert ["sunshine", "v2", "conversation-message.image", "conversation:message"] in lines
    assert {version for _, version, *_ in lines} == {"v2"}


def test_samples_of_all_vendors_are_listed_and_of_no_senders():
    found = json.loads(run("samples", "list", "--json").output)

    listed = {each["provider"] for each in found}
    assert {"sunshine", "livechat", "8x8"} <= listed
    assert listed.isdisjoint(SENDERS)
    names = [each["name"] for each in found if each["provider"] == "sunshine"]
    assert names == [each.name for each in list_samples(find_provider("sunshine"))]


def test_sender_has_its_sample_if_it_is_named():
    found = json.loads(run("samples", "list", "--provider", "stripe", "--json").output)

    assert [each["provider"] for each in found] == ["stripe"]


@pytest.mark.parametrize("word", ["conversation:read", "conversation-read"])
def test_trigger_chooses_among_samples(word):
    result = run("samples", "list", "--provider", "sunshine", "--version", "v2", "--trigger", word)

    assert result.exit_code == 0
    assert {line.split()[3] for line in result.output.splitlines()} == {"conversation:read"}


def test_listed_name_can_be_shown_and_is_the_vendors_payload():
    found = json.loads(run("samples", "list", "--provider", "8x8", "--json").output)

    for each in found:
        result = run(
            *("samples", "show", each["name"], "--provider", "8x8"),
            *("--version", each["version"], "--raw"),
        )
        sample = find_sample(find_provider("8x8"), each["version"], each["name"])
        assert result.stdout_bytes == sample.body


def test_payload_and_event_are_json():
    payload = json.loads(run("samples", "show", "conversation:message", "--version", "v2").output)
    read = json.loads(run("samples", "show", "conversation:message", "--event").output)

    assert payload["webhook"]["version"] == "v2"
    assert read["events"][0]["type"] == "conversation:message"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["list", "--provider", "moonshine"], "provider 'moonshine' is not known"),
        (["list", "--provider", "sunshine", "--version", "v9"], "it has v1, v1.1, v2"),
        (["list", "--version", "v9"], "there is no such sample"),
        (["list", "--trigger", "nonsense"], "there is no such sample"),
        (["show", "conversation:mesage"], "did you mean conversation-message"),
        (["show", "--raw", "--event"], "not both"),
    ],
)
def test_mistake_is_a_sentence_and_status_2(arguments, printed):
    result = run("samples", *arguments)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())
