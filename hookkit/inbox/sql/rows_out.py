"""Rows of the tables, from attempts and to records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row

from hookkit.core.attempts import (
    Attempt,
    Outcome,
)
from hookkit.core.entry import (
    Entry,
)
from hookkit.core.states import State
from hookkit.inbox.base import from_ms, storable_text, to_ms
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept


def attempt_row(entry: Entry, attempt: Attempt, now_ms: int) -> dict[str, object]:
    """Return *attempt* of the present run of *entry* as it is stored."""
    after_s = attempt.retry_after_s
    return {
        "entry_id": entry.id,
        "generation": entry.generation,
        "replay_count": entry.replay,
        "number": attempt.number,
        "handler": attempt.handler,
        "outcome": attempt.outcome.value,
        "started_at_ms": to_ms(attempt.started_at),
        "ended_at_ms": to_ms(attempt.ended_at),
        "error": None if attempt.error is None else storable_text(attempt.error),
        "retry_at_ms": None if after_s is None else now_ms + round(after_s * 1000),
    }


def attempt_record(row: Row[Any]) -> AttemptRecord:
    """Return a row of attempts as people see it."""
    return AttemptRecord(
        number=row.number,
        handler=row.handler,
        outcome=Outcome(row.outcome),
        started_at=from_ms(row.started_at_ms),
        ended_at=from_ms(row.ended_at_ms),
        error=row.error,
        replay=row.replay_count,
        retry_at=None if row.retry_at_ms is None else from_ms(row.retry_at_ms),
    )


def entry_record(row: Row[Any], recorded: Sequence[AttemptRecord]) -> EntryRecord:
    """Return a row of entries as people see it."""
    is_waiting = row.state == State.WAITING.value
    return EntryRecord(
        id=row.id,
        endpoint=row.endpoint,
        event_id=row.event_id,
        vendor_type=row.vendor_type,
        version=row.version,
        lane=row.lane,
        fact=row.fact,
        problem=row.problem,
        state=State(row.state),
        attempt_count=row.attempt_count,
        next_attempt_at=from_ms(row.due_at_ms) if is_waiting else None,
        received_at=from_ms(row.received_at_ms),
        conflicts=row.conflict_count,
        event_type=row.event_type,
        replay=row.replay_count,
        has_body=row.has_body,
        attempts=tuple(recorded),
    )


def kept_entry(row: Row[Any], decrypted: Callable[[bytes], bytes | None]) -> Kept:
    """Return a row of entries, joined to its delivery's bytes where they are kept."""
    body = decrypted(row.body) if row.body and row.is_encrypted else row.body
    return Kept(
        id=row.id,
        endpoint=row.endpoint,
        event_id=row.event_id,
        delivery_id=row.delivery_id,
        position=row.position,
        vendor_type=row.vendor_type,
        version=row.version,
        lane=row.lane,
        fact=row.fact,
        state=State(row.state),
        received_at=from_ms(row.received_at_ms),
        body=body or None,
        headers=json.loads(row.headers or "{}"),
    )
