"""Finds entries for people, and what proved deliveries, inside the caller's transaction."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from hookkit.core.entry import Filter, State
from hookkit.core.ids import FINGERPRINT_CHARS
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import (
    AttemptRecord,
    EntryRecord,
    IdSpan,
    Kept,
    Proofs,
    ProofUse,
    from_ms,
    to_ms,
)
from hookkit.inbox.sql.damage import state_of
from hookkit.inbox.sql.rows import (
    BodyCipher,
    EntryRow,
    attempt_record,
    chunks,
    entry_record,
    kept_entry,
)
from hookkit.inbox.sql.tables import attempts, deliveries, entries

#: What the name of a class is made of, with those of its module and of functions around it.
_OF_A_CLASS = f"{string.ascii_letters}{string.digits}_.<>"

#: No entry has a higher id.
HIGHEST_ID = 2**62
ALL_IDS = (0, HIGHEST_ID)

#: Whether the bytes of an entry are still kept.
HAS_BODY = exists().where(deliveries.c.id == entries.c.delivery_id).label("has_body")


def conditions(wanted: Filter, ids: tuple[int, int] = ALL_IDS) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of the entries that are *wanted*.

    Args:
        ids: Only entries from one id to another are looked at; a database that knows it need not
            read the attempts of all others.
    """
    if wanted.entry_ids is not None:
        yield entries.c.id.in_(wanted.entry_ids)
    if wanted.state is not None:
        yield is_in(wanted.state)
    if wanted.endpoint is not None:
        yield is_at(wanted.endpoint)
    for column, value in (
        (entries.c.event_id, wanted.event_id),
        (entries.c.version, wanted.version),
        (entries.c.lane, wanted.lane),
    ):
        if value is not None:
            yield column == value
    if wanted.type is not None:
        yield or_(entries.c.event_type == wanted.type, entries.c.vendor_type == wanted.type)
    yield from _of_counts(wanted)
    if wanted.since is not None:
        yield entries.c.received_at_ms >= to_ms(wanted.since)
    if wanted.until is not None:
        yield entries.c.received_at_ms < to_ms(wanted.until)
    yield from _of_attempts(wanted, ids)


def _of_counts(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for count, has_any in (
        (entries.c.conflict_count, wanted.has_conflict),
        (entries.c.replay_count, wanted.is_replayed),
    ):
        if has_any is not None:
            yield count > 0 if has_any else count == 0


def _of_attempts(wanted: Filter, ids: tuple[int, int]) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of the attempts of the entries that are *wanted*."""
    of_one = list(_of_attempt(wanted))
    if of_one:
        yield exists().where(*_of_entry(ids), *of_one)
    if wanted.untried_by is not None:
        yield ~exists().where(*_of_entry(ids), attempts.c.handler == wanted.untried_by)


def _of_attempt(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of one attempt of the entries that are *wanted*."""
    if wanted.tried_by is not None:
        yield attempts.c.handler == wanted.tried_by
    if wanted.outcome is not None or wanted.error is not None:
        yield attempts.c.replay_count == entries.c.replay_count
    if wanted.outcome is not None:
        yield attempts.c.outcome == wanted.outcome.value
    if wanted.error is not None:
        yield _is_of_class(wanted.error)


def _is_of_class(name: str) -> ColumnElement[bool]:
    """Return the condition that an error, ``module.Class: message``, is of the class *name*.

    The module may be left out.
    """
    error = attempts.c.error
    message = func.ltrim(error, _OF_A_CLASS)
    class_chars = func.length(error) - func.length(message)
    last_name = func.substr(error, class_chars - len(name), len(name) + 1)
    return or_(
        error == name,
        func.substr(error, 1, len(name) + 1) == f"{name}:",
        and_(
            class_chars > len(name),
            last_name == f".{name}",
            or_(message == "", func.substr(message, 1, 1) == ":"),
        ),
    )


def is_at(endpoint: str) -> ColumnElement[bool]:
    """Return the condition that entries are those of an endpoint, and no reason for an index.

    SQLite would go through all entries of the endpoint by the index of event ids, instead of
    those whose ids are looked at.
    """
    return entries.c.endpoint.concat("") == endpoint


def is_in(state: State) -> ColumnElement[bool]:
    """Return the condition that entries are in a state, whose word stands in the statement.

    A statement that PostgreSQL has prepared for any state walks through all entries: it does not
    know then that few are dead.
    """
    word = bindparam(None, state.value, entries.c.state.type, literal_execute=True)
    return entries.c.state == word


def _of_entry(ids: tuple[int, int]) -> Iterator[ColumnElement[bool]]:
    yield attempts.c.entry_id == entries.c.id
    if ids != ALL_IDS:
        yield attempts.c.entry_id.between(*ids)


def find(connection: Connection, wanted: Filter, limit: int) -> Sequence[EntryRecord]:
    """Return entries, newest first."""
    newest = (
        select(entries, HAS_BODY)
        .where(*conditions(wanted))
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    return records_of(connection, connection.execute(newest).all())


def records_of(connection: Connection, rows: Sequence[EntryRow]) -> list[EntryRecord]:
    """Return rows of entries as people see them, each with all of its attempts."""
    recorded: dict[int, list[AttemptRecord]] = defaultdict(list)
    for chunk in chunks(row.id for row in rows):
        of_these = select(attempts).where(attempts.c.entry_id.in_(chunk))
        for row in connection.execute(of_these.order_by(attempts.c.id)):
            recorded[row.entry_id].append(attempt_record(row))
    return [entry_record(row, recorded[row.id]) for row in rows]


# Entries with what is stored of their bytes.
_KEPT = select(
    entries,
    deliveries.c.body,
    deliveries.c.headers,
    deliveries.c.body_sha256,
    deliveries.c.is_encrypted,
).outerjoin(deliveries, deliveries.c.id == entries.c.delivery_id)


def find_kept(
    connection: Connection,
    wanted: Filter,
    below_id: int | None,
    limit: int,
    cipher: BodyCipher,
) -> Sequence[Kept]:
    """Return entries with their bytes, newest first."""
    newest = _KEPT.where(*conditions(wanted)).order_by(entries.c.id.desc()).limit(limit)
    if below_id is not None:
        newest = newest.where(entries.c.id < below_id)
    return [kept_entry(row, cipher) for row in connection.execute(newest)]


def kept_of(
    connection: Connection, entry_id: int | ScalarSelect[int], cipher: BodyCipher
) -> Kept | None:
    """Return one entry with its bytes, None if there is none of this id."""
    row = connection.execute(_KEPT.where(entries.c.id == entry_id)).first()
    return None if row is None else kept_entry(row, cipher)


def counts(connection: Connection) -> dict[State, int]:
    """Return how many entries are in each state; every state is there.

    An entry whose state was damaged counts as a dead letter.
    """
    by_state = select(entries.c.state, func.count()).group_by(entries.c.state)
    found = dict.fromkeys(State, 0)
    for word, count in connection.execute(by_state):
        found[state_of(word)] += count
    return found


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


# The highest id of all deliveries.
_NEWEST = func.coalesce(select(func.max(deliveries.c.id)).scalar_subquery(), 0)


def proofs(connection: Connection, spans: Sequence[IdSpan], limit: int) -> list[Proofs]:
    """Return of each span which secrets proved its newest deliveries."""
    looks = [_uses(number, span, limit) for number, span in enumerate(spans)]
    newest = select(literal(-1), null(), null(), _NEWEST, null())
    found: dict[int, list[ProofUse]] = defaultdict(list)
    newest_id = 0
    rows: Sequence[Any] = connection.execute(union_all(*looks, newest)).all()
    for number, endpoint, name, first_ms, last_ms in rows:
        if number < 0:
            newest_id = first_ms
        else:
            found[number].append(ProofUse(endpoint, name, from_ms(first_ms), from_ms(last_ms)))
    every = []
    for number, (after_id, before_id) in enumerate(spans):
        last_id = newest_id if before_id is None else before_id - 1
        every.append(Proofs(max(after_id, last_id - limit) + 1, last_id, found[number]))
    return every


def _uses(number: int, span: IdSpan, limit: int) -> Select[Any]:
    last_id = _NEWEST if span.before_id is None else literal(span.before_id - 1, BigInteger)
    # One bound: of two, SQLite would take the first, and go through all that lies above it.
    above_id = case((last_id - limit > span.after_id, last_id - limit), else_=span.after_id)
    at_ms = deliveries.c.received_at_ms
    return (
        select(
            literal(number),
            deliveries.c.endpoint,
            _FINGERPRINT,
            func.min(at_ms),
            func.max(at_ms),
        )
        .where(deliveries.c.id > above_id, deliveries.c.id <= last_id)
        .group_by(deliveries.c.endpoint, _FINGERPRINT)
    )
