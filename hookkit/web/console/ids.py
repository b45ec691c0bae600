"""Reads the ids of rows out of an address."""

from __future__ import annotations

#: The highest that a database can look for.
HIGHEST_ID = 2**63 - 1


def row_id(text: str) -> int | None:
    """Return the id that *text* is; None if a database could not look for it."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and 0 < int(text) <= HIGHEST_ID else None
