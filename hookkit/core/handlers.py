"""The handlers of a project: who wants an event."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from hookkit.core.attempts import UNTRIED, RetryPolicy
from hookkit.core.entry import Entry
from hookkit.core.errors import ConfigurationError
from hookkit.core.event import Event
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.core.triggers import Trigger

#: Takes the event, and the run when it has a second parameter.
HandlerFunction: TypeAlias = Callable[..., Awaitable[None] | None]

#: Where a name is stored it has this many characters at most.
MAX_NAME_CHARS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an event must be beside its trigger; None leaves a part open."""

    author: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    version: str | None = None
    when: Callable[[Any], bool] | None = None

    def holds(self, event: Event) -> bool:
        """Tell whether *event* fulfils every part but ``when``, which is the user's code."""
        actor_type = event.actor.type if event.actor is not None else None
        return (
            self.author in (None, actor_type)
            and self.provider in (None, event.provider)
            and self.endpoint in (None, event.endpoint)
            and self.version in (None, event.version)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A registered function.

    Attributes:
        name: Written to the inbox with every attempt, so it must outlive refactoring.
        function: Called with the event, and with the run when ``takes_run``.
        triggers: Any of them; none for a fallback.
        retry: None means the application's own policy.
        transactional: Its effects in the inbox's database and the record of its success are
            one commit.
        ordered: It sees the events of one lane one at a time, in the order they arrived.
    """

    name: str
    function: HandlerFunction
    triggers: tuple[Trigger, ...]
    condition: Condition = Condition()
    retry: RetryPolicy | None = None
    takes_run: bool = False
    transactional: bool = False
    ordered: bool = False

    def may_want(self, event: Event) -> bool:
        """Tell whether *event* should reach this handler if its ``when`` agrees."""
        return any(trigger.fits(event) for trigger in self.triggers) and self.condition.holds(event)


class HandlerRegistry:
    """Handlers by name, in the order they were registered."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._fallbacks: dict[str, Handler] = {}

    def add(self, handler: Handler) -> None:
        """Register *handler*; without triggers it is a fallback.

        Raises:
            ConfigurationError: Its name is taken, or too long to be stored.
        """
        if handler.name in self._handlers or handler.name in self._fallbacks:
            raise ConfigurationError(
                f"two handlers are named {handler.name!r}; give one of them another name="
            )
        if not 1 <= len(handler.name) <= MAX_NAME_CHARS:
            raise ConfigurationError(
                f"handler name {handler.name[:40]!r}: must have 1 to {MAX_NAME_CHARS} characters"
            )
        (self._handlers if handler.triggers else self._fallbacks)[handler.name] = handler

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """All handlers, without the fallbacks."""
        return self._handlers

    @property
    def fallbacks(self) -> tuple[Handler, ...]:
        """The handlers of events that nobody wants."""
        return tuple(self._fallbacks.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all handlers, fallbacks included."""
        return (*self._handlers, *self._fallbacks)

    @property
    def any_ordered(self) -> bool:
        """Whether a handler wants the events of a lane in order."""
        return any(handler.ordered for handler in self._handlers.values())


def takes_run(function: HandlerFunction) -> bool:
    """Tell whether *function* has a second positional parameter, which is for the run.

    Raises:
        ConfigurationError: It cannot be called with one event, or would not run when it is.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"handler {function.__qualname__!r} has a yield in it, so that calling it runs nothing"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables written in C do not tell
        return False
    for arguments in ((None, None), (None,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        positional = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        return len(arguments) == 2 and len(positional) >= 2 and _wants_second(positional[1])
    raise ConfigurationError(
        f"handler {getattr(function, '__qualname__', function)!r} must take the event,"
        " and may take the run as a second argument"
    )


def _wants_second(parameter: inspect.Parameter) -> bool:
    # ``def handle(event, retries=3)`` has a default of its own for something else.
    return parameter.default is parameter.empty


def check_condition(
    author: str | None,
    provider: str | None,
    version: str | None,
    providers: Mapping[str, Provider],
) -> None:
    """Raise ``ConfigurationError`` for a condition that no event can ever fulfil."""
    known = {
        "author": (author, [each.value for each in AuthorType]),
        "provider": (provider, sorted(providers)),
        "version": (
            version,
            sorted(
                {
                    name
                    for each in providers.values()
                    if provider in (None, each.name)
                    for name in each.versions
                }
            ),
        ),
    }
    mistakes = [
        f"on({word}={given!r}): not known; known are {', '.join(values)}"
        for word, (given, values) in known.items()
        if given is not None and given not in values
    ]
    if mistakes:
        raise ConfigurationError(*mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A handler whose turn it is.

    Attributes:
        number: Which of its attempts this will be, the first is 1.
        is_lost: The attempt belonged to a claim that was never settled: it is recorded as
            lost, and not made.
    """

    handler: Handler
    number: int
    is_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a claim calls for.

    Attributes:
        turns: In the order of the handlers; lost attempts before the one that follows them.
        is_exhausted: A handler that has not succeeded may not run any more.
        due_at: When the first handler is due that is not due now, None without one.
    """

    turns: tuple[Turn, ...]
    is_exhausted: bool
    due_at: datetime | None


def plan(
    entry: Entry,
    handlers: Iterable[tuple[Handler, int]],
    now: datetime,
    *,
    at_once: bool = False,
) -> Plan:
    """Decide which of *handlers*, each with its greatest number of attempts, run now.

    Every handler has attempts and a due time of its own: one that fails often takes none
    of another's. A claim that was lost counts for the handlers that were due in it.

    Args:
        at_once: Whether those run as well that are not due yet.
    """
    turns: list[Turn] = []
    later: list[datetime] = []
    is_exhausted = False
    for handler, max_attempts in handlers:
        tries = entry.tries.get(handler.name, UNTRIED)
        if tries.is_finished:
            continue
        is_chosen = entry.chosen is None or handler.name in entry.chosen
        if not is_chosen or tries.gave_up or tries.count >= max_attempts:
            is_exhausted = True
        elif tries.due_at is not None and tries.due_at > now and not at_once:
            later.append(tries.due_at)
        else:
            number = tries.count + entry.lost_claim_count + 1
            lost = range(tries.count + 1, min(number, max_attempts + 1))
            turns += [Turn(handler=handler, number=each, is_lost=True) for each in lost]
            if number <= max_attempts:
                turns.append(Turn(handler=handler, number=number))
            else:
                is_exhausted = True
    return Plan(turns=tuple(turns), is_exhausted=is_exhausted, due_at=min(later, default=None))
