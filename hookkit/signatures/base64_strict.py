"""Base64 and hexadecimal, strictly: one spelling for each value."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode

_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def from_base64(text: str) -> bytes | None:
    """Return the bytes that *text* is the one spelling of, None when it is that of none."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:  # not ASCII, or a character that is none
        return None
    # No decoder looks at the unused bits of the last character.
    return data if b64encode(data).decode() == text else None


def from_hex(text: str) -> bytes | None:
    """Return the bytes that *text* spells in lower case, None when it spells none."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None
