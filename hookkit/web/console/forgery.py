"""Keeps other sites from pressing the console's buttons with a person's browser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from flask import Request
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

#: The field of every form that holds the token.
FIELD = "token"

#: How long a page may stay open before its buttons are pressed, in seconds.
MAX_AGE_S = 8 * 3600


class Signer:
    """Signs what a browser is to bring back: by the application's key, bound to a purpose."""

    def __init__(self, keys: Sequence[str] | Sequence[bytes], purpose: str) -> None:
        """Take the application's keys, the present one last."""
        self._serializer = URLSafeTimedSerializer(
            keys,
            salt=f"hookkit.console.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(self, *what: Any) -> str:
        """Return a text that holds *what*: texts, numbers and mappings of these."""
        return str(self._serializer.dumps(what))

    def why_not(self, signed: str, *what: Any, max_age_s: int) -> str | None:
        """Return why *signed* does not say *what*; None if it does and is young enough."""
        try:
            found = self._serializer.loads(signed, max_age=max_age_s)
        except SignatureExpired:
            return "was made too long ago"
        except BadSignature:
            return "was not made here"
        return None if found == list(what) else "was made for another user or another button"


def why_forged(request: Request) -> str | None:
    """Return why a POST may come from another site, by what the browser says; None if it does not.

    Browsers leave ``Sec-Fetch-Site`` out over plain http, and then send ``Origin``.
    https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site == "same-origin":
            return None
        return "the browser says that another site sent this (Sec-Fetch-Site)"
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.host}"
    if origin is None:
        return "the browser sent neither Sec-Fetch-Site nor Origin; use a newer one"
    if origin.lower() == own.lower():
        return None
    return (
        f"Origin is not {own}; if a proxy stands before the application, tell Flask about it:"
        " https://flask.palletsprojects.com/en/stable/deploying/proxy_fix/"
    )
