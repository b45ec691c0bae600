"""The accept path beside a bare Flask view, and the cost of reading a message.

Both figures are of one process and one run. The bare view does what people write by hand:
read the body, compare the key, ``json.loads``. hookkit's side verifies, takes the body
apart and hashes its item; every delivery is a new event. What it costs to store the event is
left out, as it is on the other side: ``python -m bench durable`` measures that.
"""

from __future__ import annotations

import hmac
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

import click
from flask import Flask, request

from bench.timing import Case, interleaved, ratio
from hookkit import HookKit
from hookkit.core.delivery import Envelope
from hookkit.core.entry import Admitted, Receipt
from hookkit.core.provider import normalize, split
from hookkit.providers import load_providers
from hookkit.testing import find_provider, find_sample

SECRET = "a-secret-for-the-benchmark"

#: Goals of the project; the command fails when one is missed.
MAX_ACCEPT_RATIO = 1.5
MAX_NORMALIZE_US = 200.0


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=200, show_default=True, help="Calls of a case per turn.")
def accept(rounds: int, calls: int) -> None:
    """Time receive-to-admit against a bare view, and normalize of a v2 text message."""
    bodies = new_bodies()
    item = _item(next(bodies))
    provider = load_providers()["sunshine"]
    cases = {
        "bare": Case(prepare=lambda count: environs(bodies, count), call=caller(_bare_app())),
        "hookkit": Case(prepare=lambda count: environs(bodies, count), call=caller(_hookkit_app())),
        "json.loads": Case(
            prepare=lambda count: [next(bodies) for _ in range(count)], call=json.loads
        ),
        "normalize": Case(
            prepare=lambda count: [item] * count, call=lambda item: normalize(provider, item)
        ),
    }
    interleaved(cases, rounds=3, calls=calls)  # warm up
    figures = interleaved(cases, rounds=rounds, calls=calls)
    for name in cases:
        click.echo(f"{name:>12}  {median(figures[name]):7.1f} us")
    accept_ratio = ratio(figures, "hookkit", "bare")
    normalize_ratio = ratio(figures, "normalize", "json.loads")
    normalize_us = median(figures["normalize"])
    click.echo(f"accept path: {accept_ratio:.2f} times the bare view (goal: {MAX_ACCEPT_RATIO})")
    click.echo(
        f"normalize:   {normalize_us:.0f} us (goal: {MAX_NORMALIZE_US:.0f}),"
        f" {normalize_ratio:.1f} times json.loads of the same body"
    )
    if accept_ratio > MAX_ACCEPT_RATIO or normalize_us > MAX_NORMALIZE_US:
        raise SystemExit(1)


def new_bodies() -> Iterator[bytes]:
    """Yield bodies, each with a new event."""
    sample = find_sample(find_provider("sunshine"), "v2", "conversation-message")
    document: dict[str, Any] = json.loads(sample.body)
    event = document["events"][0]
    for number in itertools.count():
        event["id"] = f"64e5f6d0c0ffee{number:010x}"
        yield json.dumps(document).encode()


def _item(body: bytes) -> Any:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    provider = load_providers()["sunshine"]
    return split(provider, endpoint="e", body=body, headers={}, received_at=now)[0]


def _bare_app() -> Flask:
    app = Flask("bare")

    @app.post("/hooks/support")
    def receive() -> tuple[str, int]:
        body = request.get_data()
        if not hmac.compare_digest(request.headers.get("X-API-Key", ""), SECRET):
            return "", 401
        json.loads(body)
        return "", 200

    return app


def _hookkit_app() -> Flask:
    app = Flask("hookkit")
    app.config.update(
        HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": [SECRET]}},
        HOOKKIT_DATABASE="memory://",
        HOOKKIT_RUNNER="none",
    )
    HookKit().init_app(app)
    app.extensions["hookkit"].opening._inbox = _StoresNothing()  # noqa: SLF001
    return app


class _StoresNothing:
    """An inbox that takes every event for a new one and forgets it."""

    def admit(self, envelope: Envelope) -> Receipt:
        """Return what an inbox that stores the events would."""
        return Receipt(
            admitted=tuple(
                Admitted(entry_id=number, event_id=item.event_id, is_new=True)
                for number, item in enumerate(envelope.items, start=1)
            )
        )

    def close(self) -> None:
        """Do nothing: nothing is held."""


def environs(bodies: Iterator[bytes], count: int) -> list[dict[str, Any]]:
    """Return the WSGI environments of *count* new deliveries."""
    return [
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/hooks/support",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": "localhost",
            "HTTP_X_API_KEY": SECRET,
            "HTTP_USER_AGENT": "bench",
            "HTTP_ACCEPT": "*/*",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for body in itertools.islice(bodies, count)
    ]


def caller(app: Flask) -> Callable[[dict[str, Any]], None]:
    """Return a function that hands one request to *app* and reads the answer."""

    def call(environ: dict[str, Any]) -> None:
        statuses: list[str] = []

        def start_response(status: str, *_: object) -> Callable[[bytes], object]:
            statuses.append(status)
            return statuses.append  # type: ignore[return-value]  # nobody writes with it

        list(app(environ, start_response))
        if statuses != ["200 OK"]:
            raise click.ClickException(f"answered {statuses}")

    return call
