"""Rows of the tables, from outcomes and to records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from hookkit.core.outcome import Entry, Outcome, Result
from hookkit.core.states import State
from hookkit.inbox.base import AttemptRecord, EntryRecord, from_ms, storable_text, to_ms


def attempt_row(entry: Entry, run: Any, outcome: Outcome) -> dict[str, object]:
    """Return *outcome* as it is stored with the present run of *entry*."""
    return {
        "entry_id": entry.id,
        "generation": run.generation,
        "replay_count": run.replay_count,
        "number": run.attempt_count if outcome.attempt is None else outcome.attempt,
        "handler": outcome.handler,
        "result": outcome.result.value,
        "started_at_ms": to_ms(outcome.started_at),
        "ended_at_ms": to_ms(outcome.ended_at),
        "error": None if outcome.error is None else storable_text(outcome.error),
    }


def attempt_record(row: Row[Any]) -> AttemptRecord:
    """Return a row of attempts as people see it."""
    return AttemptRecord(
        number=row.number,
        handler=row.handler,
        result=Result(row.result),
        started_at=from_ms(row.started_at_ms),
        ended_at=from_ms(row.ended_at_ms),
        error=row.error,
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
        attempts=tuple(recorded),
    )
