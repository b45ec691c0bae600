"""Opens the inbox of an application: when it is first needed, and again while it is away.

Opening may take as long as a connection may. Whoever comes meanwhile, or just after it failed,
is told at once instead of queueing up behind it: a vendor is waiting.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.settings.load import Settings

_logger = logging.getLogger("hookkit")

#: How long a request waits for the inbox to be opened, and how long a failure is remembered.
PATIENCE_S = 1.0


class Opening:
    """The inbox of *app* that its settings name.

    Attributes:
        threads: How many run handlers in this process.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._database = settings.database
        self._inbox: Inbox | None = None
        self._closed_until = 0.0
        self._told = ""
        self._lock = Lock()
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
            # Found too late to stop the start: deliveries hear 503 until somebody mends it.
            self._tell_misconfigured(error)
            raise Unavailable("HOOKKIT_DATABASE is wrong; the log has the details") from error

    def prepare(self) -> Inbox:
        """Return the inbox, and say what is wrong with the setting.

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
        """Create the tables, or change them, whatever the settings say.

        Raises:
            ConfigurationError: The setting names something that cannot hold an inbox.
            Unavailable: It cannot be opened now.
        """
        open_inbox(self.named()).close()

    def after_fork(self) -> None:
        """Forget the connections of the parent process, and a lock that it may have held."""
        self._lock = Lock()
        if self._inbox is not None:
            self._inbox.after_fork()

    def close(self) -> None:
        """Give back what the inbox holds."""
        if self._inbox is not None:
            self._inbox.close()

    def _open(self) -> Inbox:
        if time.monotonic() < self._closed_until:
            raise Unavailable("the inbox could not be opened a moment ago")
        try:
            return open_inbox(
                self.named(),
                encryption_keys=self._settings.encryption_keys,
                migrates=self._settings.tables == "upgrade",
                threads=self.threads,
            )
        except (ConfigurationError, Unavailable):
            self._closed_until = time.monotonic() + PATIENCE_S
            raise

    def named(self) -> Any:
        """Return what the setting stands for: a URL or an engine.

        Raises:
            Unavailable: The callable in the settings raised.
        """
        if self._database is None:
            path = Path(self._app.instance_path) / "hookkit.db"
            return MEMORY if self._app.testing else f"sqlite:///{path}"
        if not callable(self._database):
            return self._database
        try:
            with self._app.app_context():
                return self._database()
        except Exception as error:  # noqa: BLE001  # whatever the callable raises
            # What was raised may quote a password.
            raise Unavailable(
                f"the callable in HOOKKIT_DATABASE raised {type(error).__name__}"
            ) from None

    def _tell_misconfigured(self, error: ConfigurationError) -> None:
        if str(error) != self._told:  # once, not at every delivery
            self._told = str(error)
            _logger.critical("%s", error, extra={"action": "inbox_misconfigured"})
