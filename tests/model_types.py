"""Checks a value of the unified model against the types that the model declares."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

#: What came out of a JSON decoder may hold anything that JSON has.
_JSON_TYPES = (dict, list, str, int, float, bool, type(None))


def assert_well_typed(model):
    """Assert that each attribute of *model*, and of what lies in it, has its declared type."""
    wrong = list(_wrong(model, type(model), type(model).__name__))

    assert wrong == []


def wrong_types(model):
    """Return one line per value in *model* that has not the declared type."""
    return list(_wrong(model, type(model), type(model).__name__))


def _wrong(value, hint, where):
    """Yield what is wrong with *value*, which is declared as *hint*."""
    if hint is Any:
        return _wrong_json(value, where)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _wrong_union(value, get_args(hint), where)
    if origin is tuple:
        return _wrong_tuple(value, get_args(hint)[0], where)
    if origin is Mapping:
        return _wrong_json(value, where) if isinstance(value, dict) else _no(value, hint, where)
    # An int is no float, a bool no int and a str no enum, whatever their base classes say.
    if type(value) is not hint:
        return _no(value, hint, where)
    if is_dataclass(hint):
        return _wrong_dataclass(value, where)
    if hint is datetime:
        return _wrong_time(value, where)
    return ()


def _no(value, hint, where):
    yield f"{where}: {type(value).__name__} is no {hint}"


def _wrong_union(value, hints, where):
    fitting = [hint for hint in hints if type(value) is (get_origin(hint) or hint)]
    if value is None and type(None) in hints:
        return ()
    return _wrong(value, fitting[0], where) if fitting else _no(value, hints, where)


def _wrong_tuple(value, hint, where):
    if type(value) is not tuple:
        yield from _no(value, tuple, where)
        return
    for index, item in enumerate(value):
        yield from _wrong(item, hint, f"{where}[{index}]")


def _wrong_dataclass(value, where):
    for name, hint in _hints(type(value)).items():
        yield from _wrong(getattr(value, name), hint, f"{where}.{name}")


def _wrong_time(value, where):
    if value.tzinfo is not UTC or value.microsecond % 1000:
        yield f"{where}: {value!r} is not UTC in milliseconds"


def _wrong_json(value, where):
    todo = [value]
    while todo:
        node = todo.pop()
        if type(node) not in _JSON_TYPES:
            yield from _no(node, "JSON", where)
        elif isinstance(node, dict):
            todo.extend(node.values())
            yield from (f"{where}: key {key!r}" for key in node if type(key) is not str)
        elif isinstance(node, list):
            todo.extend(node)


@cache
def _hints(model):
    hints = get_type_hints(model)
    return {each.name: hints[each.name] for each in fields(model)}
