"""Reads an entry, and calls the handlers that its event is for, each in a context of its own."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from threading import current_thread, main_thread
from typing import Any, Protocol

from hookkit import crash_points
from hookkit.core.attempts import Attempt, Outcome, RetryPolicy
from hookkit.core.body import Headers
from hookkit.core.delivery import Item
from hookkit.core.entry import Entry, Settlement, settle
from hookkit.core.errors import Discard, RetryLater, Unavailable
from hookkit.core.event import Event, EventType
from hookkit.core.handlers import Handler, HandlerRegistry, Turn, plan
from hookkit.core.provider import Provider, normalize, split
from hookkit.handling.journal import Journal
from hookkit.handling.raised import describe, place_of
from hookkit.inbox.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a handler may want to know besides the event.

    Attributes:
        attempt: The first is 1; a replay counts from 1 again.
        is_replay: Whether a person asked for this run.
        entry_id: The entry of the event in the inbox.
        logger: Logs as ``hookkit.handlers``.
        connection: For a transactional handler, a SQLAlchemy ``Connection`` to the inbox's
            database. The worker commits what is written there together with the record of
            success; raise an exception to roll it back.
    """

    attempt: int
    is_replay: bool
    entry_id: int
    logger: logging.Logger
    connection: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a worker serves, and by what means.

    Attributes:
        sender: The sender of the signals: the application.
        providers: The provider of each endpoint, by the endpoint's name.
        registry: The handlers.
        retry: The policy of handlers that have none of their own.
        lease_s: How long a claimed entry belongs to its worker, in seconds.
        context: Makes the context of one attempt; whatever the handler raises leaves it.
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        jitter: Returns a random number in [-1, 1].
        observe: Takes each entry that was handled, with its provider and its event; raises nothing.
    """

    sender: object
    providers: Mapping[str, Provider]
    registry: HandlerRegistry
    retry: RetryPolicy
    lease_s: float
    context: Callable[[], AbstractContextManager[object]]
    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    observe: Callable[[Provider, Entry, Event], None] | None = None

    @property
    def fewest_attempts(self) -> int:
        """The fewest attempts that any handler has."""
        usual = self.retry.max_attempts
        return min(usual, self.registry.fewest_attempts or usual)


class Readable(Protocol):
    """An entry with the bytes of its delivery, claimed or not."""

    @property
    def endpoint(self) -> str: ...  # noqa: D102

    @property
    def event_id(self) -> str: ...  # noqa: D102

    @property
    def position(self) -> int: ...  # noqa: D102

    @property
    def received_at(self) -> datetime: ...  # noqa: D102

    @property
    def body(self) -> bytes | None: ...  # noqa: D102

    @property
    def headers(self) -> Headers: ...  # noqa: D102


class Reader:
    """Reads entries by the provider of their endpoint.

    The entries of one body mostly come one after another, so the items of the last body are
    remembered: a body of many events is split once.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._last: tuple[object, tuple[Item, ...]] = (None, ())

    def read(self, entry: Readable, item: Item | None = None) -> Event:
        """Return the event of *entry*, of type ``unknown`` if its body is not readable.

        Args:
            item: The event in its body, if it was taken apart already.
        """
        provider = self._providers[entry.endpoint]
        if item is not None:
            return normalize(provider, item)
        items = self._items(provider, entry)
        # Newer code may split differently; the position and the id stay as admitted.
        item = items[min(entry.position, len(items) - 1)]
        if item.event_id != entry.event_id:
            item = replace(item, event_id=entry.event_id)
        return normalize(provider, item)

    def _items(self, provider: Provider, entry: Readable) -> tuple[Item, ...]:
        key = (entry.endpoint, entry.received_at, entry.body, entry.headers)
        last_key, items = self._last  # read at once: another thread may replace it
        if key != last_key:
            items = split(
                provider,
                endpoint=entry.endpoint,
                body=entry.body or b"",
                headers=entry.headers,
                received_at=entry.received_at,
            )
            self._last = (key, items)
        return items


_handler_logger = logging.getLogger("hookkit.handlers")


class Dispatcher:
    """Runs the handlers of claimed entries.

    Args:
        latest: Returns an entry as this process has claimed it last.
    """

    def __init__(
        self, assignment: Assignment, journal: Journal, latest: Callable[[Entry], Entry]
    ) -> None:
        self._assignment = assignment
        self._journal = journal
        self._latest = latest
        self._clock = assignment.clock

    def dispatch(self, entry: Entry, event: Event, *, at_once: bool = False) -> Settlement | None:
        """Run the handlers that want *event* and whose turn it is.

        Args:
            at_once: Whether handlers whose next attempt is not due yet run as well.

        Returns:
            What to settle; None if the entry was found to belong to another worker.
        """
        if entry.body is None:
            return settle([self._unreadable(entry)])
        registry = self._assignment.registry
        wanting, raised = self._wanting(registry.of_type(event.type), event)
        wanting = [*wanting, *self._unregistered(entry)] or list(registry.fallbacks)
        if not wanting:
            return settle([self._unhandled(entry, event)], event_type=event.type.value)
        limits = [(handler, self._retry_of(handler).max_attempts) for handler in wanting]
        todo = plan(entry, limits, self._clock(), at_once=at_once)
        attempts = []
        for turn in todo.turns:
            attempt = self._attempt(entry, event, turn, raised.get(turn.handler.name))
            if attempt is None:
                return None
            attempts.append(attempt)
            crash_points.reach("attempted")
        now = self._clock()
        left = None if todo.due_at is None else todo.due_at - now
        return settle(
            attempts,
            event_type=event.type.value,
            is_exhausted=todo.is_exhausted,
            wait_s=None if left is None else left.total_seconds(),
            decided_at=now,
        )

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
            # Whether this one wants the event is unknown: its attempt fails and is repeated.
            if error is not None:
                raised[handler.name] = error
            if error is not None or wants:
                wanting.append(handler)
        return wanting, raised

    def _unregistered(self, entry: Entry) -> list[Handler]:
        """Return failing placeholders for handlers that tried *entry* and are not registered here.

        A process with newer code may have them. Their attempts must neither count as settled
        nor be forgotten.
        """
        return [
            Handler(name=name, function=_raise_not_registered, triggers=())
            for name, tries in entry.tries.items()
            if name and tries.count and not tries.is_finished
            if name not in self._assignment.registry.names
        ]

    def _attempt(
        self, entry: Entry, event: Event, turn: Turn, error: BaseException | None
    ) -> Attempt | None:
        """Make the attempt, unless the handler's ``when`` raised *error* already."""
        if turn.is_lost:
            return self._ended(turn, self._clock(), Outcome.LOST)
        if error is not None:
            return self._failed(entry, event, turn, self._clock(), error)
        if not turn.handler.transactional:
            return self._tried(entry, event, turn)
        attempt = partial(self._tried, entry, event, turn)
        try:
            return self._assignment.inbox().transact(self._latest(entry), attempt)
        except Unavailable as unavailable:
            # Nothing of it was committed, or everything, and then the inbox has recorded that.
            return self._failed(entry, event, turn, self._clock(), unavailable)

    def _tried(self, entry: Entry, event: Event, turn: Turn, connection: Any = None) -> Attempt:
        """Call the handler, and return how that ended."""
        arguments: list[object] = [event]
        if turn.handler.takes_run:
            arguments.append(
                Run(
                    attempt=turn.number,
                    is_replay=entry.replays > 0,
                    entry_id=entry.id,
                    logger=_handler_logger,
                    connection=connection,
                )
            )
        self._journal.began(entry, event, turn.handler, turn.number)
        started_at = self._clock()
        _, error = self._call(turn.handler.function, *arguments)
        if error is None:
            attempt = self._ended(turn, started_at, Outcome.SUCCEEDED)
        else:
            attempt = self._failed(entry, event, turn, started_at, error)
        self._journal.ended(entry, event, attempt, error)
        return attempt

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
        delay_s = retry.delay_s(turn.number, self._assignment.jitter())
        if outcome is not Outcome.DISCARDED:
            is_last = delay_s is None or outcome is Outcome.GAVE_UP
            self._journal.failed(entry, event, turn.handler, turn.number, error, is_last=is_last)
        if delay_s is not None and isinstance(error, RetryLater) and error.after is not None:
            delay_s = error.after.total_seconds()
        return self._ended(
            turn,
            started_at,
            outcome,
            retry_after_s=delay_s if outcome is Outcome.FAILED else None,
            error=describe(error),
            raised_at=place_of(error),
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
        """Call the user's *function* in a context of its own; return its result or its error."""
        try:
            with self._assignment.context():
                returned = function(*arguments)
                if returned is not None and inspect.isawaitable(returned):
                    returned = asyncio.run(_finish(returned))
        except BaseException as error:
            # sys.exit() in a handler must not end a worker. Python raises KeyboardInterrupt for
            # Ctrl-C in the main thread only.
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise
            return None, error
        return returned, None

    def _unhandled(self, entry: Entry, event: Event) -> Attempt:
        """Return the record that no handler wanted *event*."""
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

    def _unreadable(self, entry: Entry) -> Attempt:
        """Return the record that the bytes of *entry* cannot be read for now."""
        now = self._clock()
        return Attempt(
            handler="",
            number=entry.claim_count,
            outcome=Outcome.FAILED,
            started_at=now,
            ended_at=now,
            retry_after_s=self._assignment.retry.delay_s(
                entry.claim_count, self._assignment.jitter()
            ),
            error=(
                "the body cannot be read: its key is not in HOOKKIT_ENCRYPTION_KEYS, or what is"
                " stored of it was damaged"
            ),
        )

    def _retry_of(self, handler: Handler) -> RetryPolicy:
        return handler.retry or self._assignment.retry


def _raise_not_registered(_: Event) -> None:
    raise LookupError("no handler of this name is registered in the process that claimed the event")


def _outcome_of(error: BaseException, retry: RetryPolicy) -> Outcome:
    """Return the outcome of an attempt that raised *error*."""
    match error:
        case Discard():
            return Outcome.DISCARDED
        case RetryLater():
            return Outcome.FAILED
    return Outcome.GAVE_UP if isinstance(error, retry.permanent) else Outcome.FAILED


async def _finish(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
