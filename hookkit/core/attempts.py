"""What each handler has tried, and when a failed attempt is tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import NamedTuple

from hookkit.core.constructors import quickly_made
from hookkit.core.errors import LONGEST_DELAY, ConfigurationError

#: Nobody waits for more of them, and each is a row in the inbox.
MAX_MAX_ATTEMPTS = 10_000_000

#: What the attributes of a policy are.
_NUMBERS: Mapping[str, type | UnionType] = {
    "max_attempts": int,
    "first_delay_s": int | float,
    "factor": int | float,
    "max_delay_s": int | float,
    "jitter": int | float,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how far apart a handler is tried.

    The default tries 23 times over at least 12 hours: what breaks in the evening can be mended
    in the morning.

    Attributes:
        max_attempts: Attempts in all, the first included; at most 10,000,000.
        first_delay_s: Seconds between the first attempt and the second.
        factor: Each delay is the one before times this.
        max_delay_s: The longest delay, in seconds, before jitter; at most a year.
        jitter: Each delay is made longer or shorter by up to this fraction.
        permanent: Exceptions that another attempt would not mend: the handler gives up at once.
    """

    max_attempts: int = 23
    first_delay_s: float = 5.0
    factor: float = 2.0
    max_delay_s: float = 3600.0
    jitter: float = 0.1
    permanent: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        mistakes = [
            f"RetryPolicy: {name} must be {'a whole' if kinds is int else 'a'} number"
            for name, kinds in _NUMBERS.items()
            if not isinstance(getattr(self, name), kinds) or isinstance(getattr(self, name), bool)
        ] or [f"RetryPolicy: {rule}" for holds, rule in self._rules() if not holds]
        if mistakes:
            raise ConfigurationError(*mistakes)

    def _rules(self) -> Iterator[tuple[bool, str]]:
        most, longest_s = MAX_MAX_ATTEMPTS, LONGEST_DELAY.total_seconds()
        yield self.max_attempts >= 1, "max_attempts must be at least 1"
        yield self.max_attempts <= most, f"max_attempts must be at most {most}"
        yield self.first_delay_s >= 0, "first_delay_s must not be negative"
        yield 1 <= self.factor <= 100, "factor must be between 1 and 100"
        yield self.max_delay_s >= self.first_delay_s, "max_delay_s is below first_delay_s"
        yield self.max_delay_s <= longest_s, f"max_delay_s must be at most {longest_s:.0f}, a year"
        yield 0 <= self.jitter < 1, "jitter must be at least 0 and below 1"
        yield _are_exceptions(self.permanent), "permanent must be a tuple of exceptions"

    def delay_s(self, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait after failed *attempt*, or None to give up.

        Args:
            attempt: The number of the attempt that failed; the first is 1.
            jitter: A random number from -1 to 1. The caller draws it, so that this stays pure.
        """
        if attempt >= self.max_attempts:
            return None
        # The delay stops growing long before this bound, which keeps the float from overflowing.
        delay_s = min(self.max_delay_s, self.first_delay_s * self.factor ** min(attempt - 1, 64))
        return delay_s * (1 + self.jitter * jitter)

    @property
    def shortest_span_s(self) -> float:
        """Seconds from the first attempt to the last if jitter shortens every delay."""
        return sum(self.delay_s(attempt, -1.0) or 0.0 for attempt in range(1, self.max_attempts))


def _are_exceptions(classes: object) -> bool:
    return isinstance(classes, tuple) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in classes
    )


class Outcome(StrEnum):
    """How an attempt of a handler ended."""

    SUCCEEDED = "succeeded"
    #: The handler has nothing to do for this event, now or ever.
    DISCARDED = "discarded"
    #: It raised, and is tried again while attempts are left.
    FAILED = "failed"
    #: It raised a permanent error, and is not tried again.
    GAVE_UP = "gave_up"
    #: The worker vanished: the handler may have run, wholly or in part.
    LOST = "lost"
    #: The event was understood and no handler wanted it.
    UNHANDLED = "unhandled"
    #: The event was not understood and no handler wanted it.
    UNKNOWN = "unknown"


#: After one of these a handler need not run again.
FINISHED = frozenset({Outcome.SUCCEEDED, Outcome.DISCARDED})


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of one handler, to be recorded.

    Attributes:
        handler: The handler's name; ``""`` if there was none to run.
        number: Counts the handler's attempts in this run of the entry; the first is 1.
        retry_after_s: After FAILED: seconds until the next attempt; None if there is none.
        error: The exception as text, cut to a length that can be stored; None on success.
        raised_at: ``file:line`` in the application's own code; None on success, or if it raised
            in none of it.
        is_recorded: Whether the success is already committed, together with its effects.
    """

    handler: str
    number: int
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    retry_after_s: float | None = None
    error: str | None = None
    raised_at: str | None = None
    is_recorded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How far one handler is with an entry.

    Attributes:
        count: Its recorded attempts in the present run of the entry.
        is_finished: Whether it has succeeded or discarded, and need not run again.
        gave_up: Whether it met a permanent error in the present run.
        due_at: When it may be tried again; None means at once.
    """

    count: int = 0
    is_finished: bool = False
    gave_up: bool = False
    due_at: datetime | None = None


#: Of a handler that has not run yet.
UNTRIED = Tries()


class Recorded(NamedTuple):
    """What matters of a recorded attempt for the next ones.

    Attributes:
        replay: The run of the entry that it belongs to: 0 is the first, 1 the first replay.
    """

    handler: str
    outcome: Outcome
    replay: int
    retry_at: datetime | None


def tries_of(
    recorded: Iterable[Recorded], *, replay: int, chosen: Collection[str] | None
) -> dict[str, Tries]:
    """Return how far each handler is, by name.

    Args:
        recorded: Oldest first, since the entry last started over.
        replay: The present run. Attempts of earlier runs are not counted, but their successes
            hold, unless the handler is *chosen* to run again.
        chosen: The handlers that the present run was asked for; None means all of them.
    """
    tries: dict[str, Tries] = {}
    for each in recorded:
        before = tries.get(each.handler, UNTRIED)
        is_present = each.replay == replay
        holds = is_present or chosen is None or each.handler not in chosen
        tries[each.handler] = replace(
            before,
            count=before.count + is_present,
            is_finished=before.is_finished or (holds and each.outcome in FINISHED),
            gave_up=before.gave_up or (is_present and each.outcome is Outcome.GAVE_UP),
            due_at=each.retry_at if is_present else before.due_at,
        )
    return tries
