"""The console's own style, script and icon, under a name that changes with what they hold."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import NamedTuple

from werkzeug.wrappers import Response

from hookkit.web.console.visit import PageRefused, Visit

_TYPES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class _File(NamedTuple):
    edition: str
    content: bytes


def _read(name: str) -> _File:
    content = files("hookkit.web.console").joinpath("static", name).read_bytes()
    return _File(hashlib.sha256(content).hexdigest()[:16], content)


_FILES = {name: _read(name) for name in _TYPES}

#: By name, what stands for the content of a file in its address.
EDITIONS = {name: file.edition for name, file in _FILES.items()}


def send_file(visit: Visit, edition: str, name: str) -> Response:
    """Send a file, to be kept for as long as its address is asked for."""
    file = _FILES.get(name)
    if file is None or file.edition != edition:
        raise PageRefused(404, "There is no such file: load the page again.")
    return Response(
        file.content,
        headers={
            "Content-Type": _TYPES[name],
            "Cache-Control": "private, max-age=31536000, immutable",
        },
    )
