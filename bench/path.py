"""Which files of hookkit one event passes: what a reader opens to follow it.

Three paths, each in one thread and with everything warm: a delivery to its 200, a claim to its
settlement, and an attempt whose handler fails. The event is a text message of Sunshine v2, the
inbox a SQLite file, the runner a thread. Files count of which a function was called;
``sys.setprofile`` sees those.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import CodeType, FrameType

import click
from flask import Flask

import hookkit
from hookkit import HookKit
from hookkit.handling.worker import Worker
from hookkit.providers import find_provider
from hookkit.testing.samples import find_sample, freshen

#: path -> the most files that it may pass: the command fails when one passes more.
GOALS = {"delivery to its 200": 22, "claim to settle": 28, "failed attempt": 30}

HOUSE = Path(hookkit.__file__).parent
SECRET = "the-secret-of-this-benchmark"


class Trace:
    """Collects the files of hookkit whose functions a thread calls.

    Args:
        within: Collects while this function runs; None is always.
    """

    def __init__(self, within: CodeType | None = None) -> None:
        self.files: set[str] = set()
        self.has_ended = Event()
        self._within = within
        self._is_on = within is None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call: https://docs.python.org/3/library/sys.html#sys.setprofile."""
        is_edge = frame.f_code is self._within and event in ("call", "return")
        if is_edge:
            self._is_on = event == "call"
        path = Path(frame.f_code.co_filename)
        if self._is_on and event == "call" and path.is_relative_to(HOUSE):
            self.files.add(str(path.relative_to(HOUSE)))
        if is_edge and event == "return":
            self.has_ended.set()


@click.command()
def path() -> None:
    """Count the files of hookkit that an event passes on its way."""
    logging.getLogger("hookkit").setLevel(logging.CRITICAL)  # of the handler that fails
    delivery, settled = _trace(_succeed)
    _, failed = _trace(_fail)
    found = dict(zip(GOALS, (delivery, settled, failed), strict=True))
    for name, files in found.items():
        click.echo(f"{name}: {len(files)} files (goal: at most {GOALS[name]})")
        for file in sorted(files):
            click.echo(f"    {file}")
    if any(len(files) > GOALS[name] for name, files in found.items()):
        raise SystemExit(1)


def _succeed(_: object) -> None:
    """Handle the event."""


def _fail(_: object) -> None:
    raise ValueError("what a handler may raise")


def _trace(handler: Callable[[object], None]) -> tuple[set[str], set[str]]:
    """Return the files that a delivery passes in the server's thread, and in the worker's."""
    in_worker = Trace(within=Worker.work.__code__)
    with tempfile.TemporaryDirectory() as folder, _serving(handler, folder, in_worker) as app:
        _deliver(app, Trace(), in_worker)  # opens the inbox, fills what is cached
        in_server = Trace()
        in_worker.files.clear()
        _deliver(app, in_server, in_worker)
    return in_server.files, in_worker.files


@contextmanager
def _serving(handler: Callable[[object], None], folder: str, in_worker: Trace) -> Iterator[Flask]:
    hooks = HookKit()
    hooks.on("*", name="bench")(handler)
    app = Flask("bench.path", instance_path=folder)
    app.config["HOOKKIT_ENDPOINTS"] = {"support": {"provider": "sunshine", "secrets": [SECRET]}}
    app.config["HOOKKIT_WORKERS"] = 1
    hooks.init_app(app)
    threading.setprofile(in_worker)
    try:
        yield app
    finally:
        threading.setprofile(None)
        app.extensions["hookkit"].stop()


def _deliver(app: Flask, in_server: Trace, in_worker: Trace) -> None:
    """Deliver a new event, and wait until a worker is through with it."""
    provider = find_provider("sunshine")
    document = find_sample(provider, "v2").document()
    body = json.dumps(freshen(document, provider.versions["v2"])).encode()
    in_worker.has_ended.clear()
    client = app.test_client()
    sys.setprofile(in_server)
    try:
        answer = client.post("/hooks/support", data=body, headers={"X-API-Key": SECRET})
    finally:
        sys.setprofile(None)
    if answer.status_code != 200 or not in_worker.has_ended.wait(10):
        raise click.ClickException(f"the event was not handled: {answer.text}")
