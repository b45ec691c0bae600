"""An entry of the inbox: its states, and what becomes of it after a claim."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hookkit.core.attempts import Attempt, Outcome, Tries
from hookkit.core.body import Headers
from hookkit.core.constructors import quickly_made
from hookkit.core.handshake import Reply


class State(StrEnum):
    """Where an entry stands."""

    #: Admitted, never run, due at once.
    PENDING = "pending"
    #: A worker holds its lease.
    RUNNING = "running"
    #: It is due later: a handler failed, or another entry of its lane goes first.
    WAITING = "waiting"
    #: Every handler that wanted it has succeeded, or nobody wanted it.
    DONE = "done"
    #: A handler is out of attempts: a dead letter, until somebody replays it.
    DEAD = "dead"
    #: Its version is in shadow: it is kept and does not run until a person switches versions.
    SHADOW = "shadow"
    #: Another version's entry runs for the same fact.
    TWIN = "twin"
    #: Its version is ignored: only its id is kept.
    IGNORED = "ignored"


#: The states that a replay may start from: a person takes no entry from its worker.
REPLAYABLE = frozenset({State.WAITING, State.DONE, State.DEAD})

#: An entry in one of these stays as it is until a person does something.
AT_REST = frozenset({State.DONE, State.DEAD, State.SHADOW, State.TWIN, State.IGNORED})

#: The states that a settlement may end in.
SETTLED = frozenset({State.WAITING, State.DONE, State.DEAD})


def why_not_again(name: str, state: State, *, has_body: bool, is_chosen: bool) -> str | None:
    """Return a sentence about why an entry cannot be replayed, None if it can.

    Args:
        name: What the sentence calls the entry.
        has_body: Whether its bytes are still kept.
        is_chosen: Whether just some handlers are to run.
    """
    if state is State.SHADOW:
        return (
            f"{name} is in shadow, as is its payload version: `flask hookkit versions switch`"
            " runs what only that version has reported"
        )
    if state not in REPLAYABLE:
        return f"{name} is {state}: only entries at rest run again"
    if is_chosen and state is State.WAITING:
        return f"{name} is waiting for its next attempt; its handlers cannot be chosen now"
    return None if has_body else f"the bytes of {name} are gone, so that it cannot run again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are meant; None in an attribute means any.

    Attributes:
        entry_ids: Only these entries.
        event_id: The entries of this event id; each endpoint may have one.
        version: Entries of this payload version.
        lane: Entries of this lane; each endpoint may have one.
        outcome: Entries with such an attempt in their present run.
        error: Entries with an attempt in their present run that raised an exception of this class:
            ``shop.errors.ShopAway``, or ``ShopAway`` alone.
        tried_by: Entries with an attempt of the handler of this name. With an outcome or an error,
            that attempt has them.
        untried_by: Entries without an attempt of the handler of this name.
        type: Entries of this event type or vendor type.
        has_conflict: Whether deliveries brought the event with other content.
        is_replayed: Whether a person asked for the entry to run again.
        since: Entries received then or later.
        until: Entries received before.
    """

    entry_ids: Collection[int] | None = None
    event_id: str | None = None
    endpoint: str | None = None
    state: State | None = None
    version: str | None = None
    lane: str | None = None
    outcome: Outcome | None = None
    error: str | None = None
    tried_by: str | None = None
    untried_by: str | None = None
    type: str | None = None
    has_conflict: bool | None = None
    is_replayed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


#: Every entry.
EVERYTHING = Filter()


#: Seconds after which a vendor should send again; vendors with their own schedule ignore it.
RETRY_AFTER_S = 10


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What the inbox made of one item.

    Attributes:
        entry_id: The entry that holds the event, new or older.
        is_new: False for a duplicate.
        is_conflict: A duplicate whose content differs from the first.
        is_other_type: A duplicate whose vendor type differs from that of the first.
        state: The entry's state.
        repeat_after_s: Of a duplicate that has neither an id nor a time: an equal event is a
            duplicate for so many seconds. None for every other.
    """

    entry_id: int
    event_id: str
    is_new: bool
    is_conflict: bool = False
    is_other_type: bool = False
    state: State = State.PENDING
    repeat_after_s: float | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a delivery came to, and the answer to its sender.

    Attributes:
        admitted: One for each item, in the payload's order; empty if nothing was stored.
        status: The HTTP status.
        code: The machine-readable word in the answer.
        retry_after_s: When the sender should try again, in seconds; None says nothing about it.
        reply: What a handshake is answered with, in place of the usual object.
    """

    admitted: tuple[Admitted, ...] = ()
    status: int = 200
    code: str = "accepted"
    retry_after_s: int | None = None
    reply: Reply | None = field(default=None, repr=False)

    @property
    def new_ids(self) -> list[int]:
        """The ids of the entries that were new."""
        return [item.entry_id for item in self.admitted if item.is_new]

    @property
    def new_count(self) -> int:
        """How many events were new."""
        return sum([item.is_new for item in self.admitted])  # asked for often in a delivery

    @property
    def duplicate_count(self) -> int:
        """How many events were already there, conflicts included."""
        return len(self.admitted) - self.new_count


#: How an entry was claimed, the first letter of its lease token: in a group, where no attempt is
#: counted before it is settled; alone after its group was lost; or alone and counted. Tokens of
#: older releases, which are hexadecimal, are counted.
GROUP = "g"
SUSPECT = "s"
COUNTED = "c"


class Lease(NamedTuple):
    """Under which new entries are stored that a worker of this process handles next.

    Attributes:
        token: That of a group: their claims are counted when they are settled.
        seconds: How long the worker may take before others may claim them.
    """

    token: str
    seconds: float


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in the inbox, claimed by a worker.

    Attributes:
        position: The item's place in its delivery.
        claim_count: How often it was claimed in this run, this claim included.
        lost_claim_count: How many claims just before this one were never settled.
        lease_token: Keeps a late worker out: only the token of the last claim can settle.
        tries: By name, how far each handler is; a handler that has not run yet is missing.
        generation: Successes of an older generation do not count: the entry started over.
        replays: How often it was replayed; 0 in its first run.
        chosen: The handlers that the replay was asked for; None means all of them.
        lane: Events of one lane have an order; None means that it has no lane.
        body: None if it was encrypted with a key that is missing.
    """

    id: int
    endpoint: str
    event_id: str
    position: int
    claim_count: int
    lease_token: str
    received_at: datetime
    body: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)
    lost_claim_count: int = 0
    tries: Mapping[str, Tries] = field(default_factory=dict)
    generation: int = 1
    replays: int = 0
    chosen: frozenset[str] | None = None
    lane: str | None = None

    @property
    def is_of_group(self) -> bool:
        """Whether it was claimed with others, so that its attempt is counted when it is settled."""
        return self.lease_token.startswith(GROUP)

    @property
    def is_suspect(self) -> bool:
        """Whether its lease was over when it was claimed, so that it may kill its worker."""
        return self.lost_claim_count > 0 or self.lease_token.startswith(SUSPECT)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of an entry after a claim.

    Attributes:
        state: DONE, WAITING or DEAD.
        retry_after_s: Of WAITING: seconds until the next handler is due.
        attempts: The attempts to record with it.
        event_type: The event type to record; None leaves the recorded one.
        decided_at: The moment from which the seconds count; None is when it is recorded.
    """

    state: State
    retry_after_s: float | None
    attempts: tuple[Attempt, ...]
    event_type: str | None = None
    decided_at: datetime | None = None


def settle(
    attempts: Sequence[Attempt],
    *,
    event_type: str | None = None,
    is_exhausted: bool = False,
    wait_s: float | None = None,
    decided_at: datetime | None = None,
) -> Settlement:
    """Decide what follows *attempts*.

    A handler that is out of attempts takes none from the others: the entry waits as long as any
    failed handler may be tried again, and is a dead letter after that.

    Args:
        is_exhausted: Whether a handler that has not succeeded may not run any more.
        wait_s: Seconds until the next handler that was not due yet; None if all of them were.
    """
    delays_s = [] if wait_s is None else [max(0.0, wait_s)]
    is_dead = is_exhausted  # unless an attempt is to come
    for each in attempts:
        is_dead = is_dead or each.outcome in (Outcome.FAILED, Outcome.GAVE_UP)
        if each.outcome is Outcome.FAILED and each.retry_after_s is not None:
            delays_s.append(each.retry_after_s)
    if delays_s:
        state, retry_after_s = State.WAITING, min(delays_s)
    else:
        state, retry_after_s = State.DEAD if is_dead else State.DONE, None
    return Settlement(
        state=state,
        retry_after_s=retry_after_s,
        attempts=tuple(attempts),
        event_type=event_type,
        decided_at=decided_at,
    )


def seconds_overdue(due_at: datetime | None, now: datetime) -> float:
    """Return how long the first due entry has waited for a worker; 0 when none is due."""
    return 0.0 if due_at is None else max(0.0, (now - due_at).total_seconds())
