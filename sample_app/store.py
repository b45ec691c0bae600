"""What the handlers did, in a table of the application's own.

Two processes serve the application, so what one of them remembers the other does not know.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from hookkit import Event, Run

# How long to wait for another process to finish writing, in seconds.
WAIT_S = 10

TABLE = """
    CREATE TABLE IF NOT EXISTS handled (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        version TEXT NOT NULL,
        handler TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        what TEXT NOT NULL
    )
"""


def init_app(app: Flask) -> None:
    path = Path(app.config["SAMPLE_DATABASE"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_connect(path)) as connection:
        connection.execute(TABLE)


def note(event: Event, run: Run, handler: str, what: str) -> None:
    """Record what *handler* did about *event*."""
    row = (
        datetime.now(UTC).isoformat(sep=" ", timespec="milliseconds"),
        event.id,
        event.type.value,
        f"{event.provider} {event.version}",
        handler,
        run.attempt,
        # JSON can contain half a character, which no database stores. Do not fail for ever on it.
        what.encode(errors="replace").decode(),
    )
    with closing(_connect(current_app.config["SAMPLE_DATABASE"])) as connection:
        connection.execute(
            "INSERT INTO handled (at, event_id, type, version, handler, attempt, what)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )


def latest(limit: int) -> list[dict[str, Any]]:
    """Return the last records, newest first."""
    with closing(_connect(current_app.config["SAMPLE_DATABASE"])) as connection:
        rows = connection.execute("SELECT * FROM handled ORDER BY id DESC LIMIT ?", (limit,))
        return [dict(row) for row in rows]


def of_events(event_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of these events, newest first; there are at most some hundred ids."""
    with closing(_connect(current_app.config["SAMPLE_DATABASE"])) as connection:
        marks = ", ".join("?" for _ in event_ids)
        rows = connection.execute(
            f"SELECT * FROM handled WHERE event_id IN ({marks}) ORDER BY id DESC",  # noqa: S608  # marks
            event_ids,
        )
        return [dict(row) for row in rows]


def _connect(path: str | Path) -> sqlite3.Connection:
    # A connection for each use and a transaction for each statement is slow, but simple.
    connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection
