"""Which entries of an inbox are meant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from hookkit.core.attempts import (
    Outcome,
)
from hookkit.core.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are meant; None leaves a part open.

    Attributes:
        entry_ids: Just these.
        outcome: An attempt of their present run ended so.
        untried_by: No attempt of the handler of this name is recorded for them.
        type: The event type that they were read as, or their vendor type.
        since: Received then or later.
        until: Received before.
    """

    entry_ids: Collection[int] | None = None
    endpoint: str | None = None
    state: State | None = None
    outcome: Outcome | None = None
    untried_by: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


#: A filter that leaves all open.
EVERYTHING = Filter()
