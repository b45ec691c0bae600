"""How fast 4 threads drain slow handlers, beside another checkout of hookkit in the same run.

Each turn is a process of its own, which imports hookkit from one of the two checkouts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from statistics import median

import click

from bench import engine_apps, goals
from bench.accept import new_bodies
from bench.engine_kinds import Pool, new_file
from bench.engines import measure_drain
from bench.machine import FOLDER
from bench.timing import ratios, turns

#: How long the handlers sleep, and how many events take one to two seconds then.
EVENTS = {1: 2000, 6: 800, 20: 250}

HERE, BEFORE = "this checkout", "the release before"

_ROOT = Path(__file__).parent.parent


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the two take turns.")
@click.option("--share", default=1.0, show_default=True, help="Of the events of a full run.")
@click.option("--folder", type=FOLDER, help="Where the files are made, on the disk to measure.")
@click.option(
    "--against",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A checkout of the release before.",
)
def handlers(rounds: int, share: float, folder: str | None, against: Path) -> None:
    """Time handlers of 1, 6 and 20 ms against another checkout."""
    found = measure_handlers(against, rounds=rounds, share=share, folder=folder)
    for pause_ms, rates in found.items():
        for name, per_second in rates.items():
            click.echo(f"{pause_ms:>3} ms  {name:>18}  {median(per_second):7,.0f} events/s")
    goals.show(found_goals(found))


#: The milliseconds of a handler -> a checkout -> events per second in each round.
Found = dict[int, dict[str, list[float]]]


def found_goals(found: Found) -> dict[str, list[float]]:
    """Return the goals that these figures are about, with a value for each round."""
    return {
        f"handlers of {pause_ms} ms / the release before": ratios(rates[HERE], rates[BEFORE])
        for pause_ms, rates in found.items()
    }


def measure_handlers(against: Path, *, rounds: int, share: float, folder: str | None) -> Found:
    """Return how many events per second each checkout handles, in each round."""
    checkouts = {HERE: _ROOT, BEFORE: against}
    found: Found = {pause_ms: {name: [] for name in checkouts} for pause_ms in EVENTS}
    for order in turns(checkouts, rounds):
        for pause_ms, events in EVENTS.items():
            for name in order:
                count = max(1, int(events * share))
                found[pause_ms][name].append(_drained(checkouts[name], pause_ms, count, folder))
    return found


def _drained(checkout: Path, pause_ms: int, events: int, folder: str | None) -> float:
    """Return what a process with the hookkit of *checkout* prints."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        (Path(made) / "hookkit").symlink_to((checkout / "hookkit").resolve())
        # hookkit from there; bench and its tools from here, however old the checkout is.
        path = {"PYTHONPATH": os.pathsep.join([made, str(_ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-P", "-m", "bench.handlers", made, str(pause_ms), str(events)]
        done = subprocess.run(
            command, env=os.environ | path, check=False, capture_output=True, text=True, timeout=300
        )
    if done.returncode:
        raise click.ClickException(f"{checkout}: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout))


def _drain(folder: str, pause_ms: str, events: str) -> None:
    engine_apps.DONE = f"{folder}/done"
    pool = Pool(lambda: new_file(Path(folder)), pause_s=int(pause_ms) / 1000)
    print(json.dumps(measure_drain(pool, list(islice(new_bodies(), int(events))))))
    pool.close()


if __name__ == "__main__":
    _drain(*sys.argv[1:])
