"""Rows of the tables, made of deliveries and attempts, and read into records.

Bodies are encrypted and decrypted here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row

from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import Entry, State
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import (
    MAX_WORD_CHARS,
    AttemptRecord,
    EntryRecord,
    Kept,
    from_ms,
    later,
    storable_text,
    to_ms,
)

#: How many values go into one statement: SQLite before 3.32 takes 999 parameters.
CHUNK = 500

_T = TypeVar("_T")

#: Values by the names of their columns.
Values: TypeAlias = dict[str, Any]
#: A row with all columns of ``entries``, and ``has_body``.
EntryRow: TypeAlias = Row[Any]
#: A row with all columns of ``attempts``.
AttemptRow: TypeAlias = Row[Any]
#: A row with all columns of ``entries``, and with ``body``, ``headers`` and ``is_encrypted`` of
#: its delivery: None when that is gone.
KeptRow: TypeAlias = Row[Any]


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield *values* in lists that fit into one statement."""
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


class BodyCipher:
    """Encrypts bodies with the first of *keys*, and decrypts what any of them has encrypted.

    Args:
        keys: Fernet keys, newest first; without any, bodies are stored as they are.

    Attributes:
        is_on: Whether there is a key.

    Raises:
        ValueError: One of them is no Fernet key.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.is_on = bool(keys)
        # 32 random bytes each, in URL-safe base64.
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def encrypt(self, body: bytes) -> bytes:
        """Return what is stored instead of *body*."""
        return body if self._fernet is None else self._fernet.encrypt(body)

    def decrypt(self, stored: bytes) -> bytes | None:
        """Return the body that was encrypted, None when no key fits."""
        try:
            return None if self._fernet is None else self._fernet.decrypt(stored)
        except InvalidToken:
            return None


@dataclass(frozen=True, slots=True)
class PreparedDelivery:
    """An envelope with its rows.

    The rows are never changed: an admission that failed may be tried again with them.

    Attributes:
        row: The delivery's, without its id.
        entry_rows: One for each item, in their order, without ids; only new ones are stored.
    """

    envelope: Envelope
    received_at_ms: int
    row: Values = field(repr=False)
    entry_rows: Sequence[Values] = field(repr=False)


def prepared(
    envelope: Envelope, cipher: BodyCipher, application: str | None = None
) -> PreparedDelivery:
    """Return *envelope* with its rows.

    Args:
        application: Who receives deliveries that a secret proves at this endpoint.
    """
    received_at_ms = to_ms(envelope.received_at)
    return PreparedDelivery(
        envelope=envelope,
        received_at_ms=received_at_ms,
        row=_delivery_row(envelope, received_at_ms, cipher, application),
        entry_rows=[
            _entry_row(envelope, position, item, received_at_ms)
            for position, item in enumerate(envelope.items)
        ],
    )


def _delivery_row(
    envelope: Envelope, received_at_ms: int, cipher: BodyCipher, application: str | None
) -> Values:
    return {
        "endpoint": envelope.endpoint,
        "provider": envelope.provider,
        "version": storable_text(envelope.version, MAX_WORD_CHARS),
        "received_at_ms": received_at_ms,
        "body": cipher.encrypt(envelope.body),
        "headers": json.dumps(dict(envelope.headers)),
        "body_sha256": hashlib.sha256(envelope.body).hexdigest(),
        "secret_index": envelope.secret_index,
        "is_conflict": False,
        "is_encrypted": cipher.is_on,
        "application": application if FINGERPRINT_HEADER in envelope.headers else None,
    }


def _entry_row(envelope: Envelope, position: int, item: Item, received_at_ms: int) -> Values:
    return {
        "endpoint": envelope.endpoint,
        "event_id": item.event_id,
        "position": position,
        "vendor_type": storable_text(item.vendor_type, MAX_WORD_CHARS),
        "version": storable_text(item.payload.version, MAX_WORD_CHARS),
        "lane": item.lane,
        "fact": item.fact,
        "subject": item.subject,
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


def attempt_row(entry: Entry, attempt: Attempt, now_ms: int) -> Values:
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
        "retry_at_ms": None if after_s is None else later(now_ms, after_s),
    }


def attempt_record(row: AttemptRow) -> AttemptRecord:
    """Return a row of attempts as people see it."""
    return AttemptRecord(
        number=row.number,
        handler=row.handler,
        outcome=Outcome(row.outcome),
        started_at=from_ms(row.started_at_ms),
        ended_at=from_ms(row.ended_at_ms),
        error=row.error,
        replays=row.replay_count,
        retry_at=None if row.retry_at_ms is None else from_ms(row.retry_at_ms),
    )


def entry_record(row: EntryRow, recorded: Sequence[AttemptRecord]) -> EntryRecord:
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
        claim_count=row.attempt_count,
        next_attempt_at=from_ms(row.due_at_ms) if is_waiting else None,
        received_at=from_ms(row.received_at_ms),
        conflicts=row.conflict_count,
        event_type=row.event_type,
        replays=row.replay_count,
        has_body=row.has_body,
        attempts=tuple(recorded),
    )


def kept_entry(row: KeptRow, cipher: BodyCipher) -> Kept:
    """Return an entry with its bytes, None where they are gone or no key fits."""
    body = cipher.decrypt(row.body) if row.body and row.is_encrypted else row.body
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
