"""What the commands of ``flask hookkit`` share: the application's state, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from flask import current_app

from hookkit.application.app_state import AppState
from hookkit.cli.terminal import show

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

json_option = click.option("--json", "is_json", is_flag=True, help="Print JSON, for machines.")


def state_of_app() -> AppState:
    """Return the state that the blueprint keeps in the current application."""
    state: AppState = current_app.extensions["hookkit"]
    return state


def echo_json(value: object) -> None:
    """Print *value*: texts, numbers, enums, times, dataclasses, and collections of these."""
    text = json.dumps(value, indent=2, default=_plain)
    # The one control character that JSON leaves as it is.
    show(*text.replace("\x7f", r"\u007f").split("\n"))


def fields_of(record: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a dataclass by their names, in their order."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _plain(value: object) -> object:
    """Return *value*, which JSON does not know, as something that it does."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
