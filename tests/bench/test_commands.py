"""Every benchmark runs, in its smallest size: figures come out of it, whatever they are."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.engine_kinds import FRONT, KINDS, SQLITE, has_front
from bench.receivers import RECEIVERS
from bench.report import CHART, PAGE
from tests.docs.pages import ROOT

#: command -> its smallest size, and what it prints.
SMALLEST = {
    "accept": (["--rounds=1", "--calls=2"], ["bare view", "json.loads", *RECEIVERS]),
    "capacity": (["--rounds=1", "--events=20"], ["SQLite", "PostgreSQL, Celery"]),
    "console": (
        ["--many=500", "--samples=2", "--rounds=1", "--seconds=1"],
        ["SQLite", "PostgreSQL", "one event", "deliveries: p99"],
    ),
    "disk": (["--rounds=1", "--events=64"], ["a sync takes, ms", "10."]),
    "durable": (["--rounds=1", "--events=64"], ["append log", "naive, PostgreSQL", "file lock"]),
    "engines": (["--rounds=1", "--events=2", f"--only={SQLITE}"], [SQLITE, "end to end"]),
    "growth": (["--many=20", "--events=2"], ["random event ids", "in lanes, all held up"]),
    "handlers": (["--rounds=1", "--share=0.01", f"--against={ROOT}"], ["20 ms", "before"]),
    "normalize": (["--rounds=1", "--calls=2"], ["split", "times json.loads"]),
    "outage": (["--seconds=1", "--rate=20"], ["broker down", "all done"]),
    "path": ([], ["delivery to its 200", "failed attempt"]),
    "private": (["--inboxes=2", "--events=2"], ["opening", "first event"]),
    "ratios": (
        ["--rounds=1", "--share=0.01"],
        ["bare Celery: PostgreSQL", "normalize", "append log", "idle"],
    ),
    "reading": (["--many=500", "--samples=2"], ["SQLite", "PostgreSQL", "dead in groups"]),
    "unproven": ([], ["sunshine by version"]),
    "verify": (["--rounds=1", "--calls=1"], ["HMAC-SHA256, 200 KiB", "svix", "joserfc"]),
    "versions": (["--rounds=1", "--calls=2"], ["unsynced", "synced", "shadow"]),
}


def test_every_command_is_run_here():
    assert {*SMALLEST, "report"} == set(main.commands)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_run_prints_its_figures(name):
    options, words = SMALLEST[name]

    done = run(name, *options)

    assert [word for word in words if word not in done.stdout] == []


IN_A_FOLDER = [
    name for name, each in main.commands.items() if any(one.name == "folder" for one in each.params)
]


@pytest.mark.parametrize("name", IN_A_FOLDER)
def test_missing_folder_is_told_before_anything_runs(name, tmp_path):
    done = CliRunner().invoke(main, [name, f"--folder={tmp_path / 'gone'}"])

    assert done.exit_code == 2
    assert f"Directory '{tmp_path / 'gone'}' does not exist" in done.output


def test_the_smallest_report_holds_every_engine_and_receiver(tmp_path):
    run("report", "--rounds=1", "--share=0.01", f"--into={tmp_path}")

    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    engines = [name for name in KINDS if name != FRONT or has_front()]
    assert [name for name in (*engines, *RECEIVERS) if f"| {name} |" not in text] == []
    assert (tmp_path / CHART).stat().st_size > 10_000


def run(*arguments):
    """Run a benchmark; it may miss its goals, but not fail in another way."""
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    errors = [line for line in done.stderr.splitlines() if "Error" in line and "goal" not in line]
    assert errors == [], done.stderr
    assert done.returncode in (0, 1)
    return done
