"""What people and housekeeping do to the entries of a memory inbox, under the inbox's lock."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hookkit.core.entry import Filter, State
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.base import from_ms, refusal
from hookkit.inbox.memory_entries import StoredDelivery, StoredEntry, vendor_type_of
from hookkit.inbox.records import Proofs, ProofUse


class Gone(NamedTuple):
    """What was pruned: how many bodies, and which entries."""

    bodies: int
    entries: list[StoredEntry]


def prune(
    deliveries: dict[int, StoredDelivery],
    entries: dict[int, StoredEntry],
    bodies_before_ms: int,
    ids_before_ms: int,
) -> Gone:
    """Delete what was received long ago and is settled."""
    needed = {one.delivery.id for one in entries.values() if one.due_ms is not None}
    old = [one for one in deliveries.values() if one.received_ms < bodies_before_ms]
    unneeded = [one for one in old if one.id not in needed]
    for delivery in unneeded:
        delivery.body = None
        del deliveries[delivery.id]
    gone = [
        one for one in entries.values() if one.received_ms < ids_before_ms and one.due_ms is None
    ]
    for entry in gone:
        del entries[entry.id]
    return Gone(len(unneeded), gone)


def start_over(entry: StoredEntry, handlers: Collection[str] | None) -> None:
    """Make ready for another run, which the caller makes due."""
    entry.generation += entry.state is State.DONE and handlers is None
    entry.chosen = None if handlers is None else frozenset(handlers)
    entry.attempt_count = entry.lost_claims = 0
    entry.lease_token = None
    entry.replay += 1


def fits(entry: StoredEntry, wanted: Filter) -> bool:
    """Tell whether *entry* is one of those that are *wanted*."""
    received_at = from_ms(entry.received_ms)
    return (
        (wanted.entry_ids is None or entry.id in wanted.entry_ids)
        and wanted.endpoint in (None, entry.endpoint)
        and wanted.state in (None, entry.state)
        and wanted.type in (None, entry.event_type, vendor_type_of(entry))
        and (wanted.since is None or received_at >= wanted.since)
        and (wanted.until is None or received_at < wanted.until)
        and all(each.handler != wanted.untried_by for _, each in entry.attempts)
        and (
            wanted.outcome is None
            or any(
                each.outcome is wanted.outcome and each.replay == entry.replay
                for _, each in entry.attempts
            )
        )
    )


def why_refused(
    entry_id: int, entry: StoredEntry | None, handlers: Collection[str] | None
) -> str | None:
    """Return why the entry of this id cannot be replayed, None when it can."""
    state = None if entry is None else entry.state
    has_body = entry is not None and entry.delivery.body is not None
    return refusal(entry_id, state, has_body=has_body, is_chosen=handlers is not None)


def proofs(
    deliveries: dict[int, StoredDelivery], after_id: int, before_id: int | None, limit: int
) -> Proofs:
    """Return what proved the newest deliveries between two ids."""
    last_id = max(deliveries, default=0) if before_id is None else before_id - 1
    first_id = max(after_id, last_id - limit) + 1
    spans: dict[tuple[str, str | None], list[int]] = {}
    for one in deliveries.values():
        if first_id <= one.id <= last_id:
            is_named = one.secret_index is not None
            name = one.headers.get(FINGERPRINT_HEADER, "") if is_named else None
            spans.setdefault((one.endpoint, name), []).append(one.received_ms)
    uses = [ProofUse(*key, from_ms(min(at)), from_ms(max(at))) for key, at in spans.items()]
    return Proofs(first_id, last_id, uses)
