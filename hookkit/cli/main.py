"""The ``hookkit`` command: it plays the vendor, and needs no application."""

from __future__ import annotations

import click

from hookkit.cli.normalize import normalize_command
from hookkit.cli.samples import samples
from hookkit.cli.send import send
from hookkit.cli.sign import sign
from hookkit.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookkit")
def main() -> None:
    """Play the vendor: sample deliveries and their proof; read a body as an endpoint does."""


main.add_command(normalize_command)
main.add_command(samples)
main.add_command(send)
main.add_command(sign)
main.add_command(verify)

if __name__ == "__main__":
    main()
