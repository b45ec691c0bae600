"""``flask hookkit worker``: a process that runs handlers and serves no requests."""

from __future__ import annotations

import logging

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.common import state_of_app
from hookkit.cli.terminal import click_errors


@click.command()
@click.option(
    "--concurrency",
    "threads",
    type=click.IntRange(0, 256),
    metavar="N",
    help="How many handlers run at the same time. Default: HOOKKIT_WORKERS.",
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="NAME",
    help="Handle only what this endpoint received. Repeatable.",
)
@click.option(
    "--sweep",
    "sweeps",
    is_flag=True,
    help="Also wake Celery's workers for entries that they have overlooked. With"
    " --concurrency 0, do only that.",
)
@click.pass_context
@with_appcontext
def worker(
    context: click.Context, *, threads: int | None, endpoints: tuple[str, ...], sweeps: bool
) -> None:
    """Run handlers until SIGTERM or SIGINT.

    After the signal nothing more is claimed, and running handlers have 10 seconds to end. A
    second signal ends the process at once. The exit status is 0 if everything that was claimed
    is settled, and 1 if it is not or if the worker cannot start.
    """
    _show_log()
    with click_errors():
        process = state_of_app().make_worker_process(
            threads=threads, endpoints=endpoints, sweeps=sweeps
        )
        is_clean = process.run()
    context.exit(0 if is_clean else 1)


def _show_log() -> None:
    """Print the log to the standard error output, unless the application has set up logging."""
    logger = logging.getLogger("hookkit")
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
