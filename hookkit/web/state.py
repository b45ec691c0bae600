"""What hookkit is in one application: settings, inbox, worker, runner, receiver."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock

from flask import Flask

from hookkit.assignment import Assignment
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.outcome import Admitted, Receipt
from hookkit.core.provider import Provider
from hookkit.inbox.base import Inbox
from hookkit.inbox.database import check_database
from hookkit.migration import Migration
from hookkit.operations import Operations
from hookkit.receiver import Receiver
from hookkit.rotation import Rotation
from hookkit.runners.base import IdleRunner, Runner
from hookkit.runners.inline import InlineRunner
from hookkit.runners.thread import ThreadRunner
from hookkit.settings import load_settings
from hookkit.upkeep import Upkeep
from hookkit.web.opening import Opening
from hookkit.worker import Worker

_logger = logging.getLogger("hookkit")


class AppState:
    """Everything that belongs to one application; found in ``app.extensions["hookkit"]``.

    Settings are read when the blueprint is registered, so that a mistake stops the start.
    The inbox is opened when it is first needed, and tried again while it is away.

    Attributes:
        opening: Opens the inbox.
        operations: What people do to it.
        migration: Moves endpoints from one payload version to another.
        upkeep: Prunes it.
        rotation: Tells which secrets are in use.
        has_received: Whether a delivery has reached the application.
        starts_in_children: Whether children of this process serve, and not the process.
    """

    def __init__(
        self, app: Flask, registry: HandlerRegistry, providers: Mapping[str, Provider]
    ) -> None:
        self.app = app
        self.settings = load_settings(app.config, providers, check_database)
        self.has_received = False
        self.starts_in_children = False
        self._runner: Runner | None = None
        self._lock = Lock()
        self.opening = Opening(app, self.settings, lambda: registry.transactional_names)
        assignment = Assignment(
            sender=app,
            providers={name: each.provider for name, each in self.settings.endpoints.items()},
            registry=registry,
            retry=self.settings.retry,
            lease_s=self.settings.lease_s,
            context=app.app_context,
        )
        self.rotation = Rotation(self.open_inbox, utc_now, self.settings.endpoints)
        self.operations = Operations(
            inbox=self.open_inbox,
            clock=utc_now,
            registry=registry,
            endpoints=self.settings.endpoints,
            run_soon=self.run_soon,
            secrets=self.rotation.look,
        )
        self.migration = Migration(
            inbox=self.open_inbox,
            clock=utc_now,
            endpoints=self.settings.endpoints,
            registry=registry,
            run_soon=self.run_soon,
            window_s=self.settings.twin_window_s,
        )
        self.upkeep = Upkeep(
            inbox=self.open_inbox,
            clock=utc_now,
            keep_bodies=timedelta(days=self.settings.keep_bodies_days),
            keep_ids=timedelta(days=self.settings.keep_ids_days),
        )
        self.worker = Worker(assignment, inbox=self.open_inbox, clock=utc_now, jitter=random_jitter)
        self.receiver = Receiver(
            sender=app,
            inbox=self.open_inbox,
            finish=lambda receipt: self.runner.finish(receipt),
        )

    @property
    def runner(self) -> Runner:
        """The runner, made and started at its first use."""
        if self._runner is None:
            self.start()
        assert self._runner is not None  # noqa: S101  # for the type checker
        return self._runner

    def start(self) -> None:
        """Start the runner in this process, once."""
        with self._lock:
            if self._runner is None:
                self._runner = self._make_runner()
                self._warn_of_unknown_endpoints()
        self._runner.start()

    def run_soon(self, entry_ids: Iterable[int]) -> None:
        """See to entries that became due here: at once with ``inline``, else by a wake-up.

        A process that does not serve, such as a shell, starts no pool for it: the pools of
        those that do will find it.
        """
        if self._runner is None and self._runner_name != "inline":
            return
        due = [Admitted(entry_id=each, event_id="", is_new=True) for each in entry_ids]
        self.runner.finish(Receipt(admitted=tuple(due)))

    @property
    def _runner_name(self) -> str:
        return self.settings.runner or ("inline" if self.app.testing else "thread")

    def _warn_of_unknown_endpoints(self) -> None:
        for handler in self.worker.assignment.registry.handlers.values():
            endpoint = handler.condition.endpoint
            if endpoint is not None and endpoint not in self.settings.endpoints:
                _logger.warning(
                    "handler %s waits for endpoint %r, which %r does not have",
                    handler.name,
                    endpoint,
                    self.app.name,
                    extra={"action": "endpoint_unknown", "handler": handler.name},
                )

    def _has_due(self) -> bool:
        return self.open_inbox().has_due(self.settings.endpoints, now=utc_now())

    def _make_runner(self) -> Runner:
        match self._runner_name:
            case "inline":
                return InlineRunner(self.worker)
            case "thread":
                return ThreadRunner(
                    self.worker,
                    threads=self.settings.workers,
                    has_due=self._has_due,
                    prune=self._keep_house,
                    sweep=self.migration.sweep,
                )
        return IdleRunner()

    def _keep_house(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Warn of secrets that can go, and prune."""
        self.rotation.look()
        return self.upkeep.prune(wait)

    def open_inbox(self) -> Inbox:
        """Return the inbox, opened at its first use.

        Raises:
            Unavailable: It cannot be opened now.
        """
        return self.opening.inbox()

    def after_fork(self) -> None:
        """Forget in a child process what a fork has cut off; ``start`` makes it anew."""
        self._lock = Lock()
        self.opening.after_fork()
        self.worker.after_fork()
        for endpoint in self.settings.endpoints.values():
            endpoint.after_fork()
        if self._runner is not None:
            self._runner.after_fork()

    def stop(self) -> None:
        """End the runner and give back the inbox."""
        if self._runner is not None:
            self._runner.stop()
        self.opening.close()


def utc_now() -> datetime:
    """Return the time, the only clock of hookkit."""
    return datetime.now(UTC)


def random_jitter() -> float:
    """Return a number in [-1, 1] that spreads retries."""
    return random.uniform(-1.0, 1.0)  # noqa: S311  # no secret depends on it
