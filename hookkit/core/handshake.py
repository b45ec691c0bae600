"""What a sender asks beside its events, and wants an answer of its own to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from hookkit.core.delivery import Document
from hookkit.core.errors import SignatureMismatch, SignatureMissing

#: What is echoed as it was asked: nothing that a browser could take for more than a text.
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A signed delivery that asks whether somebody is there; it is answered once verified.

    Attributes:
        field: The key of the body that tells it from events.
        value: What lies under the key.
        answer: The object to answer with.
        echo: A key whose value is answered under the same key; empty echoes none.
    """

    field: str
    value: str | int
    answer: Mapping[str, Any]
    echo: str = ""

    def reply(self, document: Document) -> Document | None:
        """Return what to answer *document* with, None when it is an event."""
        said = document.get(self.field)
        if type(said) is not type(self.value) or said != self.value:
            return None
        if not self.echo:
            return self.answer
        asked = document.get(self.echo)
        return {**self.answer, self.echo: asked} if isinstance(asked, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A GET by which a sender asks whether the URL is meant, with a token that both sides know.

    Attributes:
        token: The parameter of the query with the token.
        challenge: The parameter with what is to be answered.
    """

    token: str
    challenge: str

    def reply(self, query: Mapping[str, str], tokens: list[bytes]) -> str:
        """Return what to answer with.

        Raises:
            SignatureMissing: The query has no token, or nothing that could be answered.
            SignatureMismatch: None of *tokens* fits.
        """
        sent, asked = query.get(self.token), query.get(self.challenge, "")
        if not sent or not _CHALLENGE.fullmatch(asked):
            raise SignatureMissing("the query has no token, or no challenge")
        sent_bytes = sent.encode(errors="surrogatepass")
        fits = [compare_digest(sent_bytes, token) for token in tokens]
        if not any(fits):
            raise SignatureMismatch("the token of the query is not that of the settings")
        return asked
