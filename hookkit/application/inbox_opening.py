"""Opens the inbox of an application when it is first needed, and again while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import (
    MEMORY,
    Database,
    accept_loss,
    in_instance_folder,
    is_memory,
    open_inbox,
)
from hookkit.operating.applications import ThisApplication
from hookkit.settings.load import Settings

_logger = logging.getLogger("hookkit")

#: How long a request waits for the inbox to be opened, and how long a failure is remembered.
PATIENCE_S = 1.0


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
        self.threads: int = settings.workers

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

    def prepare(self, *, is_shared: bool = False) -> Inbox:
        """Return the inbox, as ``inbox`` does, but raise what is wrong with the setting.

        Args:
            is_shared: Whether other processes fill the inbox.

        Raises:
            ConfigurationError: The setting names something that cannot hold such an inbox.
            Unavailable: It cannot be opened now.
        """
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise Unavailable("the inbox is being opened")
        try:
            if self._inbox is None:
                self._inbox = self._open(is_shared=is_shared)
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

    @contextmanager
    def using(self, database: Database) -> Iterator[None]:
        """Open *database* within the block, in place of the one that the settings name."""
        before = self._database, self._inbox
        self._database, self._inbox, self._closed_until = database, None, 0.0
        try:
            yield
        finally:
            self.close()
            self._database, self._inbox = before

    def close(self) -> None:
        """Close the inbox, if it is open."""
        if self._inbox is not None:
            self._inbox.close()

    def _open(self, *, is_shared: bool) -> Inbox:
        if time.monotonic() < self._closed_until:
            raise Unavailable("the inbox could not be opened a moment ago")
        try:
            named = self.named()
            if is_shared:
                _refuse_private(named)
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


def _refuse_private(database: object) -> None:
    if is_memory(database):
        raise ConfigurationError(
            "HOOKKIT_DATABASE: memory:// is seen by no other process, so that nothing would ever"
            " be there to handle; name a SQLite file or PostgreSQL"
        )
