"""Names made by hashing: ids of events, hashes of content, fingerprints of secrets.

A fingerprint names a secret without revealing it. People who must not know a secret read logs,
statistics and the inbox. They see 32 bits: enough to tell the secrets of a list apart, far too
few to be a secret. A secret that can be guessed must not be found by trying guesses against its
fingerprint, so the fingerprint depends on a key that those people do not have, Flask's
``SECRET_KEY``. Without that key, every guess is made slow.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import lru_cache

#: Vendors promise ids of at most 255 characters; longer ones are hashed, never cut.
MAX_ID_CHARS = 255


def bounded_id(text: str, max_chars: int = MAX_ID_CHARS) -> str:
    """Return *text* as an id that every database can store and compare byte for byte.

    Lone surrogates cannot be encoded and PostgreSQL refuses NUL in text, so both are written
    as escapes. An id that is too long becomes its hash.
    """
    if not text.isascii() or "\x00" in text:
        text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    if len(text) > max_chars:
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return text


def join_parts(*parts: str | None) -> str:
    """Join *parts* with colons so that different parts never make the same text."""
    return ":".join([(part or "").replace("%", "%25").replace(":", "%3A") for part in parts])


def hash_content(content: object) -> str:
    """Return a hash of *content*'s canonical JSON: the order of keys does not matter."""
    return hashlib.sha256(_canonical.encode(content).encode()).hexdigest()


# A decoded document has no circles.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)


#: Hexadecimal digits of a fingerprint.
FINGERPRINT_CHARS = 8

#: Sets these names apart from whatever else the same key is used for.
_PURPOSE = b"hookkit.fingerprint\0"

#: Of scrypt: 16 MiB and some 40 ms for each guess. https://www.rfc-editor.org/rfc/rfc7914
_COST = {"n": 1 << 14, "r": 8, "p": 1}


#: What the names of an application begin with that stem from its ``SECRET_KEY``.
BY_KEY = "key:"


@lru_cache(maxsize=4096)  # made once for each secret of a process
def fingerprint_of(key: bytes, secret: bytes) -> str:
    """Return the fingerprint of *secret*: always the same for the same *key*.

    Args:
        key: Flask's ``SECRET_KEY``; empty if there is none.
        secret: The bytes to name.
    """
    if not key:
        return hashlib.scrypt(secret, salt=_PURPOSE, dklen=FINGERPRINT_CHARS // 2, **_COST).hex()
    return hmac.digest(key, _PURPOSE + secret, "sha256").hex()[:FINGERPRINT_CHARS]


def hidden_secret(secret: bytes, salt: bytes) -> str:
    """Return what is kept of a *secret* that was sent, to be compared with other secrets later."""
    return hmac.digest(salt, secret, "sha256").hex()


def read_key(secret_key: object) -> bytes:
    """Return Flask's ``SECRET_KEY``, a text or bytes, as a key; empty if it is not set."""
    if isinstance(secret_key, str):
        return secret_key.encode(errors="surrogatepass")
    return secret_key if isinstance(secret_key, bytes) else b""
