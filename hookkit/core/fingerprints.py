"""A short name for a secret, from which nobody learns the secret.

Rule 1: logs, statistics and the inbox are read by people who must not know a secret. They see
    32 bits: enough to tell the secrets of a list apart, far too few to be one.
Rule 2: a secret that can be guessed must not be found by trying guesses against its name. So
    the name hangs on a key that those people have not, Flask's ``SECRET_KEY``; where there is
    none, every guess is made slow.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

#: Hexadecimal digits of a fingerprint.
FINGERPRINT_CHARS = 8

#: Sets these names apart from whatever else the same key is used for.
_PURPOSE = b"hookkit.fingerprint\0"

#: Of scrypt: 16 MiB and some 40 ms for each guess. https://www.rfc-editor.org/rfc/rfc7914
_COST = {"n": 1 << 14, "r": 8, "p": 1}


@lru_cache(maxsize=4096)  # made once for each secret of a process
def fingerprint_of(key: bytes, secret: bytes) -> str:
    """Return the name of *secret*: always the same for the same *key*.

    Args:
        key: Empty where there is none.
    """
    if not key:
        return hashlib.scrypt(secret, salt=_PURPOSE, dklen=FINGERPRINT_CHARS // 2, **_COST).hex()
    return hmac.digest(key, _PURPOSE + secret, "sha256").hex()[:FINGERPRINT_CHARS]


def read_key(secret_key: object) -> bytes:
    """Return Flask's ``SECRET_KEY``, a text or bytes, as a key; empty where it is not set."""
    if isinstance(secret_key, str):
        return secret_key.encode(errors="surrogatepass")
    return secret_key if isinstance(secret_key, bytes) else b""
