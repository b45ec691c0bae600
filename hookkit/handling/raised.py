"""What is stored of an exception: its type and message, and where it was raised."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from pathlib import Path

#: The most that is stored of an error: enough to recognize it, never a whole body.
MAX_ERROR_CHARS = 1000

#: The most that is stored of a place; the end tells more than the beginning.
MAX_PLACE_CHARS = 255

_LIBRARIES = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("platstdlib"),
    str(Path(__file__).parents[1]),
)
_PACKAGES = ("/site-packages/", "/dist-packages/")


def describe(error: BaseException) -> str:
    """Return what is stored of *error*: its type and the start of its message."""
    # The formatter survives an exception whose own str() raises.
    return "".join(traceback.format_exception_only(error)).strip()[:MAX_ERROR_CHARS]


def place_of(error: BaseException) -> str | None:
    """Return ``file:line`` of the last call in the application's own code before *error*.

    The file is named as it is imported, below the folder on ``sys.path``; no value is part of
    it. None if only libraries were called.
    """
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not _is_library(file):
            found = (file, line)
    if found is None:
        return None
    file, line = found
    return f"{_below_path(file)}:{line}"[-MAX_PLACE_CHARS:]


def _is_library(file: str) -> bool:
    posix = file.replace("\\", "/")
    return file.startswith(_LIBRARIES) or any(each in posix for each in _PACKAGES)


def _below_path(file: str) -> str:
    folders = [each for each in sys.path if each and file.startswith(f"{each}/")]
    return file[len(max(folders, key=len)) + 1 :] if folders else file
