"""Where an inbox is, and why it should not be there: looks, and makes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine

from hookkit.inbox.opening import (
    MEMORY,
    parse_url,
)
from hookkit.inbox.sqlite.file import (
    NETWORK_TYPES,
    mount_type,
)

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
