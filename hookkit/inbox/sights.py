"""What looks into an inbox find, for people; ``Inbox.reading`` makes these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hookkit.core.attempts import Outcome
from hookkit.core.body import Headers
from hookkit.core.entry import State
from hookkit.inbox.records import EntryRecord, Kept


class Page(NamedTuple):
    """Entries that a look has found.

    Attributes:
        next_id: Where to go on, in place of the id that the look began at; None at the end.
        looked_back_to: When the last entry that was looked at was received; None at the end. If
            there are fewer records than were asked for, the look went through as many entries
            as it may.
    """

    records: Sequence[EntryRecord]
    next_id: int | None
    looked_back_to: datetime | None


class Missing(StrEnum):
    """Why the body of an entry is not there."""

    #: It is older than bodies are kept.
    DELETED = "deleted"
    #: Its version is ignored: only its id is kept.
    IGNORED = "ignored"
    #: It was encrypted with a key that is not among those of today.
    NO_KEY = "no key fits"
    #: It is not what arrived.
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All that is kept of one entry.

    Attributes:
        delivery_id: Entries of one delivery share it.
        position: The item's place in its delivery; the first is 0.
        item_count: The delivery brought at least so many items. Those that were duplicates have
            no entry.
        fingerprint: Of the secret that proved the delivery; None if none did, or if it is gone.
        secret_index: The place that this secret had in its list then; the newest has 0.
        lease_until: Until when the worker that runs it may take; None unless it is RUNNING.
        headers: Those that are kept.
        body: None if it is missing.
        missing: Why it is.
    """

    record: EntryRecord
    delivery_id: int
    position: int
    item_count: int
    content_hash: str
    fingerprint: str | None
    secret_index: int | None
    lease_until: datetime | None
    headers: Headers = field(repr=False)
    body: bytes | None = field(repr=False)
    missing: Missing | None

    @property
    def kept(self) -> Kept:
        """The entry with its bytes, to be read again."""
        record = self.record
        return Kept(
            id=record.id,
            endpoint=record.endpoint,
            event_id=record.event_id,
            delivery_id=self.delivery_id,
            position=self.position,
            vendor_type=record.vendor_type,
            version=record.version,
            lane=record.lane,
            fact=record.fact,
            state=record.state,
            received_at=record.received_at,
            body=self.body,
            headers=self.headers,
        )


class Glimpse(NamedTuple):
    """What is stored of an entry beside its body, as far as payload versions are compared by it.

    Attributes:
        received_ms: When it was received, in milliseconds since 1970 (UTC).
    """

    entry_id: int
    version: str
    vendor_type: str
    fact: str | None
    lane: str | None
    received_ms: int


class Neighbour(NamedTuple):
    """What people see of an entry beside another one."""

    id: int
    state: State
    vendor_type: str
    event_type: str | None


class Neighbours(NamedTuple):
    """Entries around one, each nearest first.

    Attributes:
        earlier: Those before it in its lane.
        later: Those after it in its lane.
        siblings: Others that the same delivery brought, in its order.
    """

    earlier: Sequence[Neighbour]
    later: Sequence[Neighbour]
    siblings: Sequence[Neighbour]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Dead letters that one handler left for one reason.

    Attributes:
        handler: ``""`` if no handler has run.
        error: The class and the first line of the error, with ``#`` for numbers and ids.
        where: File and line where the newest of them was raised; None if only libraries ran.
        first_at: When the first of them failed for good.
        last_at: When the last of them did.
        endpoints: Their names, sorted.
        newest_id: The highest id among them.
        entry_ids: All of them, highest first.
        failed_at_ms: When each of them failed for good, in milliseconds since 1970 (UTC).
    """

    handler: str
    error: str
    where: str | None
    count: int
    first_at: datetime
    last_at: datetime
    endpoints: Sequence[str]
    newest_id: int
    entry_ids: Sequence[int] = field(default=(), repr=False)
    failed_at_ms: Sequence[int] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResults:
    """What has become of the entries that a replay has made due.

    Attributes:
        succeeded: So many are done.
        dead: So many are dead letters again.
        failing: A handler of so many has failed again, and is tried again later.
        unrun: So many wait for a worker.
        elsewhere: A person has run so many again since, or they were pruned.
        is_whole: Whether every entry was looked at; otherwise the newest were.
    """

    succeeded: int
    dead: int
    failing: int
    unrun: int
    elsewhere: int
    is_whole: bool


class Run(NamedTuple):
    """One attempt of a handler, for charts.

    Attributes:
        ended_ms: When it ended, in milliseconds since 1970 (UTC).
        waited_s: From receipt to its start, in seconds; None unless it was the first.
    """

    ended_ms: int
    outcome: Outcome
    waited_s: float | None


class Mark(NamedTuple):
    """How far somebody who watches an inbox has seen.

    An id is given before its transaction commits, so that a higher one may be seen first.

    Attributes:
        entry_id: The highest that was seen.
        missing_entries: Those just below it that were not there: they may still come.
    """

    entry_id: int
    attempt_id: int
    missing_entries: frozenset[int]
    missing_attempts: frozenset[int]


class HandlerRuns(NamedTuple):
    """How often a handler ran, and how often it failed."""

    runs: int
    failures: int


class Runs(NamedTuple):
    """What handlers did since a moment.

    Attributes:
        by_handler: By the handler's name; those that did not run are left out.
        is_whole: Whether the look went back to the moment; otherwise there were more runs.
    """

    by_handler: Mapping[str, HandlerRuns]
    is_whole: bool
