"""Objects inside a payload, declared as marshmallow schemas and read into dataclasses.

Marshmallow's own ``load`` goes through every declared key, and skips ``post_load`` once one of
them failed. A vendor's object has few of the documented keys and may have a broken one. So
``read`` goes through the keys of the object, and always returns those that it could read. A
faultless object is read by code that is written from the declaration, see ``compiled``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, TypeAlias, final

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from hookkit.schemas.compiled import BuildFaultless, Code, compile_builder

#: What a shape has read: its keys are attributes that the shape declares.
Attributes: TypeAlias = dict[str, Any]

#: Where in the object -> why it could not be read; nested as the object is.
Faults: TypeAlias = dict[str | int, Any]


class Shape(Schema):
    """An object that is read key by key; unknown keys are ignored, null means absent."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: key in the payload -> attribute in the model and the field that reads it
        self._keys = {
            field.data_key or name: (name, field)
            for name, field in self.load_fields.items()
            if not isinstance(field, Beside)
        }
        self._beside = [
            (name, field.part)
            for name, field in self.load_fields.items()
            if isinstance(field, Beside)
        ]

    @final
    def read(self, data: Mapping[str, Any]) -> tuple[Attributes, Faults]:
        """Return the attributes that could be read, and the faults of the others."""
        try:
            return self.read_faultless(data), {}
        except Exception:  # noqa: BLE001  # whatever it is, the fields tell it
            return self.read_by_fields(data)

    @cached_property
    def read_faultless(self) -> BuildFaultless:
        """Takes a faultless object, and returns its attributes; raises at any fault."""
        return self.builder(dict)

    def builder(self, model: Callable[..., Any]) -> BuildFaultless:
        """Return a function that builds *model* of a faultless object, and raises at any fault."""
        return compile_builder(model, type(self).__name__, self._keys, self._beside)

    @final
    def read_by_fields(self, data: Mapping[str, Any]) -> tuple[Attributes, Faults]:
        """Return what ``read`` returns, of any object, by asking field by field."""
        attributes: Attributes = {}
        faults: Faults = {}
        keys = self._keys
        # No ``items()``: ``core.unread`` notes which keys are asked for.
        for key in data:
            if key not in keys or (value := data[key]) is None:
                continue
            name, field = keys[key]
            try:
                attributes[name] = field.deserialize(value, key, data)
            except ValidationError as error:
                faults[key] = error.messages
                if error.valid_data is not None:
                    attributes[name] = error.valid_data
        for name, field in self._beside:
            try:
                attributes[name] = field.deserialize(data, name, data)
            except ValidationError as error:
                faults |= _by_key(error.messages)
                attributes[name] = error.valid_data
        return attributes, faults


class Part(fields.Field[Any]):
    """A nested object, read by its own shape and built with *model*.

    The shape is made at its first use, since a message may quote a message. Marshmallow copies
    fields; all copies of a part have one shape.
    """

    def __init__(
        self, model: Callable[..., Any], make_shape: Callable[[], Shape], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self._shape = cache(make_shape)
        self._builder = cache(lambda: self._shape().builder(self.model))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value == []:  # so PHP writes an empty object
            value = {}
        if not isinstance(value, dict):
            raise ValidationError("not an object")
        attributes, faults = self._shape().read_by_fields(value)
        built = self.model(**attributes)
        if faults:
            raise ValidationError(faults, valid_data=built)
        return built

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: the code of the shape builds the model of an object."""
        built = f"{code.build(self._builder)}({value})"
        return f"{built} if type({value}) is dict else {code.deserialize(self, value, key)}"


class Beside(fields.Field[Any]):
    """A part whose keys lie beside the other keys of the object, not in an object of their own."""

    def __init__(self, part: fields.Field[Any]) -> None:
        super().__init__()
        self.part = part


class Many(fields.Field[tuple[Any, ...]]):
    """An array, read item by item; a lone object counts as an array of one."""

    def __init__(self, item: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        read: list[Any] = []
        faults: Faults = {}
        for index, one in enumerate(values):
            if one is None:
                continue
            try:
                read.append(self.item.deserialize(one, attr, data))
            except ValidationError as error:
                faults[index] = error.messages
                if error.valid_data is not None:
                    read.append(error.valid_data)
        result: Any = tuple(read)
        if faults:
            raise ValidationError(faults, valid_data=result)
        return tuple(read)

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: a tuple of what is read of each item that is not null."""
        items = f"({value} if isinstance({value}, list) else ({value},))"
        item = code.read(self.item, "item", key)
        return f"tuple([{item} for item in {items} if item is not None])"


class OneOf(fields.Field[Any]):
    """An object that is read by the part which its ``type`` names.

    Attributes:
        parts: By type.
        otherwise: Builds objects of any other type, from the whole object.
        kind_of: Returns the type of an object that names none; None if it is nothing of the kind,
            which is then absent. Without the function such an object is of another type.
    """

    def __init__(
        self,
        parts: Mapping[str, fields.Field[Any]],
        otherwise: Callable[[Mapping[str, Any]], Any],
        kind_of: Callable[[Mapping[str, Any]], str | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.parts = parts
        self.otherwise = otherwise
        self.kind_of = kind_of

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("not an object")
        kind = self._kind(value)
        if kind is None and self.kind_of is not None:
            return None
        part = self.parts.get(kind) if isinstance(kind, str) else None
        if part is None:
            return self.otherwise(value)
        return part.deserialize(value, attr, data)

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: look up the part by the type; without a part ``deserialize`` decides."""
        parts = code.name("parts", {kind: code.function(each) for kind, each in self.parts.items()})
        otherwise = code.name("read", self.deserialize)
        kind = f"{code.name('kind', self._kind)}({value})"
        part = f"{parts}.get({kind}, {otherwise}) if type({value}) is dict"
        return f"({part} else {otherwise})({value}, {key}, data)"

    def _kind(self, value: Mapping[str, Any]) -> Any:
        kind = value.get("type")
        return self.kind_of(value) if kind is None and self.kind_of is not None else kind


def _by_key(messages: Any) -> Faults:
    # Marshmallow's type leaves open whether there is a key; an object's faults have one.
    return messages if isinstance(messages, dict) else {"": messages}


def problems(faults: Faults, path: str = "") -> tuple[str, ...]:
    """Return a line for each fault: where it is, and what was expected there."""
    lines: list[str] = []
    for key, fault in faults.items():
        where = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".removeprefix(".")
        if isinstance(fault, dict):
            lines.extend(problems(fault, where))
        else:
            lines.extend(f"{where}: {message}" for message in fault)
    return tuple(lines)
