"""Check whether an application would receive, keep and handle events, without changing anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from sqlalchemy import URL, Engine

from hookkit import log
from hookkit.core.entry import State, seconds_overdue
from hookkit.core.errors import ConfigurationError, HookkitError, Unavailable
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.masking import masked_error
from hookkit.core.text import capped, counted
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import MEMORY, open_inbox, parse_url
from hookkit.inbox.reading import CAP
from hookkit.inbox.sights import DeadGroup
from hookkit.inbox.sql.table_upgrade import OutdatedError
from hookkit.inbox.sqlite.file import NETWORK_TYPES, concern_about_version, mount_type
from hookkit.inbox.sqlite.loss import loss_of_missing
from hookkit.operating.applications import ThisApplication, describe
from hookkit.operating.presence import workers_seen
from hookkit.operating.silence import find_silent
from hookkit.receiving.endpoint import Endpoint
from hookkit.settings.load import Settings

#: File systems whose files are gone with the machine or its container.
_IN_MEMORY = {"ramfs", "tmpfs"}

#: File systems that write to the container's own layer.
_LAYERED = {"aufs", "fuse.fuse-overlayfs", "overlay"}

#: How long an entry may be due before it is reported, in seconds: probably no worker runs then.
MAX_OVERDUE_S = 60.0

#: The same if no worker was seen: an idle worker would have begun by then.
UNSEEN_S = 10.0

#: How many groups of dead letters are listed, the largest first.
MAX_GROUPS = 5


class Level(Enum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: a sentence for a person."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an inbox is kept.

    Attributes:
        name: For people; never a URL, which may hold a password.
        exists: Whether it is there already; opening a missing one creates a file.
        concerns: Why events would not be kept safely there; empty if nothing is wrong.
        caution: What a person should know who keeps them there; None if there is nothing.
    """

    name: str
    exists: bool = True
    concerns: tuple[str, ...] = ()
    caution: str | None = None


def place_of(database: str | URL | Engine) -> Place:
    """Return where the inbox in *database* is kept.

    Raises:
        ConfigurationError: *database* cannot hold an inbox.
    """
    if not isinstance(database, Engine) and str(database) == MEMORY:
        return Place(name="memory", concerns=("it is gone with the process; for tests only",))
    url = database.url if isinstance(database, Engine) else parse_url(database)
    if url.get_backend_name() != "sqlite":
        return Place(name="PostgreSQL")
    if "uri" in url.query:
        return Place(name="a SQLite file that is named by a URI")
    path = Path(url.database or "").absolute()
    # Path.exists() raises if this user may not look into a folder on the way.
    exists = os.path.exists(path)  # noqa: PTH110
    concerns = tuple(_concerns_about(path, exists=exists))
    return Place(
        name=f"the SQLite file {path}",
        exists=exists,
        concerns=concerns,
        caution=concern_about_version(),
    )


def _concerns_about(path: Path, *, exists: bool) -> Iterator[str]:
    folder = path.parent
    while not os.path.exists(folder):  # noqa: PTH110  # as above
        folder = folder.parent
    kind = mount_type(folder.resolve())
    if kind in NETWORK_TYPES:
        yield f"it is on a network file system ({kind}), where SQLite's log is not safe"
    if kind in _IN_MEMORY:
        yield f"it is on a disk in memory ({kind}), and gone with the machine or its container"
    if kind in _LAYERED:
        yield (
            f"it is in a container's own layer ({kind}), and gone with the container; mount a"
            " volume there, or use PostgreSQL"
        )
    loss = None if exists else loss_of_missing(path.resolve())
    if loss is not None:
        yield loss
    if not exists and path.parent.parent != folder.parent and not path.parent.parent.exists():
        yield f"{path.parent} cannot be made: {path.parent.parent} is missing"
    if not folder.is_dir():
        yield f"{folder} is a file, and no folder"
    for each in [folder, path] if exists else [folder]:
        # This also finds a read-only file system, even for root.
        if not os.access(each, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            yield f"{each} cannot be written to by the user that runs this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Checks one application.

    Attributes:
        settings: The settings of the application.
        registry: Its handlers.
        database: Returns the database of the inbox; may raise ``Unavailable``.
        identity: Tells who this application is.
        runner: The name of the runner.
        server_concerns: Yields what is wrong with the server that runs the application, as far
            as the environment shows.
        clock: Returns the time as aware UTC.
    """

    settings: Settings
    registry: HandlerRegistry
    database: Callable[[], str | URL | Engine]
    identity: ThisApplication
    runner: str
    server_concerns: Callable[[], Iterable[str]]
    clock: Callable[[], datetime]

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each check."""
        for endpoint in self.settings.endpoints.values():
            yield from _check_endpoint(endpoint)
        yield from self._check_handlers()
        for each in log.disabled_loggers():
            yield Finding(
                Level.WARNING,
                f"log: the logger {each.name!r} is disabled, probably by logging.config after the"
                " import of hookkit; configure it first, or with disable_existing_loggers=False",
            )
        yield from self._check_inbox()

    def _check_handlers(self) -> Iterator[Finding]:
        names = self.registry.names
        if not names:
            yield Finding(
                Level.FAILURE,
                "handlers: none is registered; import the modules that hold them where the"
                " application is made",
            )
            return
        yield Finding(Level.OK, f"handlers: {', '.join(names)}")
        for name, handler in self.registry.handlers.items():
            endpoint = handler.condition.endpoint
            if endpoint is not None and endpoint not in self.settings.endpoints:
                yield Finding(Level.WARNING, f"handler {name}: there is no endpoint {endpoint!r}")
        retry = self.settings.retry
        attempts = counted(retry.max_attempts, "attempt", "attempts")
        hours = retry.shortest_span_s / 3600
        span = f" over at least {hours:.3g} h" if retry.max_attempts > 1 else ""
        yield Finding(Level.OK, f"retries: {attempts}{span}")
        threads = counted(self.settings.workers, "thread", "threads")
        runners = {
            "celery": "celery: its workers must consume the queue hookkit, and one must sweep",
            "none": "none: `flask hookkit worker` must run somewhere",
            "thread": f"thread: {threads} in each process that serves; not"
            " with gunicorn's worker class sync, which one slow client gets killed",
        }
        yield Finding(Level.OK, f"runner: {runners.get(self.runner, self.runner)}")
        for concern in self.server_concerns():
            yield Finding(Level.WARNING, f"server: {concern}")

    def _check_inbox(self) -> Iterator[Finding]:
        try:
            database = self.database()
            place = place_of(database)
        except HookkitError as error:
            yield Finding(Level.FAILURE, f"inbox: {error}")
            return
        for concern in place.concerns:
            yield Finding(Level.FAILURE, f"inbox: {place.name}: {concern}")
        if place.concerns:
            return
        if place.caution is not None:
            yield Finding(Level.WARNING, f"inbox: {place.caution}")
        if place.exists:
            yield from self._check_database(database, place.name)
        else:
            yield Finding(Level.OK, f"inbox: {place.name} is made at the start")

    def _check_database(self, database: str | URL | Engine, name: str) -> Iterator[Finding]:
        try:
            inbox = open_inbox(
                database, encryption_keys=self.settings.encryption_keys, migrates=False
            )
        except OutdatedError as error:
            if self.settings.tables == "upgrade":
                yield Finding(
                    Level.OK, f"inbox: {name}: its tables are made or changed at the start"
                )
            else:
                yield Finding(Level.FAILURE, f"inbox: {error}")
        except (ConfigurationError, Unavailable) as error:
            yield Finding(Level.FAILURE, f"inbox: {error}")
        else:
            with closing(inbox):
                yield from self._check_entries(inbox, name)

    def _check_entries(self, inbox: Inbox, name: str) -> Iterator[Finding]:
        now = self.clock()
        try:
            # A read-only database refuses a claim. No endpoint has this name: nothing is claimed.
            inbox.claim(now=now, lease_s=1, limit=1, endpoints=[""])
            counts, due_at = inbox.standing(self.settings.endpoints)
            others = self.identity.others(inbox)
            groups = inbox.reading.dead_groups()[:MAX_GROUPS] if counts[State.DEAD] else ()
            _, silent = find_silent(inbox.rhythm, self.settings.endpoints, now)
            workers = workers_seen(inbox, now)
        except Unavailable as error:
            yield Finding(Level.FAILURE, f"inbox: {name}: {error}")
            return
        are_all = max(counts.values()) <= CAP
        entries = (
            counted(sum(counts.values()), "entry", "entries") if are_all else f"{CAP}+ entries"
        )
        yield Finding(Level.OK, f"inbox: {name}, with {entries}")
        concerns = [
            *map(str, silent.values()),
            *_about_dead(counts[State.DEAD], groups),
            *(describe(each.endpoint, each.unsettled) for each in others),
        ]
        late = about_waiting(seconds_overdue(due_at, now), len(workers), self.runner)
        if late is not None:
            concerns.append(f"inbox: {late}")
        for concern in concerns:
            yield Finding(Level.WARNING, concern)


def _about_dead(count: int, groups: Sequence[DeadGroup]) -> Iterator[str]:
    """Yield a sentence about all dead letters, and one about each group."""
    if count:
        yield (
            f"inbox: {capped(count, CAP)} dead; see `flask hookkit replay --state dead --dry-run`"
        )
    for group in groups:
        yield f"inbox: {_describe_group(group)}"


def about_waiting(waited_s: float, worker_count: int, runner: str) -> str | None:
    """Return a sentence about due entries that nothing handles; None if they have not waited long.

    Args:
        waited_s: How long what is due first has waited, in seconds.
        worker_count: How many processes that run handlers were seen.
        runner: The name of the runner.
    """
    is_unseen = not worker_count and runner != "inline"
    if waited_s <= (UNSEEN_S if is_unseen else MAX_OVERDUE_S):
        return None
    waited = f"what is due first has waited for {waited_s:.0f} s"
    if runner == "inline" and not worker_count:
        return f"{waited}; the runner is inline, so that it runs when its sender sends it again"
    if not worker_count:
        return f"{waited}, and no worker was seen lately: start one, such as `flask hookkit worker`"
    running = counted(worker_count, "worker runs", "workers run")
    return f"{waited}, while {running}: are handlers slow, or too few threads?"


def _describe_group(group: DeadGroup) -> str:
    """Return which handler left how many dead letters, by which error, where and since when."""
    by = group.handler or "no handler"
    where = f" at {group.where}" if group.where else ""
    return (
        f"{group.count} dead by {by}: {masked_error(group.error)}{where},"
        f" {', '.join(group.endpoints)}, since {group.first_at:%Y-%m-%d %H:%M} UTC"
    )


def _check_endpoint(endpoint: Endpoint) -> Iterator[Finding]:
    proofs: list[str] = []
    for protection in endpoint.protections:
        for name, secrets in protection.configured():
            try:
                if callable(secrets):
                    endpoint.secrets(protection, name)
            except Unavailable as error:
                yield Finding(Level.FAILURE, f"endpoint {endpoint.name}: {error}")
            proofs.append(name)
        if protection.keys is not None:
            proofs.append("keys")
        if protection.unsigned and not list(protection.configured()):
            yield Finding(
                Level.WARNING, f"endpoint {endpoint.name}: takes what anybody sends (unsigned)"
            )
    by = ", ".join(dict.fromkeys(proofs)) or "nothing"
    yield Finding(Level.OK, f"endpoint {endpoint.name}: {endpoint.provider.name}, proven by {by}")
