"""Reading a text message of Sunshine v2 beside ``json.loads`` of its body.

All figures are processor time.

* ``loads`` is ``json.loads`` of the bytes.
* ``split`` decodes them strictly, and finds the item in them.
* ``normalize`` makes the event of the item.
* ``shape`` is the part of it that reads the objects, by the code that is written from the shapes;
  ``fields`` is the same field by field, as after a fault.
* ``way`` is all from the bytes to the return of a handler that does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from statistics import median
from time import thread_time_ns
from typing import NoReturn

import click

from bench.timing import Case, interleaved, ratio
from hookkit.core import provider as core
from hookkit.core.attempts import RetryPolicy
from hookkit.core.entry import Entry
from hookkit.core.handlers import Handler, HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.core.triggers import explain
from hookkit.handling.dispatch import Assignment, Dispatcher, Reader
from hookkit.handling.journal import Journal
from hookkit.providers import find_provider
from hookkit.providers.sunshine.shapes_v2 import EventShape
from hookkit.testing.samples import find_sample

#: Of normalize by loads: what is aimed at, and what the command fails above.
GOAL = 2.5
MAX_RATIO = 3.0

ENDPOINT = "support"


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=200, show_default=True, help="Calls of a case per turn.")
def normalize(rounds: int, calls: int) -> None:
    """Time how a message is read against json.loads of its body."""
    cases = _cases()
    figures = interleaved(cases, rounds=rounds, calls=calls, clock_ns=thread_time_ns)
    for name in cases:
        times = ratio(figures, name, "loads")
        click.echo(f"{name:>9}  {median(figures[name]):7.1f} us  {times:5.2f} times json.loads")
    click.echo(f"goal of normalize: {GOAL}, at most {MAX_RATIO}")
    if ratio(figures, "normalize", "loads") > MAX_RATIO:
        raise click.ClickException(f"normalize takes more than {MAX_RATIO} times json.loads")


def _cases() -> dict[str, Case]:
    provider, now, shape = find_provider("sunshine"), datetime.now(UTC), EventShape()
    document = find_sample(provider, "v2").document()
    body = json.dumps(document, separators=(",", ":")).encode()

    def split(_: object) -> object:
        return core.split(provider, endpoint=ENDPOINT, body=body, headers={}, received_at=now)

    (item,) = core.split(provider, endpoint=ENDPOINT, body=body, headers={}, received_at=now)
    calls: dict[str, Callable[[object], object]] = {
        "loads": lambda _: json.loads(body),
        "split": split,
        "normalize": lambda _: core.normalize(provider, item),
        "shape": lambda _: shape.read(item.raw),
        "fields": lambda _: shape.read_by_fields(item.raw),
        "way": _way(provider, body, item.event_id),
    }
    return {name: Case(prepare=range, call=call) for name, call in calls.items()}


def _way(provider: Provider, body: bytes, event_id: str) -> Callable[[object], object]:
    """Return a function that reads a claimed entry, and calls the handler."""
    trigger = explain("conversation:message", {provider.name: provider.triggers})
    registry = HandlerRegistry()
    registry.add(Handler(name="nothing", function=_do_nothing, triggers=(trigger,)))
    assignment = Assignment(
        sender=None,
        providers={ENDPOINT: provider},
        registry=registry,
        retry=RetryPolicy(),
        lease_s=60,
        context=nullcontext,
        inbox=_no_inbox,
        clock=lambda: datetime.now(UTC),
        jitter=lambda: 0.0,
    )
    dispatcher = Dispatcher(assignment, Journal(None), lambda entry: entry)
    entry = Entry(
        id=1,
        endpoint=ENDPOINT,
        event_id=event_id,
        position=0,
        claim_count=1,
        lease_token="",
        received_at=datetime.now(UTC),
        body=body,
        headers={},
    )

    def way(_: object) -> object:
        # A new reader each time, since a reader remembers the last body.
        return dispatcher.dispatch(entry, Reader(assignment.providers).read(entry))

    return way


def _do_nothing(_: object) -> None:
    """Handle the event."""


def _no_inbox() -> NoReturn:
    raise AssertionError("no handler is transactional")
