"""Screen one, while the vendor waits: receive, verify, parse, admit.

There are two doors. Until the sender is proven, a delivery may be refused. After that it is
kept, whatever it holds: vendors do not send again what was refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hookkit import crash_points, signals
from hookkit.core.delivery import Delivery
from hookkit.core.entry import RETRY_AFTER_S, Admitted, Receipt, State
from hookkit.core.errors import BodyUnreadable, Rejected, Unavailable
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.verification import verify

_logger = logging.getLogger("hookkit")

#: A process sees a part of the deliveries only: so many in a row may be of shadows by chance.
MOST_SHADOWS_IN_A_ROW = 20

#: The states of entries that no handler runs for.
_HELD_BACK = frozenset({State.SHADOW, State.IGNORED})


class Receiver:
    """Takes the deliveries of one application.

    Attributes:
        sender: The application, as sender of the signals.
        inbox: Returns the inbox; may raise ``Unavailable``.
        hand_to_runner: Wakes a worker for what was admitted, or runs the handlers at once;
            returns the receipt to answer with.
    """

    def __init__(
        self,
        *,
        sender: object,
        inbox: Callable[[], Inbox],
        hand_to_runner: Callable[[Receipt], Receipt],
    ) -> None:
        self.sender = sender
        self.inbox = inbox
        self.hand_to_runner = hand_to_runner
        self._shadows = ShadowWatch()

    def receive(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        """Take *delivery* and return the answer to it; a status of 200 means that it is durable."""
        is_ping = endpoint.provider.is_ping
        if is_ping is not None and is_ping(delivery):
            # It proves nothing and carries nothing: it is counted, and kept nowhere.
            return self._accept(endpoint, Receipt())
        try:
            crash_points.reach("received")
            verified, fingerprint = verify(endpoint, delivery)
            crash_points.reach("verified")
            handshake = _answer_to_handshake(endpoint, verified.delivery)
            if handshake is not None:
                return handshake
            envelope = parse(endpoint.provider, verified, endpoint.modes, fingerprint)
            crash_points.reach("parsed")
            receipt = self.inbox().admit(envelope)
            crash_points.reach("admitted")
            if endpoint.modes is not None:
                self._shadows.note(endpoint.name, receipt)
            self._accept(endpoint, receipt, verified.secret_index, fingerprint)
            return self.hand_to_runner(receipt)
        except Rejected as error:
            return self.reject(endpoint, error)
        except Unavailable as error:
            return _unavailable(endpoint, error)

    def reject(self, endpoint: Endpoint, error: Rejected) -> Receipt:
        """Report a delivery whose sender is not proven, and return the answer to it."""
        _logger.info(
            "rejected a delivery to %s: %s",
            endpoint.name,
            error.code,
            extra={"action": "delivery_rejected", "endpoint": endpoint.name, "code": error.code},
        )
        signals.emit(
            signals.delivery_rejected, self.sender, endpoint=endpoint.name, code=error.code
        )
        return Receipt(status=error.status, code=error.code)

    def _accept(
        self,
        endpoint: Endpoint,
        receipt: Receipt,
        secret_index: int | None = None,
        fingerprint: str | None = None,
    ) -> Receipt:
        """Report a delivery that is durable, and return its receipt."""
        if _logger.isEnabledFor(logging.INFO):
            new, duplicates = receipt.new_count, receipt.duplicate_count
            _logger.info(
                "accepted a delivery to %s: %d new, %d duplicate",
                endpoint.name,
                new,
                duplicates,
                extra={
                    "action": "delivery_accepted",
                    "endpoint": endpoint.name,
                    "new": new,
                    "duplicates": duplicates,
                    "secret_index": secret_index,
                    "fingerprint": fingerprint,
                },
            )
        signals.emit(
            signals.delivery_accepted, self.sender, endpoint=endpoint.name, receipt=receipt
        )
        for admitted in receipt.admitted:
            if not admitted.is_new:
                self._report_duplicate(endpoint, admitted)
        return receipt

    def _report_duplicate(self, endpoint: Endpoint, admitted: Admitted) -> None:
        signal = signals.event_conflict if admitted.is_conflict else signals.event_duplicate
        signals.emit(
            signal,
            self.sender,
            endpoint=endpoint.name,
            event_id=admitted.event_id,
            entry_id=admitted.entry_id,
        )
        if admitted.is_conflict:
            _logger.warning(
                "entry %d of %s: its event id came again with other content; the first stays",
                admitted.entry_id,
                endpoint.name,
                extra={"action": "event_conflict", "entry_id": admitted.entry_id},
            )


def _answer_to_handshake(endpoint: Endpoint, delivery: Delivery) -> Receipt | None:
    """Return the answer if *delivery* is a handshake, which is kept nowhere; otherwise None."""
    provider = endpoint.provider
    if provider.handshake is None:
        return None
    try:
        reply = provider.handshake.reply(provider.decode(delivery.body))
    except BodyUnreadable:  # proven, so it will be kept
        return None
    return None if reply is None else Receipt(reply=reply)


def _unavailable(endpoint: Endpoint, error: Unavailable) -> Receipt:
    _logger.error(
        "cannot take a delivery to %s: %s",
        endpoint.name,
        error,
        extra={"action": "delivery_unavailable", "endpoint": endpoint.name},
    )
    return Receipt(status=503, code="unavailable", retry_after_s=RETRY_AFTER_S)


class ShadowWatch:
    """Notices that the live version of an endpoint has fallen silent.

    It counts, in this process, the deliveries since the last one that a handler runs for.
    """

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}

    def note(self, endpoint: str, receipt: Receipt) -> None:
        """Count a delivery; warn when it is one too many, once until a handler runs again."""
        for each in receipt.admitted:
            if each.state not in _HELD_BACK:
                self._in_a_row.pop(endpoint, None)
                return
        count = self._in_a_row[endpoint] = self._in_a_row.get(endpoint, 0) + 1
        if count == MOST_SHADOWS_IN_A_ROW:
            _logger.warning(
                "the last %d deliveries to %s were all of versions in shadow or ignored, so that"
                " nothing was handled; does the webhook of the live version still exist? See"
                " `flask hookkit versions status %s`",
                count,
                endpoint,
                endpoint,
                extra={"action": "shadow_alone", "endpoint": endpoint},
            )
