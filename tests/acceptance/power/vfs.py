"""Records what SQLite asks of the disk, on the way to the real files."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import apsw

from tests.acceptance.power.record import Opened, Record, Removed, Synced, Truncated, Written

_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
_KEPT = apsw.SQLITE_OPEN_MAIN_DB | _JOURNALS


class RecordingVFS(apsw.VFS):
    """SQLite's way to the files of a system, with every write and sync told to *record*.

    Args:
        name: What a connection asks for it by.
        folder: Where all of the files are; those that are there already are on the disk.
    """

    def __init__(self, name: str, record: Record, folder: Path) -> None:
        self.name = name
        self.record = record
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._lock = Lock()
        super().__init__(name, base="")
        for path in sorted(folder.iterdir()):
            self._add(path.name, path.read_bytes())

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        """Open a file; a temporary one is nothing that is to survive."""
        wanted = flags[0]
        if name is None or not wanted & _KEPT:
            return apsw.VFSFile("", name, flags)
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        with self._lock:
            number = self._numbers.get(path.name) or self._add(path.name, None)
        # That is how SQLite opens files on Unix: the first sync of a journal includes its folder.
        syncs_folder = bool(wanted & _JOURNALS and wanted & apsw.SQLITE_OPEN_CREATE)
        return RecordingFile(self.record, number, name, flags, syncs_folder=syncs_folder)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001  # SQLite's
        """Remove a file."""
        super().xDelete(filename, syncdir)
        name = Path(filename).name
        with self._lock:
            if self._numbers.pop(name, None) is not None:
                self.record.append(Removed(name, with_folder=bool(syncdir)))

    def _add(self, name: str, content: bytes | None) -> int:
        self._count += 1
        self._numbers[name] = self._count
        self.record.append(Opened(self._count, name, content))
        return self._count


class RecordingFile(apsw.VFSFile):
    """One open file.

    A write is told when it is done, and a sync with the place where it began: so no write that
    was still going on is taken to be covered.
    """

    def __init__(
        self, record: Record, number: int, name: Any, flags: list[int], *, syncs_folder: bool
    ) -> None:
        self._record = record
        self._number = number
        self._syncs_folder = syncs_folder
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802  # SQLite's name
        """Write *data* at *offset*."""
        super().xWrite(data, offset)
        self._record.append(Written(self._number, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  # SQLite's name
        """Give the file another length."""
        super().xTruncate(newsize)
        self._record.append(Truncated(self._number, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        """Put on the disk what was written until now."""
        covers = len(self._record)
        super().xSync(flags)
        self._record.append(Synced(self._number, covers, self._syncs_folder))
        self._syncs_folder = False
