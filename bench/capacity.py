"""The processor time of one event in each layout, and the cores that many events need.

The processes are real: gunicorn with one worker, ``flask hookkit worker`` or a Celery worker
over Redis, PostgreSQL. This program delivers over keep-alive connections, and its own time is
not counted. Each delivery brings one new event, for which one handler does nothing. The kernel
counts the processor time, so other programs on the machine change it little.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from bench.accept import new_bodies
from bench.servers import (
    Process,
    answers,
    cpu_s,
    free_port,
    postgres,
    redis,
    running,
    schema,
    wait_until,
)
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox

SECRET = "a-secret-for-the-benchmark"
CONNECTIONS = 8

#: The numbers of events per second for which the cores are calculated.
RATES = (10, 1000, 100_000)

_APPLICATION = """
from flask import Flask
from hookkit import HookKit

hooks = HookKit()


@hooks.on("conversation:message")
def handle(event):
    pass


app = Flask(__name__)
app.config["HOOKKIT_ENDPOINTS"] = {{"support": {{"provider": "sunshine", "secrets": [{secret!r}]}}}}
app.config["HOOKKIT_DATABASE"] = {url!r}
app.config["HOOKKIT_RUNNER"] = {runner!r}
if app.config["HOOKKIT_RUNNER"] == "celery":
    from celery import Celery

    app.extensions["celery"] = celery = Celery("application", broker={broker!r})
    celery.conf.update(task_ignore_result=True)
hooks.init_app(app)
"""

_FLASK = ("-m", "flask", "--app", "application", "hookkit", "worker")
_CELERY = ("-m", "celery", "--app", "application:celery", "worker", "--queues", "hookkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which process handles the entries that the web process has stored.

    Attributes:
        runner: Of the web process.
        command: The worker's, behind the interpreter.
        ready: What it prints when it begins.
    """

    runner: str
    command: tuple[str, ...]
    ready: str


LAYOUTS = {
    "PostgreSQL": Layout(runner="none", command=_FLASK, ready="handling the events"),
    "PostgreSQL, Celery": Layout(
        runner="celery", command=(*_CELERY, "--concurrency", "2"), ready="[queues]"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one event.

    Attributes:
        cpu_ms: Milliseconds of processor time, by what spent it.
        wall_ms: Milliseconds until the last was done, by the number of events.
    """

    cpu_ms: dict[str, float]
    wall_ms: float


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the layouts take turns.")
@click.option("--events", default=1500, show_default=True, help="Deliveries of a round.")
@click.option("--postgres", "url", envvar="HOOKKIT_TEST_POSTGRES_URL", help="Another server.")
def capacity(rounds: int, events: int, url: str | None) -> None:
    """Print what an event costs in each layout, and what limits 10, 1000 and 100 000 a second."""
    found: dict[str, list[Cost]] = {name: [] for name in ("SQLite", *LAYOUTS)}
    bodies = new_bodies()
    with ExitStack() as running:
        server, postmaster = running.enter_context(postgres(url))
        at = running.enter_context(schema(server))
        for _ in range(rounds):
            found["SQLite"].append(_on_sqlite(bodies, events))
            for name, layout in LAYOUTS.items():
                found[name].append(_on_postgres(layout, bodies, events, at, postmaster))
    for name, costs in found.items():
        _show(name, costs)
    _arithmetic(found)


def _show(name: str, costs: list[Cost]) -> None:
    click.echo(f"{name}: {median(1000 / each.wall_ms for each in costs):,.0f} events/s received")
    for part in costs[0].cpu_ms:
        ms = median(each.cpu_ms[part] for each in costs)
        per_core = 1000 / max(ms, 0.001)
        click.echo(f"  {part:24} {ms:6.2f} ms of a core, {per_core:8,.0f} events/s per core")


def _arithmetic(found: dict[str, list[Cost]]) -> None:
    for name, costs in found.items():
        parts = {
            part: median(each.cpu_ms[part] for each in costs) / 1000 for part in costs[0].cpu_ms
        }
        for rate in RATES:
            cores = ", ".join(f"{part} {_short(rate * each)}" for part, each in parts.items())
            click.echo(f"{name}, {rate:7,} events/s: cores for {cores}")


def _short(cores: float) -> str:
    return f"{cores:,.0f}" if cores >= 10 else f"{cores:.2f}"


def _on_sqlite(bodies: Iterator[bytes], events: int) -> Cost:
    """Measure a process that serves and handles."""
    with tempfile.TemporaryDirectory() as made:
        folder, url = Path(made), f"sqlite:///{made}/inbox.db"
        with _serving(folder, url, "thread") as (web, port):
            _send(port, [next(bodies) for _ in range(events // 10)])
            before = cpu_s(web.pid)
            wall_s = _send(port, [next(bodies) for _ in range(events)])
            _wait_until_done(url)
            spent_s = cpu_s(web.pid) - before
    return Cost(
        cpu_ms={"web and handlers": spent_s / events * 1000}, wall_ms=wall_s / events * 1000
    )


def _on_postgres(
    layout: Layout, bodies: Iterator[bytes], events: int, at: str, postmaster: int
) -> Cost:
    """Measure a process that serves, then one that handles the stored entries."""

    def database_s() -> float:
        return cpu_s(postmaster) if postmaster else 0.0

    cpu_ms = {}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        broker = running.enter_context(redis(folder / "redis"))
        with _serving(folder, at, layout.runner, broker.url) as (web, port):
            _send(port, [next(bodies) for _ in range(events // 10)])
            before = cpu_s(web.pid), database_s()
            wall_s = _send(port, [next(bodies) for _ in range(events)])
            cpu_ms["web"] = (cpu_s(web.pid) - before[0]) / events * 1000
            cpu_ms["database, receiving"] = (database_s() - before[1]) / events * 1000
        waiting = events + events // 10
        before_handling = database_s()
        with _run(folder, *layout.command) as worker:
            wait_until(lambda: layout.ready in (folder / "log").read_text())
            started_s = cpu_s(worker.pid)
            _wait_until_done(at)
            cpu_ms["worker"] = (cpu_s(worker.pid) - started_s) / waiting * 1000
        cpu_ms["database, handling"] = (database_s() - before_handling) / waiting * 1000
    return Cost(cpu_ms=cpu_ms, wall_ms=wall_s / events * 1000)


@contextmanager
def _serving(
    folder: Path, url: str, runner: str, broker: str = ""
) -> Iterator[tuple[Process, int]]:
    source = _APPLICATION.format(secret=SECRET, url=url, runner=runner, broker=broker)
    (folder / "application.py").write_text(source, encoding="utf-8")
    port = free_port()
    options = ["--workers=1", f"--threads={CONNECTIONS}", f"-b127.0.0.1:{port}"]
    command = ["-m", "gunicorn", "--no-control-socket", *options, "application:app"]
    with _run(folder, *command) as process:
        wait_until(lambda: answers(port))
        yield process, port


def _run(folder: Path, *command: str) -> AbstractContextManager[Process]:
    here = {"PYTHONPATH": str(Path.cwd())}
    return running(*command, log=folder / "log", environment=here, folder=folder)


def _send(port: int, bodies: list[bytes]) -> float:
    """Deliver *bodies*; return the seconds that it took."""
    headers = {"X-API-Key": SECRET, "Content-Type": "application/json"}

    def send(share: list[bytes]) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            for body in share:
                connection.request("POST", "/hooks/support", body, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status != 200 or answer["new"] != 1:
                    raise RuntimeError(f"{response.status}: {answer}")

    shares = [bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]
    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, shares))
    return time.monotonic() - began


def _wait_until_done(url: str) -> None:
    with closing(open_inbox(url)) as inbox:

        def is_done() -> bool:
            counts = inbox.counts()
            return counts[State.DONE] == sum(counts.values())

        wait_until(is_done, pause_s=0.2)
