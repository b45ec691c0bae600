"""What a SQLite file has held, so that nobody goes on with less without knowing.

The lock file beside an inbox carries the number of the newest event that was acknowledged. A
file that holds only older ones was replaced by an older copy or by a new file, or its
write-ahead log was removed before SQLite had put it into the file. The number is written after
each commit and not synced: it outlives a killed process, and after a power cut it may be too
low, which only means that less is noticed.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection

from hookkit.core.errors import ConfigurationError
from hookkit.inbox.sql.tables import entries
from hookkit.inbox.sqlite.file import WatchedFile, lock_path

#: Digits of the number, so that a shorter one leaves nothing of a longer one behind.
_DIGITS = 20

# It counts on when entries are deleted: https://www.sqlite.org/autoinc.html
_NEWEST = f"SELECT seq FROM sqlite_sequence WHERE name = '{entries.name}'"  # noqa: S608
_HAS_NUMBERS = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"

_ADVICE = "to go on without it, run `flask hookkit tables accept-loss`"


def remember(descriptor: int, number: int) -> None:
    """Write into the open lock file that an event of this *number* was acknowledged."""
    os.pwrite(descriptor, f"{number:0{_DIGITS}}\n".encode(), 0)


def remembered(path: Path) -> int:
    """Return the number of the newest event that the inbox at *path* has acknowledged.

    It is 0 if nobody remembers one.
    """
    try:
        with lock_path(path).open("rb") as lock:
            digits = lock.read(_DIGITS)
    except OSError:
        return 0
    return int(digits) if digits.isdigit() else 0


def forget(path: Path) -> int:
    """Forget what the inbox at *path* has acknowledged; return what ``remembered`` did."""
    number = remembered(path)
    if number:
        with lock_path(path).open("r+b") as lock:
            lock.truncate(0)
    return number


def loss_of_missing(path: Path) -> str | None:
    """Return what was lost with the file that is missing at *path*; None if nothing was."""
    number = remembered(path)
    if not number:
        return None
    return f"it held events up to number {number}, and is gone; put it back, or, {_ADVICE}"


def refuse_loss(connection: Connection, path: Path) -> None:
    """Refuse the file at *path*, which *connection* is to, if it holds less than it has held.

    Raises:
        ConfigurationError: Events that were acknowledged are not in it.
    """
    # First: another process may acknowledge more meanwhile.
    number = remembered(path)
    has_numbers = connection.exec_driver_sql(_HAS_NUMBERS).first() is not None
    newest = connection.exec_driver_sql(_NEWEST).scalar() if has_numbers else None
    if (newest or 0) < number:
        raise ConfigurationError(
            f"HOOKKIT_DATABASE: {path} held events up to number {number}, and now up to number"
            f" {newest or 0}: its -wal was removed, or it was replaced by an older copy or a new"
            f" file. Put back what was there; {_ADVICE}"
        )


class WatchedLog:
    """The write-ahead log of an inbox, which stays while a connection of this process is open.

    SQLite goes on writing to one that was removed, and what it writes is gone with the process:
    https://www.sqlite.org/howtocorrupt.html
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-wal")
        self._watched: WatchedFile | None = None

    def has_gone(self) -> bool:
        """Tell whether the log of the last commit was removed or replaced since."""
        return self._watched is not None and self._watched.has_gone()

    def note_commit(self) -> bool:
        """Tell whether the commit that was just made is in the log that is there."""
        if self._watched is None:
            self._watched = WatchedFile(self._path)
            return self._watched.is_there
        return not self._watched.has_gone()

    def forget(self) -> None:
        """Begin anew: this process has closed its connections."""
        self._watched = None
