"""A disk that loses what was not synced, in every way that a disk may.

Rule 1: what was written before a sync of its file began is there once the sync has returned.
Rule 2: anything else may be there or not, whatever else is, in whole or in sectors of 512 bytes.
        SQLite takes a sector to be written whole or not at all, and its neighbours to be left
        alone: https://www.sqlite.org/psow.html
Rule 3: names come and go in their order, as in a file system with a journal, and stay once the
        folder was synced.
Rule 4: the index of the write-ahead log, ``-shm``, is memory, and gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.acceptance.power.record import Opened, Removed, Step, Synced, Truncated, Written

SECTOR = 512


@dataclass
class File:
    """A file's bytes that are on the disk, and what may or may not be, with its place."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Written | Truncated]] = field(default_factory=list)

    def sync(self, covers: int) -> None:
        for place, step in self.pending:
            if place < covers:
                _apply(self.durable, step)
        self.pending = [each for each in self.pending if each[0] >= covers]


class Disk:
    """The disk after the first steps of a record."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self.pending_names: list[tuple[str, File | None]] = []
        self._files: dict[int, File] = {}

    def take(self, place: int, step: Step) -> None:
        """Do the step at *place* of the record."""
        match step:
            case Opened(number, name, content):
                file = self._files[number] = File(bytearray(content or b""))
                if content is None:
                    self.pending_names.append((name, file))
                else:
                    self.names[name] = file
            case Written(number) | Truncated(number):
                self._files[number].pending.append((place, step))
            case Synced(number, covers, with_folder):
                self._files[number].sync(covers)
                if with_folder:
                    self._sync_folder()
            case Removed(name, with_folder):
                self.pending_names.append((name, None))
                if with_folder:
                    self._sync_folder()

    def cut(self, random: Random) -> dict[str, bytes]:
        """Return what could be read after a power cut now, by name.

        *random* decides what of the unsynced is there: nothing, everything or a part, of which
        each write is there whole or in sectors.
        """
        likelihood = random.choice([0.0, 0.0, 0.5, 0.9, 1.0])
        is_torn = random.random() < 0.5
        names = dict(self.names)
        told = random.randint(0, len(self.pending_names))
        for name, file in self.pending_names[:told]:
            _rename(names, name, file)
        return {
            name: _survivors(file, random, likelihood, is_torn=is_torn)
            for name, file in names.items()
        }

    def _sync_folder(self) -> None:
        for name, file in self.pending_names:
            _rename(self.names, name, file)
        self.pending_names.clear()


@contextmanager
def folder_with(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Make a folder with these files in it, for as long as the block runs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        yield folder


def sectors(step: Written) -> Sequence[Written]:
    """Return *step* as one write for each sector that it touches."""
    end = step.offset + len(step.data)
    starts = [step.offset, *range((step.offset // SECTOR + 1) * SECTOR, end, SECTOR)]
    return [
        Written(step.file, start, step.data[start - step.offset : stop - step.offset])
        for start, stop in zip(starts, [*starts[1:], end], strict=True)
    ]


def _survivors(file: File, random: Random, likelihood: float, *, is_torn: bool) -> bytes:
    image = bytearray(file.durable)
    for _, step in file.pending:
        parts = sectors(step) if is_torn and isinstance(step, Written) else [step]
        for part in parts:
            if random.random() < likelihood:
                _apply(image, part)
    return bytes(image)


def _apply(content: bytearray, step: Written | Truncated) -> None:
    end = step.size if isinstance(step, Truncated) else step.offset + len(step.data)
    if end > len(content):
        content.extend(bytes(end - len(content)))
    if isinstance(step, Truncated):
        del content[end:]
    else:
        content[step.offset : end] = step.data


def _rename(names: dict[str, File], name: str, file: File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
