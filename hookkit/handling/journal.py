"""What a worker reports of its work: log lines with a machine word each, and signals."""

from __future__ import annotations

import logging
import re
from threading import Lock

from hookkit import signals
from hookkit.core.entry import Entry, Settlement, State
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler
from hookkit.log import BoundedLog, logger

#: A vendor's word comes from a payload: only one that looks like a word is repeated.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]{0,79}")

#: How many kinds are told of, lest a sender of ever new words fills the log.
MAX_KINDS = 100


class UnhandledLog:
    """Logs the first event of each kind that no handler wanted."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told: set[tuple[str, str]] = set()
        self._lock = Lock()

    def tell(self, event: Event) -> None:
        """Log how to handle events like *event*, unless that was done before."""
        kind = (event.type.value, event.vendor_type)
        with self._lock:
            if kind in self._told or len(self._told) >= MAX_KINDS:
                return
            self._told.add(kind)
        trigger = _trigger(event)
        self._logger.warning(
            "no handler wanted %s; it is kept and can be replayed. To handle it:\n\n"
            '@hooks.on("%s")\ndef handle_%s(event):\n    ...\n',
            event.type.value,
            trigger,
            re.sub(r"\W+", "_", trigger).strip("_").lower(),
            extra={"action": "event_unhandled", "type": event.type.value},
        )


def _trigger(event: Event) -> str:
    """Return the word that a handler of *event* would be registered under."""
    if event.type not in (EventType.UNKNOWN, EventType.OTHER):
        return event.type.value
    if _WORD.fullmatch(event.vendor_type):
        return f"{event.provider}/{event.vendor_type}"
    return event.type.value


class Journal:
    """Tells what becomes of entries.

    Attributes:
        sender: Who sends the signals: the application.
    """

    def __init__(self, sender: object) -> None:
        self.sender = sender
        self._unhandled_log = UnhandledLog(logger)
        self._bounded = BoundedLog()

    def failed(
        self, entry: Entry, event: Event, handler: Handler, number: int, error: BaseException
    ) -> None:
        """Tell that *handler* raised in its attempt of this *number*."""
        self._bounded.write(
            logging.WARNING,
            (handler.name,),
            "handler %s failed on entry %d, attempt %d",
            handler.name,
            entry.id,
            number,
            error=error,
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
        line = (
            "settled entry %d (%s) as %s after attempt %d",
            entry.id,
            event.type.value,
            state.value,
            entry.claim_count,
        )
        extra = {"action": f"event_{state.value}", "entry_id": entry.id}
        if state is State.DEAD:
            self._bounded.write(logging.ERROR, (), *line, extra=extra)
        else:
            logger.info(*line, extra=extra)
        signals.emit(
            signals.event_settled, self.sender, event=event, entry_id=entry.id, state=state
        )
        if state is State.DEAD:
            signals.emit(signals.event_dead, self.sender, event=event, entry_id=entry.id)

    def settle_unavailable(self, entry: Entry, error: Exception) -> None:
        """Tell that the store does not take the settlement of *entry* now."""
        logger.warning(
            "cannot settle entry %d yet: %s",
            entry.id,
            error,
            extra={"action": "settle_unavailable", "entry_id": entry.id},
        )

    def give_back_unavailable(self, count: int, error: Exception) -> None:
        """Tell that the store does not take back what was claimed and not begun."""
        logger.warning(
            "cannot give back %d entries: %s; they are claimed again when the lease is over",
            count,
            error,
            extra={"action": "give_back_unavailable"},
        )

    def fenced(self, entry: Entry) -> None:
        """Tell that *entry* belongs to another claim by now."""
        logger.warning(
            "entry %d outlived its lease and belongs to another worker by now",
            entry.id,
            extra={"action": "settle_fenced", "entry_id": entry.id},
        )
