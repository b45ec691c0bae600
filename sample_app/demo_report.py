"""Prints the steps of the demo; each line is checked and marked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import cycle, zip_longest

import click

#: How many lines of the server's log are shown after a wrong line.
LOG_LINES = 25


class Report:
    """Prints lines, and counts them.

    Attributes:
        wrong: How many came out otherwise than they should.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.checked = 0
        self.wrong = 0
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # some terminals have no check mark

    def begin(self, url: str) -> None:
        click.echo(f"\nsample_app under gunicorn, two processes, SQLite inbox: {url}")

    def step(self, title: str) -> None:
        self.steps += 1
        click.echo(f"\n{self.steps}. " + click.style(title, bold=True))

    def lines(self, labels: str, seen: Sequence[str], wanted: Sequence[str]) -> None:
        """Compare the lines one by one; two empty lists are equal too."""
        pairs = list(zip_longest(seen, wanted, fillvalue="nothing")) or [("nothing", "nothing")]
        for label, (left, right) in zip(cycle(labels.split()), pairs, strict=False):
            self._line(label, left, right)

    def _line(self, label: str, seen: str, wanted: str) -> None:
        self.checked += 1
        if seen == wanted:
            mark = click.style("\u2713", fg="green")
        else:
            self.wrong += 1
            mark = click.style("\u2717", fg="red", bold=True)
            seen += click.style(f"   WRONG, should be: {wanted}", fg="red")
        click.echo(f"   {mark} {label:9} {seen}")

    def failed(self, message: str) -> None:
        self.checked += 1
        self.wrong += 1
        click.echo(click.style(f"\n   \u2717 WRONG: {message}", fg="red"))

    def log(self, text: str) -> None:
        click.echo("\nThe server's log ends with:\n")
        # Without traceback frames: two processes and their master may print one each.
        said = [line for line in text.splitlines() if not line.startswith("  ")]
        for line in said[-LOG_LINES:]:
            click.echo(f"   | {line}")

    def end(self, seconds: float) -> None:
        if self.wrong:
            verdict = f"{self.wrong} of {self.checked} lines came out WRONG"
        else:
            verdict = f"All {self.checked} lines came out as they should"
        click.secho(
            f"\n{verdict}: {self.steps} steps, {seconds:.1f} s.\n",
            fg="red" if self.wrong else "green",
            bold=True,
        )
