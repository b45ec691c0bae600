"""Runs the handlers before the answer: the vendor's redelivery is the retry."""

from __future__ import annotations

from hookkit.core.outcome import Receipt
from hookkit.core.states import State
from hookkit.runners.base import IdleRunner
from hookkit.worker import Worker

#: Vendors that keep a schedule of their own ignore it.
RETRY_AFTER_S = 10

_SETTLED_FOR_GOOD = frozenset({State.DONE, State.DEAD})


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
            admitted.entry_id
            for admitted in receipt.admitted
            if admitted.state not in _SETTLED_FOR_GOOD
        }
        if not undone:
            return receipt
        states = self._worker.work(limit=len(undone), only=undone)
        if all(states.get(entry_id) in _SETTLED_FOR_GOOD for entry_id in undone):
            return receipt
        return Receipt(status=503, code="handler_failed", retry_after_s=RETRY_AFTER_S)
