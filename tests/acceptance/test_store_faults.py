"""What a sender hears while the store fails, and what is left of it when it is well again."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from hookkit import ConfigurationError
from hookkit.inbox.opening import open_inbox
from tests.acceptance.faulty import Application
from tests.acceptance.servers import gunicorn
from tests.acceptance.test_gunicorn import APPLICATION
from tests.applications import message, post
from tests.waiting import DEADLINE_S


def ask(path, statement):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def stored(path):
    """Return how many deliveries, entries and attempts there are."""
    tables = ("deliveries", "entries", "attempts")
    return tuple(ask(path, f"SELECT count(*) FROM hookkit_{name}")[0][0] for name in tables)  # noqa: S608


def states(path):
    return [state for (state,) in ask(path, "SELECT state FROM hookkit_entries")]


@pytest.fixture
def application(tmp_path):
    made = Application(f"sqlite:///{tmp_path}/inbox.db")
    assert post(made.client, message("before")).status_code == 200
    yield made
    made.close()


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(application, path):
    """Have another process hold the file's lock."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.close()
        assert holder.wait(DEADLINE_S) == 0


@contextmanager
def full(application, path):
    with every_connection_runs(application, "PRAGMA max_page_count = 1"):
        yield
    for_good = "PRAGMA max_page_count = 1000000"
    # SQLite removes the log with the last connection, which hookkit would take for a loss.
    application.state.opening.inbox()._transactions._forget_connections()
    application.engine.dispose()
    with every_connection_runs(application, for_good):
        application.engine.connect().close()


@contextmanager
def read_only(application, path):
    with every_connection_runs(application, "PRAGMA query_only = ON"):
        yield
    with every_connection_runs(application, "PRAGMA query_only = OFF"):
        application.engine.connect().close()


@contextmanager
def missing(application, path):
    """Move the file and what belongs to it to another folder, and back."""
    away = path.parent / "away"
    away.mkdir()
    moved = [each for each in path.parent.glob("inbox.db*") if each.is_file()]
    for each in moved:
        each.rename(away / each.name)
    yield
    assert not path.exists() or path.stat().st_size == 0
    for each in moved:
        (away / each.name).rename(each)


@contextmanager
def every_connection_runs(application, pragma):
    """Run *pragma* whenever a connection is taken from the pool, the kept one of the writer too."""

    def run(driver, *_):
        driver.execute(pragma)

    event.listen(application.engine, "checkout", run)
    application.state.opening.inbox()._transactions._release_kept()
    try:
        yield
    finally:
        event.remove(application.engine, "checkout", run)


@pytest.mark.parametrize("fault", [locked, full, read_only, missing])
def test_store_that_cannot_be_written_is_503_until_it_is_repaired(application, tmp_path, fault):
    path = tmp_path / "inbox.db"
    # Larger than what is free in the pages that are there.
    bodies = [message(f"event-{number}", "long " * 10_000) for number in range(2)]

    with fault(application, path):
        answers = [post(application.client, body) for body in bodies]
    answers_after = [post(application.client, body) for body in bodies]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert {answer.headers["Retry-After"] for answer in answers} == {"10"}
    assert [answer.json["new"] for answer in answers_after] == [1, 1]
    assert stored(path) == (3, 3, 0)
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_disk_that_is_full_is_503_and_takes_again_when_there_is_room(tmp_path):
    bodies = [message(f"event-{number}", "long " * 2000) for number in range(100)]

    with gunicorn(tmp_path, APPLICATION, "--workers", "1") as server:
        assert server.post(bodies[0])[0] == 200
        (worker,) = (int(line) for line in server.lines("imported"))
        # The write-ahead log grows to this, and no further.
        unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE, (1 << 21, -1))
        answers = [server.post(body) for body in bodies[1:]]
        resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
        answers_after = [server.post(body) for body in bodies]

    statuses = [status for status, _ in answers]
    accepted = [number for number, status in enumerate(statuses, start=1) if status == 200]
    assert set(statuses) == {200, 503}
    assert {status for status, _ in answers_after} == {200}
    new = [number for number, (_, answer) in enumerate(answers_after) if answer["new"]]
    assert new == sorted(set(range(100)) - {0, *accepted})
    assert stored(tmp_path / "inbox.db")[:2] == (100, 100)
    assert ask(tmp_path / "inbox.db", "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("size", [100, 1000, 4096, 20_000, 40_000])
def test_truncated_file_is_refused_at_start_and_left_alone(tmp_path, size):
    path = tmp_path / "inbox.db"
    filled = Application(f"sqlite:///{path}")
    assert post(filled.client, message()).status_code == 200
    filled.close()
    whole = path.read_bytes()
    assert len(whole) > size
    path.write_bytes(whole[:size])

    with pytest.raises(ConfigurationError, match="HOOKKIT_DATABASE"):
        open_inbox(f"sqlite:///{path}")

    assert path.read_bytes() == whole[:size]


def test_foreign_file_is_503_and_left_alone(tmp_path):
    path = tmp_path / "inbox.db"
    path.write_bytes(b"this is a letter, not a database " * 50)
    application = Application(f"sqlite:///{path}")

    answers = [post(application.client, message()) for _ in range(2)]

    application.close()
    assert [answer.status_code for answer in answers] == [503, 503]
    assert path.read_bytes() == b"this is a letter, not a database " * 50
