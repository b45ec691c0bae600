"""What the commands of ``flask hookkit`` share: the application's state, JSON, and times."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from flask import current_app

from hookkit.application.app_state import AppState
from hookkit.cli.terminal import show
from hookkit.core.entry import Filter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user whom its system does not know
        return f"user {os.getuid()}"


json_option = click.option("--json", "is_json", is_flag=True, help="Print JSON, for machines.")

who_option = click.option(
    "--who", default=_user_name, help="Who does it, for the record. Default: your user name."
)


def acting(
    state: AppState,
    action: str,
    *,
    who: str,
    target: str = "",
    wanted: Filter | None = None,
    reason: str = "",
) -> AbstractContextManager[None]:
    """Record that somebody does *action* by a command; ``Auditing.acting`` explains it."""
    return state.auditing.acting(
        action, who=who, right="command", target=target, wanted=wanted, reason=reason
    )


def state_of_app() -> AppState:
    """Return the state that the blueprint keeps in the current application."""
    state: AppState = current_app.extensions["hookkit"]
    return state


def echo_json(value: object, *, indent: int | None = 2) -> None:
    """Print *value*: texts, numbers, enums, times, dataclasses, and collections of these.

    Args:
        indent: None prints it on one line.
    """
    show(*as_json(value, indent=indent).split("\n"))


def as_json(value: object, *, indent: int | None = None) -> str:
    """Return *value* as ``echo_json`` prints it."""
    text = json.dumps(value, indent=indent, default=_plain)
    # The one control character that JSON leaves as it is.
    return text.replace("\x7f", r"\u007f")


def utc(moment: datetime) -> str:
    """Return aware *moment* in UTC for people, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


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
