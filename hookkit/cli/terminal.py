"""What all commands share: errors as sentences, text that is safe to show, aligned columns.

A command prints through ``show``, since any text may come out of a payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from hookkit.core.errors import ConfigurationError, HookkitError
from hookkit.core.text import visible


@contextmanager
def click_errors(kind: type[click.ClickException] = click.ClickException) -> Iterator[None]:
    """Show a ``HookkitError`` as a sentence, not as a traceback.

    Args:
        kind: ``ClickException`` ends the command with status 1. ``UsageError`` ends it with
            status 2: the arguments are wrong.
    """
    try:
        yield
    except HookkitError as error:
        raise kind(_sentences(error)) from error


def _sentences(error: HookkitError) -> str:
    """Return the message of *error*: one line, or one for each of several mistakes."""
    if isinstance(error, ConfigurationError):
        return str(ConfigurationError(*map(visible, error.mistakes)))
    return visible(str(error))


def show(*lines: str, label: str = "", color: str | None = None, err: bool = False) -> None:
    """Print *lines*, with what would steer the terminal or forge a line made visible.

    Args:
        label: What stands in *color* before the first line.
        err: Whether to print to the standard error output.
    """
    text = "\n".join(map(visible, lines))
    click.echo(f"{click.style(label, fg=color)}{text}" if label else text, err=err)


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield each of *rows* as a line with aligned columns; all rows have the same length."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
