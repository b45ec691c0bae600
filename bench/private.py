"""What a test pays for ``memory://``: opening an inbox, and an event from admit to settle."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

import click

from bench.accept import new_bodies
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.entry import Settlement, State
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.providers import load_providers

#: Goals of the project; the command fails when one is missed.
MAX_OPENING_MS = 15.0
MAX_EVENT_MS = 1.5

_SUNSHINE = load_providers()["sunshine"]
_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_DONE = Settlement(state=State.DONE, retry_after_s=None, attempts=())


@click.command()
@click.option("--inboxes", default=100, show_default=True, help="How many are opened.")
@click.option("--events", default=1000, show_default=True, help="How many events the last takes.")
def private(inboxes: int, events: int) -> None:
    """Time a private inbox: its opening, its first event, and an event after that."""
    openings, firsts = [], []
    bodies = new_bodies()
    for _ in range(inboxes):
        began = perf_counter()
        inbox = open_inbox(MEMORY)
        opened = perf_counter()
        _handle(inbox, next(bodies))
        openings.append(opened - began)
        firsts.append(perf_counter() - opened)
        inbox.close()
    times = []
    for body in itertools.islice(bodies, events):
        began = perf_counter()
        _handle(inbox, body)
        times.append(perf_counter() - began)
    inbox.close()
    opening_ms, first_ms, event_ms = (1000 * median(each) for each in (openings, firsts, times))
    click.echo(f"opening      {opening_ms:6.2f} ms (goal: {MAX_OPENING_MS})")
    click.echo(f"first event  {first_ms:6.2f} ms, with the statements put together")
    click.echo(f"event        {event_ms:6.2f} ms (goal: {MAX_EVENT_MS})")
    if opening_ms > MAX_OPENING_MS or event_ms > MAX_EVENT_MS:
        raise SystemExit(1)


def _handle(inbox: Inbox, body: bytes) -> None:
    delivery = Delivery(endpoint="support", body=body, headers={}, received_at=_NOW)
    verified = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    inbox.admit(parse(_SUNSHINE, verified))
    (entry,) = inbox.claim(now=_NOW, lease_s=60, limit=1, endpoints=["support"])
    inbox.settle(entry, _DONE, now=_NOW)
