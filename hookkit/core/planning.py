"""Who runs now: what a claim of an entry calls for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hookkit.core.attempts import (
    UNTRIED,
)
from hookkit.core.entry import (
    Entry,
)
from hookkit.core.handlers import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A handler whose turn it is.

    Attributes:
        number: Which of its attempts this will be, the first is 1.
        is_lost: The attempt belonged to a claim that was never settled: it is recorded as
            lost, and not made.
    """

    handler: Handler
    number: int
    is_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a claim calls for.

    Attributes:
        turns: In the order of the handlers; lost attempts before the one that follows them.
        is_exhausted: A handler that has not succeeded may not run any more.
        due_at: When the first handler is due that is not due now, None without one.
    """

    turns: tuple[Turn, ...]
    is_exhausted: bool
    due_at: datetime | None


def plan(
    entry: Entry,
    handlers: Iterable[tuple[Handler, int]],
    now: datetime,
    *,
    at_once: bool = False,
) -> Plan:
    """Decide which of *handlers*, each with its greatest number of attempts, run now.

    Every handler has attempts and a due time of its own: one that fails often takes none
    of another's. A claim that was lost counts for the handlers that were due in it.

    Args:
        at_once: Whether those run as well that are not due yet.
    """
    turns: list[Turn] = []
    later: list[datetime] = []
    is_exhausted = False
    for handler, max_attempts in handlers:
        tries = entry.tries.get(handler.name, UNTRIED)
        if tries.is_finished:
            continue
        is_chosen = entry.chosen is None or handler.name in entry.chosen
        if not is_chosen or tries.gave_up or tries.count >= max_attempts:
            is_exhausted = True
        elif tries.due_at is not None and tries.due_at > now and not at_once:
            later.append(tries.due_at)
        else:
            number = tries.count + entry.lost_claims + 1
            lost = range(tries.count + 1, min(number, max_attempts + 1))
            turns += [Turn(handler=handler, number=each, is_lost=True) for each in lost]
            if number <= max_attempts:
                turns.append(Turn(handler=handler, number=number))
            else:
                is_exhausted = True
    return Plan(turns=tuple(turns), is_exhausted=is_exhausted, due_at=min(later, default=None))
