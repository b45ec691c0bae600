"""Blinker signals: what happened inside hookkit, for metrics and alerts.

The sender of every signal is the Flask application. An error in a receiver is logged and
changes nothing: an observer must not decide whether an event is kept.
"""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal, Namespace

from hookkit.log import BoundedLog

_namespace = Namespace()
_log = BoundedLog()

#: A delivery was refused: ``endpoint``, ``code``.
delivery_rejected = _namespace.signal("delivery-rejected")
#: A delivery is durable, or held nothing new: ``endpoint``, ``receipt``.
delivery_accepted = _namespace.signal("delivery-accepted")
#: An event was received before: ``endpoint``, ``event_id``, ``entry_id``.
event_duplicate = _namespace.signal("event-duplicate")
#: An event id came again with other content: ``endpoint``, ``event_id``, ``entry_id``.
event_conflict = _namespace.signal("event-conflict")
#: No handler wanted an event: ``event``, ``entry_id``.
event_unhandled = _namespace.signal("event-unhandled")
#: A handler raised: ``event``, ``entry_id``, ``handler`` (its name), ``attempt``, ``error``.
attempt_failed = _namespace.signal("attempt-failed")
#: An attempt is recorded: ``event``, ``entry_id``, ``state``.
event_settled = _namespace.signal("event-settled")
#: An entry is out of attempts: ``event``, ``entry_id``.
event_dead = _namespace.signal("event-dead")


def emit(signal: NamedSignal, sender: object, **what: Any) -> None:
    """Send *signal* to each of its receivers, even if one of them raises."""
    if not signal.receivers:
        return
    for receiver in signal.receivers_for(sender):
        try:
            receiver(sender, **what)
        except Exception as error:  # noqa: BLE001  # whatever the receiver raises
            _log.write(
                logging.ERROR,
                (signal.name,),
                "a receiver of the signal %s raised",
                signal.name,
                error=error,
                extra={"action": "signal_receiver_failed", "signal": signal.name},
            )
