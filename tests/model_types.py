"""Checks a value of the unified model against the types that the model declares."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

#: What came out of a JSON decoder may hold anything that JSON has.
_JSON_TYPES = frozenset({dict, list, str, int, float, bool, type(None)})


def assert_well_typed(model):
    """Assert that each attribute of *model*, and of what lies in it, has its declared type."""
    wrong = wrong_types(model)

    assert wrong == []


def wrong_types(model):
    """Return one line per value in *model* that has not the declared type."""
    return [f"{type(model).__name__}{line}" for line in _check_of(type(model))(model)]


@cache
def _check_of(hint):
    """Return a function that takes a value that is declared as *hint*, and returns what is wrong.

    Each line begins with the path from the value on. A function is made once: to take a
    declaration apart takes far longer than to look at a value.
    """
    if hint is Any:
        return _wrong_json
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _check_of_union(get_args(hint))
    if origin is tuple:
        return _check_of_tuple(get_args(hint)[0])
    if origin is Mapping:
        return lambda value: _wrong_json(value) if isinstance(value, dict) else _no(value, hint)
    return _check_of_class(hint)


def _check_of_class(kind):
    inner = {datetime: _wrong_time}.get(kind)
    if is_dataclass(kind):
        inner = _wrong_attributes

    def check(value):
        # An int is no float, a bool no int and a str no enum, whatever their base classes say.
        if type(value) is not kind:
            return _no(value, kind)
        return inner(value) if inner is not None else ()

    return check


def _check_of_union(hints):
    checks = {}
    for hint in reversed(hints):  # the first that fits counts
        checks[get_origin(hint) or hint] = _check_of(hint)

    def check(value):
        found = checks.get(type(value))
        if value is None and type(None) in hints:
            return ()
        return _no(value, hints) if found is None else found(value)

    return check


def _check_of_tuple(hint):
    check_one = _check_of(hint)

    def check(value):
        if type(value) is not tuple:
            return _no(value, tuple)
        return [f"[{index}]{line}" for index, item in enumerate(value) for line in check_one(item)]

    return check


def _no(value, hint):
    return [f": {type(value).__name__} is no {hint}"]


def _wrong_attributes(model):
    return [
        f".{name}{line}"
        for name, check in _attributes_of(type(model))
        for line in check(getattr(model, name))
    ]


@cache
def _attributes_of(model):
    """Return the name of each attribute and what checks it; not before a message quotes itself."""
    hints = get_type_hints(model)
    return [(each.name, _check_of(hints[each.name])) for each in fields(model)]


def _wrong_time(value):
    is_right = value.tzinfo is UTC and value.microsecond % 1000 == 0
    return () if is_right else [f": {value!r} is not UTC in milliseconds"]


def _wrong_json(value):
    wrong, todo = [], [value]
    while todo:
        node = todo.pop()
        kind = type(node)
        if kind not in _JSON_TYPES:
            wrong += _no(node, "JSON")
        elif kind is dict:
            todo.extend(node.values())
            wrong += [f": key {key!r}" for key in node if type(key) is not str]
        elif kind is list:
            todo.extend(node)
    return wrong
