"""Each call of the store in the life of two events fails once: nothing is lost, half, or twice."""

import sqlite3
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest
from sqlalchemy import Engine, event, make_url

from hookkit.core.entry import State
from hookkit.handling.pipeline import Pipeline
from tests.acceptance.faulty import TRIES, Application
from tests.applications import message
from tests.scale import SCALE


class Faults:
    """Counts the calls of every connection, and has some of them fail.

    Attributes:
        failing: The numbers of the calls that fail, the first is 1.
        is_done_first: Whether a call that fails does its work all the same: what a server
            that goes away amid an answer looks like.
    """

    def __init__(self, failing=(), *, is_done_first=False):
        self.calls = []
        self.failing = failing
        self.is_done_first = is_done_first

    def run(self, name, call, fail):
        self.calls.append(name)
        if len(self.calls) not in self.failing:
            return call()
        return fail(call() if self.is_done_first else None)


def disk_fails(made):
    if isinstance(made, sqlite3.Connection):
        made.close()
    raise sqlite3.OperationalError("disk I/O error")


def server_goes_away(connection):
    if connection is not None:
        connection.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly")


def sqlite_through(faults):
    """Return what opens connections to SQLite whose calls go through *faults*."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement, *parameters):
            run = super().execute
            return faults.run(statement, lambda: run(statement, *parameters), disk_fails)

        def executemany(self, statement, *parameters):
            run = super().executemany
            return faults.run(statement, lambda: run(statement, *parameters), disk_fails)

    class Connection(sqlite3.Connection):
        def cursor(self, factory=Cursor):
            return super().cursor(factory)

        def execute(self, statement, *parameters):
            return self.cursor().execute(statement, *parameters)

        def commit(self):
            return faults.run("commit", super().commit, disk_fails)

    def connect(dialect, record, arguments, options):
        options["factory"] = Connection
        return faults.run("connect", lambda: dialect.connect(*arguments, **options), disk_fails)

    return connect


def postgres_through(faults):
    """Return what opens connections to PostgreSQL whose calls go through *faults*."""

    class Cursor(psycopg.Cursor):
        def execute(self, query, *arguments, **options):
            run = super().execute
            return faults.run(
                query,
                lambda: run(query, *arguments, **options),
                lambda _: server_goes_away(self.connection),
            )

        def executemany(self, query, *arguments, **options):
            run = super().executemany
            return faults.run(
                query,
                lambda: run(query, *arguments, **options),
                lambda _: server_goes_away(self.connection),
            )

    class Connection(psycopg.Connection):
        def commit(self):
            return faults.run("commit", super().commit, lambda _: server_goes_away(self))

    def connect(dialect, record, arguments, options):
        def open_one():
            return Connection.connect(*arguments, cursor_factory=Cursor, **options)

        return faults.run("connect", open_one, server_goes_away)

    return connect


@contextmanager
def every_call_through(faults, url):
    """Lead each call of a connection that is opened in the block through *faults*."""
    connect = (sqlite_through if url.startswith("sqlite") else postgres_through)(faults)
    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)


class Store:
    """A database that is looked at past hookkit and SQLAlchemy.

    To connect to PostgreSQL takes far longer than to ask it anything, so that is done once.
    """

    def __init__(self, url):
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if not self.is_sqlite:
            # Nothing is prepared: the tables are made anew for each life.
            self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)

    def close(self):
        if not self.is_sqlite:
            self.connection.close()

    def connect(self):
        if self.is_sqlite:
            return closing(sqlite3.connect(make_url(self.url).database, isolation_level=None))
        return nullcontext(self.connection)

    def ask(self, statement):
        with self.connect() as connection:
            return connection.execute(statement).fetchall()

    def begin(self):
        """Leave nothing but an empty table of effects."""
        if self.is_sqlite:
            path = Path(make_url(self.url).database)
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink()
        with self.connect() as connection:
            if not self.is_sqlite:
                ((name,),) = connection.execute("SELECT current_schema()").fetchall()
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA {name} CASCADE")
                connection.execute(f"CREATE SCHEMA {name}")
            connection.execute("CREATE TABLE effects (event_id VARCHAR(100))")

    def stored(self):
        """Return how many deliveries, entries and attempts there are."""
        tables = ("deliveries", "entries", "attempts")
        return tuple(self.ask(f"SELECT count(*) FROM hookkit_{name}")[0][0] for name in tables)  # noqa: S608

    def states(self):
        return [state for (state,) in self.ask("SELECT state FROM hookkit_entries")]


@pytest.fixture
def store(database_url):
    with closing(Store(database_url)) as looked_at:
        yield looked_at


def messages(count):
    """Return one delivery of some events, which are claimed together."""
    bodies = [message(f"event-{number}") for number in range(1, count + 1)]
    return bodies[0] | {"events": [each["events"][0] for each in bodies]}


def live(store, faults, *, fails_first, count=2):
    """Lead events through their whole life; assert on the way what holds with any fault."""
    store.begin()
    with (
        every_call_through(faults, store.url),
        patch("hookkit.application.inbox_opening.PATIENCE_S", 0.0),
    ):
        application = Application(store.url, fails_first=fails_first, has_effects=True)
        try:
            answers = application.deliver_until_accepted(messages(count))
            # Nothing but the database itself tells what an answer is worth.
            assert store.stored() == (1, count, 0)
            turns = 0
            while set(store.states()) != {State.DONE.value} and turns < TRIES:
                application.work(limit=count)
                turns += 1
            delivered_again = application.deliver_until_accepted(messages(count))
        finally:
            application.close()
    assert set(answers) <= {200, 503}
    assert (answers[-1], delivered_again[-1]) == (200, 200)
    assert store.states() == [State.DONE.value] * count
    assert store.stored()[:2] == (1, count)
    effects = store.ask("SELECT event_id FROM effects ORDER BY 1")
    assert effects == [(f"event-{number}",) for number in range(1, count + 1)]
    return application


@pytest.fixture(autouse=True)
def in_one_group(monkeypatch):
    """Have both events claimed and settled together, however long anything takes."""
    for name in ("QUICK_S", "AGE_S", "LEFT_S"):
        monkeypatch.setattr(f"hookkit.handling.pipeline.{name}", 60.0)
    monkeypatch.setattr(Pipeline, "group_size", 2)


@pytest.mark.parametrize("is_done_first", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("fails_first", [False, True], ids=["success", "retry"])
def test_any_one_call_of_the_store_may_fail(store, fails_first, is_done_first):
    counted = Faults()
    live(store, counted, fails_first=fails_first)
    total = len(counted.calls)
    assert total > 40
    runs = {}

    # Every call of the longer life that is not done; of the others, every third unless there is
    # time.
    is_thorough = SCALE > 1 or (fails_first and not is_done_first)
    for number in range(1, total + 1, 1 if is_thorough else 3):
        faults = Faults({number}, is_done_first=is_done_first)
        application = live(store, faults, fails_first=fails_first)
        runs[number] = len(application.handled)
        assert len(faults.calls) >= number
        succeeded = store.ask(
            "SELECT handler, count(*) FROM hookkit_attempts WHERE outcome = 'succeeded' GROUP BY 1"
            " ORDER BY 1"
        )
        assert succeeded == [("book", 2), ("handle", 2)]

    # The worker tries again to settle, so one fault makes nobody handle an event twice.
    assert set(runs.values()) == {2}


@pytest.mark.parametrize("is_done_first", [False, True], ids=["undone", "done"])
def test_calls_amid_a_batch_may_fail(store, is_done_first):
    count = 8
    counted = Faults()
    live(store, counted, fails_first=True, count=count)

    # Two calls fail, the second of them while the first is being made good.
    for number in range(1, len(counted.calls) + 1, 11 if SCALE == 1 else 1):
        faults = Faults({number, number + 2}, is_done_first=is_done_first)
        application = live(store, faults, fails_first=True, count=count)
        assert sorted(application.handled) == [f"event-{one}" for one in range(1, count + 1)]
