"""Calls the handlers that an event is for, each in a context of its own.

Whatever a handler raises is an outcome of its attempt and reaches nobody else; what it returns
is its own affair.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from threading import current_thread, main_thread
from typing import Any

from hookkit import crash_points
from hookkit.core.attempts import Attempt, Outcome, RetryPolicy
from hookkit.core.entry import Entry, Settlement, settle
from hookkit.core.errors import Discard, RetryLater, Unavailable
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler, Turn, plan
from hookkit.handling.journal import Journal
from hookkit.handling.run import Assignment, Run
from hookkit.inbox.inbox import Inbox

_handler_logger = logging.getLogger("hookkit.handlers")

#: What is stored of an error: enough to know it again, never a whole body.
MAX_ERROR_CHARS = 1000


class Dispatcher:
    """Runs the handlers of claimed entries.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        jitter: Returns a random number in [-1, 1].
        latest: Returns an entry as this process has claimed it last.
    """

    def __init__(
        self,
        assignment: Assignment,
        journal: Journal,
        *,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
        latest: Callable[[Entry], Entry],
    ) -> None:
        self.assignment = assignment
        self._journal = journal
        self._latest = latest
        self._inbox = inbox
        self._clock = clock
        self._jitter = jitter

    def dispatch(self, entry: Entry, event: Event, *, at_once: bool = False) -> Settlement | None:
        """Run the handlers that want *event* and whose turn it is.

        Args:
            at_once: Whether those run as well whose next attempt is not due yet.

        Returns:
            What to settle; None when the entry was found to belong to another worker.
        """
        registry = self.assignment.registry
        wanting, raised = self._wanting(registry.handlers.values(), event)
        strangers = self._strangers(entry)
        wanting = [*wanting, *strangers] or list(registry.fallbacks)
        if not wanting:
            return settle([self._nobody(entry, event)], event_type=event.type.value)
        limits = [(handler, self._retry_of(handler).max_attempts) for handler in wanting]
        todo = plan(entry, limits, self._clock(), at_once=at_once)
        attempts = []
        for turn in todo.turns:
            attempt = self._attempt(entry, event, turn, raised.get(turn.handler.name))
            if attempt is None:
                return None
            attempts.append(attempt)
            crash_points.reach("attempted")
        left = None if todo.due_at is None else todo.due_at - self._clock()
        return settle(
            attempts,
            event_type=event.type.value,
            is_exhausted=todo.is_exhausted,
            wait_s=None if left is None else left.total_seconds(),
        )

    def unreadable(self, entry: Entry) -> Settlement:
        """Return what becomes of *entry*, whose bytes cannot be read for now."""
        now = self._clock()
        attempt = Attempt(
            handler="",
            number=entry.claim_count,
            outcome=Outcome.FAILED,
            started_at=now,
            ended_at=now,
            retry_after_s=self.assignment.retry.delay_s(entry.claim_count, self._jitter()),
            error="the body cannot be decrypted: its key is not in HOOKKIT_ENCRYPTION_KEYS",
        )
        return settle([attempt])

    def _wanting(
        self, handlers: Iterable[Handler], event: Event
    ) -> tuple[list[Handler], dict[str, BaseException]]:
        """Return the handlers that want *event*, and by name what their ``when`` raised."""
        wanting: list[Handler] = []
        raised: dict[str, BaseException] = {}
        for handler in handlers:
            if not handler.may_want(event):
                continue
            when = handler.condition.when
            wants, error = (True, None) if when is None else self._call(when, event)
            # What raised may want the event or not: a failed attempt, tried again.
            if error is not None:
                raised[handler.name] = error
            if error is not None or wants:
                wanting.append(handler)
        return wanting, raised

    def _strangers(self, entry: Entry) -> list[Handler]:
        """Return stand-ins, which fail, for handlers that were tried and are not known here.

        Newer code may know them, and must find their attempts neither settled nor forgotten.
        """
        return [
            Handler(name=name, function=_be_unknown, triggers=())
            for name, tries in entry.tries.items()
            if name and tries.count and not tries.is_finished
            if name not in self.assignment.registry.names
        ]

    def _attempt(
        self, entry: Entry, event: Event, turn: Turn, error: BaseException | None
    ) -> Attempt | None:
        """Make the attempt, unless the handler's ``when`` raised *error* already."""
        if turn.is_lost:
            return self._ended(turn, self._clock(), Outcome.LOST)
        run = Run(
            attempt=turn.number,
            is_replay=entry.replays > 0,
            entry_id=entry.id,
            logger=_handler_logger,
        )
        if error is not None or not turn.handler.transactional:
            return self._tried(entry, event, turn, run, error=error)
        try:
            attempt = partial(self._tried_with, entry, event, turn, run)
            return self._inbox().transact(self._latest(entry), attempt)
        except Unavailable as unavailable:
            # Nothing of it was committed, or all of it: then the inbox knows that it was.
            return self._failed(entry, event, turn, self._clock(), unavailable)

    def _tried_with(
        self, entry: Entry, event: Event, turn: Turn, run: Run, connection: Any
    ) -> Attempt:
        with_connection = Run(
            attempt=run.attempt,
            is_replay=run.is_replay,
            entry_id=run.entry_id,
            logger=run.logger,
            connection=connection,
        )
        return self._tried(entry, event, turn, with_connection)

    def _tried(
        self,
        entry: Entry,
        event: Event,
        turn: Turn,
        run: Run,
        *,
        error: BaseException | None = None,
    ) -> Attempt:
        """Call the handler, and return how that ended."""
        started_at = self._clock()
        if error is None:
            arguments = (event, run) if turn.handler.takes_run else (event,)
            _, error = self._call(turn.handler.function, *arguments)
        if error is None:
            return self._ended(turn, started_at, Outcome.SUCCEEDED)
        return self._failed(entry, event, turn, started_at, error)

    def _failed(
        self,
        entry: Entry,
        event: Event,
        turn: Turn,
        started_at: datetime,
        error: BaseException,
    ) -> Attempt:
        retry = self._retry_of(turn.handler)
        outcome = _outcome_of(error, retry)
        if outcome is not Outcome.DISCARDED:
            self._journal.failed(entry, event, turn.handler, turn.number, error)
        delay_s = retry.delay_s(turn.number, self._jitter())
        if delay_s is not None and isinstance(error, RetryLater):
            delay_s = error.after.total_seconds()
        return self._ended(
            turn,
            started_at,
            outcome,
            retry_after_s=delay_s if outcome is Outcome.FAILED else None,
            error=describe(error),
        )

    def _ended(self, turn: Turn, started_at: datetime, outcome: Outcome, **more: Any) -> Attempt:
        return Attempt(
            handler=turn.handler.name,
            number=turn.number,
            outcome=outcome,
            started_at=started_at,
            ended_at=self._clock(),
            **more,
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

    def _nobody(self, entry: Entry, event: Event) -> Attempt:
        now = self._clock()
        self._journal.unhandled(entry, event)
        unknown = event.type is EventType.UNKNOWN
        return Attempt(
            handler="",
            number=entry.claim_count,
            outcome=Outcome.UNKNOWN if unknown else Outcome.UNHANDLED,
            started_at=now,
            ended_at=now,
        )

    def _retry_of(self, handler: Handler) -> RetryPolicy:
        return handler.retry or self.assignment.retry


def _be_unknown(_: Event) -> None:
    raise LookupError("no handler of this name is registered in the process that claimed the event")


def _outcome_of(error: BaseException, retry: RetryPolicy) -> Outcome:
    """Return how an attempt that raised *error* has ended."""
    match error:
        case Discard():
            return Outcome.DISCARDED
        case RetryLater():
            return Outcome.FAILED
    return Outcome.GAVE_UP if isinstance(error, retry.permanent) else Outcome.FAILED


async def _finish(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def describe(error: BaseException) -> str:
    """Return what is stored of *error*: its type and the start of its message."""
    # The formatter survives an exception whose own str() raises.
    return "".join(traceback.format_exception_only(error)).strip()[:MAX_ERROR_CHARS]
