"""What versions side by side cost the accept path, on a SQLite file, unsynced and synced.

All cases take turns in one process and one run. Every delivery is a new message:

* ``plain``: an endpoint whose settings name no modes;
* ``one``: one version that is live, so that no owner of a fact is kept;
* ``shadow``: what arrives is a version in shadow;
* ``live``: two versions are live, and each message takes its fact.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import click
from flask import Flask

from bench.accept import SECRET, caller, environs, new_bodies
from bench.timing import Case, interleaved, ratio
from hookkit import HookKit

#: Goals of the project; the command fails when one is missed.
MAX_RATIOS = {"one": 1.05, "shadow": 1.25, "live": 1.25}

_MODES: dict[str, dict[str, str]] = {
    "plain": {},
    "one": {"v2": "live"},
    "shadow": {"v1.1": "live", "v2": "shadow"},
    "live": {"v1.1": "live", "v2": "live"},
}


@click.command()
@click.option("--rounds", default=40, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=200, show_default=True, help="Calls of a case per turn.")
def versions(rounds: int, calls: int) -> None:
    """Time receive-to-admit with and without versions side by side."""
    with tempfile.TemporaryDirectory() as folder:
        met = [
            _timed("unsynced", "memory://", rounds, calls),
            _timed("synced", f"sqlite:///{Path(folder)}/{{}}.db", rounds, calls),
        ]
    if not all(met):
        raise SystemExit(1)


def _timed(title: str, database: str, rounds: int, calls: int) -> bool:
    bodies = new_bodies()
    cases = {
        name: Case(
            prepare=lambda count: environs(bodies, count),
            call=caller(_app(modes, database.format(name))),
        )
        for name, modes in _MODES.items()
    }
    figures = interleaved(cases, rounds=rounds, calls=calls)
    click.echo(f"{title:>8}  plain   {median(figures['plain']):7.1f} us")
    ratios = {name: ratio(figures, name, "plain") for name in MAX_RATIOS}
    for name, times in ratios.items():
        click.echo(f"{title:>8}  {name:<7} {times:7.2f} times plain (goal: {MAX_RATIOS[name]})")
    return all(ratios[name] <= MAX_RATIOS[name] for name in MAX_RATIOS)


def _app(modes: dict[str, str], database: str) -> Flask:
    app = Flask("hookkit")
    support = {"provider": "sunshine", "secrets": [SECRET], "versions": modes}
    app.config.update(
        HOOKKIT_ENDPOINTS={"support": support},
        HOOKKIT_DATABASE=database,
        HOOKKIT_RUNNER="none",
    )
    HookKit().init_app(app)
    return app
