"""Bodies at rest, encrypted and authenticated.

Fernet is AES-128 in CBC mode with an HMAC: https://cryptography.io/en/latest/fernet/
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class BodyCipher:
    """Encrypts bodies with the first of *keys*, and decrypts what any of them has encrypted.

    Args:
        keys: Fernet keys, newest first.

    Raises:
        ValueError: One of them is no Fernet key, or there is none.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        # 32 random bytes each, in URL-safe base64.
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, body: bytes) -> bytes:
        """Return what is stored instead of *body*."""
        return self._fernet.encrypt(body)

    def decrypt(self, stored: bytes) -> bytes | None:
        """Return the body, None when no key fits."""
        try:
            return self._fernet.decrypt(stored)
        except InvalidToken:
            return None
