"""Checks of what a person has written, for the settings and the command line alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import SplitResult, urlsplit


def not_known(name: object, known: Iterable[str]) -> str:
    """Return the end of a message about a *name* that is none of *known*."""
    return f"{name!r} is not known; known are {', '.join(known)}"


def split_url(url: str, schemes: Collection[str] = ("http", "https")) -> SplitResult | None:
    """Return the parts of *url*; None unless it names a host, by one of *schemes*.

    A URL with a character that cannot be sent as it is counts as none.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or a bracket of the address is missing
        return None
    is_usable = is_usable and url.isascii() and url.isprintable() and " " not in url
    return parts if is_usable else None
