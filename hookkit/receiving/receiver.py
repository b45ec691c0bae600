"""Screen one, while the vendor waits: receive, verify, parse, admit.

Two doors. Before the sender is proven a delivery may be refused; after that it is kept,
whatever it is, because vendors do not send again what was refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hookkit import crash_points, signals
from hookkit.core.delivery import Delivery
from hookkit.core.entry import RETRY_AFTER_S, Receipt
from hookkit.core.errors import BodyUnreadable, Rejected, Unavailable
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.silent_live import ShadowWatch
from hookkit.receiving.verification import verify

_logger = logging.getLogger("hookkit")


def _shake_hands(endpoint: Endpoint, delivery: Delivery) -> Receipt | None:
    """Return the answer to a handshake, None to anything else; it is kept nowhere."""
    provider = endpoint.provider
    if provider.handshake is None:
        return None
    try:
        reply = provider.handshake.reply(provider.decode(delivery.body))
    except BodyUnreadable:  # kept, as whatever is proven
        return None
    return None if reply is None else Receipt(reply=reply)


class Receiver:
    """Takes deliveries of one application.

    Attributes:
        sender: Who sends the signals: the application.
        inbox: Returns the inbox; may raise ``Unavailable``.
        finish: The runner's part: wakes a worker, or runs the handlers before the answer.
    """

    def __init__(
        self,
        *,
        sender: object,
        inbox: Callable[[], Inbox],
        finish: Callable[[Receipt], Receipt],
    ) -> None:
        self.sender = sender
        self.inbox = inbox
        self.finish = finish
        self._shadows = ShadowWatch(_logger)

    def receive(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        """Return what *delivery* came to; it is durable when the status is 200."""
        is_ping = endpoint.provider.is_ping
        if is_ping is not None and is_ping(delivery):
            # It proves nothing and carries nothing: answered and counted, and kept nowhere.
            receipt = Receipt()
            self._tell_accepted(endpoint, receipt)
            return receipt
        try:
            crash_points.reach("received")
            verified, fingerprint = verify(endpoint, delivery)
            crash_points.reach("verified")
            handshake = _shake_hands(endpoint, verified.delivery)
            if handshake is not None:
                return handshake
            envelope = parse(endpoint.provider, verified, endpoint.modes, fingerprint)
            crash_points.reach("parsed")
            receipt = self.inbox().admit(envelope)
            crash_points.reach("admitted")
            if endpoint.modes is not None:
                self._shadows.note(endpoint.name, receipt)
            self._tell_accepted(endpoint, receipt, verified.secret_index, fingerprint)
            return self.finish(receipt)
        except Rejected as error:
            return self.reject(endpoint, error)
        except Unavailable as error:
            return self._unavailable(endpoint, error)

    def reject(self, endpoint: Endpoint, error: Rejected) -> Receipt:
        """Return the receipt of a delivery whose sender is not proven."""
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

    def _tell_accepted(
        self,
        endpoint: Endpoint,
        receipt: Receipt,
        secret_index: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
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
            if admitted.is_new:
                continue
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

    def _unavailable(self, endpoint: Endpoint, error: Unavailable) -> Receipt:
        _logger.error(
            "cannot take a delivery to %s: %s",
            endpoint.name,
            error,
            extra={"action": "delivery_unavailable", "endpoint": endpoint.name},
        )
        return Receipt(status=503, code="unavailable", retry_after_s=RETRY_AFTER_S)
