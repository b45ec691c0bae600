"""The handlers of a project: which of them want an event, and which run it now."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from hookkit.core.attempts import UNTRIED, RetryPolicy
from hookkit.core.constructors import quickly_made
from hookkit.core.entry import Entry
from hookkit.core.errors import ConfigurationError
from hookkit.core.event import Event, EventType
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.core.triggers import Trigger

#: Takes the event, and the run when it has a second parameter; what it returns is not looked at.
HandlerFunction: TypeAlias = Callable[..., object]

#: Whose events a handler may ask for; a type checker finds a word that is none of them.
AuthorWord: TypeAlias = Literal["user", "business", "bot", "system", "unknown"]

#: The longest handler name that the inbox can store.
MAX_NAME_CHARS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an event must fulfil beside its trigger; None in an attribute accepts any."""

    author: str | None = None
    channel: str | None = None
    control: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    version: str | None = None
    when: Callable[[Any], bool] | None = None

    def holds(self, event: Event) -> bool:
        """Tell whether *event* fulfils every part but ``when``, which is the user's code."""
        actor_type = event.actor.type if event.actor is not None else None
        return (
            self.author in (None, actor_type)
            and (self.channel is None or self.channel == _channel_of(event))
            and (self.control is None or self.control == _control_of(event))
            and self.provider in (None, event.provider)
            and self.endpoint in (None, event.endpoint)
            and self.version in (None, event.version)
        )


def _channel_of(event: Event) -> str | None:
    """Return the type of the channel that *event* came through; that of a message is its own."""
    message = getattr(event, "message", None)
    sources = (event.source, message.source if message is not None else None)
    return next((each.type for each in sources if each is not None and each.type), None)


def _control_of(event: Event) -> str | None:
    """Return the name of the integration that has control over the conversation of *event*."""
    control = event.conversation.active_control if event.conversation is not None else None
    return control.name if control is not None else None


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


def check_options(
    when: object, retry: object, texts: Mapping[str, object], switches: Mapping[str, object]
) -> None:
    """Raise ``ConfigurationError`` for options that no event fits, or that fail at each event.

    Args:
        texts: By their names the options that must be a text or None.
        switches: By their names the options that must be True or False.
    """
    mistakes = [
        f"on({name}={given!r}): must be a text"
        for name, given in texts.items()
        if not isinstance(given, str | None)
    ]
    mistakes += [
        f"on({name}={given!r}): must be True or False"
        for name, given in switches.items()
        if not isinstance(given, bool)
    ]
    if not isinstance(retry, RetryPolicy | None):
        mistakes.append(
            f"on(retry={retry!r}): must be a RetryPolicy, such as retry=RetryPolicy(max_attempts=3)"
        )
    if when is not None:
        mistakes += _mistakes_of_when(when)
    if mistakes:
        raise ConfigurationError(*mistakes)


def _mistakes_of_when(when: object) -> Iterator[str]:
    if not callable(when):
        yield (
            f"on(when={when!r}): must be a function of the event, such as"
            ' when=lambda event: event.message.text == "Hi"'
        )
        return
    if inspect.iscoroutinefunction(when):
        yield "on(when=...): must not be a coroutine function"
    if _is_generator(when):
        yield "on(when=...): has a yield in it, so that what it returns is always true"
    signature = _signature_of(when)
    if signature is not None and not _can_take(signature, 1):
        yield "on(when=...): must take one argument, the event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A registered function.

    Attributes:
        name: Stored with every attempt, so it must stay the same when code is moved.
        function: Called with the event, and with the run if ``takes_run``.
        triggers: The handler wants events of any of them; a fallback has none.
        retry: None means the application's own policy.
        transactional: Whether its effects in the inbox's database and the record of its
            success are one commit.
        ordered: Whether it gets the events of one lane one at a time, in order of arrival.
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


def takes_run(function: HandlerFunction) -> bool:
    """Tell whether *function* has a second positional parameter, which is for the run.

    Raises:
        ConfigurationError: It cannot be called with one event, or its body would not run then.
    """
    if _is_generator(function):
        raise ConfigurationError(
            f"handler {getattr(function, '__qualname__', function)!r} has a yield in it, so that"
            " calling it runs nothing"
        )
    signature = _signature_of(function)
    if signature is None:
        return False
    if _can_take(signature, 2):
        positional = [
            each
            for each in signature.parameters.values()
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
        # ``def handle(event, retries=3)`` has a default of its own for something else.
        return len(positional) >= 2 and positional[1].default is inspect.Parameter.empty
    if _can_take(signature, 1):
        return False
    first = next(iter(signature.parameters), "")
    is_method = first in ("self", "cls") and "." in getattr(function, "__qualname__", "")
    hint = "; register a method of an object: hooks.on(...)(thing.handle)" if is_method else ""
    raise ConfigurationError(
        f"handler {getattr(function, '__qualname__', function)!r} must take the event,"
        f" and may take the run as a second argument{hint}"
    )


def check_annotation(function: HandlerFunction, triggers: Iterable[Trigger]) -> None:
    """Raise ``ConfigurationError`` if *function* is annotated with events that it would never get.

    Nothing is said of a handler without an annotation, of one that cannot be evaluated yet, and of
    a trigger that may hand over any class.
    """
    taken = _annotated_classes(function)
    for trigger in triggers if taken else ():
        given = trigger.event_classes
        if given and not any(issubclass(each, taken) for each in given):
            raise ConfigurationError(
                f"handler {getattr(function, '__qualname__', function)!r} takes a"
                f" {' or '.join(each.__name__ for each in taken)}, and on({trigger.word!r}) hands"
                f" over a {' or '.join(sorted(each.__name__ for each in given))}"
            )


def _annotated_classes(function: HandlerFunction) -> tuple[type[Event], ...]:
    """Return the classes of events that *function* says it takes; none if it takes others too."""
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except Exception:  # noqa: BLE001  # an annotation may be any expression
        return ()
    annotation = next((each.annotation for each in parameters), None)
    is_union = get_origin(annotation) in (Union, UnionType)
    classes = get_args(annotation) if is_union else (annotation,)
    found = [each for each in classes if isinstance(each, type) and issubclass(each, Event)]
    return tuple(found) if len(found) == len(classes) else ()


def _is_generator(function: Callable[..., object]) -> bool:
    """Tell whether calling *function*, or an object of a class, only makes a generator."""
    return any(
        inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, getattr(function, "__call__", None))  # noqa: B004  # of an object
    )


def _signature_of(function: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some callables written in C have none
        return None


def _can_take(signature: inspect.Signature, argument_count: int) -> bool:
    try:
        signature.bind(*[None] * argument_count)
    except TypeError:
        return False
    return True


class HandlerRegistry:
    """Handlers by name, in the order they were registered.

    Attributes:
        any_ordered: Whether a handler wants the events of a lane in order.
        fewest_attempts: The fewest attempts of a handler with a policy of its own; None if no
            handler has one.
    """

    def __init__(self) -> None:
        self.any_ordered: bool = False
        self.fewest_attempts: int | None = None
        self._handlers: dict[str, Handler] = {}
        self._fallbacks: dict[str, Handler] = {}
        self._by_type: dict[EventType, tuple[Handler, ...]] = {}

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
        self._by_type = {}
        self.any_ordered = self.any_ordered or bool(handler.triggers and handler.ordered)
        if handler.retry is not None:
            most = handler.retry.max_attempts
            self.fewest_attempts = min(most, self.fewest_attempts or most)

    def of_type(self, kind: EventType) -> tuple[Handler, ...]:
        """Return the handlers, fallbacks excepted, that may want events of type *kind*."""
        by_type = self._by_type  # one registered meanwhile begins a new one
        found = by_type.get(kind)
        if found is None:
            found = tuple(
                handler
                for handler in self._handlers.values()
                if any(trigger.may_fit(kind) for trigger in handler.triggers)
            )
            by_type[kind] = found
        return found

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


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A handler whose turn it is.

    Attributes:
        number: The number of the attempt; the first is 1.
        is_lost: Whether the attempt belonged to a claim that was never settled: it is recorded
            as lost, and not made.
    """

    handler: Handler
    number: int
    is_lost: bool = False


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a claim calls for.

    Attributes:
        turns: In the order of the handlers; lost attempts before the one that follows them.
        is_exhausted: Whether a handler that has not succeeded may not run any more.
        due_at: When the next handler is due that is not due now; None if there is none.
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
    """Decide which of *handlers* run now.

    Every handler has its own attempts and its own due time. A lost claim counts as an attempt
    of each handler that was due in it.

    Args:
        entry: The claimed entry.
        handlers: Each with its greatest number of attempts.
        now: Aware UTC.
        at_once: Whether handlers that are not due yet run as well.
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
