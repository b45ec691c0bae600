"""``flask hookkit worker``: a process that runs handlers and serves nobody."""

from __future__ import annotations

import logging

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.inbox import state_of_app, told

_LINE = "%(asctime)s %(levelname)s %(message)s"


@click.command()
@click.option(
    "--concurrency",
    "threads",
    type=click.IntRange(0, 256),
    metavar="N",
    help="How many handlers run at once; default is HOOKKIT_WORKERS.",
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="NAME",
    help="Handle only what this endpoint received; may be repeated.",
)
@click.option(
    "--sweep",
    "sweeps",
    is_flag=True,
    help="Also wake the workers of Celery for what they have overlooked; with --concurrency 0,"
    " do nothing else.",
)
@click.pass_context
@with_appcontext
def worker(
    context: click.Context, *, threads: int | None, endpoints: tuple[str, ...], sweeps: bool
) -> None:
    """Run handlers until SIGTERM or SIGINT; serve nobody.

    On a signal nothing more is claimed, and what runs has 10 seconds to end. A second signal
    ends the process at once. Ends with status 0 if all that was claimed is settled, and 1 if
    not or if it cannot start.
    """
    _show_log()
    with told():
        process = state_of_app().dedicate(threads=threads, endpoints=endpoints, sweeps=sweeps)
        is_clean = process.run()
    context.exit(0 if is_clean else 1)


def _show_log() -> None:
    """Print what is logged, where the application has not said what becomes of it."""
    logger = logging.getLogger("hookkit")
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_LINE))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
