"""Run one benchmark by name: ``python -m bench accept``."""

from __future__ import annotations

import click

from bench.accept import accept
from bench.capacity import capacity
from bench.console import console
from bench.disk import disk
from bench.durable import durable
from bench.engines import engines
from bench.growth import growth
from bench.handlers import handlers
from bench.normalize import normalize
from bench.outage import outage
from bench.path import path
from bench.private import private
from bench.ratios import ratios
from bench.reading import reading
from bench.report import report
from bench.unproven import unproven
from bench.verify import verify
from bench.versions import versions


@click.group()
def main() -> None:
    """Measure hookkit beside its peers, interleaved in one run."""


for _command in (
    accept,
    capacity,
    console,
    disk,
    durable,
    engines,
    growth,
    handlers,
    normalize,
    outage,
    path,
    private,
    ratios,
    reading,
    report,
    unproven,
    verify,
    versions,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
