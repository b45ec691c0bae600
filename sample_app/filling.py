"""What ``make run`` sends to its own server, so that there is something to see.

Two endpoints, two vendors and their versions; refused deliveries; handlers that fail, wait and
give up; and an endpoint that is about to move from one payload version to another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from hookkit.testing import SignedDelivery, find_provider, find_sample, freshen, set_path, sign

#: How long one delivery may take, in seconds.
SEND_S = 20.0

#: Where a customer's text stands in a payload.
TEXT_OF = {
    "v1": "messages.0.text",
    "v1.1": "messages.0.text",
    "v2": "events.0.payload.message.content.text",
}
_CHAT_TEXT = "payload.event.text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One delivery.

    Attributes:
        prefix: What comes before the secret of the application; None leaves the proof out.
        trigger: The vendor's word; None is a customer's text message.
        times: How often it is sent.
    """

    endpoint: str
    provider: str = "sunshine"
    version: str = "v2"
    prefix: str | None = ""
    trigger: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1


def letters() -> Iterator[Letter]:
    """Yield what is sent, oldest first."""
    for version in ("v1", "v1.1", "v2"):
        yield _said("support", version, f"Hello from {version}")
    for version in ("3.4", "3.6"):
        yield Letter(
            endpoint="chat",
            provider="livechat",
            version=version,
            prefix="chat-",
            changes={_CHAT_TEXT: "Is anybody there?"},
        )
    for trigger in ("conversation:postback", "conversation:read", "conversation:typing"):
        yield Letter(endpoint="support", trigger=trigger)
    yield _said("support", "v2", "Did you get this?", times=2)
    yield _said("support", "v2", "flaky: where is my order?")
    yield _said("support", "v2", "return my order, please")
    yield _said("support", "v1.1", "return these shoes")
    yield _said("support", "v2", "later would be better")
    for _ in range(3):
        yield _said("support", "v2", "Who am I?", prefix="not-")
    yield _said("support", "v2", "Nobody signs this", prefix=None)
    yield from _of_both_versions("Where is my order?", "one")
    yield from _of_both_versions("It has come, thank you", "two")


def _said(endpoint: str, version: str, text: str, **more: Any) -> Letter:
    return Letter(endpoint=endpoint, version=version, changes={TEXT_OF[version]: text}, **more)


def _of_both_versions(text: str, name: str) -> Iterator[Letter]:
    """Yield one message as both versions report it: the ids are the message's own."""
    message_id = f"sample-message-{name}"
    ids = {"v1.1": "messages.0._id", "v2": "events.0.payload.message.id"}
    for version, path in ids.items():
        changes = {TEXT_OF[version]: text, path: message_id}
        yield Letter(endpoint="orders", version=version, prefix="orders-", changes=changes)


def fill(url: str, secret: str) -> None:
    """Send all letters to the application at *url*, whose secret this is.

    Raises:
        OSError: The server does not answer.
    """
    for letter in letters():
        delivery = _delivery(letter, secret)
        for _ in range(letter.times):
            _post(f"{url}/hooks/{letter.endpoint}", delivery)


def is_empty(url: str) -> bool:
    """Tell whether the application at *url* has handled nothing yet."""
    with build_opener(ProxyHandler({})).open(f"{url}/events.json", timeout=SEND_S) as answer:
        return not json.load(answer)["events"]


def _delivery(letter: Letter, secret: str) -> SignedDelivery:
    provider = find_provider(letter.provider)
    sample = find_sample(provider, letter.version, letter.trigger)
    document = freshen(sample.document(), provider.versions[letter.version])
    for path, value in letter.changes.items():
        set_path(document, path, value)
    signed = sign(provider, document, secret=f"{letter.prefix or ''}{secret}")
    if letter.prefix is not None:
        return signed
    return SignedDelivery(body=signed.body, headers={"content-type": "application/json"})


def _post(url: str, delivery: SignedDelivery) -> None:
    request = Request(url, delivery.body, dict(delivery.headers), method="POST")
    try:
        build_opener(ProxyHandler({})).open(request, timeout=SEND_S).close()
    except HTTPError as refused:
        refused.close()
