"""The inbox in a SQL database: SQLite or PostgreSQL.

Rule 1: every method is one transaction, begun as what it is: reading or writing.
Rule 2: who is first is decided by the database: the unique constraint of an event id, the
        row lock of a claim, the lease token of a settlement. Never by a look beforehand.
Rule 3: a claim looks at PENDING, WAITING and RUNNING one by one, since each walks the index
        from what is due longest; one condition for all three would sort the whole backlog.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from hookkit import crash_points
from hookkit.core.attempts import Attempt
from hookkit.core.delivery import Envelope
from hookkit.core.entry import EVERYTHING, Entry, Filter, Receipt, Settlement, State
from hookkit.core.errors import ReplayRefused
from hookkit.inbox.base import from_ms, later, to_ms
from hookkit.inbox.postgres.transactions import PostgresTransactions
from hookkit.inbox.records import STEP, Batch, EntryRecord, Proofs, Pruned
from hookkit.inbox.sql.admit import admit
from hookkit.inbox.sql.claim import (
    claimed_entries,
    due_entries,
    first_due,
    first_in_lanes,
    lease,
    pick,
    release,
)
from hookkit.inbox.sql.find import counts, find, proofs
from hookkit.inbox.sql.keys import SqlKeys
from hookkit.inbox.sql.rows import BodyCipher, prepared
from hookkit.inbox.sql.settle import (
    UndoneError,
    begin,
    give_back,
    lent,
    record_or_undo,
    renew,
    settle,
)
from hookkit.inbox.sql.store import Store
from hookkit.inbox.sql.switches import SqlVersions
from hookkit.inbox.sql.tables import entries
from hookkit.inbox.sql.transactions import SqliteTransactions, Transactions, Turn
from hookkit.inbox.sql.upkeep import prune, replay_all, why_refused
from hookkit.inbox.sqlite.admit import SqliteAdmission


class SqlInbox:
    """An ``Inbox`` in a SQL database, shared by every process; ``open_inbox`` makes one.

    Args:
        engine: A synchronous SQLAlchemy engine for a SQLite file or for PostgreSQL.
        is_own: Whether nobody but this inbox uses *engine*. A SQLite file is then switched
            to a write-ahead log, and ``close`` closes the engine's connections.
        cipher: Encrypts bodies; None stores them as they are.
        migrates: Whether tables are created and changed where they are not as they should
            be; otherwise that is refused.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        is_own: bool = False,
        cipher: BodyCipher | None = None,
        migrates: bool = True,
    ) -> None:
        self._cipher = cipher
        self._encrypt = None if cipher is None else cipher.encrypt
        self._transactions: Transactions
        self._sqlite_admission: SqliteAdmission | None = None
        if engine.dialect.name == "sqlite":
            self._transactions = transactions = SqliteTransactions(engine, is_own=is_own)
            self._sqlite_admission = SqliteAdmission(transactions, self._encrypt)
        else:
            self._transactions = PostgresTransactions(engine, is_own=is_own)
        self._insert_entry = self._transactions.insert_unless_there(entries)
        self._store = Store(self._transactions, migrates=migrates)
        self._versions = SqlVersions(self._transactions, self._store, self._decrypted)
        self._keys = SqlKeys(self._transactions, self._store)

    def prepare(self) -> None:
        """See to the tables; every other method does it if need be.

        Raises:
            ConfigurationError: The tables were made by a newer hookkit, or are not as they
                should be and may not be changed.
            Unavailable: The database cannot be used.
        """
        self._store.prepare()

    @property
    def versions(self) -> SqlVersions:
        """What was switched between payload versions."""
        return self._versions

    @property
    def keys(self) -> SqlKeys:
        """The vendors' public keys that have proved deliveries."""
        return self._keys

    def admit(self, envelope: Envelope) -> Receipt:
        """Store the delivery and one entry per item that is new, in one transaction."""
        if self._sqlite_admission is not None:
            self._store.prepare()
            return self._sqlite_admission.admit(envelope)
        delivery = prepared(envelope, self._encrypt)
        with self._store.writing() as connection:
            twins = self._versions.twins(connection, envelope)
            receipt = admit(connection, self._insert_entry, delivery, twins)
            crash_points.reach("admit_written")
            return receipt

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        ahead: int = 0,
        only: Collection[int] | None = None,
        in_lanes: bool = False,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count the attempt."""
        if limit < 1 or not endpoints:
            return []
        now_ms = to_ms(now)
        lease_token = secrets.token_hex(16)
        with self._store.writing() as connection:
            if in_lanes:
                self._transactions.take_turns(connection, Turn.LANES)
                rows = first_in_lanes(connection, now_ms, endpoints, only)
            else:
                most = limit + ahead
                rows = pick(due_entries(connection, now_ms, most, endpoints, only), most)
            lease(connection, rows, limit, lease_token, later(now_ms, lease_s))
            claimed = claimed_entries(connection, rows, lease_token, self._decrypted)
            crash_points.reach("claim_written")
            return claimed

    def begin(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Lease *entry*, which was set aside, and count the attempt."""
        until_ms = later(to_ms(now), lease_s)
        return self._store.write(lambda connection: begin(connection, entry, until_ms))

    def give_back(self, set_aside: Collection[Entry], *, now: datetime) -> None:
        """Have others claim at once what was set aside and not begun."""
        if set_aside:
            self._store.write(lambda connection: give_back(connection, set_aside, to_ms(now)))

    def renew(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Extend the lease of *entry*; False when it belongs to another claim by now."""
        until_ms = later(to_ms(now), lease_s)
        return self._store.write(lambda connection: renew(connection, entry, until_ms))

    def settle(
        self, entry: Entry, settlement: Settlement, *, now: datetime, in_lanes: bool = False
    ) -> bool:
        """Record the attempts and the next state; False, and nothing recorded, when fenced."""
        now_ms = to_ms(now)

        def work(connection: Connection) -> bool:
            if in_lanes:
                # A claim that runs beside us must not put off what we are to release.
                self._transactions.take_turns(connection, Turn.LANES)
            settled = settle(connection, entry, settlement, now_ms)
            if in_lanes and settled and settlement.state is not State.WAITING and entry.lane:
                release(connection, [(entry.endpoint, entry.lane)], now_ms)
            crash_points.reach("settle_written")
            return settled

        return self._store.write(work)

    def settle_and_begin(
        self,
        entry: Entry,
        settlement: Settlement,
        following: Entry,
        *,
        now: datetime,
        lease_s: float,
    ) -> tuple[bool, bool]:
        """Settle *entry* and begin *following*, which was set aside, by one commit."""
        now_ms = to_ms(now)

        def work(connection: Connection) -> tuple[bool, bool]:
            settled = settle(connection, entry, settlement, now_ms)
            begun = begin(connection, following, later(now_ms, lease_s))
            crash_points.reach("settle_written")
            return settled, begun

        return self._store.write(work)

    def transact(self, entry: Entry, work: Callable[[Any], Attempt]) -> Attempt | None:
        """Run *work* in a transaction whose commit also records that it succeeded."""
        try:
            with self._store.writing() as connection:
                self._transactions.wait_as_usual(connection)
                with lent(connection):
                    attempt = work(connection)
                record_or_undo(connection, entry, attempt)
        except UndoneError as undone:
            return undone.attempt
        crash_points.reach("effects_committed")
        return replace(attempt, is_recorded=True)

    def replay(
        self, entry_id: int, *, now: datetime, handlers: Collection[str] | None = None
    ) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        Raises:
            ReplayRefused: There is nothing that could run again, or it is running.
        """
        if self.replay_all(Filter(entry_ids=[entry_id]), now=now, handlers=handlers).entry_ids:
            return
        with self._store.reading() as connection:
            why = why_refused(connection, entry_id, handlers)
        raise ReplayRefused(why or f"entry {entry_id} has changed meanwhile")

    def replay_all(
        self,
        wanted: Filter,
        *,
        now: datetime,
        handlers: Collection[str] | None = None,
        after_id: int = 0,
        up_to_id: int | None = None,
        limit: int = 100,
    ) -> Batch:
        """Replay entries, lowest id first, passing over those that ``replay`` would refuse."""
        with self._store.writing() as connection:
            # Pruning must not delete what becomes PENDING, and a claim not put off what it held up.
            self._transactions.take_turns(connection, Turn.UPKEEP)
            self._transactions.take_turns(connection, Turn.LANES)
            ids = (after_id, up_to_id)
            batch = replay_all(connection, wanted, to_ms(now), handlers, ids, limit)
            crash_points.reach("replay_written")
            return batch

    def prune(
        self,
        *,
        bodies_before: datetime,
        ids_before: datetime,
        after: tuple[int, int] = (0, 0),
        limit: int = 200,
    ) -> Pruned:
        """Delete what was received before a moment, oldest first, in one short transaction."""
        with self._store.writing() as connection:
            self._transactions.take_turns(connection, Turn.UPKEEP)
            pruned = prune(connection, to_ms(bodies_before), to_ms(ids_before), after, limit)
            crash_points.reach("prune_written")
            return pruned

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim would find anything at *endpoints*, without a write."""
        now_ms = to_ms(now)
        with self._store.reading() as connection:
            return any(
                state is State.PENDING or due_ms <= now_ms
                for state, due_ms in first_due(connection, endpoints)
            )

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits."""
        with self._store.reading() as connection:
            due_ms = min((due_ms for _, due_ms in first_due(connection, endpoints)), default=None)
        return None if due_ms is None else from_ms(due_ms)

    def find(self, wanted: Filter = EVERYTHING, *, limit: int = 100) -> Sequence[EntryRecord]:
        """Return entries, newest first."""
        with self._store.reading() as connection:
            return find(connection, wanted, limit)

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there."""
        with self._store.reading() as connection:
            return counts(connection)

    def proofs(self, after_id: int = 0, before_id: int | None = None, limit: int = STEP) -> Proofs:
        """Tell what proved the newest of the kept deliveries between two ids."""
        with self._store.reading() as connection:
            return proofs(connection, after_id, before_id, limit)

    def after_fork(self) -> None:
        """Forget connections that belong to the parent process."""
        self._store.after_fork()
        if self._sqlite_admission is not None:
            self._sqlite_admission.after_fork()

    def close(self) -> None:
        """Give back what the inbox holds; it can be used again and opens anew."""
        self._store.close()

    def _decrypted(self, stored: bytes) -> bytes | None:
        return None if self._cipher is None else self._cipher.decrypt(stored)
