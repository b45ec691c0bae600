"""What hookkit is in one application: settings, inbox, worker, runner, receiver."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask

from hookkit import log
from hookkit.application.gunicorn import BodyWatch, concerns_about
from hookkit.application.inbox_opening import Opening
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.handling.dispatch import Assignment
from hookkit.handling.worker import Worker
from hookkit.inbox.opening import is_memory
from hookkit.operating.applications import ThisApplication
from hookkit.operating.auditing import Auditing
from hookkit.operating.checkup import Checkup
from hookkit.operating.drift import DriftSentinel
from hookkit.operating.housekeeping import Upkeep
from hookkit.operating.operations import Operations
from hookkit.operating.presence import Presence
from hookkit.operating.refusals import Refusals
from hookkit.operating.renormalizing import Renormalizing
from hookkit.operating.replays import Replaying
from hookkit.operating.secret_use import Rotation
from hookkit.operating.silence import SilenceAlarm
from hookkit.operating.watch import Watch
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.quarantine import Quarantine
from hookkit.receiving.receiver import Receiver
from hookkit.receiving.report import Report
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

#: With ``inline``, the request that starts a replay goes on with it for so long, in seconds.
INLINE_REPLAY_S = 5.0


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
        clock: Tells the time; only a test puts another in its place.
        identity: Tells the inbox who this application is.
        opening: Opens the inbox; ``opening.inbox()`` returns it.
        operations: Reads the statistics of the inbox.
        auditing: Records who did what to the inbox.
        renormalizing: Reads entries anew with the code of today.
        versions: Switches endpoints from one payload version to another.
        watch: Tells how the inbox stands, as often as somebody asks.
        silence_alarm: Reports endpoints that fall silent.
        drift: Notices what vendors send that is not read.
        upkeep: Prunes the inbox.
        rotation: Reports which secrets are in use.
        worker: Handles the entries.
        receiver: Takes the deliveries.
        received_at_s: When the last delivery reached the application, a moment of
            ``time.monotonic``; None before the first.
        body_watch: Gives up bodies that come too slowly, where that gets a server process killed.
        starts_in_children: Whether not this process serves, but the children that it forks.
    """

    body_watch: BodyWatch | None = None

    def __init__(
        self, app: Flask, registry: HandlerRegistry, providers: Mapping[str, Provider]
    ) -> None:
        log.enable()
        self.app = app
        self.clock: Callable[[], datetime] = utc_now
        self.settings: Settings = load_settings(app.config, providers)
        self.received_at_s: float | None = None
        self.starts_in_children = False
        self._has_started = False
        self._lock = Lock()
        fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or ()
        self.identity: ThisApplication = ThisApplication(
            endpoints=self.settings.endpoints,
            secret_keys=[app.config.get("SECRET_KEY"), *fallbacks],
        )
        self.opening: Opening = Opening(app, self.settings, self.identity)
        inbox, endpoints = self.opening.inbox, self.settings.endpoints
        self.rotation: Rotation = Rotation(inbox, self.now, endpoints)
        self.operations: Operations = Operations(
            inbox=inbox, clock=self.now, endpoints=endpoints, secrets=self.rotation.report
        )
        self.auditing: Auditing = Auditing(sender=app, inbox=inbox, clock=self.now)
        self.renormalizing: Renormalizing = Renormalizing(inbox=inbox, providers=self._providers)
        self.versions: EndpointVersions = self._versions(registry)
        self.watch: Watch = Watch(inbox=inbox, clock=utc_now, endpoints=endpoints)
        self.drift: DriftSentinel = DriftSentinel(inbox=inbox, clock=utc_now)
        self.silence_alarm: SilenceAlarm = SilenceAlarm(
            sender=app, inbox=inbox, clock=utc_now, endpoints=endpoints
        )
        self.upkeep: Upkeep = Upkeep(
            inbox=inbox,
            clock=self.now,
            keep_bodies=timedelta(days=self.settings.keep_bodies_days),
            keep_ids=timedelta(days=self.settings.keep_ids_days),
        )
        self.worker: Worker = Worker(self._assignment(registry))
        # Made here, because its tasks must be known wherever the application is loaded.
        self._celery = self._make_celery_runner() if self.runner_name == "celery" else None
        self._runner: Runner | None = self._celery
        for endpoint in endpoints.values():
            for keys in endpoint.keys:
                keys.use_book(lambda: self.opening.inbox().keys)
        self.receiver: Receiver = self._receiver()

    @property
    def _providers(self) -> dict[str, Provider]:
        return {name: each.provider for name, each in self.settings.endpoints.items()}

    @property
    def replaying(self) -> Replaying:
        """What runs entries again."""
        return Replaying(
            inbox=self.opening.inbox,
            clock=self.now,
            registry=self.worker.assignment.registry,
            endpoints=self.settings.endpoints,
            run_soon=self.run_soon,
        )

    @property
    def refusals(self) -> Refusals:
        """What ``flask hookkit quarantine`` works on."""
        return Refusals(
            inbox=self.opening.inbox,
            clock=self.now,
            endpoints=self.settings.endpoints,
            receiver=self.receiver,
            run_soon=self.run_soon,
        )

    def _versions(self, registry: HandlerRegistry) -> EndpointVersions:
        return EndpointVersions(
            inbox=self.opening.inbox,
            clock=self.now,
            endpoints=self.settings.endpoints,
            registry=registry,
            run_soon=self.run_soon,
            window_s=self.settings.twin_window_s,
        )

    def _receiver(self) -> Receiver:
        return Receiver(
            sender=self.app,
            inbox=self.opening.inbox,
            runner=lambda: self.runner,
            quarantine=Quarantine(
                self.opening.inbox, self.settings.quarantine, len(self.settings.endpoints)
            ),
            report=Report(self.app, self.opening.inbox, self.settings.endpoints.values),
        )

    def _assignment(self, registry: HandlerRegistry) -> Assignment:
        return Assignment(
            sender=self.app,
            providers={name: each.provider for name, each in self.settings.endpoints.items()},
            registry=registry,
            retry=self.settings.retry,
            lease_s=self.settings.lease_s,
            context=self.app.app_context,
            inbox=self.opening.inbox,
            clock=self.now,
            jitter=random_jitter,
            observe=self.drift.note,
        )

    def now(self) -> datetime:
        """Return the time by ``clock``."""
        return self.clock()

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
            clock=self.now,
        )

    @property
    def runner(self) -> Runner:
        """The runner, made and started at its first use."""
        if self._runner is None:
            self.start()
        assert self._runner is not None  # noqa: S101  # for the type checker
        return self._runner

    @runner.setter
    def runner(self, runner: Runner | None) -> None:
        """Take *runner* in place of the one that runs; None is the one of the settings."""
        if self._runner is not None:
            self._runner.stop()
        self._runner, self._has_started = runner or self._celery, False

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
            open_inbox=partial(self.opening.prepare, is_shared=True),
            running_count=lambda: self.worker.leases.count,
        )

    def run_soon(self, entry_ids: Sequence[int]) -> None:
        """Have entries handled that became due: at once with ``inline``, else by a wake-up.

        A process that does not serve, such as a shell, starts no threads for this: those that
        serve will find the entries.
        """
        if self._runner is not None or self.runner_name == "inline":
            self.runner.wake(entry_ids)

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
            prune=self.prune_and_report,
            promote=self.promote_and_listen,
            replay=self.advance_replays,
            write_counts=self.receiver.report.minutes.write,
            presence=self._presence(threads),
        )

    def _presence(self, threads: int) -> Presence:
        return Presence(
            inbox=self.opening.inbox,
            clock=utc_now,
            name=self.app.name,
            threads=threads,
            endpoints=sorted(self.worker.assignment.providers),
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
            promote=self.promote_and_listen,
            replay=self.advance_replays,
            presence=self._presence(threads=1),
        )

    def _next_due_at(self) -> datetime | None:
        return self.opening.inbox().next_due_at(self.settings.endpoints)

    def prune_and_report(self, wait: Callable[[float], bool]) -> tuple[int, int]:
        """Prune as ``Upkeep.prune`` does, and log which secrets can be removed."""
        pruned = self.upkeep.prune(wait)
        self.rotation.report()
        return pruned

    def advance_replays(self) -> float | None:
        """Do what is due of the replays that were left to housekeeping; see ``advance``."""
        return self.replaying.advance()

    def begin_replays(self) -> None:
        """Do for some seconds what was left to housekeeping, where no thread keeps house."""
        end = time.monotonic() + INLINE_REPLAY_S
        while self.runner_name == "inline" and time.monotonic() < end:
            pause_s = self.advance_replays()
            if pause_s is None:
                return
            time.sleep(min(pause_s, max(0.0, end - time.monotonic())))

    def promote_and_listen(self) -> int:
        """Promote as ``EndpointVersions.promote_held_back`` does, and report silent endpoints."""
        promoted = self.versions.promote_held_back()
        self.drift.write()
        self.silence_alarm.look()
        return promoted

    def after_fork(self) -> None:
        """Forget in a child process what belongs to the parent; ``start`` makes it anew."""
        self._lock = Lock()
        self.watch.after_fork()
        self.drift.after_fork()
        self.versions.after_fork()
        self.opening.after_fork()
        self.worker.after_fork()
        self.receiver.quarantine.after_fork()
        self.receiver.report.minutes.after_fork()
        for endpoint in self.settings.endpoints.values():
            for keys in endpoint.keys:
                keys.after_fork()
        if self._runner is not None:
            self._runner.after_fork()

    def stop(self) -> None:
        """End the runner and give back the inbox."""
        if self._runner is not None:
            self._runner.stop()
        self.receiver.report.minutes.write()
        with suppress(Unavailable):
            self.drift.write()
        self.opening.close()
        log.flush_all()


def rule_name(endpoint: Endpoint) -> str:
    """Return what the blueprint calls the rule of *endpoint*."""
    # Flask would take a dot for a blueprint within the blueprint.
    return f"at_{endpoint.name.replace('.', '%2E')}"


def state_of(app: Flask) -> AppState:
    """Return the state of *app*.

    Raises:
        ConfigurationError: It has not registered a HookKit.
    """
    state: AppState | None = app.extensions.get("hookkit")
    if state is None:
        raise ConfigurationError(f"application {app.name!r} has not registered a HookKit")
    return state
