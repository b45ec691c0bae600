"""The inbox: stores entries, and hands them out until each is settled.

Rule 1: ``admit`` returns when the new entries are as durable as the database can make them.
Rule 2: an endpoint and an event id name one entry, however many deliveries race for it.
Rule 3: an entry has one lease token at a time; only its holder renews and settles.
Rule 4: every method is one transaction, begun as what it is: reading or writing. When the
        database fails, the method raises ``Unavailable`` and leaves nothing half written.
Rule 5: the database decides who is first: by the unique constraint of an event id, the row
        lock of a claim, the lease token of a settlement. A look beforehand decides nothing.
Rule 6: a claim looks at PENDING, WAITING and RUNNING one by one, since each walks the index
        from what is due longest; one condition for all three would sort the whole backlog.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from hookkit import crash_points
from hookkit.core.attempts import Attempt
from hookkit.core.delivery import Envelope
from hookkit.core.entry import EVERYTHING, Entry, Filter, Lease, Receipt, Settlement, State
from hookkit.core.errors import ReplayRefused
from hookkit.inbox.reading import CAP, Reading
from hookkit.inbox.records import (
    Batch,
    EntryRecord,
    Kept,
    Pruned,
    ReadAs,
    Terms,
    from_ms,
    later,
    to_ms,
)
from hookkit.inbox.sql.applications import Applications
from hookkit.inbox.sql.audit import Audit
from hookkit.inbox.sql.claim import choose, first_due, lease, release
from hookkit.inbox.sql.claimed import claimed_entries
from hookkit.inbox.sql.drift import Drift
from hookkit.inbox.sql.find import counts, find, find_kept
from hookkit.inbox.sql.keys import KeptKeys
from hookkit.inbox.sql.look import standing
from hookkit.inbox.sql.minutes import Minutes
from hookkit.inbox.sql.quarantine import Quarantine
from hookkit.inbox.sql.replays import Replays
from hookkit.inbox.sql.rhythm import Rhythm
from hookkit.inbox.sql.rows import BodyCipher, Values, prepared
from hookkit.inbox.sql.settle import UndoneError, forbid_commit, give_back, record_or_undo, renew
from hookkit.inbox.sql.switches import Switches
from hookkit.inbox.sql.transactions import Exclusive, Transactions
from hookkit.inbox.sql.upkeep import Window, prune, record_readings, replay_all, why_refused
from hookkit.inbox.sql.workers import Workers


class Inbox:
    """Entries in a SQL database that processes may share; ``open_inbox`` makes one.

    Safe to use from many threads. Every method may raise ``Unavailable``.

    Attributes:
        switches: What was switched between payload versions.
        keys: The vendors' public keys that have proved deliveries.
        reading: Looks for people, each bounded.
        drift: What vendors send that is not read.
        rhythm: When proven deliveries came to each endpoint.
        applications: Tells the entries of this application from those of others.
        replays: Replays of many entries, which can be interrupted.
        quarantine: The deliveries that were refused for their proof.
        minutes: What endpoints were sent, counted by minutes.
        audit: Who did what to the inbox.
        workers: The processes that run handlers.
    """

    def __init__(self, transactions: Transactions, cipher: BodyCipher) -> None:
        self._transactions = transactions
        self._cipher = cipher
        self.switches: Switches = Switches(transactions)
        self.reading: Reading = Reading(transactions, cipher)
        self.keys: KeptKeys = KeptKeys(transactions)
        self.applications: Applications = Applications(transactions)
        self.replays: Replays = Replays(transactions)
        self.quarantine: Quarantine = Quarantine(transactions, cipher)
        self.minutes: Minutes = Minutes(transactions)
        self.rhythm: Rhythm = Rhythm(transactions)
        self.drift: Drift = Drift(transactions)
        self.audit: Audit = Audit(transactions)
        self.workers: Workers = Workers(transactions)

    def prepare(self) -> None:
        """See to the tables; every other method does it if need be.

        Raises:
            ConfigurationError: The tables were made by a newer hookkit, or are not as they
                should be and may not be changed.
        """
        self._transactions.prepare()

    def admit(self, envelope: Envelope, lease: Lease | None = None) -> Receipt:
        """Store the delivery and one entry per item that is new, in one transaction.

        A duplicate stores nothing. A duplicate with other content keeps its delivery,
        marked as a conflict; the first content stays what is handled. The same conflicting
        bytes, sent again, are counted and not kept again.

        With modes in the envelope, overridden by what was switched, an entry of a version in
        shadow is SHADOW and one of an ignored version IGNORED. A live one is PENDING, unless
        its fact is owned by an entry of another version: then it is a TWIN. A delivery of
        which every new entry is ignored is kept without its bytes.

        An item with ``repeat_after_s`` is a duplicate as well when its previous event id
        names an entry that was received less than so many seconds before it. One with
        ``typed_event_id`` is none of an entry of another vendor type, if that was received less
        than ``type_window_s`` before it: it is stored under that id.

        Args:
            lease: The new entries are stored as claimed under it; only without modes. None
                leaves them PENDING.
        """
        application = self.applications.id_at(envelope.endpoint)
        return self._transactions.admit(prepared(envelope, self._cipher, application, lease))

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        only: Collection[int] | None = None,
        in_lanes: bool = False,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count each claim.

        ``settle_and_claim`` claims them as a group; ``Terms`` explains the arguments.
        """
        terms = Terms(
            endpoints=endpoints,
            lease_s=lease_s,
            limit=min(limit, 1) if in_lanes else limit,
            only=only,
            in_lanes=in_lanes,
        )
        return self.settle_and_claim([], terms, now=now)[1]

    def settle(
        self, entry: Entry, settlement: Settlement, *, now: datetime, in_lanes: bool = False
    ) -> bool:
        """Record the attempts and the next state; False, and nothing recorded, when fenced.

        With *in_lanes*, the first entry that was held up in its lane is due at once when
        this one is DONE or DEAD.
        """
        settled, _ = self.settle_and_claim([(entry, settlement)], None, now=now, in_lanes=in_lanes)
        return bool(settled)

    def settle_and_claim(
        self,
        finished: Sequence[tuple[Entry, Settlement]],
        terms: Terms | None,
        *,
        now: datetime,
        in_lanes: bool = False,
    ) -> tuple[set[int], list[Entry]]:
        """Settle entries, and claim what is due next, by one commit.

        Entries that a secret of another application has proved are left to it.

        Due are PENDING entries, WAITING ones whose next attempt is due, and RUNNING ones
        whose lease is over. Oldest is what has been due longest: since it was received or
        replayed, since its next attempt was due, since its lease was over; within a delivery
        the payload's order holds.

        An entry whose lease is over is claimed alone, so that an event that kills its worker
        takes no neighbour with it. One that was claimed in a group becomes a suspect: the loss
        is charged only if it is lost once more.

        In lanes, an entry is held up while another of its lane is RUNNING, or while an earlier
        one is PENDING or WAITING. A replayed entry has lost its place: it neither waits for
        earlier ones nor holds up later ones. Those that ran side by side before there were
        lanes are taken over one after the other. An entry that is held up becomes WAITING, due
        with what it waits for (the RUNNING one, else the first) and not within ``HELD_UP_S``,
        so that not every claim looks through a backlog behind one entry.

        Args:
            finished: Claimed entries, and what each came to.
            terms: What to claim; None claims nothing.
            in_lanes: As ``settle`` has it.

        Returns:
            The ids of those that were settled: nothing is recorded of the others, which belong
            to another claim by now. And what was claimed, oldest first.
        """
        if terms is not None and (terms.limit < 1 or not terms.endpoints):
            terms = None
        if terms is None and not finished:
            return set(), []
        now_ms = to_ms(now)
        with self._transactions.write() as connection:
            if in_lanes or (terms is not None and terms.in_lanes):
                # A claim that runs beside us must not put off what we are to release.
                self._transactions.take(connection, Exclusive.LANES)
            settled = set[int]()
            if finished:
                settled = self._transactions.settle(connection, finished, now_ms)
            if in_lanes:
                release(connection, _left_lanes(finished, settled), now_ms)
            if finished:
                crash_points.reach("settle_written")
            claimed = [] if terms is None else self._claim(connection, terms, now_ms)
        return settled, claimed

    def _claim(self, connection: Connection, terms: Terms, now_ms: int) -> list[Entry]:
        wanted = self._wanted(terms.endpoints) | {"now_ms": now_ms}
        choice = choose(connection, wanted, terms)
        if not choice.due:
            return []
        token = f"{choice.kind}{secrets.token_hex(15)}"
        lease(connection, choice, token, later(now_ms, terms.lease_s))
        claimed = claimed_entries(connection, choice, token, self._cipher)
        crash_points.reach("claim_written")
        return claimed

    def give_back(self, group: Collection[Entry], *, now: datetime) -> None:
        """Let others claim at once what was claimed in a group and not begun."""
        if group:
            now_ms = to_ms(now)
            self._transactions.write_shared(lambda connection: give_back(connection, group, now_ms))

    def renew(self, held: Collection[Entry], *, now: datetime, lease_s: float) -> set[int]:
        """Extend leases; return the ids of those that do not belong to another claim by now.

        A lease that is over can be extended as long as nobody else has claimed the entry.
        """
        until_ms = later(to_ms(now), lease_s)
        return self._transactions.write_shared(lambda connection: renew(connection, held, until_ms))

    def transact(self, entry: Entry, work: Callable[[Connection], Attempt]) -> Attempt | None:
        """Run *work* in a transaction whose commit also records that it succeeded.

        Args:
            work: Called once with a connection to the inbox's own database, which it may
                neither commit nor roll back.

        Returns:
            What *work* returned, marked as recorded when it succeeded; nothing of what it
            wrote is kept otherwise. None, and nothing kept, when the entry belongs to
            another claim by now.
        """
        try:
            with self._transactions.write() as connection:
                with self._transactions.handling(connection), forbid_commit(connection):
                    attempt = work(connection)
                record_or_undo(connection, entry, attempt)
        except UndoneError as undone:
            return undone.attempt
        crash_points.reach("effects_committed")
        return replace(attempt, is_recorded=True)

    def replay(
        self,
        entry_id: int,
        *,
        now: datetime,
        handlers: Collection[str] | None = None,
        replays: int | None = None,
    ) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        A DONE entry runs every handler again, a WAITING or DEAD one those that have not
        succeeded. With *handlers* just these run, whether they have succeeded or not. From
        then on the entry's claims say that it is a replay. What it held up in its lane is
        due at once.

        Args:
            replays: How often the entry was replayed before, as somebody has seen it: if it was
                replayed since, nothing is done. None is however often.

        Raises:
            ReplayRefused: No such entry, it is PENDING or RUNNING, or its bytes are gone; or
                it is WAITING, and *handlers* are given, so that the others would not run.
        """
        wanted = Filter(entry_ids=[entry_id])
        if self.replay_all(wanted, now=now, handlers=handlers, replays=replays).entry_ids:
            return
        with self._transactions.read() as connection:
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
        replays: int | None = None,
    ) -> Batch:
        """Replay entries, lowest id first, passing over those that ``replay`` would refuse.

        Args:
            after_id: Only entries with a higher id.
            up_to_id: Only entries with this id or a lower one; None is all.
            limit: How many entries are looked at.
            replays: Only entries that were replayed so often; None is all.
        """
        window = Window(after_id, up_to_id, limit, replays)
        with self._transactions.write() as connection:
            # Pruning must not delete what becomes PENDING, and a claim not put off what it held up.
            self._transactions.take(connection, Exclusive.UPKEEP)
            self._transactions.take(connection, Exclusive.LANES)
            batch = replay_all(connection, wanted, window, to_ms(now), handlers)
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
        """Delete what was received before a moment, oldest first, in one short transaction.

        Bytes go before ids: an entry without bytes still stops duplicates, and cannot be
        replayed. What is PENDING, RUNNING or WAITING is kept whatever its age.

        Args:
            after: Where the step before this one ended.
            limit: How many deliveries, and how many entries, are looked at.
        """
        with self._transactions.write() as connection:
            self._transactions.take(connection, Exclusive.UPKEEP)
            pruned = prune(connection, to_ms(bodies_before), to_ms(ids_before), after, limit)
            crash_points.reach("prune_written")
            return pruned

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim may find anything at *endpoints*, without a write.

        Without lanes, a claim right after it finds something; with lanes, everything due may
        be held up.
        """
        now_ms = to_ms(now)
        with self._transactions.read() as connection:
            return any(
                state is State.PENDING or due_ms <= now_ms
                for state, due_ms in first_due(connection, self._wanted(endpoints))
            )

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits.

        A time in the past means now.
        """
        with self._transactions.read() as connection:
            first = first_due(connection, self._wanted(endpoints))
            due_ms = min((due_ms for _, due_ms in first), default=None)
        return None if due_ms is None else from_ms(due_ms)

    def standing(self, endpoints: Collection[str]) -> tuple[Mapping[State, int], datetime | None]:
        """Return the counts of ``Reading.counts``, and what ``next_due_at`` does, by one look."""
        with self._transactions.read() as connection:
            return standing(connection, self._wanted(endpoints), CAP)

    def find(self, wanted: Filter = EVERYTHING, *, limit: int = 100) -> Sequence[EntryRecord]:
        """Return entries, newest first, however many are gone through: for programs and tests.

        People look through ``reading``, which is bounded.
        """
        with self._transactions.read() as connection:
            return find(connection, wanted, limit)

    def _wanted(self, endpoints: Collection[str]) -> Values:
        return {"endpoints": list(endpoints), **self.applications.ours}

    def kept(
        self,
        endpoint: str | None = None,
        *,
        wanted: Filter = EVERYTHING,
        below_id: int | None = None,
        limit: int = 200,
    ) -> Sequence[Kept]:
        """Return entries with their bytes, newest first.

        Args:
            endpoint: Only entries of this endpoint; None is what *wanted* says.
            below_id: Only entries with a lower id; None is all.
        """
        if endpoint is not None:
            wanted = replace(wanted, endpoint=endpoint)
        with self._transactions.read() as connection:
            return find_kept(connection, wanted, below_id, limit, self._cipher)

    def record_readings(self, readings: Sequence[ReadAs]) -> int:
        """Store what entries are read as today, and return of how many that was changed.

        Of an entry that nobody has handled yet, nothing changes: its worker stores it.
        """
        with self._transactions.write() as connection:
            return record_readings(connection, readings)

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there.

        All are counted, however many they are: ``reading`` counts for people.
        """
        with self._transactions.read() as connection:
            return counts(connection)

    def after_fork(self) -> None:
        """Forget connections that belong to the parent process."""
        self._transactions.after_fork()

    def close(self) -> None:
        """Close idle connections; the inbox can be used again and opens anew.

        With ``memory://`` this removes what is stored.
        """
        self._transactions.close()


def _left_lanes(
    finished: Sequence[tuple[Entry, Settlement]], settled: Collection[int]
) -> set[tuple[str, str]]:
    """Return by endpoint and name the lanes whose next entry need not wait any more."""
    return {
        (entry.endpoint, entry.lane)
        for entry, settlement in finished
        if entry.id in settled and settlement.state is not State.WAITING and entry.lane
    }
