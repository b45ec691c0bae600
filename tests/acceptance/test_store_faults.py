"""What a sender hears while the store fails, and what is left of it when it is well again."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import Engine, event

from hookkit import ConfigurationError, HookKit, RetryPolicy, Unavailable
from hookkit.core.states import State
from hookkit.inbox.database import open_inbox
from tests.acceptance.servers import gunicorn
from tests.acceptance.test_gunicorn import APPLICATION
from tests.applications import ENDPOINTS, message, post
from tests.scale import SCALE
from tests.waiting import DEADLINE_S

TRIES = 6


class Faults:
    """Counts the calls of every SQLite connection, and has some of them fail.

    Attributes:
        failing: The numbers of the calls that fail, the first is 1.
        is_done_first: Whether a call that fails does its work all the same: what a server
            that goes away amid an answer looks like.
    """

    def __init__(self, failing=(), *, is_done_first=False):
        self.calls = []
        self.failing = failing
        self.is_done_first = is_done_first

    def run(self, name, call):
        self.calls.append(name)
        if len(self.calls) not in self.failing:
            return call()
        if self.is_done_first:
            call()
        raise sqlite3.OperationalError("disk I/O error")


@contextmanager
def every_call_through(faults):
    """Lead each call of a SQLite connection that is opened in the block through *faults*."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement, *parameters):
            run = super().execute
            return faults.run(statement, lambda: run(statement, *parameters))

        def executemany(self, statement, *parameters):
            run = super().executemany
            return faults.run(statement, lambda: run(statement, *parameters))

    class Connection(sqlite3.Connection):
        def cursor(self, factory=Cursor):
            return super().cursor(factory)

        def execute(self, statement, *parameters):
            return self.cursor().execute(statement, *parameters)

        def commit(self):
            return faults.run("commit", super().commit)

    def connect(dialect, record, arguments, options):
        options["factory"] = Connection
        return faults.run("connect", lambda: dialect.connect(*arguments, **options))

    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)


class Application:
    """An application with an inbox and no runner, and a worker with a clock of its own."""

    def __init__(self, database, *, fails_first):
        self.handled = []
        self.attempts = []
        self.now = datetime.now(UTC)
        hooks = HookKit()

        @hooks.on("conversation:message", name="handle")
        def handle(event, run):
            self.attempts.append(event.id)
            if fails_first and len(self.attempts) == 1:
                raise ValueError("not yet")
            self.handled.append(event.id)

        app = Flask("faults")
        app.config.update(
            HOOKKIT_ENDPOINTS=ENDPOINTS, HOOKKIT_DATABASE=database, HOOKKIT_RUNNER="none"
        )
        app.config["HOOKKIT_RETRY"] = RetryPolicy(max_attempts=5, jitter=0)
        with patch("hookkit.web.state.utc_now", lambda: self.now):
            hooks.init_app(app)
        self.client = app.test_client()
        self.state = app.extensions["hookkit"]
        self.worker = self.state.worker

    @property
    def engine(self):
        return self.state.open_inbox()._transactions.engine

    def work(self):
        """Let the worker try once, later than every lease and every delay before it."""
        self.now += timedelta(hours=1)
        try:
            self.worker.work()
        except Unavailable:
            return False
        return True

    def deliver_until_accepted(self, body):
        """Send as a vendor does; return what was answered."""
        answers = []
        while len(answers) < TRIES and 200 not in answers:
            response = post(self.client, body)
            answers.append(response.status_code)
            assert response.status_code == 200 or response.headers["Retry-After"] == "10"
        return answers

    def close(self):
        self.state.stop()


def live(path, faults, *, fails_first):
    """Lead one event through its whole life; assert on the way what holds with any fault."""
    with every_call_through(faults), patch("hookkit.web.opening.PATIENCE_S", 0.0):
        application = Application(f"sqlite:///{path}", fails_first=fails_first)
        try:
            answers = application.deliver_until_accepted(message())
            # Nothing but the file itself tells what an answer is worth.
            assert stored(path) == (1, 1, 0)
            turns = 0
            while State.DONE.value not in states(path) and turns < TRIES:
                application.work()
                turns += 1
            delivered_again = application.deliver_until_accepted(message())
        finally:
            application.close()
    assert set(answers) <= {200, 503}
    assert (answers[-1], delivered_again[-1]) == (200, 200)
    assert states(path) == [State.DONE.value]
    assert stored(path)[:2] == (1, 1)
    return application


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


@pytest.mark.parametrize("is_done_first", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("fails_first", [False, True], ids=["success", "retry"])
def test_any_one_call_of_the_store_may_fail(tmp_path, fails_first, is_done_first):
    counted = Faults()
    live(tmp_path / "counted.db", counted, fails_first=fails_first)
    total = len(counted.calls)
    assert total > 40
    runs = {}

    # Every call that is not done; of those that are done, every third unless there is time.
    for number in range(1, total + 1, 3 if is_done_first and SCALE == 1 else 1):
        faults = Faults({number}, is_done_first=is_done_first)
        path = tmp_path / f"{number}.db"
        application = live(path, faults, fails_first=fails_first)
        runs[number] = len(application.handled)
        assert len(faults.calls) >= number
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]
        # Each attempt that was made and could be told is told once.
        numbers = ask(path, "SELECT number, handler, count(*) FROM hookkit_attempts GROUP BY 1, 2")
        assert {count for _, _, count in numbers} == {1}

    # The worker tries again to settle, so one fault makes nobody handle an event twice.
    assert set(runs.values()) == {1}


@pytest.fixture
def application(tmp_path):
    made = Application(f"sqlite:///{tmp_path}/inbox.db", fails_first=False)
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
    """Run *pragma* whenever a connection is taken from the pool."""

    def run(driver, *_):
        driver.execute(pragma)

    event.listen(application.engine, "checkout", run)
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
    filled = Application(f"sqlite:///{path}", fails_first=False)
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
    application = Application(f"sqlite:///{path}", fails_first=False)

    answers = [post(application.client, message()) for _ in range(2)]

    application.close()
    assert [answer.status_code for answer in answers] == [503, 503]
    assert path.read_bytes() == b"this is a letter, not a database " * 50
