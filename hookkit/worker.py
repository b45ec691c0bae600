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
from dataclasses import dataclass
from datetime import datetime
from threading import current_thread, main_thread
from typing import Any

from hookkit.core.errors import Discard, RetryLater, Unavailable
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler, HandlerRegistry
from hookkit.core.outcome import Entry, Outcome, Result, Settlement, settle
from hookkit.core.provider import Provider
from hookkit.core.retry import RetryPolicy
from hookkit.core.states import State
from hookkit.inbox.base import Inbox
from hookkit.journal import Journal
from hookkit.leases import Leases
from hookkit.reading import Reader

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
class Assignment:
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
        assignment: Assignment,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self.assignment = assignment
        self.inbox = inbox
        self.clock = clock
        self.jitter = jitter
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process: what runs in the parent is the parent's."""
        self._journal = Journal(self.assignment.sender)
        self._reader = Reader(self.assignment.providers)
        self._leases = Leases(self.inbox, self.clock, self.assignment.lease_s)

    def work(self, *, limit: int = 1, only: Collection[int] | None = None) -> dict[int, State]:
        """Claim up to *limit* due entries and run them; return the state of each after it.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        entries = self.inbox().claim(
            now=(now := self.clock()),
            lease_s=self.assignment.lease_s,
            limit=limit,
            endpoints=self.assignment.providers.keys(),
            only=only,
        )
        entries = self._leases.hold(entries, now)
        states = {}
        try:
            for entry in entries:
                # The entries before it may have taken longer than its lease.
                if self._leases.is_held(entry):
                    states[entry.id] = self.run(entry)
        finally:
            self._leases.drop(entries)
        return states

    def run(self, entry: Entry) -> State:
        """Normalize, dispatch and settle one claimed entry."""
        event = self._reader.read(entry)
        outcomes, any_exhausted = self._dispatch(entry, event)
        settlement = settle(entry.attempts, outcomes, self.jitter(), any_exhausted=any_exhausted)
        if not self._settle(entry, settlement):
            return State.RUNNING  # until its lease is over, or in another worker's hands
        self._journal.settled(entry, event, settlement)
        return settlement.state

    @property
    def running_count(self) -> int:
        """How many entries this process has claimed and not settled yet."""
        return self._leases.count

    def renew_leases(self) -> None:
        """Extend the leases of what runs in this process."""
        self._leases.renew()

    def _dispatch(self, entry: Entry, event: Event) -> tuple[list[Outcome], bool]:
        """Run the handlers that want *event* and have not succeeded yet."""
        registry = self.assignment.registry
        wanting = self._wanting(registry.handlers.values(), event)
        if not wanting:
            wanting = [(handler, None) for handler in registry.fallbacks]
        if not wanting:
            return [self._nobody(entry, event)], False
        left = [each for each in wanting if each[0].name not in entry.succeeded]
        due = [
            (handler, error)
            for handler, error in left
            if handler.name not in entry.gave_up
            and entry.attempts <= self._retry_of(handler).max_attempts
        ]
        outcomes = [self._lost(entry, handler) for handler, _ in left if entry.is_takeover]
        outcomes += [self._attempt(entry, event, handler, error) for handler, error in due]
        return outcomes, len(due) < len(left)

    def _wanting(
        self, handlers: Iterable[Handler], event: Event
    ) -> list[tuple[Handler, BaseException | None]]:
        """Return the handlers that want *event*, each with what its ``when`` raised."""
        wanting: list[tuple[Handler, BaseException | None]] = []
        for handler in handlers:
            if not handler.may_want(event):
                continue
            when = handler.condition.when
            wants, error = (True, None) if when is None else self._call(when, event)
            # What raised may want the event or not: a failed attempt, tried again.
            if error is not None or wants:
                wanting.append((handler, error))
        return wanting

    def _lost(self, entry: Entry, handler: Handler) -> Outcome:
        """Return what is recorded of *handler* for the worker that was not heard of again."""
        now = self.clock()
        return Outcome(
            handler=handler.name,
            result=Result.LOST,
            started_at=now,
            ended_at=now,
            attempt=entry.attempts - 1,
        )

    def _attempt(
        self, entry: Entry, event: Event, handler: Handler, error: BaseException | None
    ) -> Outcome:
        """Run *handler*, unless its ``when`` raised *error* already."""
        started_at = self.clock()
        if error is None:
            run = Run(attempt=entry.attempts, is_replay=entry.is_replay, logger=_handler_logger)
            arguments = (event, run) if handler.takes_run else (event,)
            _, error = self._call(handler.function, *arguments)
        retry = self._retry_of(handler)
        result = _result_of(error, retry)
        if error is not None and result is not Result.DISCARDED:
            self._journal.failed(entry, event, handler, error)
        return Outcome(
            handler=handler.name,
            result=result,
            started_at=started_at,
            ended_at=self.clock(),
            retry=retry,
            retry_after_s=error.after.total_seconds() if isinstance(error, RetryLater) else None,
            error=None if error is None else describe(error),
        )

    def _call(
        self, function: Callable[..., Any], *arguments: object
    ) -> tuple[Any, BaseException | None]:
        """Call the user's *function* in a context of its own; return what it gave or raised."""
        try:
            with self.assignment.context():
                returned = function(*arguments)
                if inspect.isawaitable(returned):
                    returned = asyncio.run(_finish(returned))
        except BaseException as error:
            # sys.exit() in a handler ends no worker; Ctrl-C reaches the main thread alone.
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise
            return None, error
        return returned, None

    def _nobody(self, entry: Entry, event: Event) -> Outcome:
        now = self.clock()
        self._journal.unhandled(entry, event)
        unknown = event.type is EventType.UNKNOWN
        return Outcome(
            handler="",
            result=Result.UNKNOWN if unknown else Result.UNHANDLED,
            started_at=now,
            ended_at=now,
        )

    def _retry_of(self, handler: Handler) -> RetryPolicy:
        return handler.retry or self.assignment.retry

    def _settle(self, entry: Entry, settlement: Settlement) -> bool:
        """Record *settlement*; a store that is away for a moment must not undo what was done."""
        for pause_s in SETTLE_PAUSES_S:
            time.sleep(pause_s)
            try:
                latest = self._leases.latest(entry)
                settled = self.inbox().settle(latest, settlement, now=self.clock())
            except Unavailable as error:
                self._journal.settle_unavailable(entry, error)
                continue
            if not settled and self._leases.latest(entry) is not latest:
                continue  # a thread beside this one has just claimed it, for us
            if not settled:
                self._journal.fenced(entry)
            return settled
        return False


def _result_of(error: BaseException | None, retry: RetryPolicy) -> Result:
    """Return how an attempt that raised *error* has ended."""
    match error:
        case None:
            return Result.SUCCEEDED
        case Discard():
            return Result.DISCARDED
        case RetryLater():
            return Result.FAILED
    return Result.GAVE_UP if isinstance(error, retry.permanent) else Result.FAILED


async def _finish(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def describe(error: BaseException) -> str:
    """Return what is stored of *error*: its type and the start of its message."""
    # The formatter survives an exception whose own str() raises.
    return "".join(traceback.format_exception_only(error)).strip()[:MAX_ERROR_CHARS]
