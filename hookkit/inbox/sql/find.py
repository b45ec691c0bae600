"""Finds entries for people, and what proved deliveries, inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, case, exists, func, null, or_, select

from hookkit.core.entry import Filter, State
from hookkit.core.ids import FINGERPRINT_CHARS
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import AttemptRecord, EntryRecord, Kept, Proofs, ProofUse, from_ms, to_ms
from hookkit.inbox.sql.rows import BodyCipher, attempt_record, chunks, entry_record, kept_entry
from hookkit.inbox.sql.tables import attempts, deliveries, entries

#: Whether the bytes of an entry are still kept.
HAS_BODY = exists().where(deliveries.c.id == entries.c.delivery_id).label("has_body")


def conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of the entries that are *wanted*."""
    if wanted.entry_ids is not None:
        yield entries.c.id.in_(wanted.entry_ids)
    if wanted.endpoint is not None:
        yield entries.c.endpoint == wanted.endpoint
    if wanted.state is not None:
        yield entries.c.state == wanted.state.value
    if wanted.outcome is not None:
        yield exists().where(
            attempts.c.entry_id == entries.c.id,
            attempts.c.replay_count == entries.c.replay_count,
            attempts.c.outcome == wanted.outcome.value,
        )
    if wanted.untried_by is not None:
        yield ~exists().where(
            attempts.c.entry_id == entries.c.id, attempts.c.handler == wanted.untried_by
        )
    if wanted.type is not None:
        yield or_(entries.c.event_type == wanted.type, entries.c.vendor_type == wanted.type)
    if wanted.since is not None:
        yield entries.c.received_at_ms >= to_ms(wanted.since)
    if wanted.until is not None:
        yield entries.c.received_at_ms < to_ms(wanted.until)


def find(connection: Connection, wanted: Filter, limit: int) -> Sequence[EntryRecord]:
    """Return entries, newest first."""
    newest = (
        select(entries, HAS_BODY)
        .where(*conditions(wanted))
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    recorded: dict[int, list[AttemptRecord]] = defaultdict(list)
    found = connection.execute(newest).all()
    for chunk in chunks(row.id for row in found):
        of_these = select(attempts).where(attempts.c.entry_id.in_(chunk))
        for row in connection.execute(of_these.order_by(attempts.c.id)):
            recorded[row.entry_id].append(attempt_record(row))
    return [entry_record(row, recorded[row.id]) for row in found]


def find_kept(
    connection: Connection,
    endpoint: str,
    below_id: int | None,
    limit: int,
    cipher: BodyCipher,
) -> Sequence[Kept]:
    """Return entries of *endpoint* with their bytes, newest first."""
    newest = (
        select(entries, deliveries.c.body, deliveries.c.headers, deliveries.c.is_encrypted)
        .outerjoin(deliveries, deliveries.c.id == entries.c.delivery_id)
        .where(entries.c.endpoint == endpoint)
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    if below_id is not None:
        newest = newest.where(entries.c.id < below_id)
    return [kept_entry(row, cipher) for row in connection.execute(newest)]


def counts(connection: Connection) -> dict[State, int]:
    """Return how many entries are in each state; every state is there."""
    by_state = select(entries.c.state, func.count()).group_by(entries.c.state)
    found = {State(state): count for state, count in connection.execute(by_state)}
    return dict.fromkeys(State, 0) | found


# The headers are stored by ``json.dumps`` in their order, and this one comes first.
_START = f'{{"{FINGERPRINT_HEADER}": "'

_FINGERPRINT = case(
    (deliveries.c.secret_index.is_(None), null()),
    (
        func.substr(deliveries.c.headers, 1, len(_START)) == _START,
        func.substr(deliveries.c.headers, len(_START) + 1, FINGERPRINT_CHARS),
    ),
    else_="",
)


def proofs(connection: Connection, after_id: int, before_id: int | None, limit: int) -> Proofs:
    """Return which secrets proved the newest deliveries between two ids."""
    if before_id is None:
        newest = connection.execute(select(func.max(deliveries.c.id))).scalar()
        before_id = (newest or 0) + 1
    last_id = before_id - 1
    first_id = max(after_id, last_id - limit) + 1
    at_ms = deliveries.c.received_at_ms
    rows = connection.execute(
        select(deliveries.c.endpoint, _FINGERPRINT, func.min(at_ms), func.max(at_ms))
        .where(deliveries.c.id.between(first_id, last_id))
        .group_by(deliveries.c.endpoint, _FINGERPRINT)
    )
    uses = [
        ProofUse(endpoint, name, from_ms(first_ms), from_ms(last_ms))
        for endpoint, name, first_ms, last_ms in rows
    ]
    return Proofs(first_id, last_id, uses)
