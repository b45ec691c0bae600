"""What a test sees of an application's inbox, and how it moves the time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hookkit.core.entry import Filter, State
from hookkit.core.errors import HookkitError
from hookkit.inbox.records import AttemptRecord, EntryRecord
from hookkit.testing.stage import Stage

#: More entries than a test makes.
_MANY = 100_000


class InboxView:
    """The inbox of an application, empty when a test begins; ``hookkit_inbox`` is one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def entries(
        self, *, endpoint: str | None = None, state: State | str | None = None
    ) -> Sequence[EntryRecord]:
        """Return the entries, oldest first; each has its state and its attempts.

        Args:
            endpoint: Only those of this endpoint.
            state: Only those in this state, such as ``"dead"``.

        Raises:
            ValueError: There is no such state.
        """
        wanted = Filter(endpoint=endpoint, state=None if state is None else State(state))
        return self._stage.inbox.find(wanted, limit=_MANY)[::-1]

    @property
    def entry(self) -> EntryRecord:
        """The one entry.

        Raises:
            HookkitError: There is none, or more than one.
        """
        found = self.entries()
        if len(found) != 1:
            raise HookkitError(
                f"the inbox has {len(found)} entries, and not one; entries() returns all of them"
            )
        return found[0]

    @property
    def states(self) -> Sequence[State]:
        """The state of each entry, oldest first."""
        return [entry.state for entry in self.entries()]

    def attempts(self, handler: str | None = None) -> Sequence[AttemptRecord]:
        """Return the attempts of all entries, in the order in which they began.

        Args:
            handler: Only those of the handler of this name.
        """
        found = [each for entry in self.entries() for each in entry.attempts]
        found.sort(key=lambda attempt: attempt.started_at)
        return [each for each in found if handler in (None, each.handler)]


class MovableClock:
    """The time that hookkit reads in an application: it stands still until a test moves it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._stage.moment

    def move(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> datetime:
        """Let time pass, and return the new one; retries run when the clock passes them.

        Raises:
            HookkitError: The time would go back.
        """
        by = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self.move_to(self.now + by)

    def move_to(self, moment: datetime) -> datetime:
        """Move to an aware moment; otherwise as ``move``.

        Raises:
            HookkitError: The time would go back, or has no time zone.
        """
        if moment.tzinfo is None:
            raise HookkitError(f"move_to({moment!r}): the time needs a zone, such as tzinfo=UTC")
        if moment < self.now:
            raise HookkitError(f"move_to({moment!r}): it is {self.now} already, and stays so")
        self._stage.pass_to(moment.astimezone(UTC))
        return self.now
