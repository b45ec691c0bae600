"""Screen one, while the vendor waits: receive, verify, parse, admit.

There are two doors. Until the sender is proven, a delivery may be refused. After that it is
kept, whatever it holds: vendors do not send again what was refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from hookkit import crash_points, signals
from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery, Envelope, VerifiedDelivery
from hookkit.core.entry import RETRY_AFTER_S, Lease, Receipt
from hookkit.core.errors import BodyUnreadable, KeyPending, Rejected, Unavailable
from hookkit.core.handshake import Asked
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.quarantine import Quarantine
from hookkit.receiving.report import Report
from hookkit.receiving.verification import verify


class Runner(Protocol):
    """Has events handled, in this process or another."""

    def offer(self) -> Lease | None:
        """Return the lease under which a delivery is stored that this process handles next."""

    def take(self, envelope: Envelope, receipt: Receipt, lease: Lease) -> None:
        """Handle what a delivery has stored under *lease*, which was offered."""

    def answer(self, receipt: Receipt) -> Receipt:
        """Have the new entries of another delivery handled; return what the vendor is answered."""


class Receiver:
    """Takes the deliveries of one application.

    Attributes:
        sender: The application, as sender of the signals.
        inbox: Returns the inbox; may raise ``Unavailable``.
        runner: Returns what handles the events, or wakes who does.
        quarantine: Keeps what is refused for its proof.
        report: Tells the log, the signals and the counts what became of each delivery.
        trace_headers: Returns what is kept as headers with a delivery, so that the traces of its
            handlers can be linked with its own; None if nobody traces.
    """

    def __init__(
        self,
        *,
        sender: object,
        inbox: Callable[[], Inbox],
        runner: Callable[[], Runner],
        quarantine: Quarantine,
        report: Report,
    ) -> None:
        self.sender = sender
        self.inbox = inbox
        self.runner = runner
        self.quarantine = quarantine
        self.report = report
        self.trace_headers: Callable[[], Headers] | None = None

    def receive(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        """Take *delivery* and return the answer to it; a status of 200 means that it is durable."""
        if not (signals.delivery_began.receivers or signals.delivery_answered.receivers):
            return self._receive(endpoint, delivery)
        signals.emit(
            signals.delivery_began,
            self.sender,
            endpoint=endpoint.name,
            traceparent=delivery.headers.get("traceparent"),
        )
        receipt, began_at_s = None, time.monotonic()
        try:
            receipt = self._receive(endpoint, delivery)
        finally:
            signals.emit(
                signals.delivery_answered,
                self.sender,
                endpoint=endpoint.name,
                receipt=receipt,
                took_s=time.monotonic() - began_at_s,
            )
        return receipt

    def _receive(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        is_ping = endpoint.provider.is_ping
        if is_ping is not None and is_ping(delivery):
            # It proves nothing and carries nothing: it is counted, and kept nowhere.
            self.report.pinged(endpoint, Receipt())
            return Receipt()
        try:
            crash_points.reach("received")
            verified, secret = verify(endpoint, delivery)
            crash_points.reach("verified")
            handshake = _answer_to_handshake(endpoint, verified.delivery, secret or b"")
            if handshake is not None:
                return handshake
            envelope, fingerprint = self._read(endpoint, verified, secret)
            crash_points.reach("parsed")
            runner = self.runner()
            lease = runner.offer() if endpoint.modes is None else None
            receipt = self.inbox().admit(envelope, lease)
            crash_points.reach("admitted")
            if lease is not None:
                runner.take(envelope, receipt, lease)
            self.report.accepted(endpoint, envelope, receipt, fingerprint)
            if endpoint.modes is not None:
                self.report.shadows.note(endpoint.name, receipt)
            if verified.key is not None:
                for keys in endpoint.keys:
                    keys.save()
            return receipt if lease is not None else runner.answer(receipt)
        except Rejected as error:
            self.quarantine.offer(endpoint, delivery, error)
            return self.reject(endpoint, error, delivery)
        except KeyPending as error:
            # A stranger can cause it, so it is not reported as what the application lacks.
            self.report.key_pending(endpoint, error)
            return _come_back()
        except Unavailable as error:
            return self.give_up(endpoint, error)

    def readmit(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        """Verify a *delivery* again that was refused, and store it as of when it arrived.

        Its time is compared with that of its arrival. Nothing runs before somebody is woken.

        Raises:
            Rejected: It is still not proven.
            Unavailable: The secrets, the keys or the inbox cannot be had now.
        """
        verified, secret = verify(endpoint, delivery)
        handshake = _answer_to_handshake(endpoint, verified.delivery, secret or b"")
        if handshake is not None:
            return handshake
        envelope, fingerprint = self._read(endpoint, verified, secret)
        receipt = self.inbox().admit(envelope)
        crash_points.reach("readmitted")
        self.report.accepted(endpoint, envelope, receipt, fingerprint)
        return receipt

    def _read(
        self, endpoint: Endpoint, verified: VerifiedDelivery, secret: bytes | None
    ) -> tuple[Envelope, str | None]:
        """Return a proven delivery as it is stored, and the fingerprint of what proved it."""
        fingerprint = None if secret is None else endpoint.fingerprint(secret)
        envelope = parse(
            endpoint.provider, verified, endpoint.modes, fingerprint, max_items=endpoint.max_items
        )
        if self.trace_headers is not None:
            envelope = replace(envelope, headers={**envelope.headers, **self.trace_headers()})
        return envelope, fingerprint

    def reject(
        self, endpoint: Endpoint, error: Rejected, delivery: Delivery | None = None
    ) -> Receipt:
        """Return the answer to a delivery whose sender is not proven: the same for any cause.

        Args:
            delivery: What arrived; None if its body was not read.
        """
        self.report.rejected(endpoint, error, delivery)
        return Receipt(status=error.status, code=error.code)

    def give_up(self, endpoint: Endpoint, error: Unavailable) -> Receipt:
        """Return the answer to a delivery that cannot be taken now."""
        self.report.unavailable(endpoint, error)
        return _come_back()


def _come_back() -> Receipt:
    return Receipt(status=503, code="unavailable", retry_after_s=RETRY_AFTER_S)


def _answer_to_handshake(endpoint: Endpoint, delivery: Delivery, secret: bytes) -> Receipt | None:
    """Return the answer if *delivery* is a handshake, which is kept nowhere; otherwise None."""
    provider = endpoint.provider
    if not provider.handshakes:
        return None
    try:
        asked = Asked(provider.decode(delivery.body), delivery.headers, secret)
    except BodyUnreadable:  # proven, so it will be kept
        return None
    for each in provider.handshakes:
        reply = each.reply(asked)
        if reply is not None:
            return Receipt(reply=reply)
    return None
