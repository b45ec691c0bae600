"""``flask hookkit replay`` and ``replays``: run entries again, and see which replays there were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import (
    acting,
    echo_json,
    fields_of,
    json_option,
    state_of_app,
    utc,
    who_option,
)
from hookkit.cli.flask_commands.filters import filter_options, spelt
from hookkit.cli.terminal import click_errors, is_terminal, show, wrapped
from hookkit.core.entry import REPLAYABLE, Filter
from hookkit.core.errors import Unavailable
from hookkit.core.text import counted, visible
from hookkit.inbox.replay_records import Ending, ReplayRecord
from hookkit.operating.replays import Preview, Replaying

#: A person is asked before more entries than these run again.
ASKED_ABOVE = 100

#: Without ``--per-second``: what arrives meanwhile is not to wait behind all that is old.
PER_SECOND = 100

#: Progress is shown so often at most, in seconds.
PROGRESS_S = 1.0


@click.command(short_help="Run entries again.")
@click.argument("entry_ids", metavar="[ENTRY_ID]...", type=click.IntRange(min=1), nargs=-1)
@filter_options(REPLAYABLE)
@click.option("--all", "is_all", is_flag=True, help="All entries, without a filter.")
@click.option(
    "--handler",
    "handlers",
    metavar="NAME",
    multiple=True,
    help="Run only this handler. Repeatable.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would run, and change nothing.")
@click.option("--reason", default="", help="Why, for the record.")
@who_option
@click.option(
    "--per-second",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    default=PER_SECOND,
    show_default=True,
    help="The most entries that become due in a second.",
)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask before many entries run again.")
@click.option(
    "--resume",
    "resumed_id",
    type=click.IntRange(min=1),
    metavar="REPLAY_ID",
    help="Go on with a replay that was interrupted.",
)
@json_option
@with_appcontext
def replay(  # noqa: PLR0913  # one for each option
    *,
    entry_ids: tuple[int, ...],
    wanted: Filter,
    is_all: bool,
    handlers: tuple[str, ...],
    is_dry: bool,
    reason: str,
    who: str,
    per_second: int,
    is_sure: bool,
    resumed_id: int | None,
    is_json: bool,
) -> None:
    """Run entries again, chosen by their ids or by the options.

    A done entry runs every handler again; a waiting or dead one runs the handlers that have
    not succeeded. Entries that are due or running, or whose bodies were deleted, are skipped.
    On a terminal it asks before more than 100 entries run. Ctrl-C ends it; --resume goes on.

    The exit status is 1 if an entry that was named cannot run again, or if the replay was
    interrupted.
    """
    wanted = replace(wanted, entry_ids=entry_ids or None)
    state = state_of_app()
    replaying = state.replaying
    if resumed_id is not None:
        if is_all or is_dry or handlers or reason or wanted != Filter():
            raise click.UsageError("--resume goes on as the replay was started: choose nothing")
        with click_errors():
            with acting(state, "replay", who=who, target=f"replay {resumed_id}"):
                resumed = _go_on(replaying, resumed_id, per_second)
            _report(resumed, (), is_json=is_json)
        return
    if wanted == Filter() and not is_all:
        raise click.UsageError("name entries or a filter, or say --all")
    chosen = handlers or None
    with click_errors():
        # Asked before: an entry that has run again is in another state.
        each = [replace(wanted, entry_ids=[entry_id]) for entry_id in entry_ids]
        reasons = [why for one in each if (why := replaying.why_not(one, chosen))]
        if is_dry:
            _show_preview(replaying.preview(wanted, chosen), is_json=is_json)
            raise SystemExit(1 if reasons else 0)
        if not is_sure and is_terminal():
            _ask(replaying.preview(wanted, chosen))
        with acting(state, "replay", who=who, wanted=wanted, reason=reason):
            started = replaying.start(wanted, handlers=chosen, reason=reason, who=who)
            ended = _go_on(replaying, started.id, per_second)
        if not ended.count and not entry_ids and (why := replaying.why_not(wanted, chosen)):
            reasons = [why]
        _report(ended, reasons, is_json=is_json)


def _go_on(replaying: Replaying, replay_id: int, per_second: int) -> ReplayRecord:
    """Do what is left of a replay; if that ends early, say how to go on."""
    how = f"flask hookkit replay --resume {replay_id}"
    try:
        return replaying.go_on(replay_id, per_second=per_second, progress=_progress())
    except KeyboardInterrupt as error:
        raise click.ClickException(f"interrupted; go on with: {how}") from error
    except Unavailable as error:
        raise Unavailable(f"{error}; go on with: {how}") from error


def _progress() -> Callable[[ReplayRecord], None]:
    """Return a function that shows at times how far a replay is."""
    next_s = 0.0

    def show_progress(record: ReplayRecord) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + PROGRESS_S
            show(f"{record.count} so far", err=True)

    return show_progress


def _report(record: ReplayRecord, reasons: Sequence[str], *, is_json: bool) -> None:
    if is_json:
        echo_json({"replay": record.id, "count": record.count, "refused": reasons})
    elif record.count or not reasons:
        show(f"{counted(record.count, 'entry runs', 'entries run')} again")
    if is_json and reasons:
        raise SystemExit(1)
    if reasons:
        raise click.ClickException("\n".join(map(visible, reasons)))


def _ask(preview: Preview) -> None:
    if preview.count <= ASKED_ABOVE:
        return
    show(*_lines_of_preview(preview))
    click.confirm("Run them again?", abort=True, err=True)


def _show_preview(preview: Preview, *, is_json: bool) -> None:
    if not is_json:
        show(*_lines_of_preview(preview))
        return
    by_handler = [
        {"handler": handler, "endpoint": endpoint, "count": count}
        for (handler, endpoint), count in preview.handlers.most_common()
    ]
    refused = [
        {"count": count, "example": preview.examples[reason]}
        for reason, count in preview.refused.most_common()
    ]
    echo_json({**fields_of(preview), "handlers": by_handler, "refused": refused})


def _lines_of_preview(preview: Preview) -> Iterator[str]:
    more = "" if preview.is_whole else "more than "
    line = f"would run {more}{counted(preview.count, 'entry', 'entries')}"
    if preview.first_at is not None and preview.last_at is not None:
        line += f", received {utc(preview.first_at)} to {utc(preview.last_at)}"
    yield line
    for (handler, endpoint), count in preview.handlers.most_common():
        yield from wrapped(f"{count} \u00d7 {handler} at {endpoint}", label="  ")
    for reason, count in preview.refused.most_common():
        yield from wrapped(f"{count} cannot: {preview.examples[reason]}", label="  ")


@click.command(short_help="List replays, unfinished ones first.")
@click.option(
    "--end",
    "ended_id",
    type=click.IntRange(min=1),
    metavar="REPLAY_ID",
    help="End a replay that was interrupted, where it is.",
)
@json_option
@with_appcontext
def replays(*, ended_id: int | None, is_json: bool) -> None:
    """List the newest 20 replays, those that have not ended before the others."""
    replaying = state_of_app().replaying
    with click_errors():
        if ended_id is not None:
            replaying.end(ended_id)
        found = replaying.newest()
    if is_json:
        echo_json([{**fields_of(each), "wanted": spelt(each.wanted)} for each in found])
        return
    for each in found:
        show(*_lines_of(each))
    if not found:
        show("nothing was replayed")


def _lines_of(record: ReplayRecord) -> Iterator[str]:
    if record.ended_at is None and record.per_second is not None:
        how_far = "paused" if record.paused_at else f"goes on, {record.per_second} in a second"
    elif record.ended_at is None:
        how_far = f"not ended; flask hookkit replay --resume {record.id}"
    elif record.ending is Ending.FAILING:
        how_far = f"stopped itself {utc(record.ended_at)}: its first entries failed again"
    elif record.after_id < record.up_to_id:
        how_far = f"given up {utc(record.ended_at)}"
    else:
        how_far = f"ended {utc(record.ended_at)}"
    yield f"{record.id}  {counted(record.count, 'entry', 'entries')}, {how_far}"
    by = f" by {record.who}" if record.who else ""
    why = f": {record.reason}" if record.reason else ""
    yield from wrapped(f"started {utc(record.started_at)}{by}{why}", label="  ")
    only = "".join(f" --handler {name}" for name in record.handlers or ())
    chosen = record.title or spelt(record.wanted) or "--all"
    yield from wrapped(f"{chosen}{only}", label="  ")
