"""What to do about an event that nobody wants, said once per kind, ready to paste."""

from __future__ import annotations

import logging
import re
from threading import Lock

from hookkit.core.event import Event, EventType

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
