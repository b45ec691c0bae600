"""Files that hold a stored event for tests: ``flask hookkit capture`` writes, tests read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hookkit.core.errors import HookkitError

#: The first bytes of a body tell its encoding, see ``encoded_like``.
_BEGINNINGS = {"object": b"{", "list": b"[", "form": b""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """The content of a file.

    Attributes:
        provider: The name of its provider.
        version: The payload version, in the vendor's spelling; empty if it was not known.
        document: The payload.
        headers: The vendor's headers that belong to it, without its proof.
        encoding: How the vendor encodes it: ``object``, ``list`` or ``form``.
    """

    provider: str
    version: str
    document: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    encoding: str = "object"

    def check(self) -> None:
        """Raise ``TypeError`` unless every attribute is of its kind, whatever a file held."""
        texts: tuple[object, ...] = (self.provider, self.version, *self.headers.values())
        objects: tuple[object, ...] = (self.document, self.headers)
        if not all(isinstance(each, str) for each in texts):
            raise TypeError("a text is of another type")
        if not all(isinstance(each, dict) for each in objects) or self.encoding not in _BEGINNINGS:
            raise TypeError("the document, the headers or the encoding is of another kind")

    @property
    def like(self) -> bytes:
        """The beginning of a body in its encoding."""
        return _BEGINNINGS[self.encoding]


def encoding_of(body: bytes) -> str:
    """Return the encoding of *body* in the words of ``Captured``."""
    return next(name for name, begins in _BEGINNINGS.items() if body.lstrip().startswith(begins))


def read_fixture(file: Path) -> Captured:
    """Return what *file* holds.

    Raises:
        HookkitError: It cannot be read, or ``flask hookkit capture`` has not written it.
    """
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
        captured = Captured(**found)
        captured.check()
    except OSError as error:
        raise HookkitError(f"{file}: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise _no_fixture(file) from error
    return captured


def _no_fixture(file: Path) -> HookkitError:
    return HookkitError(
        f"{file} is no captured event; write one by: flask hookkit capture ENTRY_ID > {file.name}"
    )
