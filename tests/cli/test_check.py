"""``flask hookkit check``: what it finds, and that it changes nothing."""

import json
import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.application import app_state
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sqlite import file as sqlite_file
from tests.applications import ENDPOINTS, SECRET, admit, make_app, message

NOBODY = 65534


@pytest.fixture
def hooks():
    made = HookKit()

    @made.on("*", name="handle", retry=RetryPolicy(max_attempts=1))
    def handle(event):
        raise ValueError("no")

    return made


@pytest.fixture(autouse=True)
def _new_sqlite(monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))


@pytest.fixture
def mounts(monkeypatch, tmp_path_factory):
    """Return a function that says what a folder is mounted as."""
    file = tmp_path_factory.mktemp("proc") / "mounts"
    monkeypatch.setattr(sqlite_file, "_MOUNTS", file)

    def mount(folder, kind):
        file.write_text(f"/dev/sda1 / ext4 rw 0 0\nsomething {folder} {kind} rw 0 0\n")

    mount("/elsewhere", "ext4")
    return mount


def check(hooks, **config):
    """Return the status, and what was found by its level."""
    app = make_app(hooks, **({"HOOKKIT_RUNNER": "thread"} | config))
    done = app.test_cli_runner().invoke(args=["hookkit", "check"])
    app.extensions["hookkit"].stop()
    unwrapped = done.stdout.replace(f"\n{8 * ' '}", " ")
    lines = [(line[:8].strip(), line[8:]) for line in unwrapped.splitlines()]
    return done.exit_code, {
        level: [text for its, text in lines if its == level]
        for level in ("ok", "warning", "failure")
    }


def test_application_that_is_well(hooks, sql_url, mounts):
    open_inbox(sql_url).close()

    status, found = check(hooks, HOOKKIT_DATABASE=sql_url)

    assert (status, found["warning"], found["failure"]) == (0, [], [])
    assert found["ok"][:4] == [
        "endpoint support: sunshine, proven by secrets",
        "handlers: handle",
        "retries: 23 attempts over at least 12.1 h",
        (
            "runner: thread: 4 threads in each process that serves; not"
            " with gunicorn's worker class sync, which one slow client gets killed"
        ),
    ]
    assert found["ok"][4].startswith("inbox: ")
    assert found["ok"][4].endswith(", with 0 entries")


def test_old_sqlite_is_a_warning(hooks, sqlite_url, mounts, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))

    status, found = check(hooks, HOOKKIT_DATABASE=sqlite_url)

    assert status == 0
    (warning,) = found["warning"]
    assert warning.startswith(f"inbox: SQLite {sqlite3.sqlite_version} can, very rarely, damage a")


def test_findings_fit_the_screen_and_come_as_json(hooks, sqlite_url, mounts):
    app = make_app(hooks, HOOKKIT_RUNNER="thread", HOOKKIT_DATABASE="memory://")
    run = app.test_cli_runner().invoke

    printed = run(args=["hookkit", "check"])
    for_machines = run(args=["hookkit", "check", "--json"])

    app.extensions["hookkit"].stop()
    lines = printed.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "        sync, which one slow client gets killed" in lines
    assert for_machines.exit_code == printed.exit_code == 1
    assert json.loads(for_machines.stdout)[-1] == {
        "level": "failure",
        "text": "inbox: memory: it is gone with the process; for tests only",
    }


@pytest.mark.parametrize(("no_color", "is_colored"), [("1", False), ("", True)])
def test_colours_are_left_out_where_nobody_wants_them(hooks, no_color, is_colored, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    app = make_app(hooks, HOOKKIT_RUNNER="none", HOOKKIT_DATABASE="memory://")

    printed = app.test_cli_runner().invoke(args=["hookkit", "check"], color=True).stdout

    app.extensions["hookkit"].stop()
    assert ("\x1b[" in printed) is is_colored


def test_single_attempt_has_no_span(hooks, sqlite_url, mounts):
    _, found = check(hooks, HOOKKIT_DATABASE=sqlite_url, HOOKKIT_RETRY=RetryPolicy(max_attempts=1))

    assert "retries: 1 attempt" in found["ok"]


def test_look_makes_no_file_and_no_table(hooks, tmp_path, mounts, postgres_url):
    file = tmp_path / "instance" / "hookkit.db"

    no_file = check(hooks, HOOKKIT_DATABASE=f"sqlite:///{file}")
    no_tables = check(hooks, HOOKKIT_DATABASE=postgres_url)
    refused = check(hooks, HOOKKIT_DATABASE=postgres_url, HOOKKIT_TABLES="check")

    assert (no_file[0], no_tables[0], refused[0]) == (0, 0, 1)
    assert no_file[1]["ok"][-1] == f"inbox: the SQLite file {file} is made at the start"
    assert no_tables[1]["ok"][-1].endswith(
        "PostgreSQL: its tables are made or changed at the start"
    )
    assert (
        "its tables lack table hookkit_applications, table hookkit_attempts"
        in refused[1]["failure"][0]
    )
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        pytest.param("overlay", "in a container's own layer (overlay)", id="container"),
        pytest.param("tmpfs", "on a disk in memory (tmpfs)", id="memory"),
        pytest.param("nfs4", "on a network file system (nfs4)", id="network"),
    ],
)
def test_disk_that_keeps_no_events_is_a_failure(hooks, tmp_path, mounts, kind, why):
    mounts(tmp_path, kind)

    status, found = check(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/instance/inbox.db")

    assert status == 1
    assert [why in text for text in found["failure"]] == [True]


@pytest.fixture
def folder():
    """Return a folder that every user may look into, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="hookkit-check-"))
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@contextmanager
def without_rights():
    """Be no superuser, who may write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("is_there", [False, True])
def test_read_only_folder_is_a_failure(hooks, folder, mounts, is_there):
    url = f"sqlite:///{folder}/inbox.db"
    if is_there:
        open_inbox(url).close()
    folder.chmod(0o555)

    with without_rights():
        status, found = check(hooks, HOOKKIT_DATABASE=url)

    assert status == 1
    assert f"{folder} cannot be written to by the user that runs this" in found["failure"][0]


def test_folder_without_the_right_to_look_into_is_a_failure(hooks, folder, mounts):
    (folder / "private").mkdir()
    (folder / "private").chmod(0)

    with without_rights():
        status, found = check(hooks, HOOKKIT_DATABASE=f"sqlite:///{folder}/private/inbox.db")

    (folder / "private").chmod(0o700)
    assert status == 1
    assert "private cannot be written to by the user that runs this" in found["failure"][0]


def test_memory_keeps_nothing(hooks):
    status, found = check(hooks, HOOKKIT_DATABASE="memory://")

    assert status == 1
    assert found["failure"] == ["inbox: memory: it is gone with the process; for tests only"]


def test_database_that_is_away_is_named_without_its_password(hooks):
    status, found = check(hooks, HOOKKIT_DATABASE="postgresql://me:hunter2@127.0.0.1:1/inbox")

    assert status == 1
    assert found["failure"][0].startswith("inbox: the inbox cannot be used")
    assert "hunter2" not in str(found)


def test_read_only_database_is_a_failure(hooks, postgres_url):
    open_inbox(postgres_url).close()
    option = postgres_url.replace("options=", "options=-cdefault_transaction_read_only=on%20")

    status, found = check(hooks, HOOKKIT_DATABASE=option)

    assert status == 1
    assert "ReadOnlySqlTransaction" in found["failure"][0]


def test_what_waits_and_what_is_dead_is_a_warning(hooks, sqlite_url, mounts, monkeypatch):
    now = datetime(2026, 3, 1, 10, tzinfo=UTC)
    monkeypatch.setattr(app_state, "utc_now", lambda: now)
    inbox = open_inbox(sqlite_url)
    admit(inbox, message("event-1"), now)
    app = make_app(hooks, HOOKKIT_DATABASE=sqlite_url, HOOKKIT_RUNNER="none")
    app.extensions["hookkit"].worker.work()
    app.extensions["hookkit"].stop()
    admit(inbox, message("event-2"), now - timedelta(minutes=10))
    inbox.close()

    status, found = check(hooks, HOOKKIT_DATABASE=sqlite_url, HOOKKIT_RUNNER="none")

    assert status == 0
    group = re.escape("inbox: 1 dead by handle: ValueError: no at ") + r"tests\S+test_check.py:\d+"
    assert re.fullmatch(f"{group}, support, since 2026-03-01 10:00 UTC", found["warning"].pop(1))
    assert found["warning"] == [
        "inbox: 1 dead; see `flask hookkit replay --state dead --dry-run`",
        (
            "inbox: what is due first has waited for 600 s, and no worker was seen lately: start"
            " one, such as `flask hookkit worker`"
        ),
    ]
    assert "runner: none: `flask hookkit worker` must run somewhere" in found["ok"]


def test_application_without_handlers_fails(sqlite_url, mounts):
    status, found = check(HookKit(), HOOKKIT_DATABASE=sqlite_url)

    assert status == 1
    assert found["failure"][0].startswith("handlers: none is registered")


def test_handler_of_another_endpoint_is_a_warning(hooks, sqlite_url, mounts):
    hooks.on("*", name="lost", endpoint="suport")(lambda event: None)

    status, found = check(hooks, HOOKKIT_DATABASE=sqlite_url)

    assert (status, found["warning"]) == (0, ["handler lost: there is no endpoint 'suport'"])


@pytest.mark.parametrize(
    ("arguments", "runner", "is_warned"),
    [
        ("--workers 2", "thread", True),
        ("--worker-class sync --timeout 7", "thread", True),
        ("--threads 4", "thread", False),
        ("-k gevent", "thread", False),
        ("--timeout 0", "thread", False),
        ("--workers 2", "none", False),
        ("--no-such-option", "none", False),
    ],
)
def test_worker_that_a_slow_client_gets_killed_is_a_warning(
    hooks, sqlite_url, mounts, monkeypatch, arguments, runner, is_warned
):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)

    status, found = check(hooks, HOOKKIT_DATABASE=sqlite_url, HOOKKIT_RUNNER=runner)

    told = [each for each in found["warning"] if each.startswith("server: GUNICORN_CMD_ARGS: ")]
    assert (status, len(told)) == (0, int(is_warned))
    assert all("--worker-class gthread --threads 4" in each for each in told)


def test_endpoints_are_listed_with_their_proofs(hooks, sqlite_url, mounts):
    def broken():
        raise RuntimeError(SECRET)

    endpoints = ENDPOINTS | {
        "away": {"provider": "sunshine", "secrets": broken},
        "called": {"provider": "sunshine", "secrets": lambda: [f"another-{SECRET}"]},
        "chat": {"provider": "livechat", "unsigned": True, "basic": [f"me:{SECRET}-of-chat"]},
        "open": {"provider": "sunshine", "unsigned": True},
        "signed": {"provider": "8x8", "region": "eu"},
    }

    status, found = check(hooks, HOOKKIT_DATABASE=sqlite_url, HOOKKIT_ENDPOINTS=endpoints)

    assert status == 1
    (failure,) = found["failure"]
    assert failure.startswith("endpoint away: the secrets of endpoint 'away' cannot be had: Runti")
    assert found["warning"] == ["endpoint open: takes what anybody sends (unsigned)"]
    assert "endpoint called: sunshine, proven by secrets" in found["ok"]
    assert "endpoint chat: livechat, proven by basic" in found["ok"]
    assert "endpoint open: sunshine, proven by nothing" in found["ok"]
    assert "endpoint signed: 8x8, proven by keys" in found["ok"]
    assert SECRET not in str(found)
