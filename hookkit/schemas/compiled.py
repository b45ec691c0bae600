"""Writes straight-line code that reads a faultless object as its shape does, much faster.

The shape stays the only declaration. From it, at its first use, a function is written that looks
for each declared key, checks the value in place, and builds the model. Of Sunshine v2's
participants this is::

    def build(data):
        built = new(Unlocked)
        built.user_id = (
            ((value if value.isascii() else readable_2(value))
                if type(value) is str else read_1(value, 'userId', data))
            if 'userId' in data and (value := data['userId']) is not None else None)
        built.last_read = (
            (from_iso_5(value) if type(value) is str else read_4(value, 'lastRead', data))
            if 'lastRead' in data and (value := data['lastRead']) is not None else None)
        ...
        built.__class__ = Locked
        return built

``read_1`` is the ``deserialize`` of the field, which takes whatever the check in place did not
expect. A field is always read by it if its class has no check in place, or if it has validators.
Models that are functions, and classes that ``constructors`` has not seen, are called instead::

    def build(data):
        given = {}
        if 'user' in data and (value := data['user']) is not None:
            given['user'] = build_3(value) if type(value) is dict else read_4(value, 'user', data)
        ...
        return model(**given)

``build_3`` is the function of another shape, which is written when it is called first.

A value that is at fault raises. Then nothing of this counts, and the shape reads the whole object
again, field by field: it alone says what is at fault, and what is read beside it.

Only names that a shape declares stand in the code, by their ``repr``; a payload never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from dataclasses import fields as attributes_of
from typing import Any, NamedTuple, TypeAlias

from marshmallow import fields

from hookkit.core import constructors
from hookkit.core.codegen import define

#: Takes an object; returns what is built of it, or raises at any fault.
BuildFaultless: TypeAlias = Callable[[Mapping[str, Any]], Any]


class Reading(NamedTuple):
    """How the code reads one attribute.

    Attributes:
        test: The code of a test whether it is there.
        expression: The code of its value, if it is.
    """

    test: str
    expression: str


class Code:
    """The code of one function, and the objects that it names."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}

    def name(self, prefix: str, named: object) -> str:
        """Return the name by which the code reaches the object *named*."""
        name = f"{prefix}_{len(self.namespace)}"
        self.namespace[name] = named
        return name

    def read(self, field: fields.Field[Any], value: str, key: str) -> str:
        """Return the code of an expression that reads a value that is not None.

        The class of the field writes it, by a method ``inline`` that takes the same arguments. A
        subclass does not inherit that: it may read in another way.

        Args:
            field: Reads the value.
            value: The code of the value.
            key: The code of its key.
        """
        inline: Callable[..., str] | None = vars(type(field)).get("inline")
        if inline is None or _does_more(field):
            return self.deserialize(field, value, key)
        return inline(field, self, value, key)

    def deserialize(self, field: fields.Field[Any], value: str, key: str) -> str:
        """Return the code of a call of the field's own ``deserialize``."""
        return f"{self.name('read', field.deserialize)}({value}, {key}, data)"

    def function(self, field: fields.Field[Any]) -> Callable[[Any, str, Any], Any]:
        """Return a function that does what ``field.deserialize`` does."""
        body = [f"return {self.read(field, 'value', 'key')}"]
        return define(
            "read", "value, key, data", body, self.namespace, made_of=type(field).__name__
        )

    def build(self, find: Callable[[], BuildFaultless]) -> str:
        """Return the name of another shape's function, which *find* returns at its first use."""

        def first(data: Mapping[str, Any]) -> Any:
            self.namespace[name] = find()
            return self.namespace[name](data)

        name = self.name("build", first)
        return name


def _does_more(field: fields.Field[Any]) -> bool:
    """Tell whether ``deserialize`` does more than the class of *field* says."""
    # marshmallow 4.2 gave fields functions that run before and after them.
    more = (field.validators, getattr(field, "pre_load", ()), getattr(field, "post_load", ()))
    return any(more)


def compile_builder(
    model: Callable[..., Any],
    name: str,
    keys: Mapping[str, tuple[str, fields.Field[Any]]],
    beside: Iterable[tuple[str, fields.Field[Any]]],
) -> BuildFaultless:
    """Return the function that builds *model* of a faultless object of a shape.

    Args:
        model: Takes the attributes that are there, by their names.
        name: Of the shape, for tracebacks.
        keys: Key in the payload -> attribute in the model and the field that reads it.
        beside: Attributes that are read from the object itself, and their fields.
    """
    code = Code()
    readings = {
        attribute: Reading(
            f"{key!r} in data and (value := data[{key!r}]) is not None",
            code.read(field, "value", repr(key)),
        )
        for key, (attribute, field) in keys.items()
    }
    for attribute, field in beside:
        readings[attribute] = Reading("True", code.read(field, "data", repr(attribute)))
    body = _filling(code, model, readings) or _calling(code, model, readings)
    return define("build", "data", body, code.namespace, made_of=name)


def _filling(code: Code, model: Any, readings: Mapping[str, Reading]) -> list[str] | None:
    """Return lines that fill an object of the class *model*; None if that cannot be done."""
    unlocked = constructors.unlocked(model)
    if unlocked is None:
        return None
    attributes = {each.name: each for each in attributes_of(model)}
    if not readings.keys() <= attributes.keys():
        return None
    code.namespace |= {"new": object.__new__, "Unlocked": unlocked, "Locked": model}
    lines = ["built = new(Unlocked)"]
    for name, attribute in attributes.items():
        if attribute.default_factory is not MISSING:
            value = f"{code.name('make', attribute.default_factory)}()"
        elif attribute.default is not MISSING:
            value = code.name("default", attribute.default)
        else:
            return None
        if name in readings:
            value = f"({readings[name].expression}) if {readings[name].test} else {value}"
        lines.append(f"built.{name} = {value}")
    return [*lines, "built.__class__ = Locked", "return built"]


def _calling(code: Code, model: Any, readings: Mapping[str, Reading]) -> list[str]:
    """Return lines that call *model* with the attributes that are there."""
    lines = ["given = {}"]
    for name, reading in readings.items():
        lines += [f"if {reading.test}:", f"    given[{name!r}] = {reading.expression}"]
    built = "given" if model is dict else f"{code.name('model', model)}(**given)"
    return [*lines, f"return {built}"]
