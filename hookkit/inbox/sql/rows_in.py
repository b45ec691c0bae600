"""Rows of the tables for a delivery that is to be admitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from hookkit.core.delivery import Envelope, Item
from hookkit.core.modes import (
    Modes,
)
from hookkit.core.states import State
from hookkit.inbox.base import MAX_WORD_CHARS, storable_text, to_ms
from hookkit.inbox.sql.owners import (
    give_states,
)

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
