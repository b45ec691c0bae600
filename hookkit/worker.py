"""Screen two, when nobody waits: claim, normalize, dispatch, settle.

Strategy: the claim counts the attempt before anything runs, and the settlement is recorded
under the claim's lease token. Between the two a process may die at any point: the lease
runs out, and somebody else claims the entry and runs the handlers that have not succeeded.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from hookkit import signals
from hookkit.core.errors import Unavailable
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler, HandlerRegistry
from hookkit.core.outcome import Entry, Outcome, Result, Settlement, settle
from hookkit.core.provider import Provider, normalize, split
from hookkit.core.retry import RetryPolicy
from hookkit.core.states import State
from hookkit.inbox.base import Inbox
from hookkit.unhandled import UnhandledLog

_logger = logging.getLogger("hookkit")
_handler_logger = logging.getLogger("hookkit.handlers")

#: What is stored of an error: enough to know it again, never a whole body.
MAX_ERROR_CHARS = 1000

#: Seconds before each try to record a settlement that the store did not take.
SETTLE_PAUSES_S = (0.0, 0.1, 0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a handler may want to know beside the event.

    Attributes:
        attempt: The first is 1; a replay counts from 1 again.
        is_replay: Whether a person asked for this run.
        logger: Logs as ``hookkit.handlers``.
    """

    attempt: int
    is_replay: bool
    logger: logging.Logger


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker serves.

    Attributes:
        sender: Who sends the signals: the application.
        providers: The provider of each endpoint, by the endpoint's name.
        registry: The handlers.
        retry: The policy of handlers that have none of their own.
        lease_s: How long a claimed entry belongs to its worker, in seconds.
        context: Makes the context of one attempt; whatever the handler raises leaves it.
    """

    sender: object
    providers: Mapping[str, Provider]
    registry: HandlerRegistry
    retry: RetryPolicy
    lease_s: float
    context: Callable[[], AbstractContextManager[object]]


class Worker:
    """Claims entries and runs their handlers; any number of threads may share one.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        jitter: Returns a random number in [-1, 1].
    """

    def __init__(
        self,
        job: Job,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self.job = job
        self.inbox = inbox
        self.clock = clock
        self.jitter = jitter
        self._unhandled_log = UnhandledLog(_logger)
        self._running: dict[int, Entry] = {}
        self._running_lock = Lock()

    def work(self, *, limit: int = 1, only: Collection[int] | None = None) -> dict[int, State]:
        """Claim up to *limit* due entries and run them; return the state of each after it.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        entries = self.inbox().claim(
            now=self.clock(),
            lease_s=self.job.lease_s,
            limit=limit,
            endpoints=self.job.providers.keys(),
            only=only,
        )
        with self._running_lock:
            self._running.update((entry.id, entry) for entry in entries)
        try:
            return {entry.id: self.run(entry) for entry in entries}
        finally:
            with self._running_lock:
                for entry in entries:
                    self._running.pop(entry.id, None)

    def run(self, entry: Entry) -> State:
        """Normalize, dispatch and settle one claimed entry."""
        event = self._normalize(entry)
        outcomes, any_exhausted = self._dispatch(entry, event)
        settlement = settle(entry.attempts, outcomes, self.jitter(), any_exhausted=any_exhausted)
        if self._settle(entry, settlement):
            self._tell_settled(entry, event, settlement)
        return settlement.state

    def renew_leases(self) -> None:
        """Extend the leases of what runs in this process."""
        with self._running_lock:
            running = list(self._running.values())
        for entry in running:
            self.inbox().renew(entry, now=self.clock(), lease_s=self.job.lease_s)

    def _normalize(self, entry: Entry) -> Event:
        provider = self.job.providers[entry.endpoint]
        items = split(
            provider,
            endpoint=entry.endpoint,
            body=entry.body,
            headers=entry.headers,
            received_at=entry.received_at,
        )
        # Newer code may split differently: the place in the body and the id are as admitted.
        item = items[min(entry.position, len(items) - 1)]
        return normalize(provider, replace(item, event_id=entry.event_id))

    def _dispatch(self, entry: Entry, event: Event) -> tuple[list[Outcome], bool]:
        """Run the handlers that want *event* and have not succeeded yet."""
        registry = self.job.registry
        wanting = _wanting(registry.handlers.values(), event)
        if not wanting:
            wanting = [(handler, None) for handler in registry.fallbacks]
        if not wanting:
            return [self._nobody(entry, event)], False
        left = [each for each in wanting if each[0].name not in entry.succeeded]
        due = [each for each in left if entry.attempts <= self._retry_of(each[0]).max_attempts]
        outcomes = [self._attempt(entry, event, handler, error) for handler, error in due]
        return outcomes, len(due) < len(left)

    def _attempt(
        self, entry: Entry, event: Event, handler: Handler, error: BaseException | None
    ) -> Outcome:
        """Run *handler*, unless its ``when`` raised *error* already."""
        started_at = self.clock()
        if error is None:
            error = self._call(handler, event, entry)
        if error is not None:
            self._tell_failed(entry, event, handler, error)
        return Outcome(
            handler=handler.name,
            result=Result.SUCCEEDED if error is None else Result.FAILED,
            started_at=started_at,
            ended_at=self.clock(),
            retry=self._retry_of(handler),
            error=None if error is None else describe(error),
        )

    def _call(self, handler: Handler, event: Event, entry: Entry) -> BaseException | None:
        """Call *handler* in a context of its own; return what it raised."""
        run = Run(attempt=entry.attempts, is_replay=entry.is_replay, logger=_handler_logger)
        arguments = (event, run) if handler.takes_run else (event,)
        try:
            with self.job.context():
                returned = handler.function(*arguments)
                if inspect.isawaitable(returned):
                    asyncio.run(_finish(returned))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # sys.exit() in a handler ends no worker
            return error
        return None

    def _nobody(self, entry: Entry, event: Event) -> Outcome:
        now = self.clock()
        self._unhandled_log.tell(event)
        signals.emit(signals.event_unhandled, self.job.sender, event=event, entry_id=entry.id)
        unknown = event.type is EventType.UNKNOWN
        return Outcome(
            handler="",
            result=Result.UNKNOWN if unknown else Result.UNHANDLED,
            started_at=now,
            ended_at=now,
        )

    def _retry_of(self, handler: Handler) -> RetryPolicy:
        return handler.retry or self.job.retry

    def _settle(self, entry: Entry, settlement: Settlement) -> bool:
        """Record *settlement*; a store that is away for a moment must not undo what was done."""
        for pause_s in SETTLE_PAUSES_S:
            time.sleep(pause_s)
            try:
                settled = self.inbox().settle(entry, settlement, now=self.clock())
            except Unavailable as error:
                _logger.warning(
                    "cannot settle entry %d yet: %s",
                    entry.id,
                    error,
                    extra={"action": "settle_unavailable", "entry_id": entry.id},
                )
                continue
            if not settled:
                _logger.warning(
                    "entry %d outlived its lease and belongs to another worker by now",
                    entry.id,
                    extra={"action": "settle_fenced", "entry_id": entry.id},
                )
            return settled
        return False

    def _tell_failed(
        self, entry: Entry, event: Event, handler: Handler, error: BaseException
    ) -> None:
        _logger.warning(
            "handler %s failed on entry %d, attempt %d",
            handler.name,
            entry.id,
            entry.attempts,
            exc_info=error,
            extra={"action": "attempt_failed", "entry_id": entry.id, "handler": handler.name},
        )
        signals.emit(
            signals.attempt_failed,
            self.job.sender,
            event=event,
            entry_id=entry.id,
            handler=handler.name,
            attempt=entry.attempts,
            error=error,
        )

    def _tell_settled(self, entry: Entry, event: Event, settlement: Settlement) -> None:
        state = settlement.state
        level = logging.ERROR if state is State.DEAD else logging.INFO
        _logger.log(
            level,
            "settled entry %d (%s) as %s after attempt %d",
            entry.id,
            event.type.value,
            state.value,
            entry.attempts,
            extra={"action": f"event_{state.value}", "entry_id": entry.id},
        )
        signals.emit(
            signals.event_settled, self.job.sender, event=event, entry_id=entry.id, state=state
        )
        if state is State.DEAD:
            signals.emit(signals.event_dead, self.job.sender, event=event, entry_id=entry.id)


def _wanting(
    handlers: Iterable[Handler], event: Event
) -> list[tuple[Handler, BaseException | None]]:
    """Return the handlers that want *event*, each with what its ``when`` raised."""
    wanting: list[tuple[Handler, BaseException | None]] = []
    for handler in handlers:
        try:
            if handler.wants(event):
                wanting.append((handler, None))
        except Exception as error:  # noqa: BLE001  # the user's code
            # Whether it wants the event cannot be told: a failed attempt, tried again.
            wanting.append((handler, error))
    return wanting


async def _finish(awaitable: Awaitable[None]) -> None:
    await awaitable


def describe(error: BaseException) -> str:
    """Return what is stored of *error*: its type and the start of its message."""
    # The formatter survives an exception whose own str() raises.
    return "".join(traceback.format_exception_only(error)).strip()[:MAX_ERROR_CHARS]
