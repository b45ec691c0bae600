"""How the entries of a memory inbox are claimed and settled, under the inbox's lock."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from hookkit.core.entry import Entry, Settlement, State
from hookkit.inbox.memory_due import Queue
from hookkit.inbox.memory_entries import StoredEntry, attempt_record, claimed_entry


def claim(
    queue: Queue, due: Iterable[StoredEntry], limit: int, ahead: int, until_ms: int
) -> list[Entry]:
    """Lease the first *limit* of what is *due*, and set aside up to *ahead* more.

    Args:
        due: Oldest first; each is claimed before the next is asked for.
    """
    lease_token = secrets.token_hex(16)
    claimed: list[Entry] = []
    for entry in due:
        if len(claimed) >= limit + ahead:
            break
        was_expired = entry.state is State.RUNNING
        if was_expired and claimed:
            continue
        is_begun = len(claimed) < limit
        entry.lease_token = lease_token
        entry.lost_claims += was_expired
        claimed.append(claimed_entry(entry, lease_token))
        entry.attempt_count += is_begun
        queue.move(entry, State.RUNNING if is_begun else State.WAITING, until_ms)
        if was_expired:
            break
    return claimed


def begin(queue: Queue, stored: StoredEntry | None, entry: Entry, until_ms: int) -> bool:
    """Have *entry*, which was set aside, run; False when it is not held any more."""
    if stored is None:
        return False
    stored.attempt_count = entry.claim_count
    queue.move(stored, State.RUNNING, until_ms)
    return True


def settle(
    queue: Queue,
    stored: StoredEntry | None,
    settlement: Settlement,
    now_ms: int,
    *,
    in_lanes: bool = False,
) -> bool:
    """Record the outcomes and the next state; False when the entry is not held any more."""
    if stored is None:
        return False
    stored.attempts += [
        (stored.generation, attempt_record(stored, attempt, now_ms))
        for attempt in settlement.attempts
    ]
    due_ms = None
    if settlement.state is State.WAITING:
        due_ms = now_ms + round((settlement.retry_after_s or 0) * 1000)
    stored.lease_token = None
    stored.lost_claims = 0
    stored.event_type = settlement.event_type or stored.event_type
    queue.move(stored, settlement.state, due_ms)
    if in_lanes and due_ms is None:
        queue.release(stored, now_ms)
    return True
