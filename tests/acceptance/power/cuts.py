"""Cuts the power to a run at many places, and looks at what each cut has left."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from hookkit.core.entry import State
from hookkit.core.errors import HookkitError
from hookkit.inbox.opening import open_inbox
from tests.acceptance.power.deliveries import Sent
from tests.acceptance.power.disk import Disk, folder_with
from tests.acceptance.power.record import Acknowledged, Opened, Record, Settled
from tests.acceptance.power.traffic import FILE
from tests.applications import admit, message

_ENTRIES = """
    SELECT entry.id, entry.state, entry.event_id, delivery.body
    FROM hookkit_entries AS entry
    LEFT JOIN hookkit_deliveries AS delivery ON delivery.id = entry.delivery_id
"""


@dataclass
class Promises:
    """What senders and workers were told: keys of deliveries, and ids of entries."""

    acknowledged: set[str] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)

    def copy(self) -> Promises:
        return Promises(set(self.acknowledged), set(self.settled))


@dataclass
class Cut:
    """What one power cut has left, and what was promised before it."""

    place: int
    files: dict[str, bytes]
    promises: Promises


def power_cuts(record: Record, count: int, random: Random, before: Promises) -> Iterator[Cut]:
    """Yield *count* power cuts, in their order.

    Every other one comes at once after a promise; the rest come anywhere.

    Args:
        before: What was promised before the record begins.
    """
    # The record begins with the files that were there.
    first = sum(isinstance(step, Opened) and step.content is not None for step in record)
    promised = [
        place
        for place, step in enumerate(record, start=1)
        if isinstance(step, Acknowledged | Settled)
    ]
    places = [
        random.choice(promised) if number % 2 else random.randint(first, len(record))
        for number in range(count)
    ]
    disk, promises, done = Disk(), before.copy(), 0
    for place in sorted(places):
        for number in range(done, place):
            step = record[number]
            disk.take(number, step)
            if isinstance(step, Acknowledged):
                promises.acknowledged.add(step.key)
            elif isinstance(step, Settled):
                promises.settled.add(step.entry_id)
        done = place
        yield Cut(place, disk.cut(random), promises.copy())


def damages(cut: Cut, sent: Mapping[str, Sent]) -> list[str]:
    """Return what is wrong with what *cut* has left, each a word and what it is about.

    Args:
        sent: All that was ever sent, by key.
    """
    with folder_with(cut.files) as folder:
        path = folder / FILE
        try:
            if (answer := _ask(path, "PRAGMA integrity_check")) != [("ok",)]:
                return [f"damaged: {answer[0][0]}"]
            _use(path)
            rows = _ask(path, _ENTRIES)
        except (sqlite3.Error, HookkitError) as error:
            return [f"unusable: {error}"]
    return [*_wrong_entries(rows, sent), *_broken_promises(rows, cut.promises, sent)]


def _ask(path: Path, question: str) -> list[Any]:
    """Ask Python's own SQLite, which a user's programs would use."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def _use(path: Path) -> None:
    """Have hookkit open what is left, and take another event."""
    inbox = open_inbox(f"sqlite:///{path}")
    try:
        receipt = admit(inbox, message("after"), datetime.now(UTC))
    finally:
        inbox.close()
    assert receipt.new_count == 1


def _wrong_entries(rows: list[tuple[int, str, str, bytes]], sent: Mapping[str, Sent]) -> list[str]:
    """Return what is there and was not sent so: half a delivery, or an event twice."""
    found: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for _, _, event_id, body in rows:
        if event_id != "after":
            found[event_id.partition(".")[0]].append((event_id, body))
    return [
        f"not whole: {key}"
        for key, entries in found.items()
        if sorted(entries) != sorted((event_id, sent[key].body) for event_id in sent[key].event_ids)
    ]


def _broken_promises(
    rows: list[tuple[int, str, str, bytes]], promises: Promises, sent: Mapping[str, Sent]
) -> list[str]:
    there = {event_id for _, _, event_id, _ in rows}
    done = {entry_id for entry_id, state, _, _ in rows if state == State.DONE.value}
    lost = [key for key in promises.acknowledged if not sent[key].event_ids <= there]
    return [
        *(f"lost: {key}" for key in sorted(lost)),
        *(f"unsettled: {entry_id}" for entry_id in sorted(promises.settled - done)),
    ]
