"""What schemes have in common whose proof is over a signed text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from hookkit.signatures.signed_text import SignedText


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScheme:
    """A scheme that signs what ``signed`` says; who inherits it says how.

    Attributes:
        signed: The signed text.
    """

    signed: SignedText = field(default_factory=SignedText)

    @property
    def signed_headers(self) -> frozenset[str]:
        """The headers that are signed, in lower case."""
        return self.signed.signed_headers

    @property
    def signs_url(self) -> bool:
        """Whether the URL is signed."""
        return self.signed.signs_url

    @property
    def public_url(self) -> str:
        """The URL that senders post to, without its query; empty if it is not known."""
        return self.signed.public_url

    @property
    def covers_body(self) -> bool:
        """Whether the body's bytes are signed."""
        return self.signed.covers_body

    @property
    def signed_fields(self) -> frozenset[str]:
        """The paths in the body that are signed although its bytes are not: none."""
        return frozenset()

    @property
    def lifetime_s(self) -> float | None:
        """How long a signature can be accepted at most, in seconds; None means for ever."""
        return self.signed.lifetime_s

    def tolerating(self, tolerance_s: float) -> Self:
        """Return the scheme with another tolerance, in seconds."""
        return replace(self, signed=replace(self.signed, tolerance_s=tolerance_s))

    def at_url(self, public_url: str) -> Self:
        """Return the scheme of senders that post to *public_url*."""
        return replace(self, signed=replace(self.signed, public_url=public_url))
