"""One application in the hands of a test: its time, its inbox, and when its handlers run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flask import Flask

from hookkit import crash_points
from hookkit.application.app_state import AppState
from hookkit.core.entry import Receipt
from hookkit.core.errors import ConfigurationError, HookkitError
from hookkit.handling.worker import Worker
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import MEMORY, Database, is_memory
from hookkit.runners.base import Runner
from hookkit.runners.inline import InlineRunner


class _KilledError(BaseException):
    """Stands for SIGKILL: nothing may catch it."""


class Stage(Runner):
    """Runs the handlers of an application before a delivery is answered, by a clock that stands.

    The vendor is answered as by a runner of another process: 200 once the event is stored,
    whatever becomes of it. Retries run when the clock passes them. Where the settings say
    ``HOOKKIT_RUNNER = "inline"``, the inline runner stays: there a failure is the vendor's 503.

    Attributes:
        app: The application.
        moment: The time that hookkit reads in the application, aware UTC.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.state: AppState = _state_of(app)
        self.moment: datetime = _present()
        self._dies_once = False

    @property
    def inbox(self) -> Inbox:
        """The inbox of the application."""
        return self.state.opening.inbox()

    @contextmanager
    def taking(self, database: Database) -> Iterator[Stage]:
        """Have the application in hand within the block, with its inbox in *database*."""
        state = self.state
        worker, clock = state.worker, state.clock
        with state.opening.using(database):
            state.clock = lambda: self.moment
            # A retry is due when the policy says, and not some per cent sooner or later.
            state.worker = Worker(replace(worker.assignment, jitter=lambda: 0.0))
            is_inline = state.settings.runner == "inline"
            state.runner = InlineRunner(state.worker) if is_inline else self
            try:
                yield self
            finally:
                state.runner = None
                state.worker, state.clock = worker, clock
                # What is counted in a test must not be written into the inbox of the settings.
                state.receiver.report.minutes.after_fork()
                state.drift.after_fork()

    @contextmanager
    def anew(self, *, dies_once: bool = False) -> Iterator[None]:
        """Begin with an empty inbox within the block, and come back to the present one.

        Args:
            dies_once: Whether the first worker dies between its handlers and their settlement.

        Raises:
            HookkitError: The inbox is in a database of the test, which hookkit does not empty.
        """
        if not is_memory(self.state.opening.named()):
            raise HookkitError(
                "the inbox of this test is in a database, which hookkit does not empty: leave"
                " hookkit_database as it is; what a transactional handler writes happens once"
            )
        before, runner = self.moment, self.state.runner
        with self.state.opening.using(MEMORY):
            self.state.worker.after_fork()
            self.state.runner, self._dies_once = self, dies_once
            try:
                yield
            finally:
                self.state.worker.after_fork()
                self.state.runner, self._dies_once, self.moment = runner, False, before

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Run what is due."""
        self.run_due()

    def answer(self, receipt: Receipt) -> Receipt:
        """Run what is due; the answer does not depend on it."""
        self.run_due()
        return receipt

    def run_due(self) -> int:
        """Run the handlers of what is due now; return the number of entries."""
        if self._dies_once:
            self._dies_once = False
            self._die()
        # Without the request, as in a thread of the real application.
        return len(Context().run(self.state.worker.work))

    def pass_to(self, moment: datetime) -> None:
        """Move the time to *moment*, and run on the way what becomes due."""
        endpoints = self.state.settings.endpoints
        while True:
            due_at = self.inbox.next_due_at(endpoints)
            if due_at is None or due_at > moment:
                break
            self.moment = max(self.moment, due_at)
            if not self.run_due():
                break
        self.moment = max(self.moment, moment)
        self.state.versions.promote_held_back()
        self.run_due()

    def finish(self) -> None:
        """Pass every retry that is waiting."""
        while (due_at := self.inbox.next_due_at(self.state.settings.endpoints)) is not None:
            before = self.moment
            self.pass_to(due_at)
            if self.moment == before:
                break

    def _die(self) -> None:
        """Have a worker run what is due, and lose it before that is recorded."""
        reach, worker = crash_points.reach, self.state.worker

        def die(place: str) -> None:
            if place == "settle_written":
                raise _KilledError

        crash_points.reach = die
        try:
            Context().run(worker.work)
        except _KilledError:
            # The next worker claims it when its lease is over.
            self.moment += timedelta(seconds=worker.assignment.lease_s + 1)
        finally:
            crash_points.reach = reach
            worker.after_fork()


def _state_of(app: object) -> AppState:
    if not isinstance(app, Flask):
        raise ConfigurationError(
            f"the fixture app returned {type(app).__name__}, and not the Flask application; if"
            " yours has another name, override the fixture hookkit_app"
        )
    state: AppState | None = app.extensions.get("hookkit")
    if state is None:
        raise ConfigurationError(
            f"application {app.name!r} has not registered a HookKit: call hooks.init_app(app) in"
            " the fixture"
        )
    return state


def _present() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
