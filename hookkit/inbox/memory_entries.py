"""What the memory inbox keeps of a delivery and of an entry, and what it tells of them."""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import Any

from hookkit.core.delivery import Headers, Item
from hookkit.core.identity import hash_content
from hookkit.core.outcome import Entry, Outcome
from hookkit.core.states import State
from hookkit.inbox.base import (
    MAX_WORD_CHARS,
    AttemptRecord,
    EntryRecord,
    from_ms,
    storable_text,
    to_ms,
)


@dataclass(slots=True)
class StoredDelivery:
    """The bytes of a delivery."""

    body: bytes
    headers: Headers
    is_conflict: bool = False


@dataclass(slots=True)
class StoredEntry:
    """An entry with its state.

    Attributes:
        content: The item's own object, written down: kept as it is, it would be a heap for
            the collector of garbage to walk through again and again.
        due_ms: Since when, or from when on, it can be claimed; None when it is settled.
        succeeded: Names of the handlers that finished since it last started over.
        gave_up: Names of the handlers that gave up since it was last replayed.
    """

    id: int
    endpoint: str
    event_id: str
    vendor_type: str
    version: str
    lane: str | None
    fact: str | None
    problem: str | None
    content: bytes
    delivery: StoredDelivery
    position: int
    received_ms: int
    due_ms: int | None
    state: State = State.PENDING
    attempt_count: int = 0
    lease_token: str | None = None
    is_replay: bool = False
    conflicts: int = 0
    succeeded: frozenset[str] = frozenset()
    gave_up: frozenset[str] = frozenset()
    attempts: tuple[AttemptRecord, ...] = ()


def written(item: Item) -> bytes:
    """Return the content of *item* for ``has_other_content``, faster than its hash is made."""
    content: Any = item.compared
    return marshal.dumps(content)


def has_other_content(entry: StoredEntry, item: Item) -> bool:
    """Tell whether *item* says something else than the entry of the same event."""
    # Of this process's own making, and never written anywhere.
    content = marshal.loads(entry.content)  # noqa: S302
    return hash_content(content) != item.content_hash


def claimed_entry(entry: StoredEntry, lease_token: str, *, is_takeover: bool) -> Entry:
    """Return *entry* as the worker gets it."""
    return Entry(
        id=entry.id,
        endpoint=entry.endpoint,
        event_id=entry.event_id,
        position=entry.position,
        attempts=entry.attempt_count,
        lease_token=lease_token,
        succeeded=entry.succeeded,
        is_replay=entry.is_replay,
        received_at=from_ms(entry.received_ms),
        body=entry.delivery.body,
        headers=entry.delivery.headers,
        gave_up=entry.gave_up,
        is_takeover=is_takeover,
    )


def attempt_record(number: int, outcome: Outcome) -> AttemptRecord:
    """Return *outcome* as the record of attempt *number*, unless it says of which it is."""
    return AttemptRecord(
        number=number if outcome.attempt is None else outcome.attempt,
        handler=outcome.handler,
        result=outcome.result,
        started_at=from_ms(to_ms(outcome.started_at)),
        ended_at=from_ms(to_ms(outcome.ended_at)),
        error=None if outcome.error is None else storable_text(outcome.error),
    )


def entry_record(entry: StoredEntry) -> EntryRecord:
    """Return how *entry* stands, with texts as a database would hold them."""
    next_attempt_ms = entry.due_ms if entry.state is State.WAITING else None
    return EntryRecord(
        id=entry.id,
        endpoint=entry.endpoint,
        event_id=entry.event_id,
        vendor_type=storable_text(entry.vendor_type, MAX_WORD_CHARS),
        version=storable_text(entry.version, MAX_WORD_CHARS),
        lane=entry.lane,
        fact=entry.fact,
        problem=None if entry.problem is None else storable_text(entry.problem),
        state=entry.state,
        attempt_count=entry.attempt_count,
        next_attempt_at=None if next_attempt_ms is None else from_ms(next_attempt_ms),
        received_at=from_ms(entry.received_ms),
        conflicts=entry.conflicts,
        attempts=entry.attempts,
    )
