"""The cost of a large SQLite inbox: admit and claim with 1,000,000 entries.

All figures come from one run. The cases take turns, event by event, so that a busy machine slows
all of them:

* admit one event, and claim and settle one, beside 10,000 stored entries and beside 1,000,000;
  with event ids in the order of time, and with random ones;
* claim one of 1,000,000 that are pending, also in lanes, and in lanes while those of one
  conversation wait behind its first;
* open such an inbox.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import click

from bench.durable import new_envelope
from bench.machine import FOLDER
from hookkit.core.delivery import Envelope
from hookkit.core.entry import Entry, Settlement, State
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.opening import open_inbox

#: Goals of the project; the command fails when one is missed.
MAX_RATIO_ORDERED = 1.5
MAX_RATIO_RANDOM = 2.3
MAX_CLAIM_MS = 20.0
MAX_START_S = 2.0

FEW = 10_000

_DONE = Settlement(state=State.DONE, retry_after_s=None, attempts=())

# Entries as hookkit writes them, each with a delivery of its own; time goes by in milliseconds.
_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
"""
_DELIVERIES = f"""
INSERT INTO hookkit_deliveries
    (endpoint, provider, version, received_at_ms, body, headers, body_sha256, secret_index,
     is_conflict, is_encrypted)
{_FILL}
SELECT 'support', 'sunshine', 'v2', :since_ms + n, randomblob(200), '{{}}',
       lower(hex(randomblob(32))), 0, 0, 0 FROM numbers
"""  # noqa: S608  # nothing but the constant above
_ENTRIES = f"""
INSERT INTO hookkit_entries
    (endpoint, event_id, delivery_id, position, vendor_type, version, lane, content_hash,
     received_at_ms, state, due_at_ms, attempt_count, generation, replay_count, conflict_count)
{_FILL}
SELECT 'support', iif(:is_random, lower(hex(randomblob(16))), printf('%019d', n)), n, 0,
       'conversation:message', 'v2', 'conversation-' || (n % 1000), lower(hex(randomblob(32))),
       :since_ms + n, :state, iif(:state = 'pending', :since_ms + n, NULL), 0, 1, 0, 0
FROM numbers
"""  # noqa: S608  # the same


@click.command()
@click.option("--many", default=1_000_000, show_default=True, help="Entries of the large inbox.")
@click.option("--events", default=400, show_default=True, help="Events that are timed in each.")
@click.option("--folder", type=FOLDER, help="Where the files are made; 3 GB are needed.")
def growth(many: int, events: int, folder: str | None) -> None:
    """Time an inbox of 1,000,000 entries beside one of 10,000."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        met = [
            _admit_and_claim(Path(made), many, events, is_random=False),
            _admit_and_claim(Path(made), many, events, is_random=True),
            _many_pending(Path(made), many, events),
        ]
    if not all(met):
        raise SystemExit(1)


def _admit_and_claim(folder: Path, many: int, events: int, *, is_random: bool) -> bool:
    kind, goal = ("random", MAX_RATIO_RANDOM) if is_random else ("ordered", MAX_RATIO_ORDERED)
    inboxes = {
        count: _filled(folder / f"{kind}-{count}.db", count, State.DONE, is_random=is_random)
        for count in (FEW, many)
    }
    click.echo(f"{kind} event ids:")
    steps: Mapping[str, Callable[[Inbox], float]] = {
        "admit": lambda inbox: _timed(lambda: inbox.admit(_event(is_random=is_random))),
        "claim and settle": lambda inbox: _timed(lambda: _claim_and_settle(inbox)),
    }
    ratios = []
    for name, step in steps.items():
        took: dict[int, list[float]] = {count: [] for count in inboxes}
        for _ in range(events):
            for count, inbox in inboxes.items():
                took[count].append(step(inbox))
        ratios.append(median(took[many]) / median(took[FEW]))
        click.echo(
            f"  {name:>17}  {median(took[FEW]):6.2f} ms beside {FEW:,},"
            f" {median(took[many]):6.2f} ms beside {many:,}:"
            f" {ratios[-1]:.2f} times (goal: at most {goal:g})"
        )
    for inbox in inboxes.values():
        inbox.close()
    return max(ratios) <= goal


def _many_pending(folder: Path, many: int, events: int) -> bool:
    path = folder / "pending.db"
    _filled(path, many, State.PENDING, is_random=False).close()
    start_s = _timed(lambda: open_inbox(f"sqlite:///{path}").close()) / 1000
    inbox = open_inbox(f"sqlite:///{path}")
    click.echo(f"{many:,} pending:")
    click.echo(f"  open {start_s:.2f} s (goal: at most {MAX_START_S:g})")
    met = start_s <= MAX_START_S
    for what, step in {
        "claim and settle": partial(_claim_and_settle, inbox),
        "in lanes": partial(_claim_and_settle, inbox, in_lanes=True),
    }.items():
        met = _show_claims(what, [_timed(step) for _ in range(events)]) and met
    _put_into_one_lane(path)
    # Their first is being handled, and hours away from its end.
    _claim(inbox, in_lanes=True, lease_s=10_000)
    held_up = [_timed(partial(_claim, inbox, in_lanes=True)) for _ in range(events)]
    met = _show_claims("in lanes, all held up", held_up) and met
    inbox.close()
    return met


def _show_claims(what: str, took: Sequence[float]) -> bool:
    p99 = quantiles(took, n=100)[-1]
    click.echo(
        f"  {what:>22}  p50 {median(took):.2f} ms, p99 {p99:.2f} ms"
        f" (goal: at most {MAX_CLAIM_MS:g})"
    )
    return p99 <= MAX_CLAIM_MS


def _put_into_one_lane(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("UPDATE hookkit_entries SET lane = 'conversation' WHERE state = 'pending'")
    connection.close()


def _filled(path: Path, count: int, state: State, *, is_random: bool) -> Inbox:
    """Return an inbox with *count* entries, written by SQL: admitting them would take too long."""
    inbox = open_inbox(f"sqlite:///{path}")
    since_ms = int(datetime.now(UTC).timestamp() * 1000) - count - 1000
    given = {"count": count, "since_ms": since_ms, "state": state.value, "is_random": is_random}
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_DELIVERIES, given)
    connection.execute(_ENTRIES, given)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return inbox


def _event(*, is_random: bool) -> Envelope:
    envelope = new_envelope()
    if not is_random:
        return envelope
    event_id = hashlib.sha256(secrets.token_bytes(8)).hexdigest()[:32]
    return replace(envelope, items=(replace(envelope.items[0], event_id=event_id),))


def _claim(inbox: Inbox, *, in_lanes: bool = False, lease_s: float = 60) -> list[Entry]:
    return inbox.claim(
        now=datetime.now(UTC),
        lease_s=lease_s,
        limit=1,
        endpoints=["support"],
        in_lanes=in_lanes,
    )


def _claim_and_settle(inbox: Inbox, *, in_lanes: bool = False) -> None:
    for entry in _claim(inbox, in_lanes=in_lanes):
        inbox.settle(entry, _DONE, now=datetime.now(UTC), in_lanes=in_lanes)


def _timed(step: Callable[[], object]) -> float:
    """Return the milliseconds that *step* takes."""
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1000
