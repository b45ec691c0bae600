"""Reads one entry with its delivery, and the entries around it, for people."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
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
from hookkit.inbox.records import EntryRecord, to_ms
from hookkit.inbox.sights import Detail, Missing, Neighbours
from hookkit.inbox.sql.damage import moment_of
from hookkit.inbox.sql.find import HAS_BODY, is_at, records_of
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
    connection: Connection, record: EntryRecord, window_s: float, look_at: int
) -> EntryRecord | None:
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
        return next(iter(_records(connection, entries.c.id == owner)), None)
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
    return next(iter(_records(connection, entries.c.id == nearest.scalar_subquery())), None)


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
    found: dict[str, list[tuple[int, int]]] = {"siblings": [], "earlier": [], "later": []}
    for look, entry_id, position in connection.execute(union_all(*looks)):
        found[look].append((entry_id, position))
    ids = {entry_id for each in found.values() for entry_id, _ in each}
    by_id = {each.id: each for each in _records(connection, entries.c.id.in_(ids))}
    return Neighbours(
        earlier=[by_id[entry_id] for entry_id, _ in sorted(found["earlier"], reverse=True)],
        later=[by_id[entry_id] for entry_id, _ in sorted(found["later"])],
        siblings=[by_id[each[0]] for each in sorted(found["siblings"], key=itemgetter(1))],
    )


def _first(
    look: str, order: ColumnElement[int], limit: int, *conditions: ColumnElement[bool]
) -> Select[Any]:
    """Return what finds the first entries in an order, with the name of the look."""
    first = select(entries.c.id, entries.c.position).where(*conditions).order_by(order)
    found = first.limit(limit).subquery()
    return select(literal(look), found.c.id, found.c.position)


def _records(connection: Connection, condition: ColumnElement[bool]) -> Sequence[EntryRecord]:
    rows = connection.execute(select(entries, HAS_BODY).where(condition)).all()
    return records_of(connection, rows)
