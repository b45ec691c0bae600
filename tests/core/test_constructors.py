"""A quick constructor does what that of ``dataclasses`` does, and nothing else."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from hookkit.core import content, parts
from hookkit.core.attempts import Attempt
from hookkit.core.constructors import quickly_made, unlocked
from hookkit.core.delivery import Item, Payload
from hookkit.core.entry import Entry, Settlement
from hookkit.core.event import EVENT_CLASSES, Event, EventType
from hookkit.core.handlers import Plan, Turn
from hookkit.core.parts import Author, User
from tests.folding import in_one

MODELS = [
    *dict.fromkeys([Event, *EVENT_CLASSES.values()]),
    *(
        each
        for module in (parts, content)
        for each in vars(module).values()
        if dataclasses.is_dataclass(each) and each.__module__ == module.__name__
    ),
    *(Attempt, Entry, Item, Payload, Plan, Settlement, Turn),
]
every_model = in_one("model", MODELS, ids=lambda each: each.__name__)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    one: int
    other: int = 2
    rest: dict = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Triple(Pair):
    third: int


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


class Loose(Pair):
    """A subclass with a ``__dict__``, as a user may write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own(Pair):
    """A dataclass of a user, with a constructor of its own."""

    more: str = "m"


def slowly(model, **given):
    """Return what the constructor of ``dataclasses`` makes."""
    made = object.__new__(model)
    model.__init__.__globals__["slow"](made, **given)
    return made


def pickled(made):
    return pickle.loads(pickle.dumps(made))  # noqa: S301  # nobody else has made it


def required(model):
    return {
        each.name: f"the {each.name}"
        for each in dataclasses.fields(model)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    }


def everything(model):
    given = {each.name: f"the {each.name}" for each in dataclasses.fields(model)}
    # The repr of an event asks for its value.
    return given | {"type": EventType.OTHER} if issubclass(model, Event) else given


def values_of(made):
    return {each.name: getattr(made, each.name) for each in dataclasses.fields(made)}


@every_model
@pytest.mark.parametrize("given", [required, everything], ids=lambda each: each.__name__)
def test_model_is_made_as_dataclasses_makes_it(model, given):
    made, expected = model(**given(model)), slowly(model, **given(model))

    assert type(made) is model
    assert values_of(made) == values_of(expected)
    assert made == expected


@every_model
def test_model_has_the_parameters_that_dataclasses_gave_it(model):
    slow = model.__init__.__globals__["slow"]

    assert inspect.signature(model.__init__) == inspect.signature(slow)
    assert model.__init__.__qualname__ == slow.__qualname__


@every_model
def test_model_cannot_be_changed(model):
    made = model(**everything(model))

    for each in dataclasses.fields(model):
        with pytest.raises(FrozenInstanceError):
            setattr(made, each.name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(made, each.name)
    with pytest.raises((AttributeError, TypeError)):
        made.new = 1
    assert not hasattr(made, "__dict__")


@every_model
@pytest.mark.parametrize(
    "remade",
    [replace, copy.copy, copy.deepcopy, pickled],
    ids=lambda each: each.__name__,
)
def test_model_can_be_made_again(model, remade):
    made = model(**everything(model))
    again = remade(made)

    assert type(again) is model
    assert again == made
    assert repr(again) == repr(made)


def test_model_has_the_repr_and_the_hash_of_dataclasses():
    assert repr(Author(user_id="u")) == repr(slowly(Author, user_id="u"))
    assert hash(Author(user_id="u")) == hash(slowly(Author, user_id="u"))


def test_replaced_attribute_leaves_the_others():
    assert replace(Pair(one=1, rest={"a": 1}), other=3) == Pair(one=1, other=3, rest={"a": 1})


def test_default_that_can_be_changed_is_made_anew():
    one, other = User(), User()

    assert one.metadata == {}
    assert one.metadata is not other.metadata


def test_none_is_kept_where_it_is_given():
    assert Pair(one=1, other=None, rest=None).rest is None


@pytest.mark.parametrize(
    ("positional", "named", "message"),
    [
        ((), {}, "missing 1 required keyword-only argument: 'one'"),
        ((), {"one": 1, "fourth": 4}, "unexpected keyword argument 'fourth'"),
        ((1,), {}, "takes 1 positional argument but 2 were given"),
    ],
)
def test_wrong_arguments_are_refused(positional, named, message):
    with pytest.raises(TypeError, match=message):
        Pair(*positional, **named)


def test_inherited_attributes_are_set():
    made = Triple(one=1, third=3)

    assert (made.one, made.other, made.rest, made.third) == (1, 2, {}, 3)
    assert made != Pair(one=1)


def test_model_without_attributes_is_made():
    assert Nothing() == Nothing()


@pytest.mark.parametrize("model", [Loose, Own])
def test_subclass_of_a_user_is_made(model):
    made = model(one=1)

    assert type(made) is model
    assert (made.one, made.other, made.rest) == (1, 2, {})
    with pytest.raises(FrozenInstanceError):
        made.one = 2
    assert pickled(made) == made


def test_model_that_checks_itself_is_refused():
    with pytest.raises(TypeError, match="has a __post_init__"):

        @quickly_made
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Checked:
            def __post_init__(self):
                raise AssertionError


def test_only_quick_models_have_an_unlocked_class():
    assert unlocked(Pair) is not None
    assert [unlocked(Own), unlocked(Loose), unlocked(dict), unlocked(print)] == [None] * 4
