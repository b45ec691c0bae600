"""The record of a run: what SQLite asked of the disk, and what was promised meanwhile.

All of it is in one list, in the order in which it was done. A power cut is a place in that list:
what comes after it has not happened. So one run is cut at as many places as one likes, and
nothing that was running has to be stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Opened:
    """A file was there at the beginning, or was made.

    Attributes:
        file: Its number: a file that is removed and made again is another one.
        content: What it held at the beginning. None when it was made: it is empty, and not
            even its name is on the disk.
    """

    file: int
    name: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes were handed to the system."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    """The file was given another length."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync has returned.

    Attributes:
        covers: The place in the record where it began: what was written later may have missed it.
        with_folder: Whether the names in the folder were synced as well.
    """

    file: int
    covers: int
    with_folder: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """A name was taken out of the folder.

    Attributes:
        with_folder: Whether the names in the folder were synced afterwards.
    """

    name: str
    with_folder: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A sender was about to hear 200 to the delivery with this key."""

    key: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A worker was told that the success of an entry is recorded."""

    entry_id: int


Step: TypeAlias = Opened | Written | Truncated | Synced | Removed | Acknowledged | Settled

#: Appending is one step of the interpreter, so threads need no lock for it.
Record: TypeAlias = list[Step]
