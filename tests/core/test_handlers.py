import functools
import operator
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Optional

import pytest

from hookkit import HookKit
from hookkit.core.errors import ConfigurationError
from hookkit.core.event import Event, EventType, MessageEvent, OtherEvent, PostbackEvent
from hookkit.core.handlers import (
    MAX_NAME_CHARS,
    Condition,
    Handler,
    HandlerRegistry,
    check_annotation,
    check_condition,
    takes_run,
)
from hookkit.core.parts import Author, AuthorType, Control, Conversation, Message, Source
from hookkit.core.triggers import explain
from hookkit.providers import load_providers

EVENT = OtherEvent(
    id="1",
    type=EventType.OTHER,
    provider="sunshine",
    endpoint="support",
    version="v2",
    vendor_type="passthrough:messaging",
    received_at=datetime(2024, 3, 1, tzinfo=UTC),
    actor=Author(type=AuthorType.BUSINESS),
)


def handler(name="greet", *words, **changes):
    triggers = tuple(explain(word, {}) for word in words)
    return Handler(name=name, function=print, triggers=triggers, **changes)


# Who wants an event


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        pytest.param({}, True, id="none"),
        pytest.param({"author": "business"}, True, id="author"),
        pytest.param({"author": AuthorType.BUSINESS}, True, id="author as a member"),
        pytest.param({"author": "user"}, False, id="another author"),
        pytest.param({"provider": "sunshine"}, True, id="provider"),
        pytest.param({"provider": "livechat"}, False, id="another provider"),
        pytest.param({"endpoint": "support"}, True, id="endpoint"),
        pytest.param({"endpoint": "sales"}, False, id="another endpoint"),
        pytest.param({"version": "v2"}, True, id="version"),
        pytest.param({"version": "v1.1"}, False, id="another version"),
        pytest.param({"when": lambda event: 1 / 0}, True, id="when is not asked here"),
        pytest.param({"version": "v2", "endpoint": "sales"}, False, id="one of two"),
    ],
)
def test_condition_holds_when_every_part_does(condition, holds):
    assert Condition(**condition).holds(EVENT) is holds


def test_event_without_an_actor_has_no_author():
    event = OtherEvent(
        **{
            name: getattr(EVENT, name)
            for name in (
                "id",
                "type",
                "provider",
                "endpoint",
                "version",
                "vendor_type",
                "received_at",
            )
        }
    )

    assert not Condition(author="user").holds(event)
    assert not Condition(author="unknown").holds(event)


@pytest.mark.parametrize(
    ("words", "wants"),
    [
        pytest.param(["other"], True, id="its type"),
        pytest.param(["test"], False, id="another type"),
        pytest.param(["test", "other"], True, id="any of several"),
        pytest.param(["*"], True, id="everything"),
        pytest.param([], False, id="a fallback wants nothing by itself"),
    ],
)
def test_handler_wants_what_one_of_its_triggers_fits(words, wants):
    assert handler("greet", *words).may_want(EVENT) is wants


def test_handler_does_not_want_what_its_condition_refuses():
    assert not handler("greet", "*", condition=Condition(author="user")).may_want(EVENT)


def generator(event):
    yield event


async def asynchronous_generator(event):
    yield event


@pytest.mark.parametrize("function", [generator, asynchronous_generator])
def test_function_that_would_not_run_when_it_is_called_is_refused(function):
    with pytest.raises(ConfigurationError, match="has a yield in it"):
        takes_run(function)


# The registry


def test_handlers_are_kept_in_the_order_they_were_registered():
    registry = HandlerRegistry()
    for name in ("b", "a", "c"):
        registry.add(handler(name, "*"))
    registry.add(handler("rest"))

    assert list(registry.handlers) == ["b", "a", "c"]
    assert [each.name for each in registry.fallbacks] == ["rest"]


@pytest.mark.parametrize("first", [["*"], []], ids=["handler", "fallback"])
@pytest.mark.parametrize("second", [["*"], []], ids=["handler", "fallback"])
def test_two_handlers_cannot_share_a_name(first, second):
    registry = HandlerRegistry()
    registry.add(handler("greet", *first))

    with pytest.raises(ConfigurationError, match="two handlers are named 'greet'"):
        registry.add(handler("greet", *second))


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_CHARS + 1)], ids=["empty", "too long"])
def test_name_that_cannot_be_stored_is_refused(name):
    with pytest.raises(ConfigurationError, match="must have 1 to 255 characters"):
        HandlerRegistry().add(handler(name, "*"))


def test_longest_name_is_stored():
    registry = HandlerRegistry()

    registry.add(handler("x" * MAX_NAME_CHARS, "*"))

    assert len(registry.handlers) == 1


def test_names_are_those_of_handlers_and_fallbacks():
    registry = HandlerRegistry()
    registry.add(handler("rest"))
    registry.add(handler("greet", "*"))

    assert registry.names == ("greet", "rest")


def test_handlers_of_a_type_are_those_that_may_want_it():
    registry = HandlerRegistry()
    for name, word in [("b", "other"), ("a", "*"), ("c", "user:*"), ("d", "client:*")]:
        registry.add(handler(name, word))
    registry.add(handler("e", "client:add", "other"))
    registry.add(handler("rest"))

    assert [each.name for each in registry.of_type(EventType.OTHER)] == ["b", "a", "e"]
    assert [each.name for each in registry.of_type(EventType.CLIENT_ADD)] == ["a", "d", "e"]


def test_handler_that_is_registered_later_is_of_its_type_too():
    registry = HandlerRegistry()
    registry.add(handler("a", "*"))
    before = registry.of_type(EventType.OTHER)
    registry.add(handler("b", "*"))

    assert [each.name for each in before] == ["a"]
    assert [each.name for each in registry.of_type(EventType.OTHER)] == ["a", "b"]


@pytest.mark.parametrize(
    ("ordered", "expected"),
    [([], False), ([False, False], False), ([False, True], True)],
    ids=["no handler", "none", "one of two"],
)
def test_one_ordered_handler_puts_all_in_order(ordered, expected):
    registry = HandlerRegistry()
    for number, each in enumerate(ordered):
        registry.add(handler(f"h-{number}", "*", ordered=each))

    assert registry.any_ordered is expected


# How a function is called


class Methods:
    def with_event(self, event):
        pass

    def with_run(self, event, run):
        pass

    @classmethod
    def of_class(cls, event, run):
        pass

    @staticmethod
    def static(event, run):
        pass


class Callable:
    def __call__(self, event, run):
        pass


class Opaque:
    """Says as little about its parameters as some callables written in C."""

    __signature__ = "nonsense"

    def __call__(self, event):
        pass


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


async def coroutine_with_run(event, run):
    pass


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(lambda event: None, False, id="event"),
        pytest.param(lambda event, run: None, True, id="event and run"),
        pytest.param(lambda event, run, /: None, True, id="positional only"),
        pytest.param(lambda event, retries=3: None, False, id="a default for something else"),
        pytest.param(lambda event, run, retries=3: None, True, id="run and a default"),
        pytest.param(lambda event=None: None, False, id="event with a default"),
        pytest.param(lambda *args: None, False, id="any arguments"),
        pytest.param(lambda event, *rest: None, False, id="event and any others"),
        pytest.param(lambda event, **options: None, False, id="event and any keywords"),
        pytest.param(lambda event, *, retries=3: None, False, id="keyword with a default"),
        pytest.param(Methods().with_event, False, id="method"),
        pytest.param(Methods().with_run, True, id="method with run"),
        pytest.param(Methods.of_class, True, id="class method"),
        pytest.param(Methods.static, True, id="static method"),
        pytest.param(Callable(), True, id="callable"),
        pytest.param(coroutine_with_run, True, id="coroutine function"),
        pytest.param(decorated(lambda event, run: None), True, id="decorated"),
        pytest.param(functools.partial(lambda a, event, run: None, 1), True, id="partial"),
        pytest.param(functools.partial(lambda event, run: None, run=1), False, id="partial of run"),
        pytest.param(functools.partial(lambda a, event: None, 1), False, id="partial of one more"),
        pytest.param(Opaque(), False, id="a callable that does not tell"),
        pytest.param(operator.itemgetter(0), False, id="a callable written in C"),
        pytest.param([].append, False, id="a method written in C"),
        pytest.param(print, False, id="a function written in C"),
    ],
)
def test_second_parameter_is_for_the_run(function, expected):
    assert takes_run(function) is expected


@pytest.mark.parametrize(
    ("function", "name"),
    [
        pytest.param(lambda: None, "<lambda>", id="no parameter"),
        pytest.param(lambda event, run, third: None, "<lambda>", id="three"),
        pytest.param(lambda *, event: None, "<lambda>", id="keyword only"),
        pytest.param(lambda event, *, needed: None, "<lambda>", id="a needed keyword"),
        pytest.param(functools.partial(lambda a: None, 1), "functools.partial", id="used up"),
    ],
)
def test_function_that_cannot_take_an_event_is_refused(function, name):
    with pytest.raises(ConfigurationError, match=f"handler .*{name}.* must take the event"):
        takes_run(function)


@pytest.mark.parametrize(
    ("condition", "mistake"),
    [
        (("somebody", None, None), "on(author='somebody'): not known"),
        ((None, "moonshine", None), "on(provider='moonshine'): not known"),
        ((None, "sunshine", "3.6"), "on(version='3.6'): not known"),
    ],
)
def test_condition_that_no_event_can_fulfil_is_a_mistake(condition, mistake):
    with pytest.raises(ConfigurationError, match=re.escape(mistake)):
        check_condition(*condition, load_providers())


def test_condition_that_an_event_can_fulfil_is_none():
    check_condition("user", "livechat", "3.6", load_providers())


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        (Source(type="whatsapp"), True),
        (Source(type="line"), False),
        (Source(), False),
        (None, False),
    ],
)
def test_channel_is_that_of_the_event_or_of_its_message(source, holds):
    own = {"type": EventType.MESSAGE, "vendor_type": "message", "conversation": Conversation()}
    said = MessageEvent(
        id="1",
        provider="sunshine",
        endpoint="support",
        version="v2",
        received_at=EVENT.received_at,
        message=Message(source=source),
        **own,
    )

    assert Condition(channel="whatsapp").holds(replace(EVENT, source=source)) is holds
    assert Condition(channel="whatsapp").holds(said) is holds


@pytest.mark.parametrize(
    ("conversation", "holds"),
    [
        (Conversation(active_control=Control(name="bot")), True),
        (Conversation(active_control=Control(name="agents")), False),
        (Conversation(pending_control=Control(name="bot")), False),
        (Conversation(active_control=Control(id="bot")), False),
        (Conversation(), False),
        (None, False),
    ],
)
def test_control_is_had_by_the_active_integration_of_that_name(conversation, holds):
    event = replace(EVENT, conversation=conversation)

    assert Condition(control="bot").holds(event) is holds


# What a handler is annotated with


def takes_messages(event: MessageEvent, run):
    pass


def takes_two(event: MessageEvent | PostbackEvent):
    pass


def takes_perhaps(event: Optional[MessageEvent]):  # noqa: UP045  # as older code has it
    pass


def takes_all(event: Event):
    pass


def takes_strangers(event: "Stranger"):  # noqa: F821
    pass


def takes_text(event: str):
    pass


class Takes:
    def __call__(self, event: MessageEvent):
        pass


VOCABULARY = {name: each.triggers for name, each in load_providers().items()}


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (takes_messages, "conversation:postback"),
        (takes_messages, "client:*"),
        (takes_messages, "client:block"),  # a vendor's own word
        (takes_two, "conversation:read"),
        (Takes(), "user:merge"),
        (functools.partial(takes_messages, run=None), "conversation:postback"),
    ],
)
def test_handler_of_a_class_that_its_trigger_never_hands_over_is_refused(function, word):
    triggers = [explain("conversation:message", VOCABULARY), explain(word, VOCABULARY)]

    with pytest.raises(ConfigurationError) as raised:
        check_annotation(function, triggers)

    assert (
        f"takes a MessageEvent {'or PostbackEvent' if function is takes_two else ''}".strip()
        in (str(raised.value))
    )
    assert f"on({word!r}) hands over a" in str(raised.value)


@pytest.mark.parametrize(
    "function",
    [
        *(takes_messages, takes_two, takes_perhaps, takes_all, takes_strangers, takes_text),
        *(Takes(), print, lambda event: None, [].append),
    ],
)
@pytest.mark.parametrize(
    "word", ["conversation:message", "message:appUser", "conversation:*", "*", "sunshine/anything"]
)
def test_handler_that_takes_one_class_of_its_triggers_is_registered(function, word):
    check_annotation(function, [explain(word, VOCABULARY)])


def test_annotation_is_looked_at_when_a_handler_is_registered():
    hooks = HookKit()

    with pytest.raises(ConfigurationError, match="hands over a PostbackEvent"):
        hooks.on("conversation:postback")(takes_messages)
    with pytest.raises(ConfigurationError, match="hands over a DeliveryEvent"):
        hooks.on("conversation:message:delivery:*")(takes_messages)
