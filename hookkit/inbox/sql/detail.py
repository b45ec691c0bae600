"""Reads one entry with its delivery, and the entries around it, for people."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    literal,
    null,
    select,
    union_all,
)

from hookkit.core.body import Headers
from hookkit.core.entry import State
from hookkit.core.facts import is_exact
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import EntryRecord, Kept, to_ms
from hookkit.inbox.sights import Detail, Missing, Neighbour, Neighbours
from hookkit.inbox.sql.damage import moment_of, state_of
from hookkit.inbox.sql.find import is_at, kept_of, records_of
from hookkit.inbox.sql.id_range import OVERTAKING, Ids, id_at
from hookkit.inbox.sql.rows import BodyCipher, StoredRow, content_of
from hookkit.inbox.sql.tables import deliveries, entries, facts

_beside = entries.alias()
_DETAIL = (
    select(
        entries,
        deliveries.c.id.is_not(None).label("has_body"),
        deliveries.c.body,
        deliveries.c.headers,
        deliveries.c.body_sha256,
        deliveries.c.is_encrypted,
        deliveries.c.secret_index,
        select(func.max(_beside.c.position))
        .where(_beside.c.delivery_id == entries.c.delivery_id)
        .scalar_subquery()
        .label("last_position"),
    )
    .outerjoin(deliveries, deliveries.c.id == entries.c.delivery_id)
    .where(entries.c.id == bindparam("entry_id"))
)


def detail(connection: Connection, entry_id: int, cipher: BodyCipher) -> Detail | None:
    """Return all that is kept of an entry, None if there is none."""
    row = connection.execute(_DETAIL, {"entry_id": entry_id}).first()
    if row is None:
        return None
    body, kept_headers, missing = _content(row, cipher)
    headers = dict(kept_headers)
    (record,) = records_of(connection, [row])
    return Detail(
        record=record,
        delivery_id=row.delivery_id,
        position=row.position,
        item_count=row.last_position + 1,
        content_hash=row.content_hash,
        fingerprint=headers.pop(FINGERPRINT_HEADER, None),
        secret_index=row.secret_index,
        lease_until=moment_of(row.due_at_ms) if record.state is State.RUNNING else None,
        headers=headers,
        body=body,
        missing=missing,
    )


def _content(
    delivery: StoredRow, cipher: BodyCipher
) -> tuple[bytes | None, Headers, Missing | None]:
    if not delivery.has_body:
        return None, {}, Missing.DELETED
    body, headers = content_of(delivery, cipher)
    if delivery.body == b"":
        return None, headers, Missing.IGNORED
    if body is not None:
        return body, headers, None
    is_locked = delivery.is_encrypted and cipher.decrypt(delivery.body) is None
    return None, headers, Missing.NO_KEY if is_locked else Missing.DAMAGED


def twin(
    connection: Connection,
    record: EntryRecord,
    window_s: float,
    look_at: int,
    cipher: BodyCipher,
) -> Kept | None:
    """Return the nearest entry of another version that reports the same fact, None without one.

    The owner of the fact is found by its key; for others, ids are looked at that were received
    within *window_s* seconds, and at most *look_at* before the entry and after it.
    """
    if record.fact is None:
        return None
    received_ms, window_ms = to_ms(record.received_at), round(window_s * 1000)
    owner, first_id, last_id = connection.execute(
        select(
            _owner(record.endpoint, record.fact),
            id_at(received_ms - window_ms),
            id_at(received_ms + window_ms + 1),
        )
    ).one()
    if owner is not None and owner != record.id:
        return kept_of(connection, owner, cipher)
    around = Ids(
        max(record.id - look_at, first_id - OVERTAKING),
        min(record.id + look_at, last_id + OVERTAKING),
    )
    nearest = (
        select(entries.c.id)
        .where(
            entries.c.id.between(*around),
            is_at(record.endpoint),
            entries.c.fact == record.fact,
            entries.c.version != record.version,
            entries.c.received_at_ms.between(received_ms - window_ms, received_ms + window_ms),
        )
        .order_by(func.abs(entries.c.id - record.id))
        .limit(1)
    )
    return kept_of(connection, nearest.scalar_subquery(), cipher)


def _owner(endpoint: str, fact: str) -> ColumnElement[Any]:
    """Return what finds the entry that owns a fact; only exact ones have an owner."""
    if not is_exact(fact):
        return null()
    owned = select(facts.c.entry_id).where(facts.c.endpoint == endpoint, facts.c.fact == fact)
    return owned.scalar_subquery()


def neighbours(connection: Connection, record: EntryRecord, limit: int, look_at: int) -> Neighbours:
    """Return entries of the lane before and after an entry, and of its delivery.

    Args:
        limit: How many of each.
        look_at: How many ids before it and after it are looked at.
    """
    this, of_delivery = record.id, select(entries.c.delivery_id).where(entries.c.id == record.id)
    siblings = (entries.c.delivery_id == of_delivery.scalar_subquery(), entries.c.id != this)
    looks = [_first("siblings", entries.c.position, limit, *siblings)]
    if record.lane is not None:
        in_lane = (is_at(record.endpoint), entries.c.lane == record.lane)
        before = entries.c.id.between(this - look_at, this - 1)
        after = entries.c.id.between(this + 1, this + look_at)
        looks.append(_first("earlier", entries.c.id.desc(), limit, before, *in_lane))
        looks.append(_first("later", entries.c.id, limit, after, *in_lane))
    found: dict[str, list[tuple[int, Neighbour]]] = {"siblings": [], "earlier": [], "later": []}
    for look, position, entry_id, word, *types in connection.execute(union_all(*looks)):
        found[look].append((position, Neighbour(entry_id, state_of(word), *types)))
    return Neighbours(
        earlier=sorted((each for _, each in found["earlier"]), reverse=True),
        later=sorted(each for _, each in found["later"]),
        siblings=[each for _, each in sorted(found["siblings"])],
    )


def _first(
    look: str, order: ColumnElement[int], limit: int, *conditions: ColumnElement[bool]
) -> Select[Any]:
    """Return what finds the first entries in an order, with the name of the look."""
    columns = (
        entries.c.position,
        entries.c.id,
        entries.c.state,
        entries.c.vendor_type,
        entries.c.event_type,
    )
    found = select(*columns).where(*conditions).order_by(order).limit(limit).subquery()
    return select(literal(look), *found.c)
