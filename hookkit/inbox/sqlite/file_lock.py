"""A lock that the processes of a machine share through a file, waited for within bounds.

SQLite's own busy handler sleeps up to 100 ms at a time while the lock changes hands a
thousand times a second, and whoever asks at the right moment gets it: one in a hundred waits
very long. Here a process that waits stands at a turnstile: a second lock, that everybody
passes before asking for the first. A holder that comes back at once cannot overtake it, so
two busy processes take turns.

Waiting is asking again. Measured with two processes that hold the lock for half a
millisecond, a blocking ``flock`` gets about a tenth more done, with the same longest waits;
but it cannot be given up, short of a signal or of a thread that does the waiting.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    IS_SUPPORTED = False
else:
    IS_SUPPORTED = True

# The pause grows: who has waited for long waits for something else than one commit.
_FIRST_PAUSE_S = 0.0001
_LONGEST_PAUSE_S = 0.005
_GROWTH = 1.05


class FileLock:
    """A lock of one holder per process: its threads need another lock before this one.

    Args:
        path: Created where it is missing, and never removed: a process that still had the
            removed file would lock alone.
        mode: The rights of a new file.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._paths = path, path.with_name(f"{path.name}-turnstile")
        self._mode = mode
        self._opened: tuple[int, int] | None = None

    def open(self) -> tuple[int, int]:
        """Open the files if they are not; return the lock's and the turnstile's.

        Raises:
            OSError: They cannot be opened.
        """
        if self._opened is None:
            lock = self._open_one(self._paths[0])
            try:
                self._opened = lock, self._open_one(self._paths[1])
            except OSError:
                os.close(lock)
                raise
        return self._opened

    def acquire(self, give_up_at: float) -> bool:
        """Return whether the lock was had before *give_up_at*, a moment of ``time.monotonic``.

        Raises:
            OSError: The files cannot be opened or locked.
        """
        lock, turnstile = self.open()
        if not _acquire(turnstile, give_up_at):
            return False
        try:
            return _acquire(lock, give_up_at)
        finally:
            fcntl.flock(turnstile, fcntl.LOCK_UN)

    def release(self) -> None:
        """Let the next have it."""
        if self._opened is not None:
            fcntl.flock(self._opened[0], fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files.

        A child process does it after a fork as well: what it inherited is the lock of its
        parent, and closing leaves that to the parent where unlocking would take it away.
        """
        opened, self._opened = self._opened, None
        for descriptor in opened or ():
            os.close(descriptor)

    def _open_one(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT, self._mode)


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
