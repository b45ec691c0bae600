"""Runs the handlers before the answer, so that the vendor's redelivery is the retry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextvars import Context

from hookkit.core.entry import AT_REST, RETRY_AFTER_S, Receipt, State
from hookkit.handling.worker import Worker
from hookkit.runners.base import Runner, leases_kept


class InlineRunner(Runner):
    """Runs what a delivery admitted, and what earlier deliveries of it left undone."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def wake(self, entry_ids: Sequence[int]) -> None:
        """Run the entries now."""
        self._run(entry_ids)

    def answer(self, receipt: Receipt) -> Receipt:
        """Run the entries of *receipt*; return a 503 unless all of them are settled for good.

        An entry that another request is running cannot be claimed here. Its vendor is told to
        come again too, since nobody knows yet how that ends.
        """
        undone = {each.entry_id for each in receipt.admitted if each.state not in AT_REST}
        states = self._run(undone)
        if all(states.get(entry_id) in AT_REST for entry_id in undone):
            return receipt
        return Receipt(status=503, code="handler_failed", retry_after_s=RETRY_AFTER_S)

    def _run(self, entry_ids: Collection[int]) -> dict[int, State]:
        """Run the entries; return the states of those that could be claimed."""
        states: dict[int, State] = {}
        if not entry_ids:
            return states
        # A redelivery must not run them at the same time.
        with leases_kept(self._worker):
            # Those of one lane come one by one, each after the one before it is settled.
            while left := set(entry_ids) - states.keys():
                # In a context without the request, as in a thread: what works in a test must
                # work where no request is there.
                worked = Context().run(self._worker.work, only=left)
                states |= worked
                if not worked:
                    break
        return states
