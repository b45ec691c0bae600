"""The charts of the console: what came and how it ran, as bars and as the same numbers.

Bars are for a glance; the table beneath each chart says the same to whoever cannot see them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hookkit.cli.flask_commands.stats import ARRIVED
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.reading import MAX_RUNS
from hookkit.inbox.records import from_ms, to_ms
from hookkit.inbox.sights import Run

#: The size of a chart, in units of its own.
WIDTH, HEIGHT = 480, 100

#: How many colors there are; the rarest series share the last one.
_MOST_SERIES = 6

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_HOURS = 24
_PERCENTILES = (50, 95)


class Span(NamedTuple):
    """How far a chart looks back.

    Attributes:
        name: What the address calls it.
        step_min: How many minutes a bar stands for.
    """

    name: str
    title: str
    step_min: int
    bar_count: int


SPANS = (
    Span("1h", "hour", 2, 30),
    Span("24h", "24 hours", 60, 24),
    Span("7d", "7 days", 6 * 60, 28),
    Span("30d", "30 days", 24 * 60, 30),
)


class Bar(NamedTuple):
    """A rectangle of a chart; *series* is the number of its color."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, and the same as a table.

    Attributes:
        summary: What a glance at it should tell.
        series: What is told apart, in the order of the columns.
        rows: For each step that has anything: when it began, and the number of each series.
        bars: What is drawn.
        note: What it leaves out; "" if nothing.
    """

    title: str
    summary: str
    series: Sequence[str]
    rows: Sequence[tuple[datetime, Sequence[str]]]
    bars: Sequence[Bar]
    note: str = ""


def per_hour(times_ms: Sequence[int], now: datetime) -> tuple[str, Sequence[Bar]]:
    """Return bars of the last 24 hours, and what they say.

    Args:
        times_ms: In milliseconds since 1970 (UTC).
    """
    counts = [0] * _HOURS
    now_ms = to_ms(now)
    for at_ms in times_ms:
        ago_h = (now_ms - at_ms) // _HOUR_MS
        if 0 <= ago_h < _HOURS:
            counts[_HOURS - 1 - ago_h] += 1
    bars = list(_bars([[count] for count in counts]))
    return f"{sum(counts)} in the last 24 hours, at most {max(counts)} in one", bars


def charts_of(inbox: Inbox, span: Span, now: datetime, endpoint: str | None) -> Sequence[Chart]:
    """Return the charts of one endpoint, or of all."""
    now_min = to_ms(now) // _MINUTE_MS
    end = (now_min // span.step_min + 1) * span.step_min
    first = end - span.step_min * span.bar_count
    series = inbox.minutes.series(first, end, span.step_min, endpoint=endpoint)
    starts = [
        from_ms((first + number * span.step_min) * _MINUTE_MS) for number in range(span.bar_count)
    ]
    arrived = {key: count for key, count in series.items() if key[1] in ARRIVED}
    refused = {key: count for key, count in series.items() if key[1] not in ARRIVED}
    runs = inbox.reading.runs(starts[0], endpoint=endpoint)
    note = ""
    if len(runs) == MAX_RUNS:
        oldest_at = from_ms(runs[-1].ended_ms)
        note = f"Of the newest {MAX_RUNS} attempts alone, back to {oldest_at:%Y-%m-%d %H:%M} UTC."
    start_ms = first * _MINUTE_MS
    outcomes: dict[tuple[int, str], int] = defaultdict(int)
    for run in runs:
        outcomes[_step_of(run, start_ms, span), run.outcome.value.replace("_", " ")] += 1
    return [
        _counts("Received", "event", arrived, starts, ARRIVED),
        _counts("Attempts of handlers by how they ended", "attempt", outcomes, starts, note=note),
        _counts("Refused, by code", "delivery", refused, starts),
        _waits(runs, starts, span, note),
    ]


def _step_of(run: Run, start_ms: int, span: Span) -> int:
    step = (run.ended_ms - start_ms) // (span.step_min * _MINUTE_MS)
    return min(max(step, 0), span.bar_count - 1)


def _counts(
    title: str,
    what: str,
    counts: Mapping[tuple[int, str], int],
    starts: Sequence[datetime],
    names: Sequence[str] = (),
    *,
    note: str = "",
) -> Chart:
    """Return a chart of stacked counts; what has no name in *names* stands by its size."""
    totals: dict[str, int] = defaultdict(int)
    for (_, name), count in counts.items():
        totals[name] += count
    series = list(names) or sorted(totals, key=lambda name: (-totals[name], name))
    table = [[counts.get((number, name), 0) for name in series] for number in range(len(starts))]
    rows = [
        (start, [str(count) for count in row])
        for start, row in zip(starts, table, strict=True)
        if any(row)
    ]
    plural = "deliveries" if what == "delivery" else f"{what}s"
    summary = counted(sum(totals.values()), what, plural)
    most = max((sum(row) for row in table), default=0)
    if most:
        summary += f", at most {most} in one bar"
    return Chart(
        title=title, summary=summary, series=series, rows=rows, bars=list(_bars(table)), note=note
    )


def _waits(runs: Sequence[Run], starts: Sequence[datetime], span: Span, note: str) -> Chart:
    """Return a chart of how long events waited for their first attempt."""
    waits: dict[int, list[float]] = defaultdict(list)
    start_ms = to_ms(starts[0])
    for run in runs:
        if run.waited_s is not None:
            waits[_step_of(run, start_ms, span)].append(run.waited_s)
    found = {step: [_percentile(each, of) for of in _PERCENTILES] for step, each in waits.items()}
    rows = [(starts[step], [_seconds(each) for each in found[step]]) for step in sorted(found)]
    # The rest of a bar stands on the first part.
    table = [
        [found[step][0], found[step][1] - found[step][0]] if step in found else [0.0, 0.0]
        for step in range(span.bar_count)
    ]
    every = [wait for each in waits.values() for wait in each]
    summary = "No first attempt ended."
    if every:
        half, most = (_seconds(_percentile(every, of)) for of in _PERCENTILES)
        summary = f"half within {half}, 95 of 100 within {most}"
    return Chart(
        title="From receipt to the first attempt",
        summary=summary,
        series=["p50", "p95"],
        rows=rows,
        bars=list(_bars(table)),
        note=note,
    )


def _percentile(values: Sequence[float], of: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * of // 100)]


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _bars(table: Sequence[Sequence[float]]) -> Iterator[Bar]:
    """Yield the rectangles of stacked bars, as high as the chart where most is stacked."""
    most = max((sum(row) for row in table), default=0)
    width = WIDTH / max(1, len(table))
    for number, row in enumerate(table):
        y = float(HEIGHT)
        for series, value in enumerate(row):
            if value:
                height = HEIGHT * value / most
                y -= height
                color = min(series, _MOST_SERIES - 1)
                yield Bar(
                    round(number * width, 2), round(y, 2), round(width, 2), round(height, 2), color
                )
