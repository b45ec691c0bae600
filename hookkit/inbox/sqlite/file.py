"""The SQLite file of an inbox: its set-up, its disk, and the lock beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from operator import methodcaller
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hookkit.core.errors import ConfigurationError, Unavailable

try:
    import fcntl
except ImportError:  # Windows
    IS_SUPPORTED = False
else:
    IS_SUPPORTED = True

# The pause grows: whoever has waited long waits for more than one commit.
_FIRST_PAUSE_S = 0.0001
_LONGEST_PAUSE_S = 0.005
_GROWTH = 1.05


class FileLock:
    """A lock between processes; the threads of one process need another lock before it.

    Args:
        path: Created where it is missing, and never removed: a process that still had the
            removed file would lock alone.
        mode: The rights of a new file.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._paths = path, path.with_name(f"{path.name}-turnstile")
        self._mode = mode
        self._opened: tuple[int, int] | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> tuple[int, int]:
        """Open the files if they are not; return the lock's and the turnstile's.

        Raises:
            OSError: They cannot be opened.
        """
        if self._opened is None:
            lock = self._open_one(self._paths[0])
            try:
                opened = lock, self._open_one(self._paths[1])
            except OSError:
                os.close(lock)
                raise
            self._identity = _identity_of(lock)
            self._opened = opened  # last: other threads check
        return self._opened

    def check(self) -> None:
        """Notice that other code of this process has closed the files.

        It has closed those of the database too, then, and whatever is opened next gets their
        numbers: SQLite would go on, in files of others.
        https://www.sqlite.org/howtocorrupt.html

        Raises:
            Unavailable: It has.
        """
        if self._was_closed:
            raise Unavailable(
                "code of this process has closed the inbox's files, which it had not opened;"
                " restart the process"
            )

    def acquire(self, give_up_at: float) -> bool:
        """Return whether the lock was had before *give_up_at*, a moment of ``time.monotonic``.

        Raises:
            OSError: The files cannot be opened or locked.
            Unavailable: Other code has closed them.
        """
        self.check()
        lock, turnstile = self.open()
        if not _acquire(turnstile, give_up_at):
            return False
        try:
            return _acquire(lock, give_up_at)
        finally:
            fcntl.flock(turnstile, fcntl.LOCK_UN)

    def release(self) -> None:
        """Let the next process have the lock."""
        if self._opened is not None and not self._was_closed:
            fcntl.flock(self._opened[0], fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files.

        A child process does it after a fork as well: what it inherited is the lock of its
        parent, and closing leaves that to the parent where unlocking would take it away.
        """
        if self._was_closed:
            return  # the numbers are those of others' files by now
        opened, self._opened = self._opened, None
        for descriptor in opened or ():
            os.close(descriptor)

    @property
    def _was_closed(self) -> bool:
        # Of one of the files: each look lets other threads run, and whoever closes what it has not
        # opened closes all of them.
        return self._opened is not None and _identity_of(self._opened[0]) != self._identity

    def _open_one(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT, self._mode)


def _identity_of(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _acquire(descriptor: int, give_up_at: float) -> bool:
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
        else:
            return True


# Before it, two connections that write at one moment can, very rarely, leave a write-ahead
# log that damages the file: https://www.sqlite.org/wal.html
_FIRST_SOUND_VERSION = (3, 51, 3)

#: File systems of other machines.
NETWORK_TYPES = {
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.sshfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb2",
    "smb3",
    "smbfs",
}
_MOUNTS = Path("/proc/mounts")


#: What a disk has changed must not keep what lies beside it from being read.
_as_text = methodcaller("decode", "utf-8", "backslashreplace")


def set_up(driver: Any, _: object) -> None:
    """Make a new connection to our own file durable; a listener of SQLAlchemy's engines."""
    driver.text_factory = _as_text
    # SQLite may have been built with less.
    driver.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        # There, fsync alone leaves the data in the disk's own cache.
        driver.execute("PRAGMA fullfsync = ON")


def file_of(connection: Connection) -> Path | None:
    """Return the file that *connection* is to, None when it has none."""
    for _, name, file in connection.exec_driver_sql("PRAGMA database_list"):
        if name == "main" and file:
            return Path(file).resolve()
    return None


def lock_path(path: Path) -> Path:
    """Return where the lock of the database at *path* is."""
    return path.with_name(f"{path.name}-hookkit-lock")


def lock_beside(path: Path) -> FileLock | None:
    """Return the lock of the database at *path*; None where only SQLite's own will do.

    Its files have the rights of the database: whoever writes to that must lock.
    """
    if not IS_SUPPORTED:
        return None
    mode = stat.S_IMODE(path.stat().st_mode) & 0o666
    lock = FileLock(lock_path(path), mode)
    try:
        lock.open()
    except OSError:
        # Another user's, for instance: slower, and as safe.
        return None
    return lock


def refuse_network(path: Path) -> None:
    """Refuse a database on a network file system, as far as Linux tells.

    A write-ahead log needs memory that all processes share, which no network gives them.

    Raises:
        ConfigurationError: It is on one.
    """
    kind = mount_type(path)
    if kind in NETWORK_TYPES:
        raise ConfigurationError(
            f"HOOKKIT_DATABASE: {path} is on a network file system ({kind}), where SQLite's"
            " write-ahead log is not safe; name a file on a local disk, or use PostgreSQL"
        )


def mount_type(path: Path) -> str | None:
    """Return the type of the file system that *path*, which is absolute, is on."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    for line in lines:
        _, mount_point, kind, *_ = line.split(" ")
        where = Path(_unescaped(mount_point))
        # Of two mounts on one folder the later one covers the other.
        if path.is_relative_to(where) and (found is None or len(where.parts) >= found[0]):
            found = len(where.parts), kind
    return None if found is None else found[1]


def concern_about_version() -> str | None:
    """Return a sentence about a bug of this SQLite which can damage a file; None if it has none.

    The writes of hookkit's processes wait for one another by a lock file, so that two of them
    never write at one moment, which the bug needs. Other programs do not take that lock.
    """
    if sqlite3.sqlite_version_info >= _FIRST_SOUND_VERSION:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can, very rarely, damage a file in WAL mode that two"
        " programs write at one moment; 3.51.3 cannot. hookkit's own processes never do: let no"
        " other program write to the inbox's file, or use a newer Python or PostgreSQL"
    )


def _unescaped(mount_point: str) -> str:
    for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        mount_point = mount_point.replace(escape, character)
    return mount_point


class WatchedFile:
    """The file at *path*, as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._look()

    @property
    def is_there(self) -> bool:
        """Whether it was there when it was last looked for."""
        return self._identity is not None

    def has_gone(self) -> bool:
        """Tell whether it is no longer there; another file in its place is reported once."""
        before, now = self._identity, self._look()
        self._identity = now or before
        return now != before

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # three times as fast
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def switch_to_wal(connection: Connection, timeout_s: float) -> str:
    """Return the journal mode that is in force after asking for a write-ahead log.

    SQLite does not use its busy timeout here: when two processes open a new file at once,
    the later one fails without waiting, since the database is locked.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            return str(connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one())
        except DBAPIError as error:
            if "locked" not in str(error.orig) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
