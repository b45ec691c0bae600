"""Screen one, while the vendor waits: receive, verify, parse, admit.

There are two doors. Until the sender is proven, a delivery may be refused. After that it is
kept, whatever it holds: vendors do not send again what was refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hookkit import crash_points, signals
from hookkit.core.delivery import Delivery, Envelope
from hookkit.core.entry import RETRY_AFTER_S, Admitted, Receipt, State
from hookkit.core.errors import BodyUnreadable, KeyPending, Rejected, Unavailable
from hookkit.core.handshake import Asked
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.log import BoundedLog, logger
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.verification import verify

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
        log: Where lines go that strangers or senders could multiply.
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
        self.log = BoundedLog()
        self._shadows = ShadowWatch()

    def receive(self, endpoint: Endpoint, delivery: Delivery) -> Receipt:
        """Take *delivery* and return the answer to it; a status of 200 means that it is durable."""
        is_ping = endpoint.provider.is_ping
        if is_ping is not None and is_ping(delivery):
            # It proves nothing and carries nothing: it is counted, and kept nowhere.
            return self._answer_ping(endpoint)
        try:
            crash_points.reach("received")
            verified, secret = verify(endpoint, delivery)
            crash_points.reach("verified")
            handshake = _answer_to_handshake(endpoint, verified.delivery, secret or b"")
            if handshake is not None:
                return handshake
            fingerprint = None if secret is None else endpoint.fingerprint(secret)
            envelope = parse(
                endpoint.provider,
                verified,
                endpoint.modes,
                fingerprint,
                max_items=endpoint.max_items,
            )
            crash_points.reach("parsed")
            receipt = self.inbox().admit(envelope)
            crash_points.reach("admitted")
            if endpoint.modes is not None:
                self._shadows.note(endpoint.name, receipt)
            self._accept(endpoint, envelope, receipt, fingerprint)
            if verified.key is not None:
                for keys in endpoint.keys:
                    keys.save()
            return self.hand_to_runner(receipt)
        except Rejected as error:
            return self.reject(endpoint, error)
        except KeyPending as error:
            return self._postpone(endpoint, error)
        except Unavailable as error:
            return self.give_up(endpoint, error)

    def reject(self, endpoint: Endpoint, error: Rejected) -> Receipt:
        """Report a delivery whose sender is not proven, and return the answer to it."""
        self.log.write(
            logging.INFO,
            (endpoint.name, error.code),
            "rejected a delivery to %s: %s: %s",
            endpoint.name,
            error.code,
            error,
            extra={"action": "delivery_rejected", "endpoint": endpoint.name, "code": error.code},
        )
        signals.emit(
            signals.delivery_rejected, self.sender, endpoint=endpoint.name, code=error.code
        )
        return Receipt(status=error.status, code=error.code)

    def _postpone(self, endpoint: Endpoint, error: KeyPending) -> Receipt:
        """Have a delivery sent again whose key is not known yet, which a stranger can cause."""
        self.log.write(
            logging.WARNING,
            (endpoint.name,),
            "cannot take a delivery to %s now: %s",
            endpoint.name,
            error,
            extra={"action": "key_pending", "endpoint": endpoint.name},
            at_once=1,
        )
        return Receipt(status=503, code="unavailable", retry_after_s=RETRY_AFTER_S)

    def _answer_ping(self, endpoint: Endpoint) -> Receipt:
        receipt = Receipt()
        self.log.write(
            logging.INFO,
            (endpoint.name,),
            "answered an unsigned test of the URL of %s",
            endpoint.name,
            extra={"action": "ping_answered", "endpoint": endpoint.name},
        )
        signals.emit(
            signals.delivery_accepted, self.sender, endpoint=endpoint.name, receipt=receipt
        )
        return receipt

    def _accept(
        self,
        endpoint: Endpoint,
        envelope: Envelope,
        receipt: Receipt,
        fingerprint: str | None,
    ) -> None:
        """Report a delivery that is durable."""
        if logger.isEnabledFor(logging.INFO):
            new, duplicates = receipt.new_count, receipt.duplicate_count
            logger.info(
                "accepted a delivery to %s: %d new, %d duplicate",
                endpoint.name,
                new,
                duplicates,
                extra={
                    "action": "delivery_accepted",
                    "endpoint": endpoint.name,
                    "new": new,
                    "duplicates": duplicates,
                    "secret_index": envelope.secret_index,
                    "fingerprint": fingerprint,
                },
            )
        signals.emit(
            signals.delivery_accepted, self.sender, endpoint=endpoint.name, receipt=receipt
        )
        if receipt.new_count < len(receipt.admitted):
            self._report_duplicates(endpoint, envelope, receipt)

    def _report_repetitions(self, endpoint: Endpoint, receipt: Receipt) -> None:
        """Name what counts as a redelivery only because of when it came."""
        repeated = [one for one in receipt.admitted if one.repeat_after_s is not None]
        if repeated:
            first = repeated[0]
            self.log.write(
                logging.INFO,
                (endpoint.name,),
                "%d events without an id and a time came again at %s, the first of them that of"
                " entry %d within %g s: they count as sent again by their sender, and are not"
                " handled again; the endpoint's repeat_window_s changes this time",
                len(repeated),
                endpoint.name,
                first.entry_id,
                first.repeat_after_s,
                extra={
                    "action": "event_repeated",
                    "endpoint": endpoint.name,
                    "entry_id": first.entry_id,
                    "repeat_after_s": first.repeat_after_s,
                    "repetitions": len(repeated),
                },
            )

    def _report_duplicates(self, endpoint: Endpoint, envelope: Envelope, receipt: Receipt) -> None:
        self._report_repetitions(endpoint, receipt)
        for admitted, item in zip(receipt.admitted, envelope.items, strict=True):
            if admitted.is_new:
                continue
            unsigned_id = self._other_id(endpoint, envelope, admitted)
            is_other_type = admitted.is_other_type and not admitted.is_conflict
            unsigned_type = item.vendor_type if is_other_type else None
            signals.emit(
                signals.event_conflict if admitted.is_conflict else signals.event_duplicate,
                self.sender,
                endpoint=endpoint.name,
                event_id=admitted.event_id,
                entry_id=admitted.entry_id,
                unsigned_id=unsigned_id,
                unsigned_type=unsigned_type,
            )
            if unsigned_id is not None or unsigned_type is not None:
                self._report_relabelled(endpoint, admitted)
        conflicts = [one.entry_id for one in receipt.admitted if one.is_conflict]
        if conflicts:
            self.log.write(
                logging.WARNING,
                (endpoint.name,),
                "%d event ids of a delivery to %s came again with other content, the first of"
                " them that of entry %d; what came first stays",
                len(conflicts),
                endpoint.name,
                conflicts[0],
                extra={
                    "action": "event_conflict",
                    "endpoint": endpoint.name,
                    "entry_id": conflicts[0],
                    "conflicts": len(conflicts),
                },
            )

    def _other_id(self, endpoint: Endpoint, envelope: Envelope, admitted: Admitted) -> str | None:
        """Return the unsigned id of a duplicate, if the first delivery had another one."""
        unsigned_id_of = endpoint.provider.unsigned_id_of
        sent = None if unsigned_id_of is None else unsigned_id_of(envelope.headers)
        if unsigned_id_of is None or sent is None:
            return None
        try:
            below_id = admitted.entry_id + 1
            kept = self.inbox().kept(endpoint.name, below_id=below_id, limit=1)
        except Unavailable:  # the delivery is durable; this is for the report alone
            return None
        first = [unsigned_id_of(each.headers) for each in kept if each.id == admitted.entry_id]
        return None if first in ([], [None], [sent]) else sent

    def _report_relabelled(self, endpoint: Endpoint, admitted: Admitted) -> None:
        self.log.write(
            logging.WARNING,
            (endpoint.name,),
            "what is signed in a delivery to %s came before, as entry %d, under another id or"
            " type, which nothing signs; it is not handled again unless that entry is replayed",
            endpoint.name,
            admitted.entry_id,
            extra={
                "action": "duplicate_relabelled",
                "endpoint": endpoint.name,
                "entry_id": admitted.entry_id,
            },
        )

    def give_up(self, endpoint: Endpoint, error: Unavailable) -> Receipt:
        """Report a delivery that cannot be taken now, and return the answer to it."""
        self.log.write(
            logging.ERROR,
            (endpoint.name,),
            "cannot take a delivery to %s: %s",
            endpoint.name,
            error,
            extra={"action": "delivery_unavailable", "endpoint": endpoint.name},
        )
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
            logger.warning(
                "the last %d deliveries to %s were all of versions in shadow or ignored, so that"
                " nothing was handled; does the webhook of the live version still exist? See"
                " `flask hookkit versions status %s`",
                count,
                endpoint,
                endpoint,
                extra={"action": "shadow_alone", "endpoint": endpoint},
            )
