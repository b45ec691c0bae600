"""Looks of people into an inbox of 1,000,000 entries, on SQLite and PostgreSQL.

Each look is made at another place of the inbox, through ``inbox.reading`` as the commands do it.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import click
from sqlalchemy import URL, Engine, create_engine, make_url, text

from bench.machine import FOLDER
from bench.servers import postgres, schema
from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.records import to_ms
from hookkit.providers import find_provider
from hookkit.testing.samples import find_sample

#: The most that the 95th percentile of each look may take, in milliseconds.
GOALS_MS = {
    "newest page": 60,
    "page at a random place": 60,
    "dead, at a random place": 60,
    "rare type, 20,000 looked at": 100,
    "outcome nobody has": 100,
    "since a random time": 60,
    "exact event id": 50,
    "one entry, twin and neighbours": 60,
    "dead in groups": 150,
    "stats": 60,
}

#: One entry of so many is dead: 5,000 of 1,000,000.
_DEAD = 200
_WINDOW_S = 1800.0
HANDLER = "app.greet"

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)",
    "postgresql": "WITH numbers(n) AS (SELECT * FROM generate_series(1, :count))",
}

# Entries as hookkit writes them, each with a delivery and an attempt of its own; one of twenty is
# the twin of the one before it. Time goes by in tenths of a second.
_DELIVERIES = """
INSERT INTO hookkit_deliveries
    (endpoint, provider, version, received_at_ms, body, headers, body_sha256, secret_index,
     is_conflict, is_encrypted)
{numbers}
SELECT 'support', 'sunshine', 'v2', :since_ms + 100 * n, :body, '{{}}', :digest, 0, FALSE, FALSE
FROM numbers
"""
_ENTRIES = """
INSERT INTO hookkit_entries
    (endpoint, event_id, delivery_id, position, vendor_type, version, lane, fact, content_hash,
     received_at_ms, state, attempt_count, generation, replay_count, conflict_count, event_type)
{numbers}
SELECT CASE n / 20 % 2 WHEN 0 THEN 'shop' ELSE 'support' END, 'event-' || n, n, 0,
       'conversation:message', CASE n % 20 WHEN 1 THEN 'v1.1' ELSE 'v2' END,
       'conversation-' || (n % 1000), 'message-' || (n - CASE n % 20 WHEN 1 THEN 1 ELSE 0 END), '',
       :since_ms + 100 * n, CASE n % {dead} WHEN 0 THEN 'dead' ELSE 'done' END, 1, 1, 0, 0,
       'conversation:message'
FROM numbers
"""
_ATTEMPTS = """
INSERT INTO hookkit_attempts
    (entry_id, generation, replay_count, number, handler, outcome, started_at_ms, ended_at_ms,
     error)
{numbers}
SELECT n, 1, 0, 1, '{handler}', CASE n % {dead} WHEN 0 THEN 'failed' ELSE 'succeeded' END,
       :since_ms + 100 * n, :since_ms + 100 * n + 10,
       CASE n % {dead} WHEN 0 THEN 'RuntimeError: order ' || n || ' is not known' END
FROM numbers
"""


@click.command()
@click.option("--many", default=1_000_000, show_default=True, help="Entries of the inbox.")
@click.option("--samples", default=60, show_default=True, help="How often each look is made.")
@click.option("--folder", type=FOLDER, help="Where the files are made; 3 GB are needed.")
def reading(many: int, samples: int, folder: str | None) -> None:
    """Time looks into an inbox of 1,000,000 entries."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        met = _measure("SQLite", f"sqlite:///{made}/inbox.db", many, samples)
    with postgres() as (server, _), schema(server) as url:
        of_psycopg = make_url(url).set(drivername="postgresql+psycopg")
        met &= _measure("PostgreSQL", of_psycopg, many, samples)
    if not met:
        raise SystemExit(1)


def _measure(name: str, url: str | URL, many: int, samples: int) -> bool:
    engine = create_engine(url)
    with closing(open_inbox(engine)) as inbox:
        began = time.monotonic()
        since = datetime.now(UTC) - timedelta(milliseconds=100 * many)
        fill(engine, many, since)
        click.echo(f"{name}: {many:,} entries, made in {time.monotonic() - began:.0f} s")
        met = [
            _show(what, _times_ms(look, samples))
            for what, look in _looks(inbox, many, since).items()
        ]
    engine.dispose()
    return all(met)


def fill(engine: Engine, many: int, since: datetime) -> None:
    """Store so many entries in an inbox that is empty, ten of a second from *since* on."""
    kind = engine.dialect.name
    words = {"numbers": _NUMBERS[kind], "dead": _DEAD, "handler": HANDLER}
    body = find_sample(find_provider("sunshine"), "v2", "conversation-message").body
    values = {
        "count": many,
        "since_ms": to_ms(since),
        "body": body,
        "digest": hashlib.sha256(body).hexdigest(),
    }
    with engine.begin() as connection:
        for table in (_DELIVERIES, _ENTRIES, _ATTEMPTS):
            statement = table.format(**words)
            used = {name: each for name, each in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
    if kind == "postgresql":  # which does this by itself, some time later
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _looks(inbox: Inbox, many: int, since: datetime) -> Mapping[str, Callable[[], object]]:
    """Return the looks by their names, each at another place whenever it is called."""
    find = inbox.reading.find
    places = random.Random(17)  # noqa: S311  # a place, not a secret

    def place() -> int:
        return places.randint(1, many)

    def one_entry() -> None:
        detail = inbox.reading.read(place())
        if detail is not None:
            inbox.reading.twin(detail.record, window_s=_WINDOW_S)
            inbox.reading.neighbours(detail.record)

    return {
        "newest page": find,
        "page at a random place": lambda: find(below_id=place()),
        "dead, at a random place": lambda: find(Filter(state=State.DEAD), below_id=place()),
        "rare type, 20,000 looked at": lambda: find(Filter(type="rare"), below_id=place()),
        "outcome nobody has": lambda: find(Filter(outcome=Outcome.LOST), below_id=place()),
        "since a random time": lambda: find(
            Filter(since=since + timedelta(milliseconds=100 * place())), above_id=0
        ),
        "exact event id": lambda: find(Filter(event_id=f"event-{place()}")),
        "one entry, twin and neighbours": one_entry,
        "dead in groups": inbox.reading.dead_groups,
        "stats": lambda: inbox.standing(["support", "shop"]),
    }


def _times_ms(look: Callable[[], object], samples: int) -> list[float]:
    """Return the milliseconds of each look, after some to warm up."""
    took = []
    for _ in range(samples + 3):
        began = time.perf_counter()
        look()
        took.append((time.perf_counter() - began) * 1000)
    return took[3:]


def _show(what: str, took_ms: list[float]) -> bool:
    p95 = quantiles(took_ms, n=20, method="inclusive")[-1]
    goal = GOALS_MS[what]
    click.echo(
        f"  {what:>30}  p50 {median(took_ms):6.1f} ms, p95 {p95:6.1f} ms (goal: at most {goal})"
    )
    return p95 <= goal
