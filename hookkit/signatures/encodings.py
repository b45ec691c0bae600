"""Base64, base64url and hexadecimal, strictly: each value has one spelling."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode, urlsafe_b64encode
from binascii import a2b_base64

#: base64url -> the decoder's alphabet; characters of base64 alone become one that it refuses.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/-_!")

#: length modulo 4 -> the padding, and the last characters that have no unused bits set.
_ENDS = {
    0: (b"", ""),
    2: (b"==", "AQgw"),
    3: (b"=", "AEIMQUYcgkosw048"),
}


def encode(data: bytes) -> str:
    """Return *data* as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Decode base64url without padding; return None unless *text* is canonical."""
    remainder = len(text) % 4
    if remainder == 1:
        return None
    padding, ends = _ENDS[remainder]
    if remainder and text[-1] not in ends:
        return None
    try:
        return a2b_base64(text.encode("ascii").translate(_TO_BASE64) + padding, strict_mode=True)
    except ValueError:  # a wrong character
        return None


def secret_from_base64(text: str) -> bytes | None:
    """Decode base64 as people copy it: in either alphabet, with or without its padding.

    For secrets alone, which nobody but their owner writes.
    """
    bare = text.rstrip("=").translate(_PLAIN)
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:  # a wrong character
        return None


_PLAIN = str.maketrans("-_", "+/")

_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def from_base64(text: str) -> bytes | None:
    """Decode base64 with padding; return None unless *text* is canonical."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:  # a wrong character
        return None
    # The decoder ignores the unused bits of the last character.
    return data if b64encode(data).decode() == text else None


def from_hex(text: str) -> bytes | None:
    """Decode hexadecimal in lower case; return None for any other text."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None
