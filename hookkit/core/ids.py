"""How events are told apart: ids that fit a unique column, and hashes of content."""

from __future__ import annotations

import hashlib
import json

#: Vendors promise ids of at most 255 characters; longer ones are hashed, never cut.
MAX_ID_CHARS = 255


def bounded_id(text: str) -> str:
    """Return *text* as an id that every database stores and compares byte for byte.

    Lone surrogates cannot be encoded and PostgreSQL refuses NUL in text, so an id with
    either is written with escapes; one that is too long becomes its hash.
    """
    if not text.isascii() or "\x00" in text:
        text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    if len(text) > MAX_ID_CHARS:
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return text


def join_parts(*parts: str | None) -> str:
    """Join *parts* with colons so that different parts never make the same text."""
    return ":".join([(part or "").replace("%", "%25").replace(":", "%3A") for part in parts])


def hash_content(content: object) -> str:
    """Return a hash of *content*'s canonical JSON: the order of keys does not matter."""
    return hashlib.sha256(_canonical.encode(content).encode()).hexdigest()


# What a decoder made has no circles.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)
