"""Loads what every receiver needs, where ``tests.acceptance.forking`` imports it: once for all."""

from importlib import import_module
from importlib.metadata import entry_points

from hookkit import HookKit
from tests.applications import make_app, message, post

MODULES = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "gunicorn.workers.sync",
    "hookkit.inbox.opening",
    "hookkit.runners.celery.runner",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "tests.acceptance.forking",
    "tests.inbox.racing",
)


def warm_up() -> None:
    """Build an application and handle an event, so that a process that is forked need not."""
    hooks = HookKit()
    hooks.on("conversation:message", name="handle")(lambda event: None)
    app = make_app(hooks, HOOKKIT_DATABASE="memory://", HOOKKIT_RUNNER="none")
    post(app.test_client(), message())
    app.extensions["hookkit"].worker.work()
    app.extensions["hookkit"].stop()


for name in MODULES:
    import_module(name)
# Flask loads the commands of every package that is installed, whichever is called.
for command in entry_points(group="flask.commands"):
    command.load()
warm_up()
