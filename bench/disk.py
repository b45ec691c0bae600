"""What the disk decides: 64 senders on SQLite, where each sync takes longer than it does here.

Whoever commits each event alone waits for a sync each time, so that a fast disk hides what group
commits are worth, and a slow one shows it. ``slow_sync.c`` makes the syncs of a process slow; it
is compiled for the run by ``cc``.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from bench.durable import LOG, NAIVE, SQLITE, Figures, measure_sqlite_senders
from bench.machine import FOLDER, sync_ms
from bench.timing import ratios, turns

#: How many milliseconds each sync takes longer.
ADDED_MS = (0, 1, 3, 10)

_SOURCE = Path(__file__).with_name("slow_sync.c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowed:
    """One round with syncs that are slow.

    Attributes:
        sync_ms: How long an append of 2 KiB and its sync took.
        figures: Those of hookkit, of the append log and of the naive way, by their names.
    """

    sync_ms: float
    figures: Mapping[str, Figures]


#: Milliseconds added -> its rounds.
Found = Mapping[int, Sequence[Slowed]]


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the disks take turns.")
@click.option("--events", default=3200, show_default=True, help="Events of a case per turn.")
@click.option("--folder", type=FOLDER, help="Where the files are made, on the disk to measure.")
def disk(rounds: int, events: int, folder: str | None) -> None:
    """Compare group commits with single ones, as if the disk were slower."""
    found = measure_disks(rounds=rounds, events=events, folder=folder)
    for line in (HEADINGS, *rows(found)):
        click.echo("".join(f"{cell:>24}" for cell in line))


def measure_disks(*, rounds: int, events: int, folder: str | None) -> dict[int, list[Slowed]]:
    """Return the rounds with each of ``ADDED_MS``.

    Raises:
        click.ClickException: There is no C compiler.
    """
    found: dict[int, list[Slowed]] = {added_ms: [] for added_ms in ADDED_MS}
    with tempfile.TemporaryDirectory() as made:
        library = _compiled(Path(made))
        for order in turns(map(str, ADDED_MS), rounds):
            for added_ms in map(int, order):
                with _new_process(library, added_ms) as process:
                    slowed = process.submit(measure_here, events=events, folder=folder)
                    found[added_ms].append(slowed.result())
    return found


def measure_here(*, events: int, folder: str | None) -> Slowed:
    """Return a round in this process, whatever its syncs take."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        took_ms = sync_ms(Path(made))
    found = measure_sqlite_senders(rounds=1, events=events, folder=folder)
    return Slowed(sync_ms=took_ms, figures={name: each[0] for name, each in found.items()})


def _compiled(folder: Path) -> Path:
    library = folder / "slow_sync.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise click.ClickException("cc is not found: install a C compiler") from None
    return library


@contextmanager
def _new_process(library: Path, added_ms: int) -> Iterator[ProcessPoolExecutor]:
    changed = {"LD_PRELOAD": str(library), "SLOW_SYNC_US": str(added_ms * 1000)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)  # those of a new process are read when it starts
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            yield process
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


HEADINGS = (
    "a sync takes, ms",
    "naive, events/s",
    "append log, events/s",
    "hookkit, events/s",
    "hookkit / append log",
    "hookkit / naive",
)


def rows(found: Found) -> list[tuple[str, ...]]:
    """Return the texts of each disk, one under each heading."""
    return [
        (
            f"{median(each.sync_ms for each in them):.2f}",
            *(f"{median(_rates(them, name)):,.0f}" for name in (NAIVE, LOG, SQLITE)),
            *(
                f"{median(ratios(_rates(them, SQLITE), _rates(them, name))):.2f}"
                for name in (LOG, NAIVE)
            ),
        )
        for them in found.values()
    ]


def _rates(them: Sequence[Slowed], name: str) -> list[float]:
    return [each.figures[name].per_second for each in them]
