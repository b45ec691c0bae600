"""A payload as a sender sends it, where it is short enough to stand in the table of senders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineSample:
    """A sample.

    Attributes:
        name: The sender's word for what happened.
        body: The bytes.
        headers: What belongs to it, beside what proves it.
    """

    name: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
