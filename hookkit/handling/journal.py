"""What a worker reports of its work: log lines, each with a machine word, and signals."""

from __future__ import annotations

import logging
import re
from threading import Lock

from hookkit import signals
from hookkit.core.attempts import Attempt
from hookkit.core.entry import Entry, Settlement, State
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler
from hookkit.core.provider import TRACE_HEADER
from hookkit.core.text import counted
from hookkit.log import BoundedLog, logger

#: A vendor's word comes from a payload: it is repeated only if it looks like a word.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]{0,79}")

#: The most kinds that are logged, so that a sender of ever new words cannot fill the log.
MAX_KINDS = 100


class Journal:
    """Logs what becomes of entries, and sends the signals.

    Args:
        sender: The sender of the signals: the application.
    """

    def __init__(self, sender: object) -> None:
        self._sender = sender
        self._unhandled_kinds: set[tuple[str, str]] = set()
        self._lock = Lock()
        self._bounded = BoundedLog()

    def began(self, entry: Entry, event: Event, handler: Handler, number: int) -> None:
        """Report that *handler* is about to run."""
        if signals.attempt_began.receivers:
            signals.emit(
                signals.attempt_began,
                self._sender,
                event=event,
                entry_id=entry.id,
                handler=handler.name,
                attempt=number,
                traceparent=entry.headers.get(TRACE_HEADER),
            )

    def claimed_again(self, entry: Entry) -> None:
        """Report that the last claim of *entry* was lost, so that it runs again."""
        self._bounded.write(
            logging.WARNING,
            (entry.endpoint,),
            "entry %d runs again: its lease ended before it was settled; most often its process"
            " was killed",
            entry.id,
            extra={"action": "lease_lost", "entry_id": entry.id},
        )

    def ended(
        self, entry: Entry, event: Event, attempt: Attempt, error: BaseException | None
    ) -> None:
        """Report that a handler, whose start was reported, has returned or raised *error*."""
        if signals.attempt_ended.receivers:
            signals.emit(
                signals.attempt_ended,
                self._sender,
                event=event,
                entry_id=entry.id,
                attempt=attempt,
                error=error,
            )

    def failed(
        self,
        entry: Entry,
        event: Event,
        handler: Handler,
        number: int,
        error: BaseException,
        *,
        is_last: bool,
    ) -> None:
        """Report that *handler* raised *error* in its attempt of this *number*.

        The last one is an ERROR, which is what error trackers collect.
        """
        self._bounded.write(
            logging.ERROR if is_last else logging.WARNING,
            (handler.name, "last" if is_last else "before"),
            "handler %s failed on entry %d, attempt %d%s%s",
            handler.name,
            entry.id,
            number,
            _of_replay(entry),
            ", the last one" if is_last else "",
            error=error,
            extra={"action": "attempt_failed", "entry_id": entry.id, "handler": handler.name},
        )
        signals.emit(
            signals.attempt_failed,
            self._sender,
            event=event,
            entry_id=entry.id,
            handler=handler.name,
            attempt=number,
            error=error,
        )

    def unhandled(self, entry: Entry, event: Event) -> None:
        """Report that no handler wanted *event*; log the first event of its kind only."""
        signals.emit(signals.event_unhandled, self._sender, event=event, entry_id=entry.id)
        kind = (event.type.value, event.vendor_type)
        with self._lock:
            if kind in self._unhandled_kinds or len(self._unhandled_kinds) >= MAX_KINDS:
                return
            self._unhandled_kinds.add(kind)
        trigger = _trigger_of(event)
        logger.warning(
            "no handler wanted %s; it is kept and can be replayed. To handle it:\n\n"
            '@hooks.on("%s")\ndef handle_%s(event):\n    ...\n',
            event.type.value,
            trigger,
            re.sub(r"\W+", "_", trigger).strip("_").lower(),
            extra={"action": "event_unhandled", "type": event.type.value},
        )

    def settled(
        self, entry: Entry, event: Event, settlement: Settlement, *, in_order: bool
    ) -> None:
        """Report what became of *entry*.

        Args:
            in_order: Whether entries of its lane wait for it.
        """
        state = settlement.state
        if state is State.DEAD or logger.isEnabledFor(logging.INFO):
            self._log_settled(entry, event, state)
        if state is State.WAITING and in_order and entry.lane is not None:
            self._bounded.write(
                logging.WARNING,
                (entry.endpoint, "lane"),
                "entry %d waits for its next attempt, and holds up the later events of its"
                " conversation, since a handler is ordered",
                entry.id,
                extra={"action": "lane_held_up", "entry_id": entry.id},
            )
        if signals.event_settled.receivers:
            signals.emit(
                signals.event_settled,
                self._sender,
                event=event,
                entry_id=entry.id,
                state=state,
                attempts=settlement.attempts,
                is_first=entry.claim_count <= 1 and not entry.replays,
            )
        if state is State.DEAD:
            signals.emit(signals.event_dead, self._sender, event=event, entry_id=entry.id)

    def _log_settled(self, entry: Entry, event: Event, state: State) -> None:
        line = (
            "settled entry %d (%s) as %s after attempt %d%s",
            entry.id,
            event.type.value,
            state.value,
            entry.claim_count,
            _of_replay(entry),
        )
        extra = {"action": f"event_{state.value}", "entry_id": entry.id}
        if state is State.DEAD:
            self._bounded.write(logging.ERROR, (), *line, extra=extra)
        else:
            logger.info(*line, extra=extra)

    def settle_unavailable(self, count: int, error: Exception) -> None:
        """Report that *count* settlements could not be recorded this time."""
        self._bounded.write(
            logging.WARNING,
            ("settle",),
            "cannot settle %s yet: %s; nothing new is begun until it can be done",
            counted(count, "entry", "entries"),
            error,
            extra={"action": "settle_unavailable"},
        )

    def settle_refused(self, entry: Entry, error: Exception) -> None:
        """Report that the settlement of *entry* can never be recorded."""
        logger.error(
            "cannot settle entry %d: %s; it is claimed again when its lease is over",
            entry.id,
            error,
            exc_info=error,
            extra={"action": "settle_refused", "entry_id": entry.id},
        )

    def give_back_unavailable(self, count: int, error: Exception) -> None:
        """Report that *count* entries, claimed and not begun, could not be given back."""
        logger.warning(
            "cannot give back %s: %s; claimed again when the lease is over",
            counted(count, "entry", "entries"),
            error,
            extra={"action": "give_back_unavailable"},
        )

    def fenced(self, entry: Entry) -> None:
        """Report that *entry* belongs to another claim by now."""
        logger.warning(
            "entry %d outlived its lease and belongs to another worker by now",
            entry.id,
            extra={"action": "settle_fenced", "entry_id": entry.id},
        )


def _of_replay(entry: Entry) -> str:
    """Return which run of *entry* an attempt belongs to, if that is not its first."""
    return f" of replay {entry.replays}" if entry.replays else ""


def _trigger_of(event: Event) -> str:
    """Return the word that a handler for *event* would be registered under."""
    if event.type not in (EventType.UNKNOWN, EventType.OTHER):
        return event.type.value
    if _WORD.fullmatch(event.vendor_type):
        return f"{event.provider}/{event.vendor_type}"
    return event.type.value
