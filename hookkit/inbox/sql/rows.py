"""Rows of the tables: from deliveries and attempts, and to records. Bodies are encrypted here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row

from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import Entry, State
from hookkit.core.modes import Modes
from hookkit.inbox.base import MAX_WORD_CHARS, from_ms, storable_text, to_ms
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept
from hookkit.inbox.sql.owners import give_states


class BodyCipher:
    """Encrypts bodies with the first of *keys*, and decrypts what any of them has encrypted.

    Args:
        keys: Fernet keys, newest first.

    Raises:
        ValueError: One of them is no Fernet key, or there is none.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        # 32 random bytes each, in URL-safe base64.
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, body: bytes) -> bytes:
        """Return what is stored instead of *body*."""
        return self._fernet.encrypt(body)

    def decrypt(self, stored: bytes) -> bytes | None:
        """Return the body, None when no key fits."""
        try:
            return self._fernet.decrypt(stored)
        except InvalidToken:
            return None


#: Values by the names of their columns.
Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PreparedDelivery:
    """An envelope with its rows.

    Attributes:
        row: The delivery's, without its id.
        entry_rows: One per item, in their order, without ids; stored when it is new.
    """

    envelope: Envelope
    received_at_ms: int
    row: Values
    entry_rows: Sequence[Values]


def prepared(
    envelope: Envelope, encrypted: Callable[[bytes], bytes] | None = None
) -> PreparedDelivery:
    """Return *envelope* with its rows.

    Args:
        encrypted: Returns what is stored instead of the body; None stores it as it is.
    """
    received_at_ms = to_ms(envelope.received_at)
    return PreparedDelivery(
        envelope=envelope,
        received_at_ms=received_at_ms,
        row=_delivery_row(envelope, received_at_ms, encrypted),
        entry_rows=[
            _entry_row(envelope, position, item, received_at_ms)
            for position, item in enumerate(envelope.items)
        ],
    )


def give_modes(delivery: PreparedDelivery, positions: Collection[int], modes: Modes) -> None:
    """Have what is new of *delivery* written as what the modes make of it."""
    items = delivery.envelope.items
    if give_states(items, delivery.entry_rows, positions, modes):
        delivery.row.update(body=b"", is_encrypted=False)


def _delivery_row(
    envelope: Envelope, received_at_ms: int, encrypted: Callable[[bytes], bytes] | None
) -> Values:
    return {
        "endpoint": envelope.endpoint,
        "provider": envelope.provider,
        "version": storable_text(envelope.version, MAX_WORD_CHARS),
        "received_at_ms": received_at_ms,
        "body": envelope.body if encrypted is None else encrypted(envelope.body),
        "headers": _written(tuple(envelope.headers.items())),
        "body_sha256": hashlib.sha256(envelope.body).hexdigest(),
        "secret_index": envelope.secret_index,
        "is_conflict": False,
        "is_encrypted": encrypted is not None,
    }


@lru_cache(maxsize=128)
def _written(headers: tuple[tuple[str, str], ...]) -> str:
    # A vendor's are mostly the same ones.
    return json.dumps(dict(headers))


def _entry_row(envelope: Envelope, position: int, item: Item, received_at_ms: int) -> Values:
    return {
        "endpoint": envelope.endpoint,
        "event_id": item.event_id,
        "position": position,
        "vendor_type": storable_text(item.vendor_type, MAX_WORD_CHARS),
        "version": storable_text(item.payload.version, MAX_WORD_CHARS),
        "lane": item.lane,
        "fact": item.fact,
        "problem": None if item.problem is None else storable_text(item.problem),
        "content_hash": item.content_hash,
        "received_at_ms": received_at_ms,
        "state": State.PENDING.value,
        "due_at_ms": received_at_ms,
        "lease_token": None,
        "attempt_count": 0,
        "generation": 1,
        "replay_count": 0,
        "conflict_count": 0,
        "lost_claim_count": 0,
    }


def attempt_row(entry: Entry, attempt: Attempt, now_ms: int) -> dict[str, object]:
    """Return *attempt* of the present run of *entry* as it is stored."""
    after_s = attempt.retry_after_s
    return {
        "entry_id": entry.id,
        "generation": entry.generation,
        "replay_count": entry.replays,
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
