"""Run one benchmark by name: ``python -m bench accept``."""

from __future__ import annotations

import click

from bench.accept import accept
from bench.capacity import capacity
from bench.durable import durable
from bench.engines import engines
from bench.growth import growth
from bench.outage import outage
from bench.path import path
from bench.private import private
from bench.signatures import signatures
from bench.verify import verify
from bench.versions import versions


@click.group()
def main() -> None:
    """Measure hookkit beside its peers, interleaved in one run."""


main.add_command(accept)
main.add_command(capacity)
main.add_command(durable)
main.add_command(engines)
main.add_command(growth)
main.add_command(outage)
main.add_command(private)
main.add_command(path)
main.add_command(signatures)
main.add_command(verify)
main.add_command(versions)

if __name__ == "__main__":
    main()
