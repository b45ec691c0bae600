"""What every runner does."""

from __future__ import annotations

from typing import Protocol

from hookkit.core.entry import (
    Receipt,
)


class Runner(Protocol):
    """Sees to it that admitted entries are worked on."""

    def start(self) -> None:
        """Begin, in this process; calling it again changes nothing."""

    def finish(self, receipt: Receipt) -> Receipt:
        """Do the runner's part of a delivery, and return what its sender is told."""

    def after_fork(self) -> None:
        """Begin anew in a child process, where no thread of the parent exists."""

    def stop(self) -> None:
        """End what runs, and give it time to settle."""


class IdleRunner:
    """Runs nothing: a worker in another process polls the inbox."""

    def start(self) -> None:
        """Do nothing."""

    def finish(self, receipt: Receipt) -> Receipt:
        """Return *receipt* as it is."""
        return receipt

    def after_fork(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
