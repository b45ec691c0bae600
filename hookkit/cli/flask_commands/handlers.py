"""``flask hookkit handlers``: the registered handlers, and their words of old versions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from flask.cli import with_appcontext

from hookkit.application.app_state import AppState
from hookkit.cli.flask_commands.common import echo_json, fields_of, json_option, state_of_app
from hookkit.cli.terminal import show, wrapped
from hookkit.core.attempts import RetryPolicy
from hookkit.core.handlers import Condition, Handler
from hookkit.core.provider import Provider
from hookkit.core.text import counted
from hookkit.switching.counterparts import WordNote, notes_on

_CONDITIONS = ("author", "channel", "control", "provider", "endpoint", "version")
_FLAGS = ("transactional", "ordered", "takes_run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A handler as it is printed.

    Attributes:
        words: The words that it is registered for; none for a fallback.
        only: Its conditions, by name.
        retry: Its attempts, and the shortest time over which they are spread.
        flags: Those of ``transactional``, ``ordered`` and ``takes_run`` that are set.
        function: Module, name and line of the function.
        notes: One for each word that is not in the vendor's newest payload version.
    """

    name: str
    words: Sequence[str]
    only: Mapping[str, str]
    retry: str
    flags: Sequence[str]
    function: str
    notes: Sequence[WordNote]


@click.command(short_help="List the handlers.")
@json_option
@with_appcontext
def handlers(*, is_json: bool) -> None:
    """List the handlers in the order in which they run.

    Below the list stands a note for each word that the vendor's newest payload version does not
    have, with the word that replaces it. The exit status is 1 if no version has the word.
    """
    found = list_handlers(state_of_app())
    if is_json:
        echo_json([_json(each) for each in found])
    else:
        show(*_lines(found))
    if any(not note.versions for each in found for note in each.notes):
        raise SystemExit(1)


def list_handlers(state: AppState) -> Sequence[Listed]:
    """Return the handlers of an application in the order in which they run, fallbacks last."""
    registry = state.worker.assignment.registry
    # An application's endpoints may have changed how their provider reads.
    providers = {each.provider.name: each.provider for each in state.settings.endpoints.values()}
    return [
        _listed(each, state.settings.retry, list(providers.values()))
        for each in (*registry.handlers.values(), *registry.fallbacks)
    ]


def _listed(handler: Handler, default: RetryPolicy, providers: list[Provider]) -> Listed:
    return Listed(
        name=handler.name,
        words=[trigger.word for trigger in handler.triggers],
        only=_only(handler.condition),
        retry=_retry(handler.retry) if handler.retry else f"{_retry(default)} (default)",
        flags=[name for name in _FLAGS if getattr(handler, name)],
        function=_place(handler.function),
        notes=[note for trigger in handler.triggers for note in notes_on(trigger, providers)],
    )


def _only(condition: Condition) -> dict[str, str]:
    values = {name: getattr(condition, name) for name in _CONDITIONS}
    only = {name: value for name, value in values.items() if value is not None}
    if condition.when is not None:
        only["when"] = getattr(condition.when, "__qualname__", repr(condition.when))
    return only


def _retry(policy: RetryPolicy) -> str:
    if policy.max_attempts == 1:
        return "1 attempt"
    hours = policy.shortest_span_s / 3600
    span = f"{hours:.1f} h" if hours >= 1 else f"{policy.shortest_span_s:.0f} s"
    return f"{counted(policy.max_attempts, 'attempt', 'attempts')}, {span}"


def _place(function: Callable[..., Any]) -> str:
    """Return the module, name and first line of *function*, so that an editor can open it."""
    inner = inspect.unwrap(function)
    name = f"{getattr(inner, '__module__', '?')}.{getattr(inner, '__qualname__', repr(inner))}"
    code = getattr(inner, "__code__", None)
    return name if code is None else f"{name}:{code.co_firstlineno}"


def _json(listed: Listed) -> dict[str, Any]:
    notes = [{**fields_of(note), "sentence": sentence_of(note)} for note in listed.notes]
    return {**fields_of(listed), "notes": notes}


def sentence_of(note: WordNote) -> str:
    """Return what a person should know about a word of an old version, or of none."""
    if not note.versions:
        return f"no payload version of {note.provider} says {note.word}: is it spelt right?"
    known = f"{note.word} is a word of {', '.join(note.versions)}"
    if not note.renamed:
        return f"{known}; {note.newest} has none for it"
    renamed = " or ".join(note.renamed)
    if note.is_exact:
        return f"{known} and matches no other; {note.newest} says {renamed}: register that, too"
    return f"{known}; it goes on matching in {note.newest}, which says {renamed}"


def _lines(found: Sequence[Listed]) -> Iterator[str]:
    if not found:
        yield "no handler is registered"
    for each in found:
        yield from wrapped(each.name)
        parts = {
            "words": ", ".join(each.words) or "(fallback)",
            "only": ", ".join(f"{name}={value}" for name, value in each.only.items()),
            "retry": each.retry,
            "flags": ", ".join(each.flags),
            "function": each.function,
        }
        for name, text in parts.items():
            if text:
                yield from wrapped(text, label=f"  {name:10}")
    for each in found:
        for note in each.notes:
            yield from wrapped(f"{each.name}: {sentence_of(note)}", indent=2)
