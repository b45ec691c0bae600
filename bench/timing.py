"""Times several things by turns, so that a slow moment of the machine hits all of them."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Something to time.

    Attributes:
        prepare: Makes that many arguments, outside the timed part.
        call: Takes one of them.
    """

    prepare: Callable[[int], Sequence[Any]]
    call: Callable[[Any], object]


def turns(names: Iterable[str], rounds: int) -> Iterator[list[str]]:
    """Yield the names in another order for each round; the orders are the same in every run."""
    for number in range(rounds):
        order = list(names)
        random.Random(number).shuffle(order)  # noqa: S311  # an order, not a secret
        yield order


def interleaved(
    cases: Mapping[str, Case],
    *,
    rounds: int,
    calls: int,
    clock_ns: Callable[[], int] = perf_counter_ns,
) -> dict[str, list[float]]:
    """Return the microseconds per call of each case, one figure per round, warmed up.

    ``clock_ns=thread_time_ns`` measures the processor time of what only computes: a busy machine
    interrupts long calls more often than short ones.
    """
    _take_turns(cases, min(rounds, 3), calls, clock_ns)
    # What the imported packages hold is no garbage, and none of the cases is to look through it.
    gc.freeze()
    try:
        return _take_turns(cases, rounds, calls, clock_ns)
    finally:
        gc.unfreeze()


def _take_turns(
    cases: Mapping[str, Case], rounds: int, calls: int, clock_ns: Callable[[], int]
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in cases}
    for order in turns(cases, rounds):
        for name in order:
            arguments = cases[name].prepare(calls)
            call = cases[name].call
            gc.collect()
            start_ns = clock_ns()
            for argument in arguments:
                call(argument)
            figures[name].append((clock_ns() - start_ns) / calls / 1000)
    return figures


def ratios(ones: Iterable[float], others: Iterable[float]) -> list[float]:
    """Return one ratio per round."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def ratio(figures: Mapping[str, list[float]], name: str, base: str) -> float:
    """Return the median over the rounds of *name*'s figure by *base*'s."""
    return median(ratios(figures[name], figures[base]))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile: half of the rounds lie between them."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first, third
