"""What the figures of a run were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import click
import psycopg
from redis import Redis

from bench.servers import postgres, redis

#: The type of ``--folder``: where a benchmark that writes to a disk makes its files.
FOLDER = click.Path(exists=True, file_okay=False)

#: The packages whose versions decide about the figures.
PACKAGES = (
    "flask",
    "werkzeug",
    "sqlalchemy",
    "marshmallow",
    "cryptography",
    "psycopg",
    "celery",
    "dramatiq",
    "huey",
    "procrastinate",
    "slack-bolt",
    "line-bot-sdk",
    "django",
    "django-anymail",
    "stripe",
    "svix",
    "standardwebhooks",
    "pyjwt",
    "joserfc",
)

_SYNCS = 200


def describe(folder: str | None = None) -> dict[str, str]:
    """Return what there is to say about this machine, by headings.

    Args:
        folder: Where the figures were measured; its disk is timed.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        return {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "CPU": cpu(),
            "cores": str(len(os.sched_getaffinity(0))),
            "load before": f"{os.getloadavg()[0]:.1f}",
            "disk, 2 KiB appended and synced": f"{sync_ms(Path(made)):.2f} ms",
            "Linux": platform.release(),
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            "PostgreSQL": of_postgres(),
            "Redis": of_redis(Path(made)),
            "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        }


def cpu() -> str:
    """Return the name that the kernel knows it by."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def sync_ms(folder: Path) -> float:
    """Return how long the disk takes to keep one small append; the median of many."""
    took = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(2048))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def of_postgres() -> str:
    """Return its version, and the settings on which it depends whether a commit is kept."""
    with postgres() as (url, _), psycopg.connect(url) as connection:
        found = []
        for setting in ("server_version", "fsync", "synchronous_commit"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            found.append(str(row[0]) if row else "")
    return f"{found[0]}, fsync {found[1]}, synchronous_commit {found[2]}"


def of_redis(folder: Path) -> str:
    with redis(folder / "redis") as server, Redis.from_url(server.url) as connection:
        return str(connection.info("server")["redis_version"])
