"""What a worker says of its work: log lines with a machine word each, and signals."""

from __future__ import annotations

import logging

from hookkit import signals
from hookkit.core.entry import (
    Entry,
    Settlement,
)
from hookkit.core.event import Event
from hookkit.core.handlers import Handler
from hookkit.core.states import State
from hookkit.handling.unhandled import (
    UnhandledLog,
)

_logger = logging.getLogger("hookkit")


class Journal:
    """Tells what becomes of entries.

    Attributes:
        sender: Who sends the signals: the application.
    """

    def __init__(self, sender: object) -> None:
        self.sender = sender
        self._unhandled_log = UnhandledLog(_logger)

    def failed(
        self, entry: Entry, event: Event, handler: Handler, number: int, error: BaseException
    ) -> None:
        """Tell that *handler* raised in its attempt of this *number*."""
        _logger.warning(
            "handler %s failed on entry %d, attempt %d",
            handler.name,
            entry.id,
            number,
            exc_info=error,
            extra={"action": "attempt_failed", "entry_id": entry.id, "handler": handler.name},
        )
        signals.emit(
            signals.attempt_failed,
            self.sender,
            event=event,
            entry_id=entry.id,
            handler=handler.name,
            attempt=number,
            error=error,
        )

    def unhandled(self, entry: Entry, event: Event) -> None:
        """Tell that nobody wanted *event*."""
        self._unhandled_log.tell(event)
        signals.emit(signals.event_unhandled, self.sender, event=event, entry_id=entry.id)

    def settled(self, entry: Entry, event: Event, settlement: Settlement) -> None:
        """Tell what became of *entry*."""
        state = settlement.state
        _logger.log(
            logging.ERROR if state is State.DEAD else logging.INFO,
            "settled entry %d (%s) as %s after attempt %d",
            entry.id,
            event.type.value,
            state.value,
            entry.claims,
            extra={"action": f"event_{state.value}", "entry_id": entry.id},
        )
        signals.emit(
            signals.event_settled, self.sender, event=event, entry_id=entry.id, state=state
        )
        if state is State.DEAD:
            signals.emit(signals.event_dead, self.sender, event=event, entry_id=entry.id)

    def settle_unavailable(self, entry: Entry, error: Exception) -> None:
        """Tell that the store does not take the settlement of *entry* now."""
        _logger.warning(
            "cannot settle entry %d yet: %s",
            entry.id,
            error,
            extra={"action": "settle_unavailable", "entry_id": entry.id},
        )

    def give_back_unavailable(self, count: int, error: Exception) -> None:
        """Tell that the store does not take back what was claimed and not begun."""
        _logger.warning(
            "cannot give back %d entries: %s; they are claimed again when the lease is over",
            count,
            error,
            extra={"action": "give_back_unavailable"},
        )

    def fenced(self, entry: Entry) -> None:
        """Tell that *entry* belongs to another claim by now."""
        _logger.warning(
            "entry %d outlived its lease and belongs to another worker by now",
            entry.id,
            extra={"action": "settle_fenced", "entry_id": entry.id},
        )
