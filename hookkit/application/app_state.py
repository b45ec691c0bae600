"""What hookkit is in one application: settings, inbox, worker, runner, receiver."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from flask import Flask

from hookkit.application.inbox_opening import Opening
from hookkit.core.entry import Admitted, Receipt
from hookkit.core.errors import ConfigurationError
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.handling.run import Assignment
from hookkit.handling.worker import Worker
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import check_database, is_memory
from hookkit.operating.checkup import Checkup
from hookkit.operating.housekeeping import Upkeep
from hookkit.operating.operations import Operations
from hookkit.operating.secret_use import Rotation
from hookkit.receiving.receiver import Receiver
from hookkit.runners.base import IdleRunner, Runner
from hookkit.runners.celery.make import celery_runner
from hookkit.runners.celery.wake_ups import Sweeper
from hookkit.runners.inline import InlineRunner
from hookkit.runners.thread import ThreadRunner
from hookkit.runners.worker_process import WorkerProcess, check_dedicated
from hookkit.settings.load import load_settings
from hookkit.switching.switch import EndpointVersions

_logger = logging.getLogger("hookkit")


class AppState:
    """Everything that belongs to one application; found in ``app.extensions["hookkit"]``.

    Settings are read when the blueprint is registered, so that a mistake stops the start.
    The inbox is opened when it is first needed, and tried again while it is away.

    Attributes:
        opening: Opens the inbox.
        operations: What people do to it.
        versions: Moves endpoints from one payload version to another.
        upkeep: Prunes it.
        rotation: Reports which secrets are in use.
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
        self._has_started = False
        self._lock = Lock()
        self.opening = Opening(app, self.settings)
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
            secrets=self.rotation.report,
        )
        self.versions = EndpointVersions(
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
        self.worker = self._make_worker(assignment)
        # Its tasks must be known wherever the application is loaded.
        self._celery = celery_runner(self) if self.runner_name == "celery" else None
        self._runner: Runner | None = self._celery
        self.receiver = Receiver(
            sender=app, inbox=self.open_inbox, hand_to_runner=lambda it: self.runner.finish(it)
        )

    @property
    def checkup(self) -> Checkup:
        """What looks whether all is well."""
        return Checkup(
            settings=self.settings,
            registry=self.worker.assignment.registry,
            database=self.opening.named,
            runner=self.runner_name,
            clock=utc_now,
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
            if not self._has_started:
                self._has_started = True
                self._runner = self._runner or self._make_runner()
                self._warn_of_unknown_endpoints()
        self.runner.start()

    def dedicate(
        self,
        *,
        threads: int | None = None,
        endpoints: Collection[str] = (),
        sweeps: bool = False,
    ) -> WorkerProcess:
        """Make this process one that runs handlers and serves nobody.

        Args:
            threads: How many run handlers; None is as many as the settings say.
            endpoints: The names of those whose entries are claimed; none stands for all.
            sweeps: Whether it wakes Celery's workers for what they have overlooked.

        Raises:
            ConfigurationError: There is nothing that it could do, or it would do harm.
        """
        assignment = self.worker.assignment
        check_dedicated(
            assignment, self.runner_name, endpoints, sweeps=sweeps, is_idle=threads == 0
        )
        served = {name: assignment.providers[name] for name in endpoints or assignment.providers}
        threads = self.opening.threads = self.settings.workers if threads is None else threads
        self.worker = self._make_worker(replace(assignment, providers=served))
        pool = self._make_pool(threads)
        self._runner = Sweeper(pool, self._celery) if self._celery and sweeps else pool
        self._warn_of_unknown_endpoints()
        return WorkerProcess(
            self._runner,
            serves=f"the events of {', '.join(served)} by {', '.join(assignment.registry.names)}"
            f" in {threads} {'thread' if threads == 1 else 'threads'}"
            f"{', and waking the workers of Celery' if sweeps else ''}",
            open_inbox=self._open_shared,
            running_count=lambda: self.worker.running_count,
        )

    def _open_shared(self) -> None:
        if is_memory(self.opening.named()):
            raise ConfigurationError(
                "HOOKKIT_DATABASE: memory:// is seen by no other process, so that nothing would"
                " ever be there to handle; name a SQLite file or PostgreSQL"
            )
        self.opening.prepare()

    def run_soon(self, entry_ids: Iterable[int]) -> None:
        """See to entries that became due here: at once with ``inline``, else by a wake-up.

        A process that does not serve, such as a shell, starts no pool for it: the pools of
        those that do will find it.
        """
        if self._runner is None and self.runner_name != "inline":
            return
        due = [Admitted(entry_id=each, event_id="", is_new=True) for each in entry_ids]
        self.runner.finish(Receipt(admitted=tuple(due)))

    @property
    def runner_name(self) -> str:
        """What ``HOOKKIT_RUNNER`` says, or its default."""
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
        return self.open_inbox().has_due(self.worker.assignment.providers.keys(), now=utc_now())

    def _make_worker(self, assignment: Assignment) -> Worker:
        return Worker(assignment, inbox=self.open_inbox, clock=utc_now, jitter=random_jitter)

    def _make_pool(self, threads: int) -> ThreadRunner:
        return ThreadRunner(
            self.worker,
            threads=threads,
            has_due=self._has_due,
            prune=self.prune_and_report,
            sweep=self.versions.promote_held_back,
        )

    def next_due_at(self) -> datetime | None:
        """Return when the next entry becomes claimable, None when none waits.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        return self.open_inbox().next_due_at(self.settings.endpoints)

    def _make_runner(self) -> Runner:
        match self.runner_name:
            case "inline":
                return InlineRunner(self.worker)
            case "thread":
                return self._make_pool(self.settings.workers)
        return IdleRunner()

    def prune_and_report(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Prune, and log which secrets can go."""
        pruned = self.upkeep.prune(wait)
        self.rotation.report()
        return pruned

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
