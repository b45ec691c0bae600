"""The ``hookkit`` command: it plays the vendor, and needs no application."""

from __future__ import annotations

import click

from hookkit.cli.send import send
from hookkit.cli.sign import sign


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookkit")
def main() -> None:
    """Play the vendor: send sample deliveries to an endpoint, or sign a body."""


main.add_command(send)
main.add_command(sign)

if __name__ == "__main__":
    main()
