"""Writes ``docs/reference/speed.md`` and its chart from one run: ``python -m bench report``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import jinja2

from bench import accept, chart, disk, durable, engines, goals, handlers, machine, verify
from bench.engine_kinds import CELERY, KINDS
from bench.ratios import of_a_run
from bench.receivers import RECEIVERS, peer_cases
from bench.timing import interleaved, ratio, ratios

DOCS = Path(__file__).parent.parent / "docs" / "reference"
PAGE, CHART = "speed.md", "speed.svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that the page shows; each mapping is of one benchmark.

    Attributes:
        about: The machine.
        command: How the run was started.
        engines: The figures of each engine.
        accepted: The microseconds of each receiver, and of reading a message.
        verified: Of each kind of signature, the microseconds of each check.
        admitted: The figures of 64 senders.
        disks: The same on SQLite, where syncs are slower.
        handled: The events per second of slow handlers, here and before; empty without a
            release before.
    """

    about: Mapping[str, str]
    command: str
    engines: Mapping[str, Sequence[engines.Figures]]
    accepted: Mapping[str, list[float]]
    verified: Mapping[str, verify.Figures]
    admitted: Mapping[str, Sequence[durable.Figures]]
    disks: disk.Found
    handled: handlers.Found


@click.command()
@of_a_run
@click.option(
    "--into",
    default=DOCS,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the page and its chart are written.",
)
def report(rounds: int, share: float, folder: str | None, against: Path | None, into: Path) -> None:
    """Measure hookkit and its peers, and write the page and its chart."""
    measured = measure(rounds=rounds, share=share, folder=folder, against=against)
    (into / PAGE).write_text(page(measured), encoding="utf-8")
    chart.draw(panels(measured), into / CHART)
    click.echo(f"written: {into / PAGE}, {into / CHART}")


def measure(*, rounds: int, share: float, folder: str | None, against: Path | None) -> Measured:
    """Measure everything that the page shows."""
    command = f"python -m bench report --rounds {rounds} --share {share:g}"
    about = machine.describe(folder)
    timed: dict[str, Any] = {"rounds": 12 * rounds, "calls": max(1, int(200 * share))}
    return Measured(
        about=about,
        command=command + (" --against CHECKOUT" if against else ""),
        accepted=interleaved(accept.own_cases() | peer_cases(), **timed),
        verified=verify.measure_groups(verify.groups(), **timed),
        admitted=durable.measure_senders(rounds=rounds, events=int(6400 * share), folder=folder),
        disks=disk.measure_disks(rounds=rounds, events=int(3200 * share), folder=folder),
        engines=engines.measure_engines(
            KINDS, rounds=rounds, events=max(1, int(3000 * share)), folder=folder
        ),
        handled=handlers.measure_handlers(against, rounds=rounds, share=share, folder=folder)
        if against
        else {},
    )


def reached(measured: Measured) -> dict[str, list[float]]:
    """Return the values of each goal that was measured."""
    return (
        engines.found_goals(measured.engines)
        | accept.found_goals(measured.accepted)
        | durable.found_goals(measured.admitted)
        | handlers.found_goals(measured.handled)
    )


def panels(measured: Measured) -> dict[str, dict[str, float]]:
    """Return what the chart shows."""
    found = measured.engines
    return {
        "Jobs drained per second": _medians(found, "drain"),
        "Jobs per second, end to end": _medians(found, "end_to_end"),
        "Accepting a request, in times a bare Flask view (less is better)": {
            name: ratio(measured.accepted, name, accept.BARE)
            for name in measured.accepted
            if name not in (accept.LOADS, accept.NORMALIZE)
        },
    }


def _medians(found: Mapping[str, Sequence[engines.Figures]], what: str) -> dict[str, float]:
    return {name: median(getattr(each, what) for each in them) for name, them in found.items()}


def page(measured: Measured) -> str:
    """Return the page."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    # A page of Markdown that this program makes; there is nothing to escape.
    environment = jinja2.Environment(  # noqa: S701
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    accepted = measured.accepted
    return (
        environment.get_template("speed.md.jinja")
        .render(
            command=measured.command,
            machine=_table(("what", "value"), measured.about.items()),
            goals=_table(goals.HEADINGS, map(goals.cells, goals.judge(reached(measured)))),
            engines=_engines(measured.engines),
            setups=_setups(measured.engines),
            senders=durable.SENDERS,
            durable=_durable(measured.admitted),
            disks=_table(disk.HEADINGS, disk.rows(measured.disks)),
            receivers=_receivers(accepted),
            normalize_us=f"{median(accepted[accept.NORMALIZE]):.1f}",
            normalize_times=f"{ratio(accepted, accept.NORMALIZE, accept.LOADS):.1f}",
            signatures=_signatures(measured.verified),
            handlers=_handlers(measured.handled),
        )
        .rstrip()
        + "\n"
    )


def _engines(found: Mapping[str, Sequence[engines.Figures]]) -> str:
    headings = (
        "engine",
        "end to end, jobs/s",
        "times bare Celery",
        "drain, jobs/s",
        "times bare Celery",
        "idle, ms",
    )
    rows = [
        (
            name,
            f"{median(each.end_to_end for each in them):,.0f}",
            _beside(found, name, "end_to_end"),
            f"{median(each.drain for each in them):,.0f}",
            _beside(found, name, "drain"),
            f"{median(each.idle_ms for each in them):.2f}",
        )
        for name, them in found.items()
    ]
    return _table(headings, rows)


def _beside(found: Mapping[str, Sequence[engines.Figures]], name: str, what: str) -> str:
    one, other = ([getattr(each, what) for each in found[each]] for each in (name, CELERY))
    return f"{median(ratios(one, other)):.2f}"


def _setups(found: Mapping[str, object]) -> str:
    headings = ("engine", "set up", "a job is on the disk", "a job whose worker is killed")
    kinds = {name: KINDS[name] for name in found}
    return _table(
        headings, [(name, kind.setup, kind.synced, kind.killed) for name, kind in kinds.items()]
    )


def _durable(found: Mapping[str, Sequence[durable.Figures]]) -> str:
    rows = [
        (
            name,
            f"{median(each.per_second for each in them):,.0f}",
            f"{median(each.p50_ms for each in them):.2f}",
            f"{median(each.p99_ms for each in them):.2f}",
        )
        for name, them in found.items()
    ]
    return _table(("what", "events/s", "p50, ms", "p99, ms"), rows)


def _receivers(found: Mapping[str, list[float]]) -> str:
    does = {
        accept.BARE: "compares the key, parses",
        accept.BLUEPRINT: "verifies, takes apart, hashes; ready to be stored",
        accept.FRONT: "the same, in front of Flask",
    } | {name: receiver.does for name, receiver in RECEIVERS.items()}
    rows = [
        (name, f"{median(found[name]):.0f}", f"{ratio(found, name, accept.BARE):.2f}", text)
        for name, text in does.items()
        if name in found
    ]
    return _table(("receiver", "us", "times the bare view", "what it does"), rows)


def _signatures(found: Mapping[str, verify.Figures]) -> str:
    rows = [
        (kind, name, f"{median(figures[name]):.1f}", f"{ratio(figures, name, verify.BARE):.2f}")
        for kind, figures in found.items()
        for name in figures
    ]
    return _table(("signature", "check", "us", "times bare"), rows)


def _handlers(found: handlers.Found) -> str:
    """Return the table, or nothing if there was no release before."""
    if not found:
        return ""
    rows = [
        (f"{pause_ms} ms", *(f"{median(rates[name]):,.0f}" for name in rates))
        for pause_ms, rates in found.items()
    ]
    names = (handlers.HERE, handlers.BEFORE)
    return _table(("a handler sleeps", *(f"{name}, events/s" for name in names)), rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
