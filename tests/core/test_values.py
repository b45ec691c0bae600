"""What passes between the steps cannot be changed, and is built by name."""

import dataclasses
import importlib
import pkgutil

import hookkit.core
from hookkit.core.event import _FROM_ITEM, EVENT_CLASSES, EventParts
from tests.folding import in_one

MODULES = [
    importlib.import_module(f"hookkit.core.{module.name}")
    for module in pkgutil.iter_modules(hookkit.core.__path__)
]
VALUES = [
    each
    for module in MODULES
    for each in vars(module).values()
    if isinstance(each, type)
    and dataclasses.is_dataclass(each)
    and each.__module__ == module.__name__
]


@in_one("value", VALUES, ids=lambda each: each.__qualname__)
def test_value_is_frozen_slotted_and_built_by_name(value):
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)
    assert all(field.kw_only for field in dataclasses.fields(value))


@in_one("value", VALUES, ids=lambda each: each.__qualname__)
def test_no_value_shares_what_can_be_changed(value):
    defaults = [field.default for field in dataclasses.fields(value)]

    assert not any(isinstance(default, list | dict | set) for default in defaults)


def test_parts_of_an_event_are_the_attributes_that_no_item_gives():
    attributes = {
        field.name for kind in EVENT_CLASSES.values() for field in dataclasses.fields(kind)
    }

    assert set(EventParts.__annotations__) == attributes - _FROM_ITEM
