"""What came of it: of a delivery (``Receipt``), of a handler (``Outcome``), of an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hookkit.core.delivery import Headers
from hookkit.core.retry import RetryPolicy
from hookkit.core.states import State

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
    """

    admitted: tuple[Admitted, ...] = ()
    status: int = 200
    code: str = "accepted"
    retry_after_s: int | None = None

    @property
    def new_count(self) -> int:
        """How many events were new."""
        return sum(item.is_new for item in self.admitted)

    @property
    def duplicate_count(self) -> int:
        """How many events were there already, conflicts included."""
        return len(self.admitted) - self.new_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in the inbox, claimed by a worker.

    Attributes:
        position: The item's place in its delivery.
        attempts: How often it was claimed, this time included.
        lease_token: Fences a late worker: only the token of the last claim settles.
        succeeded: Names of the handlers that need not run again: succeeded or discarded.
        gave_up: Names of the handlers that met a permanent error in this run.
        is_takeover: Whether the claim before this one was never settled.
        is_replay: Whether a person asked for this run.
    """

    id: int
    endpoint: str
    event_id: str
    position: int
    attempts: int
    lease_token: str
    succeeded: frozenset[str]
    is_replay: bool
    received_at: datetime
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    gave_up: frozenset[str] = frozenset()
    is_takeover: bool = False


class Result(StrEnum):
    """How an attempt of a handler ended."""

    SUCCEEDED = "succeeded"
    #: The handler has nothing to do for this event, now or ever.
    DISCARDED = "discarded"
    #: It raised, and is tried again while attempts are left.
    FAILED = "failed"
    #: It raised what no further attempt would mend.
    GAVE_UP = "gave_up"
    #: The worker was not heard of again: the handler may have run, or in part.
    LOST = "lost"
    #: The event was understood and no handler wanted it.
    UNHANDLED = "unhandled"
    #: The event was not understood and no handler wanted it.
    UNKNOWN = "unknown"


#: A handler with one of these need not run again.
FINISHED = frozenset({Result.SUCCEEDED, Result.DISCARDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attempt of one handler.

    Attributes:
        handler: Its name; ``""`` when there was none to run.
        retry: The policy that decides what follows a failure.
        retry_after_s: What the handler asked for instead, in seconds.
        error: What was raised, cut to a length that can be stored; None on success.
        attempt: Which attempt it was; None is the entry's present one.
    """

    handler: str
    result: Result
    started_at: datetime
    ended_at: datetime
    retry: RetryPolicy = field(default=RetryPolicy(), repr=False)
    retry_after_s: float | None = None
    error: str | None = None
    attempt: int | None = None

    def delay_s(self, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait after failed *attempt*, or None to give up."""
        delay_s = self.retry.delay_s(attempt, jitter)
        if delay_s is None or self.retry_after_s is None:
            return delay_s
        return self.retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of an entry after an attempt.

    Attributes:
        state: DONE, WAITING or DEAD.
        retry_after_s: Of WAITING: seconds until the next attempt is due.
        outcomes: To be recorded with it.
    """

    state: State
    retry_after_s: float | None
    outcomes: tuple[Outcome, ...]


def settle(
    attempt: int, outcomes: Sequence[Outcome], jitter: float, *, any_exhausted: bool = False
) -> Settlement:
    """Decide what follows *attempt*.

    One handler that is out of attempts does not take the others' attempts away: the entry
    waits as long as any failed handler may be tried again, and is a dead letter after that.

    Args:
        jitter: A random number in [-1, 1].
        any_exhausted: A handler that has not succeeded was out of attempts before this one.
    """
    failed = [outcome for outcome in outcomes if outcome.result is Result.FAILED]
    delays_s = [outcome.delay_s(attempt, jitter) for outcome in failed]
    due_s = [delay_s for delay_s in delays_s if delay_s is not None]
    gave_up = any(outcome.result is Result.GAVE_UP for outcome in outcomes)
    if due_s:
        state, retry_after_s = State.WAITING, min(due_s)
    else:
        is_dead = bool(failed) or gave_up or any_exhausted
        state, retry_after_s = State.DEAD if is_dead else State.DONE, None
    return Settlement(state=state, retry_after_s=retry_after_s, outcomes=tuple(outcomes))
