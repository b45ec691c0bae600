"""What all commands share: errors as sentences, text that is safe to show, aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from hookkit.core.errors import HookkitError


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
        raise kind(str(error)) from error


def one_line(text: str) -> str:
    """Return *text* on one line without control characters, so that it cannot steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield each of *rows* as a line with aligned columns; all rows have the same length."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def counted(number: int, singular: str, plural: str) -> str:
    """Return *number* and the word or words that go with it: ``1 entry``, ``2 entries``."""
    return f"{number} {singular if number == 1 else plural}"
