"""Marshmallow fields for vendors' values: strict about types, no error but ValidationError."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from hookkit.core.body import id_text
from hookkit.schemas.compiled import Code

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Unix seconds pass this in the year 5138, unix milliseconds passed it in 1973.
_MILLISECONDS_FROM = 1e11

_HALF_MILLISECOND = timedelta(microseconds=500)


def readable(text: str) -> str:
    """Return *text* without lone surrogates, which JSON can hold and no database can store.

    A handler that stores such a text would fail at every attempt. ``raw`` keeps the original.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(code: Code, value: str, otherwise: str) -> str:
    """Write: a text is made readable."""
    text = f"({value} if {value}.isascii() else {code.name('readable', readable)}({value}))"
    return f"{text} if type({value}) is str else {otherwise}"


class Id(fields.Field[str]):
    """An id of any shape; numbers are turned into text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = id_text(value)
        if text is None:
            raise ValidationError("not an id")
        return readable(text)

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: a text is taken as it is."""
        return _text(code, value, code.deserialize(self, value, key))


class Text(fields.Field[str]):
    """A text, and nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, str):
            return readable(value)
        raise ValidationError("not a text")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: a text is taken as it is."""
        return _text(code, value, code.deserialize(self, value, key))


class Word(Text):
    """A vendor's word, translated if this model has another one for it; new words are kept."""

    def __init__(self, renames: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renames = renames

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        word = super()._deserialize(value, attr, data, **kwargs)
        return self.renames.get(word, word)

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: an ASCII word is looked up."""
        get = code.name("renamed", self.renames.get)
        test = f"type({value}) is str and {value}.isascii()"
        return f"{get}({value}, {value}) if {test} else {code.deserialize(self, value, key)}"


class Truth(fields.Field[bool]):
    """True or false, and no text that looks like one of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValidationError("not true or false")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: true and false are taken as they are."""
        return f"{value} if type({value}) is bool else {code.deserialize(self, value, key)}"


class Whole(fields.Field[int]):
    """A whole number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise ValidationError("not a whole number")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: an integer is taken as it is."""
        return f"{value} if type({value}) is int else {code.deserialize(self, value, key)}"


class Number(fields.Field[float]):
    """A finite number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise ValidationError("not a number")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: a finite fraction is taken as it is."""
        test = f"type({value}) is float and {code.name('isfinite', math.isfinite)}({value})"
        return f"{value} if {test} else {code.deserialize(self, value, key)}"


class Anything(fields.Field[Any]):
    """A value of any type, kept as it is."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: the value."""
        del code, key
        return value


class Object(fields.Field[dict[str, Any]]):
    """An object with the vendor's own keys, kept as it is, null values included."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value == []:  # so PHP writes an empty object
            return {}
        raise ValidationError("not an object")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: an object is taken as it is."""
        return f"{value} if type({value}) is dict else {code.deserialize(self, value, key)}"


class Instant(fields.Field[datetime]):
    """A point in time as aware UTC, rounded to the millisecond.

    Numbers are unix seconds, often with a fraction; above 1e11 they are milliseconds. Texts
    are ISO 8601, with or without a fraction, ``Z`` or an offset; without either they are UTC.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if isinstance(value, str):
                return _from_iso(value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return _from_unix(value)
        except (ValueError, OverflowError) as error:
            raise ValidationError("not a time") from error
        raise ValidationError("not a time")

    def inline(self, code: Code, value: str, key: str) -> str:
        """Write: a text is read as ISO 8601, which raises of itself."""
        from_iso = f"{code.name('from_iso', _from_iso)}({value})"
        return f"{from_iso} if type({value}) is str else {code.deserialize(self, value, key)}"


def _from_iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not UTC:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.microsecond % 1000:
        moment += _HALF_MILLISECOND
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return moment


def _from_unix(number: float) -> datetime:
    milliseconds = number if abs(number) > _MILLISECONDS_FROM else number * 1000
    # Rounding the product is exact: at 1e12 a float is still precise to 1/4000.
    return _EPOCH + timedelta(milliseconds=round(milliseconds))
