"""The table of goals, measured in one run: exit status 1 if a figure does not reach its floor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from bench import accept, durable, engines, goals, handlers
from bench.engine_kinds import CELERY, FRONT, POSTGRES, SQLITE
from bench.machine import FOLDER
from bench.timing import interleaved

Command = Callable[..., None]

_OPTIONS = (
    click.option("--rounds", default=5, show_default=True, help="How often all take turns."),
    click.option("--share", default=1.0, show_default=True, help="Of the events of a full run."),
    click.option("--folder", type=FOLDER, help="Where the files are made, on the disk to measure."),
    click.option(
        "--against",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A checkout of the release before; without it, slow handlers are left out.",
    ),
)


def of_a_run(command: Command) -> Command:
    """Give *command* the options of a run that measures many things."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@of_a_run
def ratios(rounds: int, share: float, folder: str | None, against: Path | None) -> None:
    """Measure every goal and print the table; at most 12 minutes."""
    goals.show(measure_goals(rounds=rounds, share=share, folder=folder, against=against))


def measure_goals(
    *, rounds: int, share: float, folder: str | None, against: Path | None
) -> dict[str, list[float]]:
    """Return the values of each goal, one for each round."""
    accepted = interleaved(accept.own_cases(), rounds=12 * rounds, calls=max(1, int(200 * share)))
    admitted = durable.measure_senders(rounds=rounds, events=int(6400 * share), folder=folder)
    handled = engines.measure_engines(
        (SQLITE, FRONT, POSTGRES, CELERY), rounds=rounds, events=int(3000 * share), folder=folder
    )
    found = (
        accept.found_goals(accepted) | durable.found_goals(admitted) | engines.found_goals(handled)
    )
    if against is not None:
        slow = handlers.measure_handlers(against, rounds=rounds, share=share, folder=folder)
        found |= handlers.found_goals(slow)
    return found
