"""The inbox in a SQL database: SQLite or PostgreSQL.

Rule 1: every method is one transaction, begun as what it is: reading or writing.
Rule 2: who is first is decided by the database: the unique constraint of an event id, the
        row lock of a claim, the lease token of a settlement. Never by a look beforehand.
Rule 3: a claim looks at PENDING, WAITING and RUNNING one by one, since each walks the index
        from what is due longest; one condition for all three would sort the whole backlog.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, Engine, bindparam, case, func, select, update

from hookkit.core.delivery import Envelope
from hookkit.core.errors import ReplayRefused
from hookkit.core.outcome import Entry, Receipt, Settlement
from hookkit.core.states import REPLAYABLE, State
from hookkit.inbox.base import AttemptRecord, EntryRecord, from_ms, to_ms
from hookkit.inbox.postgres_transactions import PostgresTransactions
from hookkit.inbox.schema import ensure_tables
from hookkit.inbox.sql_admit import admit, chunks, prepared
from hookkit.inbox.sql_claim import CLAIMABLE, claimed_entries, due_entries, first_due, pick
from hookkit.inbox.sql_rows import attempt_record, attempt_row, entry_record
from hookkit.inbox.sqlite_admit import SqliteAdmission
from hookkit.inbox.tables import attempts, deliveries, entries
from hookkit.inbox.transactions import SqliteTransactions, Transactions

# Statements are built once: putting one together takes longer than SQLite does to run it.
_HELD = (
    update(entries)
    .where(entries.c.id == bindparam("entry_id"))
    .where(entries.c.lease_token == bindparam("held_token"))
)
_RENEW = _HELD.values(due_at_ms=bindparam("new_due_ms"))
_SETTLE = _HELD.values(
    state=bindparam("new_state"), due_at_ms=bindparam("new_due_ms"), lease_token=None
)
_LEASE = (
    update(entries)
    .where(entries.c.id.in_(bindparam("entry_ids", expanding=True)))
    .values(
        state=State.RUNNING.value,
        lease_token=bindparam("new_token"),
        due_at_ms=bindparam("new_due_ms"),
        attempt_count=entries.c.attempt_count + 1,
    )
)
_RUN = select(entries.c.generation, entries.c.replay_count, entries.c.attempt_count).where(
    entries.c.id == bindparam("entry_id")
)
_INSERT_ATTEMPT = attempts.insert()
_REPLAYABLE = [state.value for state in REPLAYABLE]
_HAS_BYTES = entries.c.delivery_id.in_(select(deliveries.c.id))


class SqlInbox:
    """An ``Inbox`` in a SQL database, shared by every process that opens it.

    ``hookkit.inbox.database.open_inbox`` makes one from the setting ``HOOKKIT_DATABASE``.

    Args:
        engine: A synchronous SQLAlchemy engine for a SQLite file or for PostgreSQL.
        is_own: Whether nobody but this inbox uses *engine*. A SQLite file is then switched
            to a write-ahead log, and ``close`` closes the engine's connections.
    """

    def __init__(self, engine: Engine, *, is_own: bool = False) -> None:
        self._transactions: Transactions
        self._sqlite_admission: SqliteAdmission | None = None
        if engine.dialect.name == "sqlite":
            self._transactions = transactions = SqliteTransactions(engine, is_own=is_own)
            self._sqlite_admission = SqliteAdmission(transactions)
        else:
            self._transactions = PostgresTransactions(engine, is_own=is_own)
        self._insert_entry = self._transactions.insert_unless_there(entries)
        self._is_prepared = False
        self._preparing = Lock()

    def prepare(self) -> None:
        """Create the tables where they are missing; every other method does it if need be.

        Raises:
            ConfigurationError: The tables were made by a newer hookkit.
            Unavailable: The database cannot be used.
        """
        with self._preparing:
            if not self._is_prepared:
                self._transactions.prepare()
                ensure_tables(self._transactions)
                self._is_prepared = True

    def admit(self, envelope: Envelope) -> Receipt:
        """Store the delivery and one entry per item that is new, in one transaction."""
        delivery = prepared(envelope)
        if self._sqlite_admission is not None:
            if not self._is_prepared:
                self.prepare()
            return self._sqlite_admission.admit(delivery)
        with self._writing() as connection:
            return admit(connection, self._insert_entry, delivery)

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        only: Collection[int] | None = None,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count the attempt."""
        if limit < 1 or not endpoints:
            return []
        now_ms = to_ms(now)
        lease_token = secrets.token_hex(16)
        lease = {"new_token": lease_token, "new_due_ms": _later(now_ms, lease_s)}
        with self._writing() as connection:
            due = due_entries(connection, now_ms, limit, endpoints, only)
            rows = pick(due, limit)
            for chunk in chunks(row.id for row in rows):
                connection.execute(_LEASE, lease | {"entry_ids": chunk})
            return claimed_entries(connection, rows, lease_token)

    def renew(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Extend the lease of *entry*; False when it belongs to another claim by now."""
        longer = _held(entry) | {"new_due_ms": _later(to_ms(now), lease_s)}
        with self._writing() as connection:
            return connection.execute(_RENEW, longer).rowcount == 1

    def settle(self, entry: Entry, settlement: Settlement, *, now: datetime) -> bool:
        """Record the outcomes and the next state; False, and nothing recorded, when fenced."""
        due_at_ms = None
        if settlement.state is State.WAITING:
            due_at_ms = _later(to_ms(now), settlement.retry_after_s or 0)
        settled = {"new_state": settlement.state.value, "new_due_ms": due_at_ms}
        with self._writing() as connection:
            if connection.execute(_SETTLE, _held(entry) | settled).rowcount != 1:
                return False
            if settlement.outcomes:
                run = connection.execute(_RUN, {"entry_id": entry.id}).one()
                rows = [attempt_row(entry, run, outcome) for outcome in settlement.outcomes]
                connection.execute(_INSERT_ATTEMPT, rows)
            return True

    def replay(self, entry_id: int, *, now: datetime) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        Raises:
            ReplayRefused: No such entry, it is PENDING or RUNNING, or its bytes are gone.
        """
        of_entry = entries.c.id == entry_id
        starts_over = case((entries.c.state == State.DONE.value, 1), else_=0)
        pending_again = (
            update(entries)
            .where(of_entry, entries.c.state.in_(_REPLAYABLE), _HAS_BYTES)
            .values(
                state=State.PENDING.value,
                due_at_ms=to_ms(now),
                attempt_count=0,
                generation=entries.c.generation + starts_over,
                replay_count=entries.c.replay_count + 1,
            )
        )
        with self._writing() as connection:
            if connection.execute(pending_again).rowcount != 1:
                state = connection.execute(select(entries.c.state).where(of_entry)).scalar()
                raise ReplayRefused(_why_refused(entry_id, state))

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim would find anything at *endpoints*, without a write."""
        now_ms = to_ms(now)
        with self._reading() as connection:
            for state in CLAIMABLE:
                due_ms = first_due(connection, state, endpoints)
                if due_ms is not None and (state is State.PENDING or due_ms <= now_ms):
                    return True
        return False

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits."""
        with self._reading() as connection:
            due_ms = [first_due(connection, state, endpoints) for state in CLAIMABLE]
        return min((from_ms(due) for due in due_ms if due is not None), default=None)

    def find(
        self, *, endpoint: str | None = None, state: State | None = None, limit: int = 100
    ) -> Sequence[EntryRecord]:
        """Return entries, newest first."""
        wanted = select(entries).order_by(entries.c.id.desc()).limit(limit)
        if endpoint is not None:
            wanted = wanted.where(entries.c.endpoint == endpoint)
        if state is not None:
            wanted = wanted.where(entries.c.state == state.value)
        recorded: dict[int, list[AttemptRecord]] = defaultdict(list)
        with self._reading() as connection:
            found = connection.execute(wanted).all()
            for chunk in chunks(row.id for row in found):
                of_these = select(attempts).where(attempts.c.entry_id.in_(chunk))
                for row in connection.execute(of_these.order_by(attempts.c.id)):
                    recorded[row.entry_id].append(attempt_record(row))
        return [entry_record(row, recorded[row.id]) for row in found]

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there."""
        by_state = select(entries.c.state, func.count()).group_by(entries.c.state)
        with self._reading() as connection:
            found = {State(state): count for state, count in connection.execute(by_state)}
        return dict.fromkeys(State, 0) | found

    def after_fork(self) -> None:
        """Forget connections that belong to the parent process."""
        self._preparing = Lock()
        self._transactions.after_fork()
        if self._sqlite_admission is not None:
            self._sqlite_admission.after_fork()

    def close(self) -> None:
        """Give back what the inbox holds; it can be used again and opens anew."""
        self._is_prepared = False
        self._transactions.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self._is_prepared:
            self.prepare()
        with self._transactions.read() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if not self._is_prepared:
            self.prepare()
        with self._transactions.write() as connection:
            yield connection


def _why_refused(entry_id: int, state: str | None) -> str:
    if state is None:
        return f"there is no entry {entry_id}"
    if state in _REPLAYABLE:
        return f"the bytes of entry {entry_id} are gone"
    return f"entry {entry_id} is {state}"


def _later(now_ms: int, seconds: float) -> int:
    return now_ms + round(seconds * 1000)


def _held(entry: Entry) -> dict[str, object]:
    return {"entry_id": entry.id, "held_token": entry.lease_token}
