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

#: A delivery has reached an endpoint: ``endpoint``, ``traceparent`` (the header of this name, which
#: nothing proves; None without one). It is not sent for a body that is too large to be read.
delivery_began: NamedSignal = _namespace.signal("delivery-began")
#: The answer to that delivery is known, in the same thread: ``endpoint``, ``receipt`` (None if
#: hookkit failed), ``took_s`` (seconds).
delivery_answered: NamedSignal = _namespace.signal("delivery-answered")
#: A delivery was refused: ``endpoint``, ``code``.
delivery_rejected: NamedSignal = _namespace.signal("delivery-rejected")
#: A delivery cannot be taken now, and was answered 503: ``endpoint``.
delivery_unavailable: NamedSignal = _namespace.signal("delivery-unavailable")
#: A delivery is durable, or held nothing new: ``endpoint``, ``receipt``, ``vendor_types`` (one for
#: each event that the receipt has, the vendor's words).
delivery_accepted: NamedSignal = _namespace.signal("delivery-accepted")
#: An event was received before: ``endpoint``, ``event_id``, ``entry_id``.
event_duplicate: NamedSignal = _namespace.signal("event-duplicate")
#: An event id came again with other content: ``endpoint``, ``event_id``, ``entry_id``.
event_conflict: NamedSignal = _namespace.signal("event-conflict")
#: No handler wanted an event: ``event``, ``entry_id``.
event_unhandled: NamedSignal = _namespace.signal("event-unhandled")
#: A handler is about to run: ``event``, ``entry_id``, ``handler`` (its name), ``attempt``,
#: ``traceparent`` (what was kept of the trace of the delivery; None without one).
attempt_began: NamedSignal = _namespace.signal("attempt-began")
#: That handler has returned or raised, in the same thread: ``event``, ``entry_id``, ``attempt``
#: (the ``Attempt``), ``error`` (what it raised, or None).
attempt_ended: NamedSignal = _namespace.signal("attempt-ended")
#: A handler raised: ``event``, ``entry_id``, ``handler`` (its name), ``attempt``, ``error``.
attempt_failed: NamedSignal = _namespace.signal("attempt-failed")
#: What became of an event is recorded: ``event``, ``entry_id``, ``state``, ``attempts`` (each
#: ``Attempt`` that was made), ``is_first`` (whether it was the first time that it was handled).
event_settled: NamedSignal = _namespace.signal("event-settled")
#: An entry is out of attempts: ``event``, ``entry_id``.
event_dead: NamedSignal = _namespace.signal("event-dead")

#: An endpoint has fallen silent, once until it is heard again: ``endpoint``, ``last_at`` (aware
#: UTC), ``usual_gap_s`` (seconds). Each process that runs handlers sends it.
endpoint_silent: NamedSignal = _namespace.signal("endpoint-silent")

#: A person has done something to the inbox, or could not: ``act`` (the ``Act``: who, which action,
#: on what, why), ``result`` (``done``, or why not).
operated: NamedSignal = _namespace.signal("operated")


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
