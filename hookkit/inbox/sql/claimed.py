"""Reads of claimed entries what a worker needs: their bytes, and what was tried before."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from hookkit.core.attempts import Outcome, Recorded, tries_of
from hookkit.core.entry import Entry
from hookkit.inbox.records import from_ms
from hookkit.inbox.sql.among import IsAmong
from hookkit.inbox.sql.claim import Choice, Due
from hookkit.inbox.sql.compiled import execute
from hookkit.inbox.sql.damage import OUTCOMES, moment_of
from hookkit.inbox.sql.rows import BodyCipher, Content, chunks, content
from hookkit.inbox.sql.tables import attempts, deliveries, entries

# Built once: putting a statement together takes longer than SQLite does to run it.
_BODIES = select(
    deliveries.c.id,
    deliveries.c.body,
    deliveries.c.headers,
    deliveries.c.body_sha256,
    deliveries.c.is_encrypted,
).where(IsAmong(deliveries.c.id, "delivery_ids"))
_RECORDED = (
    select(
        attempts.c.entry_id,
        attempts.c.handler,
        attempts.c.outcome,
        attempts.c.replay_count,
        attempts.c.retry_at_ms,
    )
    .join(entries, entries.c.id == attempts.c.entry_id)
    .where(
        IsAmong(attempts.c.entry_id, "entry_ids"),
        attempts.c.generation == entries.c.generation,
    )
    .order_by(attempts.c.id)
)


def claimed_entries(
    connection: Connection, choice: Choice, lease_token: str, cipher: BodyCipher
) -> list[Entry]:
    """Return what was chosen, read before its claim, as the worker gets it after it."""
    contents = _contents(connection, {each.delivery_id for each in choice.due}, cipher)
    recorded = _recorded(connection, choice.due)
    return [
        _claimed(each, choice, lease_token, contents[each.delivery_id], recorded[each.id])
        for each in choice.due
    ]


def _claimed(
    due: Due,
    choice: Choice,
    lease_token: str,
    found: Content,
    recorded: Sequence[Recorded | None],
) -> Entry:
    chosen = None if due.chosen_handlers is None else frozenset(json.loads(due.chosen_handlers))
    if None in recorded:  # which handlers have succeeded is not known: none may run twice
        found, recorded = (None, found[1]), ()
    return Entry(
        id=due.id,
        endpoint=due.endpoint,
        event_id=due.event_id,
        position=due.position,
        # That of a group is counted when it is settled.
        claim_count=due.claim_count + max(1, choice.counted),
        lost_claim_count=due.lost_claim_count + choice.lost,
        lease_token=lease_token,
        tries=tries_of(filter(None, recorded), replay=due.replays, chosen=chosen),
        generation=due.generation,
        replays=due.replays,
        chosen=chosen,
        lane=due.lane,
        received_at=from_ms(due.received_at_ms),
        body=found[0],
        headers=found[1],
    )


def _contents(
    connection: Connection, delivery_ids: Collection[int], cipher: BodyCipher
) -> dict[int, Content]:
    """Return the bytes and the headers of deliveries by id: many items may share one."""
    contents = {}
    for chunk in chunks(delivery_ids):
        for delivery_id, *stored in execute(connection, _BODIES, {"delivery_ids": chunk}):
            contents[delivery_id] = content(cipher, *stored)
    return contents


def _recorded(connection: Connection, due: Sequence[Due]) -> dict[int, list[Recorded | None]]:
    """Return by entry what its handlers have tried since it started over; None if damaged."""
    recorded: dict[int, list[Recorded | None]] = defaultdict(list)
    # A first claim has no attempts to look for. A lost one that was not counted may have: the
    # success of a transactional handler is committed before its claim is settled.
    tried = [each.id for each in due if each.claim_count or each.replays or each.is_lost]
    for chunk in chunks(tried):
        for entry_id, handler, outcome, replays, retry_at_ms in execute(
            connection, _RECORDED, {"entry_ids": chunk}
        ):
            retry_at = None if retry_at_ms is None else moment_of(retry_at_ms)
            is_whole = outcome in OUTCOMES
            recorded[entry_id].append(
                Recorded(handler, Outcome(outcome), replays, retry_at) if is_whole else None
            )
    return recorded
