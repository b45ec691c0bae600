"""Jobs per second of hookkit and of other engines, which take turns in one run.

A job ends by appending 8 bytes to an open file. hookkit's begins with a delivery of 1 KiB: it is
verified, taken apart, synced to the disk, read and dispatched. The other engines get the same
body as an argument of a function.

End to end is the time from the first job sent, by four threads, to the last one settled. Drain
is the time from the moment when the workers may begin, after everything was sent. Each engine
drains as many jobs as it does in some two seconds: with the same number for all, the quick ones
would be timed for a good part while they start. Idle is the time from the end of sending a single
job to its beginning.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from bench import engine_apps, goals
from bench.accept import new_bodies
from bench.engine_kinds import (
    CELERY,
    CELERY_COMMIT,
    FRONT,
    KINDS,
    OVER_CELERY,
    POSTGRES,
    SQLITE,
    Engine,
    has_front,
)
from bench.machine import FOLDER
from bench.servers import all_cpu_s, postgres, redis, schema, wait_until
from bench.timing import ratios, turns

SENDERS = 4
#: About how long a drain takes, in seconds.
DRAIN_S = 2.0
#: Jobs that are drained are at most so many times those that are timed end to end.
MOST_DRAINED = 10
#: Jobs that are sent one by one to an engine that has nothing to do.
IDLE_JOBS = 50


class Figures(NamedTuple):
    """The figures of one round.

    Attributes:
        end_to_end: Jobs per second.
        drain: Jobs per second.
        idle_ms: Milliseconds until a single job began; the median.
        cpu_ms: Milliseconds of a core for a job end to end, of all processes but PostgreSQL's
            where that was given. Others on the machine hardly change it.
    """

    end_to_end: float
    drain: float
    idle_ms: float
    cpu_ms: float


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the engines take turns.")
@click.option("--events", default=3000, show_default=True, help="Events per turn, end to end.")
@click.option("--folder", type=FOLDER, help="Where the files are made, on the disk to measure.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(KINDS)), help="An engine; default all of them."
)
def engines(rounds: int, events: int, folder: str | None, only: tuple[str, ...]) -> None:
    """Time hookkit beside bare Celery tasks, huey, dramatiq and procrastinate."""
    found = measure_engines(only or KINDS, rounds=rounds, events=events, folder=folder)
    for name, figures in found.items():
        click.echo(
            f"{name:>28}  end to end {median(each.end_to_end for each in figures):7,.0f}/s"
            f"  drain {median(each.drain for each in figures):7,.0f}/s"
            f"  idle {median(each.idle_ms for each in figures):6.2f} ms"
            f"  {median(each.cpu_ms for each in figures):5.2f} ms of a core"
        )
    goals.show(found_goals(found))


def found_goals(found: Mapping[str, Sequence[Figures]]) -> dict[str, list[float]]:
    """Return the goals that these figures are about, with a value for each round."""
    reached = {}
    for goal, (name, base, what) in _GOALS.items():
        if name in found and base in found:
            pair = ([getattr(each, what) for each in found[one]] for one in (name, base))
            reached[goal] = ratios(*pair)
    if SQLITE in found:
        reached["200 to handler, idle, p50"] = [each.idle_ms for each in found[SQLITE]]
    return reached


def measure_engines(
    names: Iterable[str], *, rounds: int, events: int, folder: str | None
) -> dict[str, list[Figures]]:
    """Return the figures of each engine in each round, after a round to warm up.

    An engine that this hookkit does not have, as long as it has no front, is left out.
    """
    with ExitStack() as stack:
        made = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        chosen = [name for name in names if name != FRONT or has_front()]
        started = start_all(stack, made, chosen)
        # hookkit's workers share this process with the packages of all the other engines, which
        # those have not to look through for garbage in theirs.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        found: dict[str, list[Figures]] = {name: [] for name in started}
        bodies = new_bodies()
        first = max(1, min(events, 300))
        drained = dict.fromkeys(started, first)
        for number, order in enumerate(turns(started, rounds + 1)):
            for name in order:
                count = events if number else first
                figures = measure(started[name], bodies, count, drained[name])
                if number:
                    found[name].append(figures)
                else:
                    in_time = round(DRAIN_S * figures.drain)
                    drained[name] = max(1, min(MOST_DRAINED * events, in_time))
    return found


def start_all(stack: ExitStack, folder: Path, names: Iterable[str]) -> dict[str, Engine]:
    """Start the servers and the workers; return the engines by name."""
    broker = stack.enter_context(redis(folder / "redis"))
    kept = stack.enter_context(redis(folder / "kept-redis", is_kept=True))
    engine_apps.BROKER = broker.url.removesuffix("/0")
    engine_apps.KEPT_BROKER = kept.url.removesuffix("/0")
    engine_apps.DONE = str(folder / "done")
    server, _ = stack.enter_context(postgres())
    engine_apps.DATABASE = stack.enter_context(schema(server))
    return {name: KINDS[name].start(stack, folder) for name in names}


def measure(engine: Engine, bodies: Iterable[bytes], count: int, drained: int) -> Figures:
    """Return the figures of *count* jobs end to end, others *drained*, and a few one by one."""
    bodies = iter(bodies)
    idle_ms = median(_idle_ms(engine, next(bodies)) for _ in range(min(count, IDLE_JOBS)))
    first, second = (list(islice(bodies, each)) for each in (count, drained))
    _forget()
    began, began_s = time.perf_counter(), all_cpu_s()
    send_all(engine, first)
    wait_for(engine, count)
    end_to_end = count / (time.perf_counter() - began)
    cpu_ms = (all_cpu_s() - began_s) / count * 1000
    drain = measure_drain(engine, second)
    return Figures(end_to_end, drain, idle_ms, cpu_ms)


def measure_drain(engine: Engine, bodies: Sequence[bytes]) -> float:
    """Return how many jobs per second the workers do of those that are there when they begin."""
    _forget()
    engine.hold()
    send_all(engine, bodies)
    began = engine.go()
    wait_for(engine, len(bodies))
    return len(bodies) / (time.perf_counter() - began)


def _idle_ms(engine: Engine, body: bytes) -> float:
    _forget()
    engine.send([body])
    sent_ns = time.monotonic_ns()
    wait_for(engine, 1)
    (ran_ns,) = engine_apps.RECORD.unpack(_done().read_bytes())
    return (int(ran_ns) - sent_ns) / 1_000_000


def send_all(engine: Engine, bodies: Sequence[bytes]) -> None:
    shares = [bodies[start::SENDERS] for start in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(engine.send, shares))


def wait_for(engine: Engine, count: int) -> None:
    """Return when *count* jobs have reported their end, and are settled."""
    done, enough = _done(), count * engine_apps.RECORD.size
    wait_until(lambda: done.exists() and done.stat().st_size >= enough)
    wait_until(engine.is_settled)


def _done() -> Path:
    return Path(engine_apps.DONE)


def _forget() -> None:
    if _done().exists():
        os.truncate(_done(), 0)  # the processes of the workers have it open


#: goal -> the engine, the one beside it, and which of the figures.
_GOALS = {
    "drain / bare Celery: SQLite": (SQLITE, CELERY, "drain"),
    "drain / bare Celery: PostgreSQL": (POSTGRES, CELERY, "drain"),
    "end to end / bare Celery: SQLite, blueprint": (SQLITE, CELERY, "end_to_end"),
    "end to end / bare Celery: SQLite, front": (FRONT, CELERY, "end_to_end"),
    "end to end / bare Celery: PostgreSQL": (POSTGRES, CELERY, "end_to_end"),
    "end to end / Celery with a commit: over Celery": (OVER_CELERY, CELERY_COMMIT, "end_to_end"),
}
