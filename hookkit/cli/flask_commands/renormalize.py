"""``flask hookkit renormalize``: what today's code reads otherwise than the code before it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import echo_json, fields_of, json_option, state_of_app
from hookkit.cli.flask_commands.filters import filter_options
from hookkit.cli.terminal import click_errors, show, wrapped
from hookkit.core.entry import Filter
from hookkit.core.text import counted
from hookkit.operating.renormalizing import Changed, Report

_FILE = click.Path(dir_okay=False, path_type=Path)

#: What ``--diff`` without a file stands for.
_STORED = Path("-")


@click.command(short_help="Read kept bodies again, and compare.")
@filter_options()
@click.option(
    "--diff",
    "saved",
    type=_FILE,
    is_flag=False,
    flag_value=_STORED,
    metavar="[FILE]",
    help="Compare with what is stored, and with a FILE that --save has made.",
)
@click.option(
    "--save",
    "target",
    type=_FILE,
    metavar="FILE",
    help="Save hashes of what this code reads, to compare other code with.",
)
@click.option("--write", "writes", is_flag=True, help="Correct event types and problems.")
@json_option
@with_appcontext
def renormalize(
    *, wanted: Filter, saved: Path | None, target: Path | None, writes: bool, is_json: bool
) -> None:
    """Read kept bodies again with today's code, and show what is read otherwise than before.

    It compares what the inbox stores of each event, and changes nothing without --write. To
    compare whole events, run it with --save before an upgrade and with --diff FILE after it.

    The exit status is 0 if nothing differs, and 1 if something does.
    """
    if target is not None and (saved is not None or writes):
        raise click.UsageError("--save goes with neither --diff nor --write")
    renormalizing = state_of_app().renormalizing
    with click_errors(), ExitStack() as stack:
        if target is not None:
            count = _save(target, renormalizing.snapshot(wanted))
            show(f"saved what {counted(count, 'entry is', 'entries are')} read as")
            return
        lines: Iterable[str] = ()
        if saved not in (None, _STORED):
            lines = stack.enter_context(_opened(saved, "r"))
        report = renormalizing.compare(wanted, saved=lines, writes=writes)
    if is_json:
        changed = [each._asdict() for each in report.changed]
        echo_json({**fields_of(report), "changed": changed})
    else:
        show(*_lines(report))
    raise SystemExit(1 if report.differing else 0)


def _save(target: Path, lines: Iterable[str]) -> int:
    """Write *lines* to a file that only its owner can read; return the number of entries."""
    count = -1  # the first line is of no entry
    with _opened(target, "w") as file:
        for line in lines:
            file.write(f"{line}\n")
            count += 1
    return count


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[IO[str]]:
    try:
        # Short values can be guessed by their hashes. What is no text is no JSON either.
        with open(path, mode, encoding="utf-8", errors="replace", opener=_private) as file:
            yield file
    except OSError as error:
        raise click.UsageError(f"{path} cannot be used: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _lines(report: Report) -> Iterator[str]:
    yield f"{counted(report.read, 'entry', 'entries')} read again, {report.differing} differ"
    if report.unreadable:
        entries = counted(report.unreadable, "entry", "entries")
        yield from wrapped(f"{entries} not read: the bytes are gone or cannot be decrypted")
    for each in report.changed:
        yield from wrapped(_sentence(each), label="  ")
    if not report.is_whole:
        yield "  and more"
    if report.written:
        yield f"corrected {counted(report.written, 'entry', 'entries')}"


def _sentence(changed: Changed) -> str:
    of = f"{changed.version} {changed.vendor_type} at {changed.endpoint}"
    values = f"{changed.old or 'nothing'} -> {changed.new or 'nothing'}"
    return f"{changed.entries} \u00d7 {of}: {changed.path}: {values} (entry {changed.entry_id})"
