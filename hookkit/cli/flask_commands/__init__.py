"""``flask hookkit``: the commands that work on one application's inbox."""

from __future__ import annotations

from hookkit.cli.flask_commands.handlers import handlers
from hookkit.cli.flask_commands.inbox import adopt, check, prune, replay, tables
from hookkit.cli.flask_commands.versions import versions
from hookkit.cli.flask_commands.worker import worker

COMMANDS = (adopt, check, handlers, prune, replay, tables, versions, worker)
