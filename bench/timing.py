"""Times several things by turns, so that a slow moment of the machine hits all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
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


def interleaved(cases: Mapping[str, Case], *, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the microseconds per call of each case, one figure per round."""
    figures: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            arguments = cases[name].prepare(calls)
            call = cases[name].call
            gc.collect()
            start_ns = perf_counter_ns()
            for argument in arguments:
                call(argument)
            figures[name].append((perf_counter_ns() - start_ns) / calls / 1000)
    return figures


def ratio(figures: Mapping[str, list[float]], name: str, base: str) -> float:
    """Return the median over the rounds of *name*'s figure by *base*'s."""
    return median(one / other for one, other in zip(figures[name], figures[base], strict=True))
