"""``flask hookkit``: the commands that work on one application's inbox."""

from __future__ import annotations

from hookkit.cli.flask_commands.capture import capture
from hookkit.cli.flask_commands.drift import drift
from hookkit.cli.flask_commands.handlers import handlers
from hookkit.cli.flask_commands.inbox import adopt, check, prune, tables
from hookkit.cli.flask_commands.listing import list_entries
from hookkit.cli.flask_commands.quarantine import quarantine
from hookkit.cli.flask_commands.renormalize import renormalize
from hookkit.cli.flask_commands.replay import replay, replays
from hookkit.cli.flask_commands.showing import show_entry
from hookkit.cli.flask_commands.stats import stats
from hookkit.cli.flask_commands.tailing import tail
from hookkit.cli.flask_commands.versions import versions
from hookkit.cli.flask_commands.worker import worker

COMMANDS = (
    adopt,
    capture,
    check,
    drift,
    handlers,
    list_entries,
    prune,
    quarantine,
    renormalize,
    replay,
    replays,
    show_entry,
    stats,
    tables,
    tail,
    versions,
    worker,
)
