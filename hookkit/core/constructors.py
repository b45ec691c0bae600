"""Constructors of frozen dataclasses, in less than half the time of those of ``dataclasses``.

A frozen class refuses assignments, so its constructor goes around that for each attribute, by a
call of ``object.__setattr__``. Here the new object is unlocked, filled by plain assignments, and
locked, before anybody else sees it. Of ``Author`` this is written::

    def __init__(self, *, type, inferred, user_id, ...):
        if self.__class__ is not Locked:
            return slow(self, type=type, inferred=inferred, user_id=user_id, ...)
        set_class(self, Unlocked)
        self.type = type
        self.inferred = inferred
        ...
        self.__class__ = Locked

``Locked`` is the class itself, and ``Unlocked`` one with the same slots that takes assignments:
https://docs.python.org/3/reference/datamodel.html#object.__slots__. ``slow`` is the constructor
that ``dataclasses`` wrote; a subclass without slots of its own needs it. Parameters, defaults,
annotations and everything else of the class stay those of ``dataclasses``.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

from hookkit.core.codegen import define

Model = TypeVar("Model", bound=type[Any])

_set_class = object.__dict__["__class__"].__set__

#: class -> the one with the same slots that takes assignments
_UNLOCKED: dict[object, type[Any]] = {}


def unlocked(model: object) -> type[Any] | None:
    """Return the class that takes assignments in the place of *model*; None if it has none.

    Whoever made an object of it sets every attribute, and then the ``__class__`` to *model*.
    """
    return _UNLOCKED.get(model) if isinstance(model, type) else None


def quickly_made(model: Model) -> Model:
    """Give *model*, a dataclass with ``frozen``, ``slots`` and ``kw_only``, a quick constructor.

    Raises:
        TypeError: The class has a ``__post_init__``, which would not run.
    """
    if hasattr(model, "__post_init__"):
        raise TypeError(f"{model.__name__} has a __post_init__")
    slow = model.__init__
    names = [each.name for each in fields(model)]
    made = {each.name for each in fields(model) if each.default_factory is not MISSING}
    body = [
        "if self.__class__ is not Locked:",
        f"    return slow(self, {', '.join(f'{name}={name}' for name in names)})",
        *(f"if {name} is absent_{name}: {name} = make_{name}()" for name in sorted(made)),
        "set_class(self, Unlocked)",
        *(f"self.{name} = {name}" for name in names),
        "self.__class__ = Locked",
    ]
    namespace: dict[str, Any] = {
        "slow": slow,
        "set_class": _set_class,
        "Locked": model,
        "Unlocked": _unlocked_of(model),
        # In the place of a default that is made anew ``dataclasses`` has a mark.
        **{f"absent_{name}": slow.__kwdefaults__[name] for name in made},
        **{f"make_{each.name}": each.default_factory for each in fields(model)},
    }
    parameters = ", ".join(["self", *(["*"] if names else []), *names])
    quick = define("__init__", parameters, body, namespace, made_of=model.__name__)
    for kept in ("__annotations__", "__kwdefaults__", "__module__", "__qualname__"):
        setattr(quick, kept, getattr(slow, kept))
    model.__init__ = quick
    _UNLOCKED[model] = namespace["Unlocked"]
    return model


def _unlocked_of(model: type[Any]) -> type[Any]:
    members = {name: getattr(object, name) for name in ("__setattr__", "__delattr__")}
    members["__slots__"] = model.__dict__["__slots__"]
    return type(f"Unlocked{model.__name__}", model.__bases__, members)
