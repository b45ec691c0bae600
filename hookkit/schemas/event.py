"""The unified event as plain JSON types and back, derived from the model's dataclasses.

Attributes that equal their default are left out, so that a dump shows what the vendor sent.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from marshmallow import EXCLUDE, Schema, ValidationError, post_dump, post_load
from marshmallow import fields as ma

from hookkit.core import content as contents
from hookkit.core.event import EVENT_CLASSES, Event, EventType


class _Model(Schema):
    """A schema of one dataclass."""

    class Meta:
        """Options of marshmallow: a dump by a newer version may have more keys."""

        unknown = EXCLUDE

    @post_dump(pass_original=True)
    def _leave_out_defaults(
        self, data: dict[str, Any], original: Any, **kwargs: Any
    ) -> dict[str, Any]:
        model: Any = type(original)
        defaults = _defaults(model)
        return {
            name: value
            for name, value in data.items()
            if name not in defaults or getattr(original, name) != defaults[name]
        }


class _Time(ma.Field[datetime]):
    """Aware UTC, with milliseconds and a ``Z``."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        text: str = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError("not a time") from error


class _Tuple(ma.List[Any]):
    """A list that loads as a tuple."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


class _ContentField(ma.Field[Any]):
    """Any content; ``kind`` names its class, which a vendor's ``type`` does not always do."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        kind: Any = type(value)
        return {"kind": kind.__name__, **_schema(kind)().dump(value)}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        name = value.get("kind") if isinstance(value, dict) else None
        kind = _CONTENT_CLASSES.get(name) if isinstance(name, str) else None
        if kind is None:
            raise ValidationError("not a content: no class has this kind")
        return _schema(kind)().load(value)


_CONTENT_CLASSES = {kind.__name__: kind for kind in get_args(contents.Content)}


@cache
def _defaults(model: Any) -> dict[str, Any]:
    defaults = {}
    for each in fields(model):
        if each.default is not MISSING:
            defaults[each.name] = each.default
        elif each.default_factory is not MISSING:
            defaults[each.name] = each.default_factory()
    return defaults


@cache
def _schema(model: Any) -> type[Schema]:
    """Return the schema of a dataclass of the model."""

    def make(self: Schema, data: dict[str, Any], **kwargs: Any) -> Any:
        return model(**data)

    return type(
        f"{model.__name__}Schema",
        (_Model,),
        {**_fields_of(model), "_make": post_load(make)},
    )


def _fields_of(model: type[Any]) -> dict[str, ma.Field[Any]]:
    hints = get_type_hints(model)
    return {each.name: _field(hints[each.name]) for each in fields(model)}


def _field(hint: Any) -> ma.Field[Any]:
    """Return the field for an attribute with this type."""
    if hint == contents.Content | None:
        return _ContentField(allow_none=True)
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
        field = _field(hint)
        field.allow_none = True
        return field
    if get_origin(hint) is tuple:
        return _Tuple(_field(get_args(hint)[0]))
    if get_origin(hint) is Mapping:
        return ma.Raw()
    if is_dataclass(hint):
        model: Any = hint
        return ma.Nested(lambda: _schema(model)())
    if issubclass(hint, Enum):
        return ma.Enum(hint, by_value=True)
    return _PLAIN[hint]()


_PLAIN: dict[type[Any], type[ma.Field[Any]]] = {
    str: ma.String,
    bool: ma.Boolean,
    int: ma.Integer,
    float: ma.Float,
    datetime: _Time,
}


def _all_event_fields() -> dict[str, ma.Field[Any]]:
    """Return every attribute of every event class; a name means the same in all of them."""
    return {
        name: field for kind in EVENT_CLASSES.values() for name, field in _fields_of(kind).items()
    }


class EventSchema(_Model.from_dict(_all_event_fields(), name="AnyEventSchema")):  # type: ignore[misc]
    """Dump any event to plain JSON types, and load it back to its class.

    ``EventSchema().load(EventSchema().dump(event)) == event``; ``many=True`` takes lists.

    Raises:
        marshmallow.ValidationError: ``load`` got something else than a dump of an event.
    """

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Event:
        event_class = EVENT_CLASSES.get(data.get("type", EventType.UNKNOWN), Event)
        names = {each.name for each in fields(event_class)}
        try:
            return event_class(**{name: data[name] for name in data if name in names})
        except TypeError as error:
            raise ValidationError(f"not a whole {event_class.__name__}") from error
