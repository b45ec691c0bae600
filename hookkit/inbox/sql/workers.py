"""Which processes run handlers: each says now and then that it is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from hookkit.inbox.records import (
    MAX_WORD_CHARS,
    WorkerRecord,
    from_ms,
    storable_text,
    to_ms,
)
from hookkit.inbox.sql.tables import workers
from hookkit.inbox.sql.transactions import Transactions

#: So many are shown at most.
MAX_SHOWN = 100

_THIS = workers.c.id == bindparam("this_id")
_SEEN = update(workers).where(_THIS).values(seen_at_ms=bindparam("now_ms"))
_LEAVE = delete(workers).where(_THIS)
_SINCE = (
    select(workers)
    .where(workers.c.seen_at_ms >= bindparam("since_ms"))
    .order_by(workers.c.seen_at_ms.desc(), workers.c.id)
    .limit(MAX_SHOWN)
)
_PRUNE = delete(workers).where(workers.c.seen_at_ms < bindparam("before_ms"))


class Workers:
    """The processes that run handlers; ``Inbox.workers`` is one.

    Every method may raise ``Unavailable``.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def see(self, worker: WorkerRecord) -> None:
        """Store that *worker* is there, as of its ``seen_at``."""
        seen = {"this_id": worker.id, "now_ms": to_ms(worker.seen_at)}
        row = {
            "id": worker.id,
            "name": storable_text(worker.name, MAX_WORD_CHARS),
            "host": storable_text(worker.host, MAX_WORD_CHARS),
            "pid": worker.pid,
            "version": storable_text(worker.version, MAX_WORD_CHARS),
            "threads": worker.threads,
            "endpoints": json.dumps(list(worker.endpoints)),
            "started_at_ms": to_ms(worker.started_at),
            "seen_at_ms": to_ms(worker.seen_at),
        }

        def write(connection: Connection) -> None:
            # Nobody else writes this row.
            if not connection.execute(_SEEN, seen).rowcount:
                connection.execute(workers.insert(), row)

        self._transactions.write_shared(write)

    def leave(self, worker_id: str) -> None:
        """Forget a worker that has ended."""
        this = {"this_id": worker_id}
        self._transactions.write_shared(lambda connection: connection.execute(_LEAVE, this))

    def seen(self, since: datetime) -> Sequence[WorkerRecord]:
        """Return the workers that were there at a moment or later, the last seen first."""
        with self._transactions.read() as connection:
            rows = connection.execute(_SINCE, {"since_ms": to_ms(since)}).all()
        return [
            WorkerRecord(
                id=row.id,
                name=row.name,
                host=row.host,
                pid=row.pid,
                version=row.version,
                threads=row.threads,
                endpoints=tuple(json.loads(row.endpoints)),
                started_at=from_ms(row.started_at_ms),
                seen_at=from_ms(row.seen_at_ms),
            )
            for row in rows
        ]

    def prune(self, before: datetime) -> None:
        """Forget workers that were not seen since a moment."""
        this = {"before_ms": to_ms(before)}
        self._transactions.write_shared(lambda connection: connection.execute(_PRUNE, this))
