"""Deliveries that need an answer of their own: the sender tries whether somebody is there.

What is echoed is a short word, so that no answer can be a script, and no header be split. It
is echoed to a sender that has proved itself, or that names a token of the settings.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, NamedTuple

from hookkit.core.body import Document, Headers, dig
from hookkit.core.errors import SignatureMismatch, SignatureMissing

#: What may be echoed as plain text: a word that no browser takes for HTML.
_WORD = re.compile(r"[A-Za-z0-9._~-]{1,256}", re.ASCII)

MAX_ECHO_CHARS = 1024

#: What may be echoed in JSON: a text that is written there as it was sent.
_ECHO = re.compile(rf"[!#-\[\]-~]{{1,{MAX_ECHO_CHARS}}}", re.ASCII)

#: ``{path.in.the.body}``, or a function of it: ``{hmac:path}``; or ``{header:name}``.
_PLACE = re.compile(r"\{(?:(\w+):)?([\w.-]+)\}", re.ASCII)

#: function in a template -> the HMAC-SHA-256 of a value by the secret, as it is written.
_FUNCTIONS: Mapping[str, Callable[[bytes], str]] = {
    "hmac": lambda digest: digest.hex(),
    "hmac_base64": lambda digest: b64encode(digest).decode(),
}


class Reply(NamedTuple):
    """The answer to a handshake: an object, or a plain text, which may be empty."""

    content: Document | str
    status: int = 200


class Asked(NamedTuple):
    """A proven delivery that may test the URL.

    Attributes:
        document: The decoded body.
        headers: By their names in lower case.
        secret: The secret that proved it; empty if none did.
    """

    document: Document
    headers: Headers
    secret: bytes

    def at(self, place: str) -> Any:
        """Return what lies at *place*: a path in the body, or ``header:<name>``."""
        kind, _, name = place.partition(":")
        return self.headers.get(name) if kind == "header" else dig(self.document, *place.split("."))

    def fill(self, template: Any) -> Any:
        """Return *template* with each place filled.

        Raises:
            LookupError: A value is not there, or may not be echoed.
        """
        if isinstance(template, Mapping):
            return {key: self.fill(value) for key, value in template.items()}
        return _PLACE.sub(self._word, template) if isinstance(template, str) else template

    def _word(self, found: re.Match[str]) -> str:
        function, path = found.groups()
        value = self.at(f"header:{path}" if function == "header" else path)
        if not isinstance(value, str) or not _ECHO.fullmatch(value):
            raise LookupError(path)
        if function not in _FUNCTIONS:
            return value
        return _FUNCTIONS[function](hmac.digest(self.secret, value.encode(), "sha256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A signed delivery by which a sender tests the URL; it is answered once it is verified.

    Attributes:
        field: The path in the body, or ``header:<name>``, that distinguishes it from events.
        value: The value there; None means any.
        absent: A key that events have, and a handshake has not; empty asks for none.
        answer: The object or the text to answer with. ``{path}`` in it stands for the text at that
            path of the body, ``{hmac:path}`` and ``{hmac_base64:path}`` for its HMAC-SHA-256 by
            the secret that proved the delivery, ``{header:name}`` for a header.
        status: The HTTP status.
    """

    field: str
    value: str | int | None
    absent: str = ""
    answer: Mapping[str, Any] | str = ""
    status: int = 200

    def reply(self, asked: Asked) -> Reply | None:
        """Return the answer to *asked*; None if it is an event."""
        said = asked.at(self.field)
        if said is None or (self.absent and self.absent in asked.document):
            return None
        if self.value is not None and (type(said) is not type(self.value) or said != self.value):
            return None
        try:
            return Reply(asked.fill(self.answer), self.status)
        except LookupError:  # it is kept, and its sender hears that it was accepted
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A GET by which a sender tests the URL.

    No HMAC is computed for it: nothing proves who asks, and he would have a signature.

    Attributes:
        challenge: The query parameter that holds the text to answer.
        token: The query parameter that holds a token which both sides know; empty if the sender
            has none: any word is then echoed.
    """

    challenge: str
    token: str = ""

    def reply(self, query: Mapping[str, str], tokens: list[bytes]) -> str:
        """Return the text to answer.

        Raises:
            SignatureMissing: The query has no token, or no text that may be echoed.
            SignatureMismatch: None of *tokens* fits.
        """
        asked = query.get(self.challenge, "")
        sent = query.get(self.token, "") if self.token else None
        if sent == "" or not _WORD.fullmatch(asked):
            raise SignatureMissing("the query has no token, or no challenge")
        if sent is None:
            return asked
        sent_bytes = sent.encode(errors="surrogatepass")
        fits = [compare_digest(sent_bytes, token) for token in tokens]
        if not any(fits):
            raise SignatureMismatch("the token of the query is not that of the settings")
        return asked
