"""What every inbox promises of switches between payload versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hookkit.core.modes import Change
from hookkit.inbox.records import Kept, Switched


class VersionBook(Protocol):
    """What was switched between payload versions, by endpoint."""

    def log(self, endpoint: str) -> Sequence[Switched]:
        """Return what was switched at *endpoint*, oldest first."""

    def change(
        self, endpoint: str, changes: Sequence[Change], *, who: str, now: datetime, window_s: float
    ) -> list[int]:
        """Switch modes, and promote what the versions that are live now have missed.

        One transaction, beside which no delivery is admitted: each is admitted by the modes
        before it or by those after it. A SHADOW entry of a version that becomes live, younger
        than *window_s*, whose fact is free, owns that fact and is PENDING from then on. One
        of a near fact is PENDING as well, unless another version's entry of it that has run
        or will is its twin (``core.facts.decide``): then it is a TWIN.

        Args:
            who: Kept for people who look later.

        Returns:
            The entries that became PENDING.
        """

    def promote_orphans(self, *, now: datetime, window_s: float) -> list[int]:
        """Promote SHADOW entries near a switch whose twins never came.

        That is those received within *window_s* of a switch, before or after it, that have
        reached that age while their fact is free; of near facts as with ``change``. Entries
        without a fact stay as they are.

        Returns:
            The entries that became PENDING.
        """

    def kept(
        self, endpoint: str, *, below_id: int | None = None, limit: int = 200
    ) -> Sequence[Kept]:
        """Return entries of *endpoint* with their bytes, newest first.

        Args:
            below_id: Only entries with a lower id; None is all.
        """
