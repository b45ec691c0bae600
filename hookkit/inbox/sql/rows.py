"""Rows of the tables, made of deliveries and attempts, and read into records.

Bodies are encrypted and decrypted here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row

from hookkit.core.attempts import Attempt
from hookkit.core.body import Headers
from hookkit.core.delivery import Envelope, Item
from hookkit.core.entry import Entry, Lease, State
from hookkit.core.modes import Modes
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import (
    MAX_WORD_CHARS,
    AttemptRecord,
    EntryRecord,
    Kept,
    later,
    storable_text,
    to_ms,
)
from hookkit.inbox.sql.damage import moment_of, outcome_of, state_of

#: How many values go into one statement: SQLite before 3.32 takes 999 parameters.
CHUNK = 500

_T = TypeVar("_T")

#: Values by the names of their columns.
Values: TypeAlias = dict[str, Any]
#: A row with all columns of ``entries``, and ``has_body``.
EntryRow: TypeAlias = Row[Any]
#: A row with all columns of ``attempts``.
AttemptRow: TypeAlias = Row[Any]
#: A row with all columns of ``entries``, and those of ``StoredRow`` of its delivery: None when
#: that is gone.
KeptRow: TypeAlias = Row[Any]
#: A row with ``body``, ``body_sha256``, ``is_encrypted`` and ``headers`` of a delivery.
StoredRow: TypeAlias = Any
#: The bytes of a delivery, None if they cannot be read, and its headers.
Content: TypeAlias = tuple[bytes | None, Headers]


def chunks(values: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """Yield *values* in lists that fit into one statement."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
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
        self.is_on: bool = bool(keys)
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
    envelope: Envelope,
    cipher: BodyCipher,
    application: str | None = None,
    lease: Lease | None = None,
) -> PreparedDelivery:
    """Return *envelope* with its rows.

    Args:
        application: Who receives deliveries that a secret proves at this endpoint.
        lease: Under which new entries are claimed already; None leaves them PENDING.
    """
    received_at_ms = to_ms(envelope.received_at)
    claimed: Values = {}
    if lease is not None:
        claimed = {
            "state": State.RUNNING.value,
            "due_at_ms": later(received_at_ms, lease.seconds),
            "lease_token": lease.token,
        }
    return PreparedDelivery(
        envelope=envelope,
        received_at_ms=received_at_ms,
        row=_delivery_row(envelope, received_at_ms, cipher, application),
        entry_rows=[
            _entry_row(envelope, position, item, received_at_ms) | claimed
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
        "headers": _stored_headers(tuple(envelope.headers.items())),
        "body_sha256": hashlib.sha256(envelope.body).hexdigest(),
        "secret_index": envelope.secret_index,
        "is_conflict": False,
        "is_encrypted": cipher.is_on,
        "application": application if FINGERPRINT_HEADER in envelope.headers else None,
    }


@lru_cache(maxsize=256)
def _stored_headers(headers: tuple[tuple[str, str], ...]) -> str:
    """Return headers as they are stored; those of most deliveries to an endpoint are the same."""
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


def with_first_states(
    delivery: PreparedDelivery, positions: Collection[int], modes: Modes | None
) -> tuple[Values, list[Values]]:
    """Return the row of *delivery* and those of the entries at *positions*, as *modes* want them.

    The bytes are left out when every one of these entries is ignored.

    Args:
        modes: None leaves every entry live.
    """
    rows = [delivery.entry_rows[position] for position in positions]
    if modes is None:
        return delivery.row, rows
    states = [modes.state_of(row["version"], row["vendor_type"]) for row in rows]
    rows = [
        row if state is State.PENDING else row | {"state": state.value, "due_at_ms": None}
        for row, state in zip(rows, states, strict=True)
    ]
    if all(state is State.IGNORED for state in states):
        return delivery.row | {"body": b"", "is_encrypted": False}, rows
    return delivery.row, rows


def content_of(row: StoredRow, cipher: BodyCipher) -> Content:
    """Return the bytes and the headers of a stored delivery, as ``content`` does."""
    return content(cipher, row.body, row.headers, row.body_sha256, row.is_encrypted)


def content(
    cipher: BodyCipher, stored: bytes, headers: str, body_sha256: str, is_encrypted: object
) -> Content:
    """Return the bytes and the headers of a delivery that is stored as these columns.

    There are no bytes if no key fits, or if what is stored was damaged: on a disk, for instance,
    whose bits flip, which a database need not notice. No hash covers the headers: what is kept of
    them is a word or an id of some ten characters, as the columns beside them are, and to compare
    both would take a hash of the whole row.
    """
    body = cipher.decrypt(stored) if is_encrypted else stored
    try:
        kept = _headers_of(headers)
    except ValueError:
        return None, {}
    is_whole = body is not None and hashlib.sha256(body).hexdigest() == body_sha256
    return (body if is_whole else None), kept


@lru_cache(maxsize=256)
def _headers_of(stored: str) -> Headers:
    """Return stored headers; those of most deliveries to an endpoint are the same."""
    headers: dict[str, str] = json.loads(stored)
    return MappingProxyType(headers)


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
        "raised_at": attempt.raised_at and storable_text(attempt.raised_at, MAX_WORD_CHARS),
    }


def attempt_record(row: AttemptRow) -> AttemptRecord:
    """Return a row of attempts as people see it."""
    return AttemptRecord(
        number=row.number,
        handler=row.handler,
        outcome=outcome_of(row.outcome),
        started_at=moment_of(row.started_at_ms),
        ended_at=moment_of(row.ended_at_ms),
        error=row.error,
        replays=row.replay_count,
        retry_at=None if row.retry_at_ms is None else moment_of(row.retry_at_ms),
        raised_at=row.raised_at,
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
        state=state_of(row.state),
        claim_count=row.attempt_count,
        next_attempt_at=moment_of(row.due_at_ms) if is_waiting else None,
        received_at=moment_of(row.received_at_ms),
        conflicts=row.conflict_count,
        event_type=row.event_type,
        replays=row.replay_count,
        has_body=row.has_body,
        attempts=tuple(recorded),
    )


def kept_entry(row: KeptRow, cipher: BodyCipher) -> Kept:
    """Return an entry with its bytes, None where they are gone or cannot be read."""
    body, headers = (None, {}) if row.body is None else content_of(row, cipher)
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
        state=state_of(row.state),
        received_at=moment_of(row.received_at_ms),
        body=body or None,
        headers=headers,
        problem=row.problem,
        event_type=row.event_type,
    )
