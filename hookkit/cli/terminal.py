"""What all commands share: errors as sentences, text that is safe to show, aligned columns.

A command prints through ``show``, since any text may come out of a payload.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from hookkit.core.errors import ConfigurationError, HookkitError
from hookkit.core.text import visible

#: What commands print fits into so many columns, unless a single word is longer.
WIDTH = 100


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
    # https://no-color.org: any value but the empty one. click looks at the terminal alone.
    is_plain = bool(os.environ.get("NO_COLOR"))
    line = f"{click.style(label, fg=color)}{text}" if label else text
    click.echo(line, err=err, color=False if is_plain else None)


def show_json(value: object) -> None:
    """Print *value* as JSON that people can read; what is not printable stays escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Beside the line breaks between values, such characters stand within texts only.
    escaped = (char if char.isprintable() or char == "\n" else _escape(char) for char in text)
    click.echo("".join(escaped))


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1]


def show_bytes(data: bytes) -> None:
    """Print *data* exactly, for another program to read: it is what is sent."""
    click.echo(data, nl=False)


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield each of *rows* as a line with aligned columns; all rows have the same length."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def wrapped(text: str, *, label: str = "", indent: int = 0) -> Iterator[str]:
    """Yield *text* in lines of at most ``WIDTH`` columns, broken between words only.

    Args:
        label: What stands before the first line; the others begin in the column where it ends.
        indent: How many columns are free before each line but the first, without a label.
    """
    yield from textwrap.wrap(
        visible(text),
        WIDTH,
        initial_indent=label,
        subsequent_indent=" " * (len(label) or indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def is_terminal() -> bool:
    """Tell whether a person can answer a question."""
    return sys.stdin.isatty()
