"""What the log, the signals and the counts say of deliveries, once the receiver has decided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from hookkit import signals
from hookkit.core.delivery import Delivery, Envelope, Item
from hookkit.core.entry import Admitted, Receipt, State
from hookkit.core.errors import KeyPending, Rejected, Unavailable
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import IdSpan
from hookkit.log import BoundedLog, Detail, logger
from hookkit.receiving.doctor import UNKNOWN, diagnose
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.minutes import MinuteCounts

#: A process sees only a part of the deliveries: this many in a row may be of shadows by chance.
MOST_SHADOWS_IN_A_ROW = 20

#: How many ids of deliveries are looked through for the secrets that have proved them.
MAX_PROOFS = 1000

#: The states of entries that no handler runs for.
_HELD_BACK = frozenset({State.SHADOW, State.IGNORED})


class Report:
    """Reports the deliveries of one application; it decides nothing.

    Args:
        sender: The application, as sender of the signals.
        inbox: Returns the inbox; may raise ``Unavailable``.
        endpoints: Returns all endpoints of the application.

    Attributes:
        minutes: Counts what is received and refused.
        shadows: Notices that the live version of an endpoint has fallen silent.
    """

    def __init__(
        self,
        sender: object,
        inbox: Callable[[], Inbox],
        endpoints: Callable[[], Iterable[Endpoint]],
    ) -> None:
        self.minutes: MinuteCounts = MinuteCounts(inbox)
        self._sender = sender
        self._inbox = inbox
        self._endpoints = endpoints
        self.shadows: ShadowWatch = ShadowWatch()
        # Holds back lines that strangers or senders could multiply.
        self._log = BoundedLog()

    def accepted(
        self,
        endpoint: Endpoint,
        envelope: Envelope,
        receipt: Receipt,
        fingerprint: str | None,
    ) -> None:
        """Report a delivery that is durable.

        Args:
            fingerprint: That of the secret that proved it; None if no secret did.
        """
        new = receipt.new_count
        duplicates = len(receipt.admitted) - new
        if new:
            self.minutes.note(endpoint.name, "new", new)
        if logger.isEnabledFor(logging.INFO):
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
        if signals.delivery_accepted.receivers:
            self._emit_accepted(endpoint, receipt, envelope.items)
        if duplicates:
            self.minutes.note_duplicates(endpoint.name, receipt)
            self._report_duplicates(endpoint, envelope, receipt)

    def _emit_accepted(self, endpoint: Endpoint, receipt: Receipt, items: Sequence[Item]) -> None:
        signals.emit(
            signals.delivery_accepted,
            self._sender,
            endpoint=endpoint.name,
            receipt=receipt,
            vendor_types=tuple(item.vendor_type for item in items),
        )

    def _report_repetitions(self, endpoint: Endpoint, receipt: Receipt) -> None:
        """Name what counts as a redelivery only because of when it came."""
        repeated = [one for one in receipt.admitted if one.repeat_after_s is not None]
        if repeated:
            first = repeated[0]
            self._log.write(
                logging.INFO,
                (endpoint.name,),
                "%s without an id and a time came again at %s, first that of entry %d, within %g s:"
                " what a sender repeats is not handled again; repeat_window_s changes this time",
                counted(len(repeated), "event", "events"),
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
                self._sender,
                endpoint=endpoint.name,
                event_id=admitted.event_id,
                entry_id=admitted.entry_id,
                unsigned_id=unsigned_id,
                unsigned_type=unsigned_type,
            )
            if unsigned_id is not None or unsigned_type is not None:
                self._report_relabelled(endpoint, admitted)
        self._report_conflicts(endpoint, receipt)

    def _report_conflicts(self, endpoint: Endpoint, receipt: Receipt) -> None:
        conflicts = [one.entry_id for one in receipt.admitted if one.is_conflict]
        if conflicts:
            self._log.write(
                logging.WARNING,
                (endpoint.name,),
                "%s of a delivery to %s came again with other content, first that of entry %d; what"
                " came first stays",
                counted(len(conflicts), "event id", "event ids"),
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
        if unsigned_id_of is None:
            return None
        sent = unsigned_id_of(envelope.headers)
        if sent is None:
            return None
        try:
            below_id = admitted.entry_id + 1
            kept = self._inbox().kept(endpoint.name, below_id=below_id, limit=1)
        except Unavailable:  # the delivery is durable; this is for the report alone
            return None
        first = next((each for each in kept if each.id == admitted.entry_id), None)
        first_id = None if first is None else unsigned_id_of(first.headers)
        return None if first_id in (None, sent) else sent

    def _report_relabelled(self, endpoint: Endpoint, admitted: Admitted) -> None:
        self._log.write(
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

    def pinged(self, endpoint: Endpoint, receipt: Receipt) -> None:
        """Report an unsigned test of the URL."""
        self._log.write(
            logging.INFO,
            (endpoint.name,),
            "answered an unsigned test of the URL of %s",
            endpoint.name,
            extra={"action": "ping_answered", "endpoint": endpoint.name},
        )
        self._emit_accepted(endpoint, receipt, ())

    def rejected(
        self, endpoint: Endpoint, error: Rejected, delivery: Delivery | None = None
    ) -> None:
        """Report a delivery whose sender is not proven, with the cause as far as it is found.

        Args:
            delivery: What arrived; None if its body was not read, which leaves nothing to find.
        """
        self._log.write(
            logging.INFO,
            (endpoint.name, error.code),
            "rejected a delivery to %s: %s: %s",
            endpoint.name,
            error.code,
            error,
            extra={"action": "delivery_rejected", "endpoint": endpoint.name, "code": error.code},
            detail=None if delivery is None else partial(self._cause, endpoint, delivery, error),
        )
        signals.emit(
            signals.delivery_rejected, self._sender, endpoint=endpoint.name, code=error.code
        )
        self.minutes.note(endpoint.name, error.code)

    def _cause(self, endpoint: Endpoint, delivery: Delivery, error: Rejected) -> Detail:
        """Return why *delivery* was refused."""
        others = [each for each in self._endpoints() if each.name != endpoint.name]
        try:
            old = partial(self._fingerprints, endpoint)
            cause, text = diagnose(endpoint, delivery, error, others, old)
        except Exception as mistake:  # noqa: BLE001  # the answer must not depend on it
            cause, text = UNKNOWN, f"{type(mistake).__name__} while the cause was looked for"
        return Detail(text, {"cause": cause})

    def _fingerprints(self, endpoint: Endpoint) -> Collection[str]:
        """Return those of the secrets that have proved the newest deliveries to *endpoint*."""
        try:
            (newest,) = self._inbox().reading.proofs(IdSpan(), limit=MAX_PROOFS)
        except Unavailable:  # this is for the report alone
            return ()
        return {
            use.fingerprint
            for use in newest.uses
            if use.fingerprint and use.endpoint == endpoint.name
        }

    def key_pending(self, endpoint: Endpoint, error: KeyPending) -> None:
        """Report a delivery whose key is not known yet."""
        self._log.write(
            logging.WARNING,
            (endpoint.name,),
            "cannot take a delivery to %s now: %s",
            endpoint.name,
            error,
            extra={"action": "key_pending", "endpoint": endpoint.name},
            at_once=1,
        )
        self._unavailable(endpoint)

    def unavailable(self, endpoint: Endpoint, error: Unavailable) -> None:
        """Report a delivery that cannot be taken now."""
        self._log.write(
            logging.ERROR,
            (endpoint.name,),
            "cannot take a delivery to %s: %s",
            endpoint.name,
            error,
            extra={"action": "delivery_unavailable", "endpoint": endpoint.name},
        )
        self._unavailable(endpoint)

    def _unavailable(self, endpoint: Endpoint) -> None:
        signals.emit(signals.delivery_unavailable, self._sender, endpoint=endpoint.name)
        self.minutes.note(endpoint.name, "unavailable")


class ShadowWatch:
    """Notices that the live version of an endpoint has fallen silent.

    It counts, in this process, the deliveries since the last one that a handler runs for.
    """

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}

    def note(self, endpoint: str, receipt: Receipt) -> None:
        """Count a delivery; warn if it is one too many, but once only until a handler runs."""
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
