"""Runs the handlers before the answer: the vendor's redelivery is the retry."""

from __future__ import annotations

from hookkit.core.entry import AT_REST, RETRY_AFTER_S, Receipt, State
from hookkit.handling.worker import Worker
from hookkit.runners.base import IdleRunner, leases_renewed


class InlineRunner(IdleRunner):
    """Runs what a delivery admitted, and what earlier deliveries of it left undone."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def finish(self, receipt: Receipt) -> Receipt:
        """Run the entries of *receipt*; one that is not settled for good makes it a 503.

        An entry that runs in another request cannot be claimed here: its sender is told to
        come again rather than that all is well.
        """
        undone = {
            admitted.entry_id for admitted in receipt.admitted if admitted.state not in AT_REST
        }
        if not undone:
            return receipt
        states: dict[int, State] = {}
        # A redelivery must not run them beside us.
        with leases_renewed(self._worker):
            # In lanes they come one by one, each once the one before it is settled.
            while left := undone - states.keys():
                worked = self._worker.work(limit=len(left), only=left)
                states |= worked
                if not worked:
                    break
        if all(states.get(entry_id) in AT_REST for entry_id in undone):
            return receipt
        return Receipt(status=503, code="handler_failed", retry_after_s=RETRY_AFTER_S)
