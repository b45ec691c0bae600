"""Mappings that a developer writes: every mistake is told, by its key, and all at once."""

from __future__ import annotations

import difflib
from typing import Any

from marshmallow import RAISE, Schema, ValidationError

from hookkit.schemas.shape import problems


class Strict(Schema):
    """A mapping whose keys are all known."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages |= {"unknown": "no such setting", "type": "must be a mapping"}


def load_strict(schema: Strict, given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what could be read, and a line for each mistake."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages: Any = error.messages
        valid = error.valid_data
        mistakes: Any = {_nearest(str(key), schema): lines for key, lines in messages.items()}
        return (valid if isinstance(valid, dict) else {}), list(problems(mistakes))
    return loaded, []


def below(key: str, mistakes: list[str]) -> list[str]:
    """Return *mistakes* in what lies below *key*, with the way there in front."""
    return [
        f"{key}{mistake}" if mistake.startswith(":") else f"{key}.{mistake}" for mistake in mistakes
    ]


def _nearest(key: str, schema: Schema) -> str:
    """Return *key*, with the setting that was meant when there is no such one."""
    known = [each.data_key or name for name, each in schema.load_fields.items()]
    if key == "_schema":
        return ""
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.75) if key not in known else []
    return f"{key} (did you mean {nearest[0]}?)" if nearest else key
