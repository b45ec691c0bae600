"""Tells what proved the kept deliveries, inside the caller's transaction.

No index is for this: a step walks the ids, from the newest on, and its length is bounded.
"""

from __future__ import annotations

from sqlalchemy import Connection, case, func, null, select

from hookkit.core.fingerprints import (
    FINGERPRINT_CHARS,
)
from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.base import from_ms
from hookkit.inbox.records import Proofs, ProofUse
from hookkit.inbox.sql.tables import (
    deliveries,
)

# ``json.dumps`` writes headers in their order, and this one comes first.
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
    """Return what proved the newest deliveries between two ids."""
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
