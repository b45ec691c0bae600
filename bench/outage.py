"""The latency of deliveries before and during an outage of the broker.

Two web processes of gunicorn, one Celery worker of two processes, the sweep, PostgreSQL; a
steady stream of deliveries, each a new event. The broker is killed in the middle.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import click

from bench import engine_apps
from bench.accept import new_bodies
from bench.engine_kinds import is_settled, workers
from bench.servers import answers, free_port, postgres, redis, running, schema, wait_until
from hookkit.inbox.opening import open_inbox

#: Goals of the project; the command fails when one is missed.
MAX_P99_RATIO = 2.0
MAX_DRAIN_RATIO = 1.0

SENDERS = 8
WARM_UP = 200


class Answer(NamedTuple):
    """The status of a delivery's answer, and how long it took."""

    status: int
    wait_ms: float


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the broker is down.")
@click.option("--rate", default=60.0, show_default=True, help="Deliveries per second.")
def outage(seconds: float, rate: float) -> None:
    """Time deliveries while the broker is down, and how soon their events are handled."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(redis(folder / "redis"))
        engine_apps.BROKER = broker.url.removesuffix("/0")
        engine_apps.DONE = str(folder / "done")
        server, _ = stack.enter_context(postgres())
        engine_apps.DATABASE = stack.enter_context(schema(server))
        inbox = open_inbox(engine_apps.DATABASE)
        stack.callback(inbox.close)
        port = stack.enter_context(web(folder))
        started = [workers(stack, folder, "hookkit")]
        count = int(seconds * rate)
        bodies = list(islice(new_bodies(), WARM_UP + 2 * count))
        send(port, bodies[:WARM_UP], rate)
        before = send(port, bodies[WARM_UP:-count], rate)
        broker.stop()
        meanwhile = send(port, bodies[-count:], rate)
        broker.start()
        began = time.monotonic()

        def is_over() -> bool:
            # Celery's own process may end of it, also a while later: kombu 5.7 has a race there.
            if started[-1].has_ended:
                click.echo("Celery's worker has ended with the broker, and is started again")
                started.append(workers(stack, folder, "hookkit"))
            return is_settled(inbox)

        wait_until(is_over)
        drained_s = time.monotonic() - began
    show("broker up", before)
    show("broker down", meanwhile)
    statuses = Counter(each.status for each in before + meanwhile)
    p99_ratio = p99_ms(meanwhile) / p99_ms(before)
    click.echo(f"answers: {dict(statuses)}")
    click.echo(f"p99 {p99_ratio:.2f} times the healthy one (goal: at most {MAX_P99_RATIO:g})")
    click.echo(
        f"all done {drained_s:.1f} s after the broker's return"
        f" (goal: at most {MAX_DRAIN_RATIO * seconds:g} s)"
    )
    is_slow = p99_ratio > MAX_P99_RATIO or drained_s > MAX_DRAIN_RATIO * seconds
    if is_slow or set(statuses) != {200}:
        raise SystemExit(1)


def show(name: str, answers: Sequence[Answer]) -> None:
    p50 = median(each.wait_ms for each in answers)
    click.echo(f"{name:>12}  p50 {p50:6.2f} ms  p99 {p99_ms(answers):6.2f} ms  of {len(answers):,}")


def p99_ms(answers: Sequence[Answer]) -> float:
    return quantiles((each.wait_ms for each in answers), n=100)[-1]


def send(port: int, bodies: Sequence[bytes], rate: float) -> list[Answer]:
    """Deliver *bodies* at *rate* per second, however long the answers take."""
    began = time.perf_counter() + 0.1

    def send_share(start: int) -> list[Answer]:
        answers = []
        for number in range(start, len(bodies), SENDERS):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"X-API-Key": engine_apps.SECRET, "Content-Type": "application/json"}
            connection.request("POST", "/hooks/support", body=bodies[number], headers=headers)
            status = connection.getresponse().status
            # One that began late has waited all the same.
            answers.append(Answer(status, (time.perf_counter() - due) * 1000))
            connection.close()
        return answers

    with ThreadPoolExecutor(SENDERS) as pool:
        return [each for share in pool.map(send_share, range(SENDERS)) for each in share]


@contextmanager
def web(folder: Path) -> Iterator[int]:
    """Serve from two processes, and sweep in another, until the end of the block."""
    application = f"bench.engine_apps:make_app({engine_apps.DATABASE!r}, 'celery')"
    port = free_port()
    serve = ["gunicorn", "--workers=2", "--no-control-socket", f"-b127.0.0.1:{port}", application]
    sweep = ["flask", "--app", application, "hookkit", "worker", "--sweep", "--concurrency=0"]
    run = partial(running, log=folder / "web-log", environment=engine_apps.environment())
    with run("-m", *serve), run("-m", *sweep):
        wait_until(lambda: answers(port))
        yield port
