"""What hookkit is in one application: settings, inbox, worker, runner, receiver."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import Flask

from hookkit import log
from hookkit.application.gunicorn import BodyWatch, concerns_about
from hookkit.core.entry import Receipt
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.handling.dispatch import Assignment
from hookkit.handling.worker import Worker
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import (
    MEMORY,
    accept_loss,
    check_database,
    in_instance_folder,
    is_memory,
    open_inbox,
)
from hookkit.operating.applications import ThisApplication
from hookkit.operating.checkup import Checkup
from hookkit.operating.housekeeping import Upkeep
from hookkit.operating.operations import Operations
from hookkit.operating.secret_use import Rotation
from hookkit.receiving.receiver import Receiver
from hookkit.runners.base import Runner
from hookkit.runners.celery import make_celery_runner
from hookkit.runners.inline import InlineRunner
from hookkit.runners.thread import ThreadRunner
from hookkit.runners.worker_process import WorkerProcess, check_worker_process
from hookkit.settings.load import Settings, load_settings
from hookkit.switching.switch import EndpointVersions

if TYPE_CHECKING:  # Celery is optional
    from hookkit.runners.celery.runner import CeleryRunner

_logger = logging.getLogger("hookkit")

#: How long a request waits for the inbox to be opened, and how long a failure is remembered.
PATIENCE_S = 1.0


def utc_now() -> datetime:
    """Return the time as aware UTC; hookkit has no other clock."""
    return datetime.now(UTC)


def random_jitter() -> float:
    """Return a number in [-1, 1] that spreads retries."""
    return random.uniform(-1.0, 1.0)  # noqa: S311  # no secret depends on it


class AppState:
    """Everything that belongs to one application; found in ``app.extensions["hookkit"]``.

    Settings are read when the blueprint is registered, so that a mistake stops the start.
    The inbox is opened when it is first needed, and tried again while it is away.

    Attributes:
        identity: Tells the inbox who this application is.
        opening: Opens the inbox; ``opening.inbox()`` returns it.
        operations: What a person does to the inbox.
        versions: Switches endpoints from one payload version to another.
        upkeep: Prunes the inbox.
        rotation: Reports which secrets are in use.
        worker: Handles the entries.
        receiver: Takes the deliveries.
        has_received: Whether a delivery has reached the application.
        body_watch: Gives up bodies that come too slowly, where that gets a server process killed.
        starts_in_children: Whether not this process serves, but the children that it forks.
    """

    body_watch: BodyWatch | None = None

    def __init__(
        self, app: Flask, registry: HandlerRegistry, providers: Mapping[str, Provider]
    ) -> None:
        log.enable()
        self.app = app
        self.settings = load_settings(app.config, providers, check_database)
        self.has_received = False
        self.starts_in_children = False
        self._has_started = False
        self._lock = Lock()
        self.identity = ThisApplication(
            endpoints=self.settings.endpoints,
            secret_keys=[
                app.config.get("SECRET_KEY"),
                *(app.config.get("SECRET_KEY_FALLBACKS") or ()),
            ],
        )
        self.opening = Opening(app, self.settings, self.identity)
        inbox, endpoints = self.opening.inbox, self.settings.endpoints
        self.rotation = Rotation(inbox, utc_now, endpoints)
        self.operations = Operations(
            inbox=inbox,
            clock=utc_now,
            registry=registry,
            endpoints=endpoints,
            run_soon=self.run_soon,
            secrets=self.rotation.report,
        )
        self.versions = EndpointVersions(
            inbox=inbox,
            clock=utc_now,
            endpoints=endpoints,
            registry=registry,
            run_soon=self.run_soon,
            window_s=self.settings.twin_window_s,
        )
        self.upkeep = Upkeep(
            inbox=inbox,
            clock=utc_now,
            keep_bodies=timedelta(days=self.settings.keep_bodies_days),
            keep_ids=timedelta(days=self.settings.keep_ids_days),
        )
        self.worker = Worker(
            Assignment(
                sender=app,
                providers={name: each.provider for name, each in endpoints.items()},
                registry=registry,
                retry=self.settings.retry,
                lease_s=self.settings.lease_s,
                context=app.app_context,
                inbox=inbox,
                clock=utc_now,
                jitter=random_jitter,
            )
        )
        # Made here, because its tasks must be known wherever the application is loaded.
        self._celery = self._make_celery_runner() if self.runner_name == "celery" else None
        self._runner: Runner | None = self._celery
        for endpoint in endpoints.values():
            for keys in endpoint.keys:
                keys.use_book(lambda: self.opening.inbox().keys)
        self.receiver = Receiver(sender=app, inbox=inbox, hand_to_runner=self._hand_to_runner)

    @property
    def checkup(self) -> Checkup:
        """What ``flask hookkit check`` runs."""
        return Checkup(
            settings=self.settings,
            registry=self.worker.assignment.registry,
            database=self.opening.named,
            identity=self.identity,
            runner=self.runner_name,
            server_concerns=partial(concerns_about, self.runner_name),
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
        log.enable()
        with self._lock:
            if not self._has_started:
                self._has_started = True
                self._runner = self._runner or self._make_runner()
                self._warn_of_unknown_endpoints()
        self.runner.start()

    def make_worker_process(
        self,
        *,
        threads: int | None = None,
        endpoints: Collection[str] = (),
        sweeps: bool = False,
    ) -> WorkerProcess:
        """Make this process one that runs handlers and serves no requests.

        Args:
            threads: How many threads run handlers; None is as many as the settings say.
            endpoints: The names of the endpoints whose entries are claimed; empty for all.
            sweeps: Whether it wakes Celery's workers for entries that they have overlooked.

        Raises:
            ConfigurationError: The process would do nothing, or harm.
        """
        log.enable()
        assignment = self.worker.assignment
        check_worker_process(
            assignment, self.runner_name, endpoints, sweeps=sweeps, is_idle=threads == 0
        )
        served = {name: assignment.providers[name] for name in endpoints or assignment.providers}
        threads = self.opening.threads = self.settings.workers if threads is None else threads
        self.worker = Worker(replace(assignment, providers=served))
        pool = self._make_pool(threads)
        self._runner = self._celery.with_sweep(pool) if self._celery and sweeps else pool
        self._warn_of_unknown_endpoints()
        return WorkerProcess(
            self._runner,
            serves=f"the events of {', '.join(served)} by {', '.join(assignment.registry.names)}"
            f" in {threads} {'thread' if threads == 1 else 'threads'}"
            f"{', and waking the workers of Celery' if sweeps else ''}",
            open_inbox=self._open_shared,
            running_count=lambda: self.worker.leases.count,
        )

    def _open_shared(self) -> None:
        if is_memory(self.opening.named()):
            raise ConfigurationError(
                "HOOKKIT_DATABASE: memory:// is seen by no other process, so that nothing would"
                " ever be there to handle; name a SQLite file or PostgreSQL"
            )
        self.opening.prepare()

    def run_soon(self, entry_ids: Sequence[int]) -> None:
        """Have entries handled that became due: at once with ``inline``, else by a wake-up.

        A process that does not serve, such as a shell, starts no threads for this: those that
        serve will find the entries.
        """
        if self._runner is not None or self.runner_name == "inline":
            self.runner.wake(entry_ids)

    def _hand_to_runner(self, receipt: Receipt) -> Receipt:
        return self.runner.answer(receipt)

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

    def _make_runner(self) -> Runner:
        match self.runner_name:
            case "inline":
                return InlineRunner(self.worker)
            case "thread":
                return self._make_pool(self.settings.workers)
        return Runner()

    def _make_pool(self, threads: int) -> ThreadRunner:
        return ThreadRunner(
            self.worker,
            threads=threads,
            has_due=self._has_due,
            prune=self.prune_and_report,
            promote=self.versions.promote_held_back,
        )

    def _make_celery_runner(self) -> CeleryRunner:
        database = self.settings.database
        if is_memory(database) or (database is None and self.app.testing):
            raise ConfigurationError(
                "HOOKKIT_RUNNER: Celery's workers are other processes, and a memory:// inbox is"
                " in this one; set HOOKKIT_DATABASE to PostgreSQL, or in tests HOOKKIT_RUNNER to"
                " 'inline'"
            )
        return make_celery_runner(
            self.worker,
            self.app.extensions,
            next_due_at=self._next_due_at,
            prune=self.prune_and_report,
            promote=self.versions.promote_held_back,
        )

    def _has_due(self) -> bool:
        endpoints = self.worker.assignment.providers.keys()
        return self.opening.inbox().has_due(endpoints, now=utc_now())

    def _next_due_at(self) -> datetime | None:
        return self.opening.inbox().next_due_at(self.settings.endpoints)

    def prune_and_report(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Prune as ``Upkeep.prune`` does, and log which secrets can be removed."""
        pruned = self.upkeep.prune(wait)
        self.rotation.report()
        return pruned

    def after_fork(self) -> None:
        """Forget in a child process what belongs to the parent; ``start`` makes it anew."""
        self._lock = Lock()
        self.opening.after_fork()
        self.worker.after_fork()
        for endpoint in self.settings.endpoints.values():
            for keys in endpoint.keys:
                keys.after_fork()
        if self._runner is not None:
            self._runner.after_fork()

    def stop(self) -> None:
        """End the runner and give back the inbox."""
        if self._runner is not None:
            self._runner.stop()
        self.opening.close()
        log.flush_all()


class Opening:
    """Opens the inbox of *app*: when it is first needed, and again while it is away.

    Opening takes as long as a connection may take. A request that comes meanwhile, or just
    after it failed, is answered at once instead of waiting behind it: a vendor is waiting.

    Attributes:
        threads: How many threads run handlers in this process.
    """

    def __init__(self, app: Flask, settings: Settings, identity: ThisApplication) -> None:
        self._app = app
        self._settings = settings
        self._database = settings.database
        self._inbox: Inbox | None = None
        self._closed_until = 0.0
        self._logged = ""
        self._lock = Lock()
        self._identity = identity
        self.threads = settings.workers

    def inbox(self) -> Inbox:
        """Return the inbox.

        Raises:
            Unavailable: It cannot be opened now.
        """
        if self._inbox is not None:
            return self._inbox
        try:
            return self.prepare()
        except ConfigurationError as error:
            # Too late to stop the start: deliveries are answered 503 until somebody mends it.
            if str(error) != self._logged:  # once, not at every delivery
                self._logged = str(error)
                _logger.critical("%s", error, extra={"action": "inbox_misconfigured"})
            raise Unavailable("HOOKKIT_DATABASE is wrong; the log has the details") from error

    def prepare(self) -> Inbox:
        """Return the inbox, as ``inbox`` does, but raise what is wrong with the setting.

        Raises:
            ConfigurationError: The setting names something that cannot hold an inbox.
            Unavailable: It cannot be opened now.
        """
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise Unavailable("the inbox is being opened")
        try:
            if self._inbox is None:
                self._inbox = self._open()
            return self._inbox
        finally:
            self._lock.release()

    def upgrade(self) -> None:
        """Create or upgrade the tables, even with ``HOOKKIT_TABLES = "check"``.

        Raises:
            ConfigurationError: The setting names something that cannot hold an inbox.
            Unavailable: It cannot be opened now.
        """
        open_inbox(self.named()).close()

    def accept_loss(self) -> int:
        """Have a SQLite file used as it is; return the newest event that it was known to hold.

        Raises:
            ConfigurationError: The inbox is no SQLite file.
            Unavailable: The callable in the settings raised.
        """
        return accept_loss(self.named())

    def after_fork(self) -> None:
        """Forget the parent's connections, and a lock that it may have held."""
        self._lock = Lock()
        if self._inbox is not None:
            self._inbox.after_fork()

    def close(self) -> None:
        """Close the inbox, if it is open."""
        if self._inbox is not None:
            self._inbox.close()

    def _open(self) -> Inbox:
        if time.monotonic() < self._closed_until:
            raise Unavailable("the inbox could not be opened a moment ago")
        try:
            named = self.named()
            inbox = open_inbox(
                named,
                encryption_keys=self._settings.encryption_keys,
                migrates=self._settings.tables == "upgrade",
                threads=self.threads,
            )
            if not is_memory(named):  # no other process can use it
                with ExitStack() as on_failure:
                    on_failure.callback(inbox.close)
                    self._identity.recognize(inbox)
                    on_failure.pop_all()
        except (ConfigurationError, Unavailable):
            self._closed_until = time.monotonic() + PATIENCE_S
            raise
        return inbox

    def named(self) -> Any:
        """Return the URL or engine that the setting stands for.

        Raises:
            Unavailable: The callable in the settings raised.
        """
        if self._database is None:
            path = Path(self._app.instance_path) / "hookkit.db"
            return MEMORY if self._app.testing else f"sqlite:///{path}"
        if not callable(self._database):
            return in_instance_folder(self._database, self._app.instance_path)
        try:
            with self._app.app_context():
                return in_instance_folder(self._database(), self._app.instance_path)
        except Exception as error:  # noqa: BLE001  # whatever the callable raises
            # Its text may quote a password.
            raise Unavailable(
                f"the callable in HOOKKIT_DATABASE raised {type(error).__name__}"
            ) from None
