"""Loads what every receiver needs, where ``tests.acceptance.forking`` imports it: once for all."""

import gunicorn.app.wsgiapp
import gunicorn.workers.sync  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite  # noqa: F401

from hookkit import HookKit
from hookkit.inbox import opening  # noqa: F401
from tests.applications import make_app, message, post


def warm_up() -> None:
    """Build an application and handle an event, so that a process that is forked need not."""
    hooks = HookKit()
    hooks.on("conversation:message", name="handle")(lambda event: None)
    app = make_app(hooks, HOOKKIT_DATABASE="memory://", HOOKKIT_RUNNER="none")
    post(app.test_client(), message())
    app.extensions["hookkit"].worker.work()
    app.extensions["hookkit"].stop()


warm_up()
