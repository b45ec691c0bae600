"""The console's pages over an inbox of 1,000,000 entries, while deliveries arrive.

Each page is asked for through gunicorn, as the sample application is served (2 processes with 4
threads), at another place of the inbox each time. The application says in a header of the answer
how much processor time the page has taken in its thread, and how many statements. Then deliveries
are timed, with two people who watch ``/live`` and one who exports, and without, in turns.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

import click
from sqlalchemy import create_engine, make_url

from bench.accept import new_bodies
from bench.machine import FOLDER
from bench.reading import HANDLER, fill
from bench.servers import DEADLINE_S, answers, free_port, postgres, running, schema, wait_until
from hookkit.inbox.opening import open_inbox

SECRET = "a-secret-for-the-benchmark"

#: The most that the 95th percentile of each page may take, in milliseconds; and of each page its
#: statements and the length before compression.
GOALS_MS = {
    "overview, 1 hour": 150,
    "overview, 24 hours": 150,
    "overview, 30 days": 150,
    "events, newest": 60,
    "events, random place": 60,
    "events, dead at random place": 60,
    "events, last 24 hours": 60,
    "events, rare type": 100,
    "events, handler and error": 100,
    "events, lane": 100,
    "events, exact event id": 50,
    "one event": 60,
    "dead letters": 150,
    "replay of what is dead": 150,
    "replays": 60,
    "endpoints": 60,
    "one endpoint": 60,
    "versions": 1000,
    "quarantine": 60,
    "live": 60,
    "live, changes": 60,
    "handlers": 60,
    "audit": 60,
}
MOST_STATEMENTS = 8
MOST_BYTES = 60_000

#: How much the 99th percentile of deliveries may grow while people look.
MAX_P99_RATIO = 1.1

#: So many deliveries arrive in a second.
RATE = 40

#: How often somebody who watches asks, in seconds.
_WATCH_S = 2.0

_APPLICATION = """
import threading
import time

from flask import Flask, request
from sqlalchemy import Engine, event

from hookkit import HookKit
from hookkit.console import Access

hooks = HookKit()


@hooks.on("conversation:message", name={handler!r})
def greet(event):
    pass


app = Flask(__name__)
app.config["SECRET_KEY"] = "the-key-of-the-benchmark"
app.config["HOOKKIT_ENDPOINTS"] = {{
    "support": {{"provider": "sunshine", "secrets": [{secret!r}]}},
    "shop": {{
        "provider": "sunshine",
        "secrets": ["another-{secret}"],
        "versions": {{"v1.1": "live", "v2": "shadow"}},
    }},
}}
app.config["HOOKKIT_DATABASE"] = {url!r}
hooks.init_app(app)


def permission(request):
    # A user of its own for each request: users are limited.
    return Access(request.headers["X-User"], {{"operate", "switch"}})


app.register_blueprint(hooks.console(permission=permission), url_prefix="/ops")
here = threading.local()


@event.listens_for(Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    # This begins a transaction on PostgreSQL.
    if "set_config('statement_timeout'" not in statement:
        here.statements = getattr(here, "statements", 0) + 1


@app.before_request
def begin():
    here.statements, here.began_s = 0, time.thread_time()


@app.after_request
def end(response):
    response.headers["X-Statements"] = str(here.statements)
    response.headers["X-Cpu-Ms"] = str((time.thread_time() - here.began_s) * 1000)
    return response
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one request for a page has taken."""

    wall_ms: float
    cpu_ms: float
    statements: int
    length: int


@click.command()
@click.option("--many", default=1_000_000, show_default=True, help="Entries of the inbox.")
@click.option("--samples", default=60, show_default=True, help="How often each page is asked for.")
@click.option("--rounds", default=5, show_default=True, help="How often deliveries are timed.")
@click.option("--seconds", default=15.0, show_default=True, help="How long in each round.")
@click.option("--folder", type=FOLDER, help="Where the files are made; 3 GB are needed.")
def console(many: int, samples: int, rounds: int, seconds: float, folder: str | None) -> None:
    """Time the console's pages over 1,000,000 entries, and deliveries meanwhile."""
    how = _Sizes(many, samples, rounds, seconds)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        met = _measure("SQLite", f"sqlite:///{made}/inbox.db", how)
    with postgres() as (server, _), schema(server) as url:
        met &= _measure("PostgreSQL", url, how)
    if not met:
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class _Sizes:
    many: int
    samples: int
    rounds: int
    seconds: float


def _measure(name: str, url: str, how: _Sizes) -> bool:
    began = time.monotonic()
    since = datetime.now(UTC) - timedelta(milliseconds=100 * how.many)
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    with closing(open_inbox(engine)):
        fill(engine, how.many, since)
    engine.dispose()
    click.echo(f"{name}: {how.many:,} entries, made in {time.monotonic() - began:.0f} s")
    with ExitStack() as stack:
        port = stack.enter_context(_serving(url))
        sender = _Sender(port)
        stack.enter_context(sender.sending())
        met = [
            _show(page, _looks(port, address, how.samples))
            for page, address in _pages(how.many, lambda: _mark(port)).items()
        ]
        met.append(_deliveries(port, sender, how))
    return all(met)


@contextmanager
def _serving(url: str) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        source = _APPLICATION.format(secret=SECRET, url=url, handler=HANDLER)
        (folder / "application.py").write_text(source, encoding="utf-8")
        options = ["--workers=2", "--threads=4", f"-b127.0.0.1:{port}"]
        command = ["-m", "gunicorn", "--no-control-socket", *options, "application:app"]
        here = {"PYTHONPATH": str(Path.cwd())}
        with running(*command, log=folder / "log", environment=here, folder=folder):
            wait_until(lambda: answers(port))
            yield port


def _pages(many: int, mark: Callable[[], str]) -> Mapping[str, Callable[[], str]]:
    """Return the address of each page, at another place whenever it is asked for.

    Args:
        mark: Returns that of somebody who has seen everything.
    """
    places = random.Random(17)  # noqa: S311  # a place, not a secret

    def place() -> int:
        return places.randint(1, many)

    return {
        "overview, 1 hour": lambda: "/?last=1h",
        "overview, 24 hours": lambda: "/?last=24h",
        "overview, 30 days": lambda: "/?last=30d",
        "events, newest": lambda: "/events",
        "events, random place": lambda: f"/events?below={place()}",
        "events, dead at random place": lambda: f"/events?state=dead&below={place()}",
        "events, last 24 hours": lambda: "/events?since=24h",
        "events, rare type": lambda: f"/events?type=rare&below={place()}",
        "events, handler and error": lambda: (
            f"/events?q={quote(f'handler:{HANDLER} error:KeyError')}&below={place()}"
        ),
        "events, lane": lambda: f"/events?q=lane:conversation-{place() % 1000}&below={place()}",
        "events, exact event id": lambda: f"/events?q=event-{place()}",
        "one event": lambda: f"/events/{place()}",
        "dead letters": lambda: "/dead",
        "replay of what is dead": lambda: "/replays/new?state=dead",
        "replays": lambda: "/replays",
        "endpoints": lambda: "/endpoints",
        "one endpoint": lambda: "/endpoints/support",
        "versions": lambda: "/versions/shop",
        "quarantine": lambda: "/quarantine",
        "live": lambda: "/live",
        "live, changes": lambda: f"/live/changes?mark={mark()}",
        "handlers": lambda: "/handlers",
        "audit": lambda: "/audit",
    }


def _looks(port: int, address: Callable[[], str], samples: int) -> Sequence[Look]:
    """Return what a page has taken each time, after some to warm up both processes."""
    return [_look(port, address()) for _ in range(samples + 6)][6:]


_users = itertools.count()


def _mark(port: int) -> str:
    _, content = _answer(port, "/live/changes")
    return str(json.loads(content)["mark"])


def _look(port: int, address: str) -> Look:
    return _answer(port, address)[0]


def _answer(port: int, address: str) -> tuple[Look, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        began = time.perf_counter()
        connection.request("GET", f"/ops{address}", headers={"X-User": f"user-{next(_users)}"})
        response = connection.getresponse()
        content = response.read()
        wall_ms = (time.perf_counter() - began) * 1000
        if response.status not in (200, 404):
            raise click.ClickException(f"{address}: {response.status}")
        look = Look(
            wall_ms,
            float(response.headers["X-Cpu-Ms"]),
            int(response.headers["X-Statements"]),
            len(content),
        )
        return look, content


def _show(page: str, looks: Sequence[Look]) -> bool:
    p95_ms = _percentile([each.wall_ms for each in looks], 95)
    cpu_ms = _percentile([each.cpu_ms for each in looks], 95)
    statements = max(each.statements for each in looks)
    length = max(each.length for each in looks)
    is_met = {
        "time": p95_ms <= GOALS_MS[page],
        "statements": statements <= MOST_STATEMENTS,
        "bytes": length <= MOST_BYTES,
    }
    missed = ", ".join(name for name, is_reached in is_met.items() if not is_reached)
    click.echo(
        f"  {page:>29}  p50 {median(each.wall_ms for each in looks):6.1f} ms, p95 {p95_ms:6.1f} ms"
        f" (goal {GOALS_MS[page]:4}), CPU p95 {cpu_ms:6.1f} ms,"
        f" {statements:2} statements, {length / 1000:4.1f} kB"
        + (f"  MISSED: {missed}" if missed else "")
    )
    return not missed


def _percentile(values: Sequence[float], of: int) -> float:
    return quantiles(values, n=100, method="inclusive")[of - 1]


class _Sender:
    """Sends deliveries, as many in a second as they are meant to be, whatever each takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._bodies = new_bodies()
        self._lock = threading.Lock()
        self.waits_ms: list[float] = []

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send until the end of the block."""
        over = threading.Event()
        threads = [threading.Thread(target=self._send, args=(over, RATE / 2)) for _ in range(2)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            over.set()
            for each in threads:
                each.join()

    def _send(self, over: threading.Event, rate: float) -> None:
        headers = {"X-API-Key": SECRET, "Content-Type": "application/json"}
        due_s = time.monotonic()
        while not over.wait(max(0.0, due_s - time.monotonic())):
            due_s += 1 / rate
            with self._lock:
                body = next(self._bodies)
            began = time.perf_counter()
            with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
                connection.request("POST", "/hooks/support", body, headers)
                response = connection.getresponse()
                response.read()
            self.waits_ms.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                raise click.ClickException(f"a delivery was answered {response.status}")


def _deliveries(port: int, sender: _Sender, how: _Sizes) -> bool:
    """Show how long deliveries take while people look, and without."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for _, is_looked_at in itertools.product(range(how.rounds), (False, True)):
        with ExitStack() as stack:
            if is_looked_at:
                stack.enter_context(_people(port))
            first = len(sender.waits_ms)
            time.sleep(how.seconds)
            found[is_looked_at] += sender.waits_ms[first:]
    without, beside = (_percentile(found[each], 99) for each in (False, True))
    ratio = beside / without
    click.echo(
        f"  deliveries: p99 {without:.1f} ms, with two who watch and one who exports {beside:.1f}"
        f" ms: {ratio:.2f} times (goal: at most {MAX_P99_RATIO})"
    )
    return ratio <= MAX_P99_RATIO


@contextmanager
def _people(port: int) -> Iterator[None]:
    """Have two people watch and one export until the end of the block.

    Each is a process of its own: in a thread they would hold up what times the deliveries.
    """
    spawn = multiprocessing.get_context("spawn")
    are_ready, is_over = spawn.Barrier(4), spawn.Event()
    people = [
        spawn.Process(target=each, args=(port, are_ready, is_over), daemon=True)
        for each in (watch, watch, export)
    ]
    for each in people:
        each.start()
    are_ready.wait(DEADLINE_S)
    try:
        yield
    finally:
        is_over.set()
        for each in people:
            each.join()
    if any(each.exitcode for each in people):
        raise click.ClickException("somebody who was to watch or to export has failed")


def watch(port: int, are_ready: Barrier, is_over: Event) -> None:
    """Ask what has changed every two seconds, as the page does."""
    mark = _mark(port)
    are_ready.wait()
    while not is_over.wait(_WATCH_S):
        mark = json.loads(_answer(port, f"/live/changes?mark={mark}")[1])["mark"]


def export(port: int, are_ready: Barrier, is_over: Event) -> None:
    """Export one file after another; leave the last one, which may take a minute, at the end."""
    are_ready.wait()
    while not is_over.is_set():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/ops/events/export?as=csv", headers={"X-User": "exporter"})
            response = connection.getresponse()
            if response.status != 200:
                raise click.ClickException(f"/events/export: {response.status}")
            while not is_over.is_set() and response.read1():
                pass
