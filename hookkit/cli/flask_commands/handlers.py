"""``flask hookkit handlers``: who is registered for what, and which words are of old versions."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from hookkit.cli.flask_commands.inbox import aligned, state_of_app
from hookkit.core.attempts import RetryPolicy
from hookkit.core.handlers import Condition, Handler
from hookkit.switching.counterparts import WordNote, notes_on

_HEADINGS = ("handler", "words", "only", "retry", "flags", "function")
_CONDITIONS = ("author", "provider", "endpoint", "version")
_FLAGS = ("transactional", "ordered", "takes_run")


@click.command()
@click.option("--json", "is_json", is_flag=True, help="Print it for machines.")
@with_appcontext
def handlers(*, is_json: bool) -> None:
    """List the handlers in the order they run, and what to know of their words.

    A word that the newest payload version of its vendor does not say any more is told, with
    what that version says instead; and a word that no version says. The exit status is 1 when
    there is one of the latter.
    """
    found = [_told(each) for each in _registered()]
    unknown = any(not note["versions"] for each in found for note in each["notes"])
    if is_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in _lines(found):
            click.echo(line)
    if unknown:
        raise SystemExit(1)


def _registered() -> Iterator[Handler]:
    registry = state_of_app().worker.assignment.registry
    yield from registry.handlers.values()
    yield from registry.fallbacks


def _told(handler: Handler) -> dict[str, Any]:
    state = state_of_app()
    policy = handler.retry or state.settings.retry
    # Those of the application's own endpoints, which may read by settings of their own.
    providers = {each.provider.name: each.provider for each in state.settings.endpoints.values()}
    notes = [
        note for trigger in handler.triggers for note in notes_on(trigger, [*providers.values()])
    ]
    return {
        "name": handler.name,
        "words": [trigger.word for trigger in handler.triggers],
        "only": _only(handler.condition),
        "retry": _retry(policy) if handler.retry else f"{_retry(policy)} (default)",
        "flags": [name for name in _FLAGS if getattr(handler, name)],
        "function": _function(handler.function),
        "notes": [{**_plain(note), "sentence": _sentence(note)} for note in notes],
    }


def _only(condition: Condition) -> dict[str, str]:
    named = {name: getattr(condition, name) for name in _CONDITIONS}
    only = {name: value for name, value in named.items() if value is not None}
    if condition.when is not None:
        only["when"] = getattr(condition.when, "__qualname__", repr(condition.when))
    return only


def _retry(policy: RetryPolicy) -> str:
    if policy.max_attempts == 1:
        return "1 attempt"
    hours = policy.shortest_span_s / 3600
    span = f"{hours:.1f} h" if hours >= 1 else f"{policy.shortest_span_s:.0f} s"
    return f"{policy.max_attempts} attempts, {span}"


def _function(function: Any) -> str:
    """Return where *function* is defined, for an editor to open."""
    plain = inspect.unwrap(function)
    name = f"{getattr(plain, '__module__', '?')}.{getattr(plain, '__qualname__', repr(plain))}"
    code = getattr(plain, "__code__", None)
    return name if code is None else f"{name}:{code.co_firstlineno}"


def _plain(note: WordNote) -> dict[str, Any]:
    return {
        "word": note.word,
        "provider": note.provider,
        "versions": list(note.versions),
        "newest": note.newest,
        "renamed": list(note.renamed),
        "is_exact": note.is_exact,
    }


def _sentence(note: WordNote) -> str:
    if not note.versions:
        return f"no payload version of {note.provider} says {note.word}: is it spelt right?"
    spoken = f"{note.word} is a word of {', '.join(note.versions)}"
    if not note.renamed:
        return f"{spoken}; {note.newest} has none for it"
    named = " or ".join(note.renamed)
    if note.is_exact:
        return f"{spoken} and matches no other; {note.newest} says {named}: register that, too"
    return f"{spoken}; it goes on matching in {note.newest}, which says {named}"


def _lines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not found:
        yield "no handler is registered"
        return
    rows = [
        (
            each["name"],
            ", ".join(each["words"]) or "(fallback)",
            ", ".join(f"{name}={value}" for name, value in each["only"].items()),
            each["retry"],
            ", ".join(each["flags"]),
            each["function"],
        )
        for each in found
    ]
    yield from aligned([_HEADINGS, *rows])
    for each in found:
        for note in each["notes"]:
            yield f"{each['name']}: {note['sentence']}"
