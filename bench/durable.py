"""Durable admission to a SQLite inbox, beside what people write by hand and the limit.

All figures come from one run, in which the cases take turns, each on a new file:

* ``naive``: a connection per thread, one INSERT and COMMIT per event, of the body and an id;
* ``log``: the same group commit, but it only appends to a file and syncs it: the limit;
* ``hookkit``: an inbox as ``HOOKKIT_DATABASE`` opens it, with everything that it stores;
* two processes on one file, with hookkit's file lock and with SQLite's busy handler alone.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeAlias

import click

from hookkit.core.delivery import Envelope, Payload
from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sqlite.group_commit import GroupCommit

#: Goals of the project; the command fails when one is missed.
MIN_TIMES_NAIVE = 5.0
MIN_TIMES_LOG = 0.4
MAX_P99_RATIO = 1 / 5

SENDERS = 64
BODY_BYTES = 2048

_numbers = itertools.count(1)

#: Makes one event durable.
Put: TypeAlias = Callable[[Envelope], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one case in one round.

    Attributes:
        per_second: Events made durable.
        waits_ms: How long each of them took.
    """

    per_second: float
    waits_ms: Sequence[float]

    @property
    def p99_ms(self) -> float:
        return quantiles(self.waits_ms, n=100)[-1]


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the cases take turns.")
@click.option("--events", default=6400, show_default=True, help="Events of a case per turn.")
@click.option("--folder", default=None, help="Where the files are made, on the disk to measure.")
def durable(rounds: int, events: int, folder: str | None) -> None:
    """Time durable admission: 64 senders, one sender, and two processes on one file."""
    met = [
        _many_senders(rounds, events, folder),
        _one_sender(rounds, max(1, events // 4), folder),
        _two_processes(rounds, events, folder),
    ]
    if not all(met):
        raise SystemExit(1)


def _many_senders(rounds: int, events: int, folder: str | None) -> bool:
    cases = {"naive": naive, "log": append_log, "hookkit": hookkit}
    found = _by_turns(cases, rounds, folder, senders=SENDERS, events=events)
    click.echo(f"{SENDERS} senders in one process:")
    _show(found)
    by_naive, by_log = _times(found, "naive"), _times(found, "log")
    click.echo(f"  {by_naive:.1f} times naive (goal: at least {MIN_TIMES_NAIVE:g})")
    click.echo(f"  {by_log:.2f} times the log (goal: at least {MIN_TIMES_LOG:g})")
    return by_naive >= MIN_TIMES_NAIVE and by_log >= MIN_TIMES_LOG


def _one_sender(rounds: int, events: int, folder: str | None) -> bool:
    cases = {"naive": naive, "hookkit": hookkit}
    found = _by_turns(cases, rounds, folder, senders=1, events=events)
    click.echo("one sender:")
    _show(found)
    click.echo(f"  {_times(found, 'naive'):.2f} times naive (no goal)")
    return True


def _two_processes(rounds: int, events: int, folder: str | None) -> bool:
    cases = {"busy handler": False, "file lock": True}
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, is_locked in cases.items():
            with tempfile.TemporaryDirectory(dir=folder) as made:
                found[name].append(_in_two_processes(Path(made), events // 2, is_locked))
    click.echo(f"two processes of {SENDERS // 4} senders on one file:")
    _show(found)
    pairs = zip(found["file lock"], found["busy handler"], strict=True)
    ratio = median(one.p99_ms / other.p99_ms for one, other in pairs)
    click.echo(f"  p99 {ratio:.2f} times the busy handler's (goal: at most {MAX_P99_RATIO:g})")
    return ratio <= MAX_P99_RATIO


def _by_turns(
    cases: Mapping[str, Callable[[Path], AbstractContextManager[Put]]],
    rounds: int,
    folder: str | None,
    *,
    senders: int,
    events: int,
) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            with tempfile.TemporaryDirectory(dir=folder) as made, cases[name](Path(made)) as put:
                measure(put, senders=senders, events=events // 4)  # warm up, grow the log
                found[name].append(measure(put, senders=senders, events=events))
    return found


def _show(found: dict[str, list[Figures]]) -> None:
    for name, figures in found.items():
        per_second = median(one.per_second for one in figures)
        p50 = median(median(one.waits_ms) for one in figures)
        p99 = median(one.p99_ms for one in figures)
        click.echo(f"{name:>14}  {per_second:8,.0f} events/s  p50 {p50:7.2f} ms  p99 {p99:7.2f} ms")


def _times(found: dict[str, list[Figures]], base: str) -> float:
    pairs = zip(found["hookkit"], found[base], strict=True)
    return median(one.per_second / other.per_second for one, other in pairs)


def measure(put: Put, *, senders: int, events: int) -> Figures:
    """Return the figures of *senders* threads that send one event after the other."""
    shares = [[_envelope() for _ in range(max(1, events // senders))] for _ in range(senders)]
    waits: list[float] = []
    start = threading.Barrier(senders + 1)

    def send(share: Sequence[Envelope]) -> None:
        mine = []
        start.wait()
        for envelope in share:
            began = time.perf_counter()
            put(envelope)
            mine.append((time.perf_counter() - began) * 1000)
        waits.extend(mine)

    threads = [threading.Thread(target=send, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return Figures(per_second=len(waits) / (time.perf_counter() - began), waits_ms=waits)


@contextmanager
def hookkit(folder: Path) -> Iterator[Put]:
    inbox = open_inbox(f"sqlite:///{folder}/inbox.db")
    yield inbox.admit
    inbox.close()


@contextmanager
def naive(folder: Path) -> Iterator[Put]:
    of_thread = threading.local()
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            folder / "naive.db", timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        opened.append(connection)
        return connection

    connect().execute("CREATE TABLE events (id TEXT PRIMARY KEY, body BLOB NOT NULL)")

    def put(envelope: Envelope) -> None:
        connection = getattr(of_thread, "connection", None)
        if connection is None:
            connection = of_thread.connection = connect()
        row = (envelope.items[0].event_id, envelope.body)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events VALUES (?, ?) ON CONFLICT DO NOTHING", row)
        connection.execute("COMMIT")

    yield put
    for connection in opened:
        connection.close()


@contextmanager
def append_log(folder: Path) -> Iterator[Put]:
    file = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def commit(take: Callable[[], Sequence[bytes]], *, timeout_s: float) -> list[None]:
        bodies = take()
        os.writev(file, bodies)
        os.fdatasync(file)
        return [None] * len(bodies)

    group: GroupCommit[bytes, None] = GroupCommit(commit, timeout_s=lambda: 30.0)
    yield lambda envelope: group.submit(envelope.body, len(envelope.body))
    os.close(file)


def _in_two_processes(folder: Path, events: int, is_locked: bool) -> Figures:  # noqa: FBT001
    spawn = multiprocessing.get_context("spawn")
    url = f"sqlite:///{folder}/inbox.db"
    open_inbox(url).close()
    start, results = spawn.Barrier(2), spawn.Queue()
    processes = [
        spawn.Process(target=_send_all, args=(url, events, is_locked, start, results))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    both = [results.get() for _ in processes]
    for process in processes:
        process.join()
    waits = list(itertools.chain.from_iterable(waits for _, waits in both))
    return Figures(per_second=sum(per_second for per_second, _ in both), waits_ms=waits)


def _send_all(url: str, events: int, is_locked: bool, start: Any, results: Any) -> None:  # noqa: FBT001
    inbox: Any = open_inbox(url)
    if not is_locked:
        inbox._transactions._file_lock = None  # noqa: SLF001

    def put(envelope: Envelope) -> None:
        # A busy handler that gives up: the vendor would send it again.
        try:
            inbox.admit(envelope)
        except Unavailable:
            put(envelope)

    measure(put, senders=SENDERS // 4, events=SENDERS)
    start.wait()
    figures = measure(put, senders=SENDERS // 4, events=events)
    inbox.close()
    results.put((figures.per_second, figures.waits_ms))


def _envelope() -> Envelope:
    """Return a delivery of one new event; event ids are in the order of time."""
    now = datetime.now(UTC)
    event_id = f"{time.time_ns():019d}{next(_numbers):08d}{os.getpid():08d}"
    raw = {"id": event_id, "text": "x" * BODY_BYTES}
    payload = Payload(
        provider="sunshine",
        endpoint="support",
        version="v2",
        received_at=now,
        headers={"content-type": "application/json"},
        document=raw,
    )
    item = payload.item(raw=raw, vendor_type="conversation:message", event_id=event_id)
    return Envelope(
        endpoint="support",
        provider="sunshine",
        version="v2",
        received_at=now,
        body=json.dumps(raw).encode(),
        headers=payload.headers,
        secret_index=0,
        items=(item,),
    )
