"""``flask hookkit check``: whether an application would receive, keep and handle events."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine

from hookkit.core.entry import State
from hookkit.core.errors import ConfigurationError, HookkitError, Unavailable
from hookkit.core.handlers import HandlerRegistry
from hookkit.inbox.base import Inbox
from hookkit.inbox.opening import MEMORY, open_inbox, parse_url
from hookkit.inbox.sql.table_upgrade import OutdatedError
from hookkit.inbox.sqlite.file import NETWORK_TYPES, mount_type
from hookkit.receiving.endpoint import Endpoint
from hookkit.settings.load import Settings

_IN_MEMORY = {"ramfs", "tmpfs"}

# What is written there goes to the container's own layer.
_LAYERED = {"aufs", "fuse.fuse-overlayfs", "overlay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an inbox is.

    Attributes:
        name: For people; never a URL, which may hold a password.
        is_there: Whether opening it would make no file.
        concerns: Why events would not be kept there, or not safely; empty if nothing is wrong.
    """

    name: str
    is_there: bool = True
    concerns: tuple[str, ...] = ()


def place_of(database: str | URL | Engine) -> Place:
    """Return where the inbox in *database* is.

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
    # Unlike that of a Path, it does not raise when a folder on the way may not be looked into.
    is_there = os.path.exists(path)  # noqa: PTH110
    concerns = tuple(_concerns(path, is_there=is_there))
    return Place(name=f"the SQLite file {path}", is_there=is_there, concerns=concerns)


def _concerns(path: Path, *, is_there: bool) -> Iterator[str]:
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
    for each in [folder, path] if is_there else [folder]:
        # A disk that is mounted to be read is told even to root.
        if not os.access(each, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            yield f"{each} cannot be written to by the user that runs this"


#: What is due for longer than that is handled by nobody, most likely.
MAX_OVERDUE_S = 60.0


class Level(Enum):
    """How a finding is meant."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Looks at one application.

    Attributes:
        settings: Those of the application.
        registry: Its handlers.
        database: Returns what ``HOOKKIT_DATABASE`` stands for; may raise ``Unavailable``.
        runner: Who runs the handlers.
        clock: Returns the time as aware UTC.
    """

    settings: Settings
    registry: HandlerRegistry
    database: Callable[[], Any]
    runner: str
    clock: Callable[[], datetime]

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each thing that is looked at."""
        for endpoint in self.settings.endpoints.values():
            yield from _of_endpoint(endpoint)
        yield from self._of_handlers()
        yield from self._of_inbox()

    def _of_handlers(self) -> Iterator[Finding]:
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
        hours = retry.shortest_span_s / 3600
        yield Finding(
            Level.OK, f"retries: {retry.max_attempts} attempts over at least {hours:.3g} hours"
        )
        who = {
            "celery": "celery: its workers must consume the queue hookkit, and one must sweep",
            "none": "none: `flask hookkit worker` must run somewhere",
            "thread": f"thread: {self.settings.workers} threads in each process that serves",
        }
        yield Finding(Level.OK, f"runner: {who.get(self.runner, self.runner)}")

    def _of_inbox(self) -> Iterator[Finding]:
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
        if place.is_there:
            yield from self._of_store(database, place.name)
        else:
            yield Finding(Level.OK, f"inbox: {place.name} is made at the start")

    def _of_store(self, database: Any, name: str) -> Iterator[Finding]:
        try:
            inbox = open_inbox(
                database, encryption_keys=self.settings.encryption_keys, migrates=False
            )
        except OutdatedError as error:
            if self.settings.migrate == "apply":
                yield Finding(
                    Level.OK, f"inbox: {name}: its tables are made or changed at the start"
                )
            else:
                yield Finding(Level.FAILURE, f"inbox: {error}")
        except (ConfigurationError, Unavailable) as error:
            yield Finding(Level.FAILURE, f"inbox: {error}")
        else:
            with closing(inbox):
                yield from self._of_open(inbox, name)

    def _of_open(self, inbox: Inbox, name: str) -> Iterator[Finding]:
        now = self.clock()
        try:
            # What a claim does is refused by a database that can only be read, and no
            # endpoint has this name.
            inbox.claim(now=now, lease_s=1, limit=1, endpoints=[""])
            counts = inbox.counts()
            due_at = inbox.next_due_at(self.settings.endpoints)
        except Unavailable as error:
            yield Finding(Level.FAILURE, f"inbox: {name}: {error}")
            return
        dead = counts[State.DEAD]
        yield Finding(Level.OK, f"inbox: {name}, with {sum(counts.values())} entries")
        if dead:
            yield Finding(Level.WARNING, f"inbox: {dead} dead; `flask hookkit replay --state dead`")
        overdue_s = 0.0 if due_at is None else (now - due_at).total_seconds()
        if overdue_s > MAX_OVERDUE_S:
            yield Finding(
                Level.WARNING,
                f"inbox: what is due first has waited for {overdue_s:.0f} s; is a worker running?",
            )


def _of_endpoint(endpoint: Endpoint) -> Iterator[Finding]:
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
