"""What is sent to an inbox whose power will be cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from tests.applications import message

# A page of hookkit's own files has 8 KiB: some bodies share one, and some need several.
_TEXT_BYTES = (100, 100, 3000, 12_000, 50_000)

#: Finds the keys of the bodies in a page; the first such page has the beginning of the body.
MARK = re.compile(rb"mark of (\S+) ")


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery, that may be sent any number of times.

    Attributes:
        key: Begins the id of each event in it, and is in the body as ``MARK`` finds it.
    """

    key: str
    body: bytes
    event_ids: frozenset[str]


def make_deliveries(prefix: str, count: int, random: Random) -> list[Sent]:
    """Return *count* deliveries of one to three events."""
    return [_make_delivery(f"{prefix}-{number}", random) for number in range(count)]


def twice(deliveries: Iterable[Sent], random: Random) -> list[Sent]:
    """Return each of *deliveries* twice, so that some race their own repetition."""
    sent = [*deliveries] * 2
    random.shuffle(sent)
    return sent


def _make_delivery(key: str, random: Random) -> Sent:
    event_ids = [f"{key}.{number}" for number in range(random.choice([1, 1, 3]))]
    text = f"mark of {key} ".ljust(random.choice(_TEXT_BYTES), "x")
    bodies = [message(event_id, text) for event_id in event_ids]
    whole = {**bodies[0], "events": [event for body in bodies for event in body["events"]]}
    return Sent(key, json.dumps(whole).encode(), frozenset(event_ids))
