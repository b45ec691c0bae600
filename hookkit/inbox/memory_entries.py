"""What the memory inbox keeps of a delivery and of an entry, and what it tells of them."""

from __future__ import annotations

import marshal
from dataclasses import dataclass, field
from typing import Any

from hookkit.core.attempts import Attempt, Recorded, tries_of
from hookkit.core.body import Headers
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import Entry, State
from hookkit.core.ids import hash_content
from hookkit.inbox.base import MAX_WORD_CHARS, from_ms, storable_text, to_ms
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept


@dataclass(slots=True)
class StoredDelivery:
    """The bytes of a delivery; None once they are pruned."""

    id: int
    endpoint: str
    received_ms: int
    body: bytes | None
    headers: Headers
    secret_index: int | None
    is_conflict: bool = False


@dataclass(slots=True)
class StoredEntry:
    """An entry with its state.

    Attributes:
        content: The item's own object, written down: kept as it is, it would be a heap for
            the collector of garbage to walk through again and again.
        due_ms: Since when, or from when on, it can be claimed; None when it is settled.
        generation: Successes of an older one no longer count: the entry started over.
        attempts: Oldest first, each with the generation that it belongs to.
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
    lost_claims: int = 0
    lease_token: str | None = None
    generation: int = 1
    replay: int = 0
    chosen: frozenset[str] | None = None
    conflicts: int = 0
    event_type: str | None = None
    attempts: list[tuple[int, AttemptRecord]] = field(default_factory=list)


def stored_delivery(delivery_id: int, envelope: Envelope, received_ms: int) -> StoredDelivery:
    """Return the bytes of *envelope*."""
    return StoredDelivery(
        delivery_id,
        envelope.endpoint,
        received_ms,
        envelope.body,
        envelope.headers,
        envelope.secret_index,
    )


def stored_entry(entry_id: int, item: Item, delivery: StoredDelivery, position: int) -> StoredEntry:
    """Return *item* as a new entry, which the caller brings to its first state."""
    return StoredEntry(
        id=entry_id,
        endpoint=delivery.endpoint,
        event_id=item.event_id,
        vendor_type=item.vendor_type,
        version=item.payload.version,
        lane=item.lane,
        fact=item.fact,
        problem=item.problem,
        content=written(item),
        delivery=delivery,
        position=position,
        received_ms=delivery.received_ms,
        due_ms=None,
    )


def written(item: Item) -> bytes:
    """Return the content of *item* for ``has_other_content``, faster than its hash is made."""
    content: Any = item.compared
    return marshal.dumps(content)


def has_other_content(entry: StoredEntry, item: Item) -> bool:
    """Tell whether *item* says something else than the entry of the same event."""
    # Of this process's own making, and never written anywhere.
    content = marshal.loads(entry.content)  # noqa: S302
    return hash_content(content) != item.content_hash


def claimed_entry(entry: StoredEntry, lease_token: str) -> Entry:
    """Return *entry* as the worker gets it, before its attempt is counted."""
    recorded = [
        Recorded(record.handler, record.outcome, record.replay, record.retry_at)
        for generation, record in entry.attempts
        if generation == entry.generation
    ]
    return Entry(
        id=entry.id,
        endpoint=entry.endpoint,
        event_id=entry.event_id,
        position=entry.position,
        claim_count=entry.attempt_count + 1,
        lost_claim_count=entry.lost_claims,
        lease_token=lease_token,
        tries=tries_of(recorded, replay=entry.replay, chosen=entry.chosen),
        generation=entry.generation,
        replays=entry.replay,
        chosen=entry.chosen,
        lane=entry.lane,
        received_at=from_ms(entry.received_ms),
        body=entry.delivery.body,
        headers=entry.delivery.headers,
    )


def kept_entry(entry: StoredEntry) -> Kept:
    """Return *entry* with the bytes that it lies in, texts as a database would hold them."""
    return Kept(
        id=entry.id,
        endpoint=entry.endpoint,
        event_id=entry.event_id,
        delivery_id=entry.delivery.id,
        position=entry.position,
        vendor_type=vendor_type_of(entry),
        version=storable_text(entry.version, MAX_WORD_CHARS),
        lane=entry.lane,
        fact=entry.fact,
        state=entry.state,
        received_at=from_ms(entry.received_ms),
        body=entry.delivery.body or None,
        headers=entry.delivery.headers,
    )


def attempt_record(entry: StoredEntry, attempt: Attempt, now_ms: int) -> AttemptRecord:
    """Return *attempt* of the present run of *entry* as it is recorded."""
    retry_at = None
    if attempt.retry_after_s is not None:
        retry_at = from_ms(now_ms + round(attempt.retry_after_s * 1000))
    return AttemptRecord(
        number=attempt.number,
        handler=attempt.handler,
        outcome=attempt.outcome,
        started_at=from_ms(to_ms(attempt.started_at)),
        ended_at=from_ms(to_ms(attempt.ended_at)),
        error=None if attempt.error is None else storable_text(attempt.error),
        replay=entry.replay,
        retry_at=retry_at,
    )


def vendor_type_of(entry: StoredEntry) -> str:
    """Return the vendor type of *entry* as a database would hold it."""
    return storable_text(entry.vendor_type, MAX_WORD_CHARS)


def entry_record(entry: StoredEntry) -> EntryRecord:
    """Return how *entry* stands, with texts as a database would hold them."""
    next_attempt_ms = entry.due_ms if entry.state is State.WAITING else None
    return EntryRecord(
        id=entry.id,
        endpoint=entry.endpoint,
        event_id=entry.event_id,
        vendor_type=vendor_type_of(entry),
        version=storable_text(entry.version, MAX_WORD_CHARS),
        lane=entry.lane,
        fact=entry.fact,
        problem=None if entry.problem is None else storable_text(entry.problem),
        state=entry.state,
        attempt_count=entry.attempt_count,
        next_attempt_at=None if next_attempt_ms is None else from_ms(next_attempt_ms),
        received_at=from_ms(entry.received_ms),
        conflicts=entry.conflicts,
        event_type=entry.event_type,
        replay=entry.replay,
        has_body=entry.delivery.body is not None,
        attempts=tuple(record for _, record in entry.attempts),
    )
