"""Base64, base64url and hexadecimal, strictly: one spelling for each value."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode, urlsafe_b64encode
from binascii import a2b_base64

#: To the alphabet that the decoder knows; what base64url does not have becomes what it refuses.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/-_!")

#: length modulo 4 -> the padding, and the last characters whose unused bits are zero.
_ENDS = {
    0: (b"", ""),
    2: (b"==", "AQgw"),
    3: (b"=", "AEIMQUYcgkosw048"),
}


def encode(data: bytes) -> str:
    """Return *data* as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Return the bytes that *text* is the one spelling of, None when it is that of none."""
    remainder = len(text) % 4
    if remainder == 1:
        return None
    padding, ends = _ENDS[remainder]
    if remainder and text[-1] not in ends:
        return None
    try:
        return a2b_base64(text.encode("ascii").translate(_TO_BASE64) + padding, strict_mode=True)
    except ValueError:  # a character that is none
        return None


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
