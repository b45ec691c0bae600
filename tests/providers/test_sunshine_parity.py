"""Model rule 7: the same fact in v1.1 and in v2 gives events equal in every field both carry."""

import dataclasses
from collections.abc import Mapping

import pytest

from hookkit.core.facts import is_exact
from hookkit.core.parts import Conversation, User
from hookkit.providers.sunshine import PROVIDER
from tests.providers.reading import ROOT, SAMPLES, provider_of, read_sample, sample_id, split_body

FOLDER = ROOT / "sunshine" / "samples"

#: What tells the two deliveries apart, not the fact.
OF_THE_DELIVERY = {"id", "version", "vendor_type", "webhook_id", "raw", "received_at"}

#: The samples describe a client that was seen again between the two bodies.
SEEN_AGAIN = "each body was written at another moment of the same session"
FEWER_KEYS = "v2 sends fewer keys, and another name of the vendor"
STATUS_SINCE = "the bodies show the client before and after the change"
LATER = "a client's v2 event may precede its v1.x event, which has a time of its own"

#: v1.x sample, v2 sample, and where the two samples themselves say different things, with why.
PAIRS = [
    ("v1.1/message-appUser", "v2/conversation-message", {}),
    (
        "v1.1/message-appUser.full",
        "v2/conversation-message.full",
        {
            "message.source.client.last_seen": SEEN_AGAIN,
            "message.source.device.last_seen": SEEN_AGAIN,
            "message.source.device.info": FEWER_KEYS,
            # The client's device is the source's.
            "message.source.client.device.last_seen": SEEN_AGAIN,
            "message.source.client.device.info": FEWER_KEYS,
        },
    ),
    ("v1.1/message-appUser.reply", "v2/conversation-message.reply", {}),
    ("v1.1/message-appUser.image", "v2/conversation-message.image", {}),
    ("v1.1/message-appUser.file", "v2/conversation-message.file", {}),
    ("v1.1/message-appUser.location", "v2/conversation-message.location", {}),
    ("v1.1/message-appMaker", "v2/conversation-message.business", {}),
    ("v1.1/message-appMaker.form", "v2/conversation-message.form", {}),
    ("v1.1/message-appMaker.list", "v2/conversation-message.list", {}),
    ("v1.1/message-delivery-channel", "v2/conversation-message-delivery-channel", {}),
    ("v1.1/message-delivery-user", "v2/conversation-message-delivery-user", {}),
    ("v1.1/appUser-delete", "v2/user-remove", {}),
    ("v1/appUser-delete", "v2/user-remove", {}),
    ("v1/merge-appUser", "v2/user-merge", {}),
    ("v1.1/conversation-start", "v2/conversation-create", {}),
    ("v1.1/conversation-referral", "v2/conversation-referral", {}),
    ("v1.1/conversation-read", "v2/conversation-read", {}),
    ("v1.1/typing-appUser", "v2/conversation-typing", {}),
    ("v1.1/postback", "v2/conversation-postback", {}),
    ("v1.1/link-success", "v2/client-update", {}),
    ("v1.1/link-match", "v2/client-update.matched", {"occurred_at": LATER}),
    ("v1.1/client-add", "v2/client-add", {"occurred_at": LATER, "client.status": STATUS_SINCE}),
    ("v1.1/client-remove", "v2/client-remove", {"client.status": STATUS_SINCE}),
    ("v1.1/passthrough-apple-extension", "v2/passthrough-apple-extension", {}),
    ("v1.1/passthrough-apple-interactive", "v2/passthrough-apple-interactive", {}),
    # The same messages as v1 tells them, where a channel and a moment of their own are said.
    (
        "v1/message-appUser",
        "v2/conversation-message",
        {"message.source.type": "v1's sample came through another channel"},
    ),
    (
        "v1/message.generic-trigger",
        "v2/conversation-message",
        {"message.source.type": "v1's sample came through another channel"},
    ),
    (
        "v1/message",
        "v2/conversation-message",
        {"message.source.type": "v1's sample came through another channel"},
    ),
    (
        "v1/message-appUser.image",
        "v2/conversation-message.image",
        {
            "message.source.type": "v1's sample came through another channel",
            "message.content.media_url": "v1's sample lies at a shorter address",
        },
    ),
]


def event_of(name):
    version, _, stem = name.partition("/")
    (event,) = read_sample(FOLDER / version / f"{stem}.json")
    return event


def differences(old, new, where=""):
    """Yield the path of every field that both carry, and not alike."""
    if dataclasses.is_dataclass(old) and type(old) is type(new):
        for each in dataclasses.fields(old):
            if where or each.name not in OF_THE_DELIVERY:
                path = f"{where}.{each.name}".removeprefix(".")
                yield from differences(getattr(old, each.name), getattr(new, each.name), path)
    elif is_array_of_parts(old) and is_array_of_parts(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif is_carried(old) and is_carried(new) and old != new:
        yield where


def is_array_of_parts(value):
    return isinstance(value, tuple) and all(map(dataclasses.is_dataclass, value))


def is_carried(value):
    if isinstance(value, Mapping | tuple | str):
        return len(value) > 0
    return value is not None


@pytest.mark.parametrize(
    ("old", "new", "exceptions"), [pytest.param(*pair, id=f"{pair[0]} {pair[1]}") for pair in PAIRS]
)
def test_same_fact_is_the_same_event(old, new, exceptions):
    # An exception that is not needed any more is as wrong as a missing one.
    assert set(differences(event_of(old), event_of(new))) == set(exceptions)


@pytest.mark.parametrize(
    ("old", "new"),
    [pytest.param(*pair[:2], id=f"{pair[0]} {pair[1]}") for pair in PAIRS],
)
def test_same_fact_is_of_the_same_type_and_class(old, new):
    before, after = event_of(old), event_of(new)

    assert before.type is after.type
    assert type(before) is type(after)


def test_every_fact_that_two_versions_tell_is_compared():
    told = {}
    for sample in SAMPLES:
        if provider_of(sample) is PROVIDER:
            for item in split_body(PROVIDER, sample.read_bytes()):
                if not is_exact(item.fact):
                    continue
                name = sample_id(sample).removeprefix("sunshine/")
                told.setdefault(item.fact, {}).setdefault(sample.parent.name, set()).add(name)
    paired = {name for pair in PAIRS for name in pair[:2]}

    # v1's oddities have no body of their own in v2, and a fact may be told by several samples.
    missing = [
        name
        for versions in told.values()
        if {"v1.1", "v2"} <= set(versions)
        for version in ("v1.1", "v2")
        for name in versions[version]
        # A conversation begins once; this body is of another beginning, under the same id.
        if name not in {*paired, "v2/conversation-create.proactive"}
    ]
    assert missing == []


def test_difference_is_found_at_any_depth():
    old = User(id="a", given_name="Ana", metadata={"x": 1}, locale="en")
    new = User(id="b", surname="Rivera", metadata={"x": 2}, locale="en")

    assert list(differences(old, new, "user")) == ["user.id", "user.metadata"]
    assert list(differences(Conversation(), new, "part")) == ["part"]
