"""Records who did what to an inbox: before it is done, and when it has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from hookkit import signals
from hookkit.core.entry import Filter
from hookkit.core.errors import HookkitError, Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Act

_logger = logging.getLogger("hookkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """Records what people do to one application's inbox.

    Attributes:
        sender: Sends the signal ``operated``.
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
    """

    sender: object
    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]

    @contextmanager
    def acting(
        self,
        action: str,
        *,
        who: str,
        right: str,
        target: str = "",
        wanted: Filter | None = None,
        reason: str = "",
        address: str = "",
    ) -> Iterator[None]:
        """Record that somebody does *action* within the ``with`` block.

        Nothing is done that cannot be recorded first. What the block raises is raised on, and its
        first sentence is the result if hookkit raised it; of other errors that is the class.

        Args:
            right: What allowed it.
            target: What it is done to.
            wanted: The entries that it is done to, if a filter chooses them.
            reason: Why, as they said.
            address: Where they are.

        Raises:
            Unavailable: The inbox cannot be reached; nothing was done.
        """
        act = Act(
            who=who,
            right=right,
            action=action,
            target=target,
            wanted=wanted,
            reason=reason,
            address=address,
        )
        act_id = self.inbox().audit.begin(act, now=self.clock())
        result = "done"
        try:
            yield
        except BaseException as error:
            is_own = isinstance(error, HookkitError)
            result = f"refused: {error}" if is_own else f"failed: {type(error).__name__}"
            raise
        finally:
            self._settle(act_id, result)
            signals.emit(signals.operated, self.sender, act=act, result=result)

    def _settle(self, act_id: int, result: str) -> None:
        try:
            self.inbox().audit.settle(act_id, result)
        except Unavailable as error:
            # It was done or not: what has happened must not be told as a failure.
            _logger.warning(
                "what came of act %d is not in the audit: %s",
                act_id,
                error,
                extra={"action": "audit_failed"},
            )
