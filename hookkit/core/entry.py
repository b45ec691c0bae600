"""An entry of the inbox: its states, whose turn it is, and what becomes of it after a claim."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hookkit.core.attempts import Attempt, Outcome, Tries
from hookkit.core.body import Document, Headers


class State(StrEnum):
    """Where an entry stands."""

    #: Admitted, never run, due at once.
    PENDING = "pending"
    #: A worker holds its lease.
    RUNNING = "running"
    #: It is due later: a handler failed, another of its lane goes first, or it was claimed
    #: together with another and has not begun.
    WAITING = "waiting"
    #: Every handler that wanted it has succeeded, or nobody wanted it.
    DONE = "done"
    #: A handler is out of attempts: a dead letter, until somebody replays it.
    DEAD = "dead"
    #: Of a version in shadow: kept and not run, until somebody switches to that version.
    SHADOW = "shadow"
    #: Another version's entry runs for the same fact.
    TWIN = "twin"
    #: Of a version that is ignored: kept as an id.
    IGNORED = "ignored"


#: state -> the states that may follow it.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.RUNNING, State.WAITING}),
    State.RUNNING: frozenset({State.RUNNING, State.WAITING, State.DONE, State.DEAD}),
    State.WAITING: frozenset({State.RUNNING, State.PENDING}),
    State.DONE: frozenset({State.PENDING}),
    State.DEAD: frozenset({State.PENDING}),
    State.SHADOW: frozenset({State.PENDING}),
    State.TWIN: frozenset(),
    State.IGNORED: frozenset(),
}

#: What an entry may be written as.
FIRST = frozenset({State.PENDING, State.SHADOW, State.TWIN, State.IGNORED})

#: What a replay may start from: a person does not take an entry from its worker.
REPLAYABLE = frozenset({State.WAITING, State.DONE, State.DEAD})

#: No worker has anything to do for an entry in one of these, now or later by itself.
AT_REST = frozenset({State.DONE, State.DEAD, State.SHADOW, State.TWIN, State.IGNORED})

#: What a settlement may end in.
SETTLED = frozenset({State.WAITING, State.DONE, State.DEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are meant; None leaves a part open.

    Attributes:
        entry_ids: Just these.
        outcome: An attempt of their present run ended so.
        untried_by: No attempt of the handler of this name is recorded for them.
        type: The event type that they were read as, or their vendor type.
        since: Received then or later.
        until: Received before.
    """

    entry_ids: Collection[int] | None = None
    endpoint: str | None = None
    state: State | None = None
    outcome: Outcome | None = None
    untried_by: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


#: A filter that leaves all open.
EVERYTHING = Filter()


#: What a vendor hears when it should come again; one with a schedule of its own ignores it.
RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What the inbox says to one item.

    Attributes:
        entry_id: The entry that holds the event, new or older.
        is_new: False for a duplicate.
        is_conflict: A duplicate whose content differs from the first.
        state: The entry's state.
    """

    entry_id: int
    event_id: str
    is_new: bool
    is_conflict: bool = False
    state: State = State.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a delivery came to, and the status its sender is told.

    Attributes:
        admitted: Item by item, in the payload's order; empty when nothing was stored.
        code: The machine word in the answer.
        retry_after_s: When the sender may try again, in seconds.
        reply: The object that a handshake is answered with, instead.
    """

    admitted: tuple[Admitted, ...] = ()
    status: int = 200
    code: str = "accepted"
    retry_after_s: int | None = None
    reply: Document | None = field(default=None, repr=False)

    @property
    def new_ids(self) -> list[int]:
        """The ids of the entries that were new."""
        return [item.entry_id for item in self.admitted if item.is_new]

    @property
    def new_count(self) -> int:
        """How many events were new."""
        return len(self.new_ids)

    @property
    def duplicate_count(self) -> int:
        """How many events were there already, conflicts included."""
        return len(self.admitted) - self.new_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in the inbox, claimed by a worker.

    Attributes:
        position: The item's place in its delivery.
        claims: How often it was claimed in this run, this time included.
        lost_claims: How many claims just before this one were never settled.
        lease_token: Fences a late worker: only the token of the last claim settles.
        tries: How far its handlers are, by name; one that has not run yet is not there.
        generation: Successes of an older one no longer count: the entry started over.
        replay: How often a person asked for it to run again; 0 in its first run.
        chosen: The handlers that the person asked for; None is all of them.
        lane: Events of one lane have an order; None has none.
        body: None when it was encrypted with a key that is not there.
    """

    id: int
    endpoint: str
    event_id: str
    position: int
    claims: int
    lease_token: str
    received_at: datetime
    body: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)
    lost_claims: int = 0
    tries: Mapping[str, Tries] = field(default_factory=dict)
    generation: int = 1
    replay: int = 0
    chosen: frozenset[str] | None = None
    lane: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of an entry after a claim.

    Attributes:
        state: DONE, WAITING or DEAD.
        retry_after_s: Of WAITING: seconds until the next handler is due.
        attempts: To be recorded with it.
        event_type: What the entry was read as; None leaves what is recorded.
    """

    state: State
    retry_after_s: float | None
    attempts: tuple[Attempt, ...]
    event_type: str | None = None


def settle(
    attempts: Sequence[Attempt],
    *,
    event_type: str | None = None,
    is_exhausted: bool = False,
    wait_s: float | None = None,
) -> Settlement:
    """Decide what follows *attempts*.

    One handler that is out of attempts does not take the others' attempts away: the entry
    waits as long as any failed handler may be tried again, and is a dead letter after that.

    Args:
        is_exhausted: A handler that has not succeeded may not run any more.
        wait_s: Seconds until the first handler is due that was not, None without one.
    """
    failed = [each for each in attempts if each.outcome is Outcome.FAILED]
    delays_s = [each.retry_after_s for each in failed if each.retry_after_s is not None]
    if wait_s is not None:
        delays_s.append(max(0.0, wait_s))
    gave_up = any(each.outcome is Outcome.GAVE_UP for each in attempts)
    if delays_s:
        state, retry_after_s = State.WAITING, min(delays_s)
    else:
        is_dead = bool(failed) or gave_up or is_exhausted
        state, retry_after_s = State.DEAD if is_dead else State.DONE, None
    return Settlement(
        state=state,
        retry_after_s=retry_after_s,
        attempts=tuple(attempts),
        event_type=event_type,
    )
