"""An application whose store fails when a test wants it to."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from flask import Flask
from sqlalchemy import text

from hookkit import HookKit, RetryPolicy, Unavailable
from tests.applications import ENDPOINTS, post

#: More than a fault in one call can need.
TRIES = 6


class Application:
    """An application with an inbox and no runner, and a worker with a clock of its own."""

    def __init__(self, database, *, fails_first=False, has_effects=False):
        self.handled = []
        self.attempts = []
        self.now = datetime.now(UTC)
        hooks = HookKit()

        @hooks.on("conversation:message", name="handle")
        def handle(event, run):
            self.attempts.append(event.id)
            if fails_first and len(self.attempts) == 1:
                raise ValueError("not yet")
            self.handled.append(event.id)

        if has_effects:
            hooks.on("conversation:message", name="book", transactional=True)(self.book)

        app = Flask("faults")
        app.config.update(
            HOOKKIT_ENDPOINTS=ENDPOINTS, HOOKKIT_DATABASE=database, HOOKKIT_RUNNER="none"
        )
        app.config["HOOKKIT_RETRY"] = RetryPolicy(max_attempts=5, jitter=0)
        with patch("hookkit.application.app_state.utc_now", lambda: self.now):
            hooks.init_app(app)
        self.client = app.test_client()
        self.state = app.extensions["hookkit"]
        self.worker = self.state.worker

    def book(self, event, run):
        run.connection.execute(text("INSERT INTO effects VALUES (:id)"), {"id": event.id})

    @property
    def engine(self):
        return self.state.opening.inbox()._transactions.engine

    def work(self, limit=1):
        """Let the worker try once, later than every lease and every delay before it."""
        self.now += timedelta(hours=1)
        try:
            self.worker.work(limit=limit)
        except Unavailable:
            return False
        return True

    def deliver_until_accepted(self, body):
        """Send as a vendor does; return what was answered."""
        answers = []
        while len(answers) < TRIES and 200 not in answers:
            response = post(self.client, body)
            answers.append(response.status_code)
            assert response.status_code == 200 or response.headers["Retry-After"] == "10"
        return answers

    def close(self):
        self.state.stop()
