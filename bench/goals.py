"""What hookkit must reach, as ratios of one run, and how a run is judged by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import click

from bench.timing import quartiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a figure is to reach.

    Attributes:
        aim: What the project aims at.
        floor: What a change may not fall behind.
        is_at_most: Whether small figures are good ones.
        unit: Of both.
    """

    aim: float
    floor: float
    is_at_most: bool = False
    unit: str = "times"


def _at_most(aim: float, floor: float, unit: str = "times") -> Goal:
    return Goal(aim=aim, floor=floor, is_at_most=True, unit=unit)


GOALS = {
    "drain / bare Celery: SQLite": Goal(aim=7, floor=5),
    "drain / bare Celery: PostgreSQL": Goal(aim=4, floor=3),
    "end to end / bare Celery: SQLite, blueprint": Goal(aim=1.8, floor=1.4),
    "end to end / bare Celery: SQLite, front": Goal(aim=2.4, floor=2.0),
    "end to end / bare Celery: PostgreSQL": Goal(aim=1.2, floor=1.0),
    "end to end / Celery with a commit: over Celery": Goal(aim=1.5, floor=1.5),
    "accept / bare view: blueprint": _at_most(1.35, 1.45),
    "accept / bare view: front": _at_most(0.50, 0.65),
    "normalize / json.loads": _at_most(2.5, 3),
    "64 senders: SQLite / append log": Goal(aim=0.28, floor=0.2),
    "64 senders: SQLite / naive": Goal(aim=8, floor=6),
    "64 senders: PostgreSQL / naive": Goal(aim=1.3, floor=1.0),
    "64 senders: PostgreSQL, p99": _at_most(30, 60, "ms"),
    "200 to handler, idle, p50": _at_most(0.5, 1, "ms"),
    "handlers of 1 ms / the release before": Goal(aim=1.0, floor=0.97),
    "handlers of 6 ms / the release before": Goal(aim=1.0, floor=0.97),
    "handlers of 20 ms / the release before": Goal(aim=1.0, floor=0.97),
}

#: A goal's name -> its figure in each round.
Found = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: Of the goal.
        figure: The median of the rounds.
        low: The first quartile.
        high: The third quartile.
        rounds: How many there were.
    """

    name: str
    figure: float
    low: float
    high: float
    rounds: int

    @property
    def goal(self) -> Goal:
        return GOALS[self.name]

    @property
    def verdict(self) -> str:
        """Return ``goal`` or ``floor``, whichever it reaches, or ``BELOW``."""
        if self._reaches(self.goal.aim):
            return "goal"
        return "floor" if self._reaches(self.goal.floor) else "BELOW"

    def _reaches(self, limit: float) -> bool:
        return self.figure <= limit if self.goal.is_at_most else self.figure >= limit


def judge(found: Found) -> list[Row]:
    """Return a row for each goal that was measured, in the order of the goals."""
    rows = []
    for name in GOALS:
        if values := found.get(name):
            low, high = quartiles(values)
            rows.append(
                Row(name=name, figure=median(values), low=low, high=high, rounds=len(values))
            )
    return rows


HEADINGS = ("what", "found", "middle half", "rounds", "goal", "floor", "reaches")


def cells(row: Row) -> tuple[str, ...]:
    """Return the texts of a row, one under each heading."""
    sign = "\N{LESS-THAN OR EQUAL TO}" if row.goal.is_at_most else "\N{GREATER-THAN OR EQUAL TO}"
    unit = "" if row.goal.unit == "times" else f" {row.goal.unit}"
    return (
        row.name,
        f"{row.figure:.2f}{unit}",
        f"{row.low:.2f} to {row.high:.2f}",
        str(row.rounds),
        f"{sign} {row.goal.aim:g}{unit}",
        f"{sign} {row.goal.floor:g}{unit}",
        row.verdict,
    )


def show(found: Found) -> None:
    """Print the table, if there is any; exit with 1 if a figure does not reach its floor."""
    rows = judge(found)
    if not rows:
        return
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())
    if any(row.verdict == "BELOW" for row in rows):
        raise SystemExit(1)
