"""The accept path beside a bare Flask view and other receivers, and the cost of reading a message.

All figures are of one process and one run. The bare view does what people write by hand: read
the body, compare the key, ``json.loads``. hookkit's side verifies, takes the body apart and
hashes its item; every delivery is a new event. What it costs to store the event is left out, as
it is on the other sides, none of which stores it: ``python -m bench durable`` measures that.
"""

from __future__ import annotations

import hmac
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from flask import Flask, request

from bench import goals
from bench.timing import Case, interleaved, ratio, ratios
from hookkit import HookKit
from hookkit.core.delivery import Envelope
from hookkit.core.entry import Admitted, Receipt
from hookkit.core.provider import normalize, split
from hookkit.providers import load_providers
from hookkit.testing import find_provider, find_sample

if TYPE_CHECKING:  # a release before does not have it
    from hookkit.core.entry import Lease

SECRET = "a-secret-for-the-benchmark"

BARE, BLUEPRINT, FRONT = "bare view", "hookkit, blueprint", "hookkit, front"
LOADS, NORMALIZE = "json.loads", "normalize"

_GOALS = {
    "accept / bare view: blueprint": (BLUEPRINT, BARE),
    "accept / bare view: front": (FRONT, BARE),
    "normalize / json.loads": (NORMALIZE, LOADS),
}


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=200, show_default=True, help="Calls of a case per turn.")
def accept(rounds: int, calls: int) -> None:
    """Time receive-to-admit against a bare view and peers, and normalize of a v2 text message."""
    # Here: it imports a dozen packages, which other benchmarks go without.
    from bench.receivers import peer_cases  # noqa: PLC0415

    figures = interleaved(own_cases() | peer_cases(), rounds=rounds, calls=calls)
    for name in figures:
        base = LOADS if name in (LOADS, NORMALIZE) else BARE
        click.echo(
            f"{name:>22}  {median(figures[name]):7.1f} us"
            f"  {ratio(figures, name, base):5.2f} times {base}"
        )
    goals.show(found_goals(figures))


def found_goals(figures: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the goals that these figures are about, with a value for each round."""
    return {
        goal: ratios(figures[name], figures[base])
        for goal, (name, base) in _GOALS.items()
        if name in figures
    }


def own_cases() -> dict[str, Case]:
    """Return what hookkit does, beside what people write by hand."""
    bodies = new_bodies()
    provider = load_providers()["sunshine"]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    item = split(provider, endpoint="e", body=next(bodies), headers={}, received_at=now)[0]
    receivers = {BARE: _bare_app(), BLUEPRINT: _hookkit_app()[1]}
    if hasattr(HookKit, "wsgi"):
        receivers[FRONT] = front(*_hookkit_app())
    cases = {
        name: Case(prepare=lambda count: environs(bodies, count), call=caller(app))
        for name, app in receivers.items()
    }
    return cases | {
        LOADS: Case(prepare=lambda count: list(itertools.islice(bodies, count)), call=json.loads),
        NORMALIZE: Case(
            prepare=lambda count: [item] * count, call=lambda item: normalize(provider, item)
        ),
    }


def new_bodies() -> Iterator[bytes]:
    """Yield bodies, each with a new event of a new message."""
    sample = find_sample(find_provider("sunshine"), "v2", "conversation-message")
    document: dict[str, Any] = json.loads(sample.body)
    event = document["events"][0]
    for number in itertools.count():
        event["id"] = f"64e5f6d0c0ffee{number:010x}"
        event["payload"]["message"]["id"] = f"64e5f6d0cafe00{number:010x}"
        yield json.dumps(document).encode()


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


def _hookkit_app() -> tuple[HookKit, Flask]:
    hooks, app = HookKit(), Flask("hookkit")
    app.config.update(
        HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": [SECRET]}},
        HOOKKIT_DATABASE="memory://",
        HOOKKIT_RUNNER="none",
    )
    hooks.init_app(app)
    app.extensions["hookkit"].opening._inbox = _StoresNothing()  # noqa: SLF001
    return hooks, app


def front(hooks: Any, app: Flask) -> Any:
    """Return the receiver in front of Flask."""
    return hooks.wsgi(app)


class _StoresNothing:
    """An inbox that takes every event for a new one and forgets it."""

    def admit(self, envelope: Envelope, lease: Lease | None = None) -> Receipt:
        """Return what an inbox that stores the events would."""
        return Receipt(
            admitted=tuple(
                Admitted(entry_id=number, event_id=item.event_id, is_new=True)
                for number, item in enumerate(envelope.items, start=1)
            )
        )

    @property
    def minutes(self) -> _StoresNothing:
        """Itself, as what takes the counts."""
        return self

    def add(self, counts: Mapping[tuple[int, str, str], int]) -> None:
        """Forget the counts."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


def environs(bodies: Iterable[bytes], count: int) -> list[dict[str, Any]]:
    """Return the WSGI environments of *count* new deliveries to hookkit and to the bare view."""
    return [
        environ(body, {"X-API-Key": SECRET, "User-Agent": "bench", "Accept": "*/*"})
        for body in itertools.islice(bodies, count)
    ]


def environ(
    body: bytes, headers: Mapping[str, str], path: str = "/hooks/support"
) -> dict[str, Any]:
    """Return the WSGI environment of a POST of JSON."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    } | {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def caller(app: Callable[..., Iterable[bytes]]) -> Callable[[dict[str, Any]], None]:
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
